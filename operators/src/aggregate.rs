//! Aggregates: what a window or a rolling fold computes about its records.
//!
//! An [`Aggregate`] folds records into a small state, merges two states, and turns a state into a
//! result. It is a description, not the state itself, so one value serves every key and window. It
//! must be associative and commutative up to its documented tolerance: records arrive in any order,
//! and states of neighbouring slices of time are merged.
//!
//! The ready-made ones stand in this room; tuples of aggregates are aggregates whose output is the
//! tuple of the outputs.
//!
//! ```
//! use tidemill_operators::aggregate::Aggregate;
//! use tidemill_operators::time::EventTime;
//!
//! /// Counts records of at least a size.
//! #[derive(Clone)]
//! struct Large(u64);
//!
//! impl Aggregate<u64> for Large {
//!     type State = u64;
//!     type Output = u64;
//!     fn start(&self) -> u64 {
//!         0
//!     }
//!     fn add(&self, state: &mut u64, _at: EventTime, record: &u64) {
//!         *state += u64::from(*record >= self.0);
//!     }
//!     fn merge(&self, state: &mut u64, other: &u64) {
//!         *state += other;
//!     }
//!     fn finish(&self, state: &u64) -> u64 {
//!         *state
//!     }
//! }
//!
//! let mut state = Large(10).start();
//! [3, 12, 40].iter().for_each(|size| Large(10).add(&mut state, EventTime::MIN, size));
//! assert_eq!(Large(10).finish(&state), 2);
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::time::EventTime;

/// A fold of records `D` with a mergeable state.
///
/// # Guarantees
///
/// `merge` must agree with `add`: merging the states of two sets of records gives the state of
/// their union, whatever the order. `start` is the state of no records.
pub trait Aggregate<D>: Clone + 'static {
    /// What is kept per key and window.
    type State: Clone + Serialize + DeserializeOwned + 'static;
    /// What a firing gives.
    type Output: 'static;

    /// The state of no records.
    fn start(&self) -> Self::State;

    /// Folds in one record with its event time.
    fn add(&self, state: &mut Self::State, at: EventTime, record: &D);

    /// Folds in another state.
    fn merge(&self, state: &mut Self::State, other: &Self::State);

    /// The result for a state; the state may go on to be folded into.
    fn finish(&self, state: &Self::State) -> Self::Output;
}
