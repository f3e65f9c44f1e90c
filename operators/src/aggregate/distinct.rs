//! How many different values the records have, exactly.

use std::collections::HashSet;
use std::hash::Hash;

use foldhash::fast::FixedState;

use super::{Aggregate, Kept};
use crate::time::EventTime;

/// Counts the different values, exactly.
///
/// A float is not `Eq`; count its `to_bits()`.
///
/// # Cost
///
/// One hash and look-up per record. The state holds every different value until the window is gone;
/// in a rolling fold nothing frees it. Where that is too much,
/// [`ApproxDistinct`](super::ApproxDistinct) is bounded.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, Distinct};
/// use tidemill_operators::time::EventTime;
///
/// let visitors = Distinct::of(|user: &u32| *user);
/// let mut state = visitors.start();
/// [7, 9, 7].iter().for_each(|it| visitors.add(&mut state, EventTime::MIN, it));
/// assert_eq!(visitors.finish(&state), 2);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Distinct<F>(F);

impl<F> Distinct<F> {
    /// Counts the different values that `value` gives.
    pub fn of<D, V>(value: F) -> Self
    where
        F: Fn(&D) -> V + Clone + 'static,
        V: Hash + Eq + Kept,
    {
        Self(value)
    }
}

impl<D, V, F> Aggregate<D> for Distinct<F>
where
    F: Fn(&D) -> V + Clone + 'static,
    V: Hash + Eq + Kept,
{
    // The state of the hasher is fixed, so a restored set is laid out as it would have been.
    type State = HashSet<V, FixedState>;
    type Output = u64;

    #[inline]
    fn start(&self) -> Self::State {
        HashSet::default()
    }

    #[inline]
    fn add(&self, state: &mut Self::State, _at: EventTime, record: &D) {
        state.insert((self.0)(record));
    }

    fn merge(&self, state: &mut Self::State, other: &Self::State) {
        // Reserving first keeps the order of one table from clustering in a smaller one.
        state.reserve(other.len());
        for value in other {
            if !state.contains(value) {
                state.insert(value.clone());
            }
        }
    }

    #[inline]
    fn finish(&self, state: &Self::State) -> u64 {
        state.len() as u64
    }
}
