//! The general window rule against slow models of the whole input, and named cases.

#[path = "../support/mod.rs"]
mod support;

mod aligned;
mod contents;
mod flows;
mod harness;
mod model;
mod sessions;
mod triggers;
mod unbounded;
