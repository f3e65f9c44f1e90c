//! Tidemill.

pub mod cluster;
pub mod config;
pub mod connect;
pub mod error;
mod job;
pub mod metrics;
pub mod prelude;

pub use error::{Error, ErrorKind, Result};
pub use job::{Job, Read, Write};
pub use tidemill_operators::{
    aggregate, batch, count, drive, event, event_time, events, flow, key, keyed, mark, partitions,
    plan, rule, state, stream, time, window,
};
