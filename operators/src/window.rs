//! Windows: spans of event time, or runs of records, whose records are taken together.

mod assign;
pub mod contents;
pub mod evict;
mod general;
mod pane;
mod running;
mod slices;
mod tables;
#[cfg(test)]
mod tests;
pub mod trigger;
mod verbs;
mod with_late;
mod written;

pub(crate) use assign::allowed;
pub use assign::{
    Aligned, Assign, Count, CountSliding, CountTumbling, Cumulative, GapBy, Global, Refused,
    Session, Sliding, Tumbling,
};
pub use general::{General, Saved};
pub use pane::Pane;
pub use verbs::{Evicted, Windowed};
pub use with_late::WithLate;
