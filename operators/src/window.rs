//! Windows: spans of event time, or runs of records, whose records are taken together.

mod assign;
pub mod evict;
mod pane;
pub mod trigger;

pub use assign::{
    Assign, Count, CountSliding, CountTumbling, Cumulative, GapBy, Global, Refused, Session,
    Sliding, Tumbling,
};
pub use pane::Pane;
