//! Operators.
pub mod aggregate;
pub mod event;
pub mod key;
pub mod rule;
pub mod time;
pub mod window;
