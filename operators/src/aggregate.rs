//! Aggregates: what a window or a rolling fold computes about its records.
//!
//! An [`Aggregate`] folds records into a small state, merges two states, and turns a state into a
//! result. It is a description, not the state itself, so one value serves every key and window. It
//! must be associative and commutative up to its documented tolerance: records arrive in any order,
//! and states of neighbouring slices of time are merged.
//!
//! The ready-made ones stand in this room, and a tuple of two to eight aggregates is an aggregate
//! whose output is the tuple of the outputs. [`Fold`] and [`Reduce`] make one from closures. What
//! follows holds for all of them:
//!
//! * **The order of arrival does not show.** Results are a function of the multiset of records and
//!   their event times, on any number of workers. [`Sum`], [`Mean`] and [`Variance`] of floats hold
//!   to this up to rounding, and say how far.
//! * **Overflow never panics.** Each says what it does instead.
//! * **No records, no number.** An aggregate that picks a value gives an `Option`, one that computes
//!   a float gives NaN. A window that fires has a record, unless a trigger purged it.
//! * **Values are ordered by `PartialOrd`, so floats are welcome.** A value unlike itself, such as
//!   NaN, is no extreme: [`Min`], [`Max`], [`TopK`] and [`Quantiles`] pass it over, while [`First`],
//!   [`Last`] and [`Collect`] keep it, greatest among the values of its moment. Values that compare
//!   as equal are interchangeable: which of them is given is not promised.
//!
//! A closure names the type of its record, because the compiler cannot see it yet:
//! `Sum::of(|it: &Trip| it.metres)`.
//!
//! # Examples
//!
//! Several at once:
//!
//! ```
//! use tidemill_operators::aggregate::{Aggregate, Count, Max, Sum};
//! use tidemill_operators::time::EventTime;
//!
//! let bytes = (Count, Sum::of(|it: &u64| *it), Max::of(|it: &u64| *it));
//! let mut state = bytes.start();
//! [512, 64].iter().for_each(|it| bytes.add(&mut state, EventTime::MIN, it));
//! assert_eq!(bytes.finish(&state), (2, 576, Some(512)));
//! ```
//!
//! One of one's own:
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

mod approx_distinct;
mod collect;
mod compensated;
mod count;
mod distinct;
mod extremes;
mod first_last;
mod fold;
mod hyper_log_log;
mod mean;
mod order;
mod quantiles;
mod reduce;
mod sum;
mod top_k;
mod tuples;
mod variance;

pub use approx_distinct::ApproxDistinct;
pub use collect::Collect;
pub use count::Count;
pub use distinct::Distinct;
pub use extremes::{Max, Min};
pub use first_last::{First, Last};
pub use fold::Fold;
pub use mean::Mean;
pub use quantiles::Quantiles;
pub use reduce::Reduce;
pub use sum::{Addend, Sum};
pub use top_k::TopK;
pub use variance::Variance;

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

    /// Whether [`retract`](Self::retract) undoes a merge exactly. Sliding windows of such an
    /// aggregate hold less state.
    fn invertible(&self) -> bool {
        false
    }

    /// Takes a state that was merged in out again. Called only if the aggregate is
    /// [invertible](Self::invertible).
    fn retract(&self, _state: &mut Self::State, _other: &Self::State) {
        unreachable!("an aggregate that is not invertible was asked to retract");
    }

    /// The result for a state; the state may go on to be folded into.
    fn finish(&self, state: &Self::State) -> Self::Output;
}

/// A value that an aggregate can hold in its state; implemented for every type that fits.
pub trait Kept: Clone + Serialize + DeserializeOwned + 'static {}

impl<V: Clone + Serialize + DeserializeOwned + 'static> Kept for V {}
