//! Joins against slow models of the whole input, and named cases.

#[path = "../support/mod.rs"]
mod support;

// What is lost of a save is tested with the journal.
#[allow(dead_code)]
#[path = "../process/sections.rs"]
mod sections;

mod interval;
mod interval_rule;
mod lookup;
mod temporal;
mod temporal_rule;
mod window;
