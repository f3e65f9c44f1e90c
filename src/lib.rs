//! Tidemill.

pub mod config;
pub mod connect;
pub mod error;
mod job;
pub mod metrics;

pub use error::{Error, ErrorKind, Result};
