//! Windows: spans of event time, or runs of records, whose records are taken together.

mod pane;

pub use pane::Pane;
