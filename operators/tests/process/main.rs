//! Process functions against slow models of the whole input, and named cases.

#[path = "../support/mod.rs"]
mod support;

mod broadcast;
mod direct;
mod incremental;
mod kinds;
mod sections;
mod spill;
mod timers;
mod two;
