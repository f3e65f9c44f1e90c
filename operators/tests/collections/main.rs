//! The verbs of collections against models that compute each epoch's answer from the whole contents,
//! and named cases.

#[path = "../support/mod.rs"]
mod support;

mod aggregates;
mod arrangements;
mod errors;
mod history;
mod joins;
mod lasting;
mod loops;
mod snapshots;
