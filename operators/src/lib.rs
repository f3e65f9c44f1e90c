//! Operators.
pub mod aggregate;
pub mod count;
pub mod event;
pub mod key;
pub mod plan;
pub mod rule;
pub mod time;
pub mod window;
