//! The values of all records.

use super::order::compare;
use super::{Aggregate, Kept};
use crate::time::EventTime;

/// Every value, in order of event time and, at the same moment, from the least to the greatest.
///
/// # Cost
///
/// A push per record and a sort per firing. The state grows with every record: a time and a value
/// each, until the window is gone; in a rolling fold nothing frees it.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, Collect};
/// use tidemill_operators::time::EventTime;
///
/// let stops = Collect::of(|stop: &&'static str| stop.to_string());
/// let mut state = stops.start();
/// stops.add(&mut state, EventTime::from_secs(2), &"Boston");
/// stops.add(&mut state, EventTime::from_secs(1), &"New York");
/// assert_eq!(stops.finish(&state), ["New York", "Boston"]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Collect<F>(F);

impl<F> Collect<F> {
    /// All that `value` gives.
    pub fn of<D, V>(value: F) -> Self
    where
        F: Fn(&D) -> V + Clone + 'static,
        V: PartialOrd + Kept,
    {
        Self(value)
    }
}

impl<D, V, F> Aggregate<D> for Collect<F>
where
    F: Fn(&D) -> V + Clone + 'static,
    V: PartialOrd + Kept,
{
    type State = Vec<(EventTime, V)>;
    type Output = Vec<V>;

    #[inline]
    fn start(&self) -> Self::State {
        Vec::new()
    }

    #[inline]
    fn add(&self, state: &mut Self::State, at: EventTime, record: &D) {
        state.push((at, (self.0)(record)));
    }

    fn merge(&self, state: &mut Self::State, other: &Self::State) {
        state.extend_from_slice(other);
    }

    fn finish(&self, state: &Self::State) -> Vec<V> {
        let mut sorted: Vec<_> = state.iter().collect();
        sorted.sort_by(|(at, value), (other_at, other)| {
            at.cmp(other_at).then_with(|| compare(value, other))
        });
        sorted.into_iter().map(|(_, value)| value.clone()).collect()
    }
}
