//! The general window rule against slow models of the whole input, and named cases.

mod aligned;
mod contents;
mod harness;
mod model;
mod sessions;
mod triggers;
mod unbounded;
