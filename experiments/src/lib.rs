//! What the benchmark studies share: one stream of events, one set of arguments, one checksum.
//!
//! Each program in `src/bin` answers the same question about the same [`events`] and prints
//! the same [`answer`], so that two programs may be compared only if they agree. The programs
//! themselves differ in what they are written with: [`plain`] is timely dataflow by hand.

pub mod answer;
pub mod events;
pub mod feed;
pub mod graphs;
pub mod plain;
pub mod settings;
