//! How many records there are.

use super::Aggregate;
use crate::time::EventTime;

/// Counts records.
///
/// # Cost
///
/// One addition per record; 8 bytes of state.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, Count};
/// use tidemill_operators::time::EventTime;
///
/// let mut state = Aggregate::<&str>::start(&Count);
/// ["JFK", "LGA", "JFK"].iter().for_each(|it| Count.add(&mut state, EventTime::MIN, it));
/// assert_eq!(Aggregate::<&str>::finish(&Count, &state), 3);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Count;

impl<D> Aggregate<D> for Count {
    type State = u64;
    type Output = u64;

    #[inline]
    fn start(&self) -> u64 {
        0
    }

    #[inline]
    fn add(&self, state: &mut u64, _at: EventTime, _record: &D) {
        *state = state.wrapping_add(1);
    }

    #[inline]
    fn merge(&self, state: &mut u64, other: &u64) {
        *state = state.wrapping_add(*other);
    }

    fn invertible(&self) -> bool {
        true
    }

    #[inline]
    fn retract(&self, state: &mut u64, other: &u64) {
        *state = state.wrapping_sub(*other);
    }

    #[inline]
    fn finish(&self, state: &u64) -> u64 {
        *state
    }
}
