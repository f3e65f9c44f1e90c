//! Tidemill.

pub mod config;
pub mod connect;
pub mod error;

pub use error::{Error, ErrorKind, Result};
