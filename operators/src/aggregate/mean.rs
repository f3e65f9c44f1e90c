//! The mean of a number of each record.

use super::Aggregate;
use super::compensated::Compensated;
use crate::time::EventTime;

/// The arithmetic mean of a number of each record; NaN for no records.
///
/// # Guarantees
///
/// It is the sum, with the tolerance that [`Sum`](super::Sum) states for floats, divided by the
/// count. Infinities and NaN count as in arithmetic; have the closure or a filter leave them out if
/// they should not.
///
/// # Cost
///
/// Seven additions per record; 24 bytes of state.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, Mean};
/// use tidemill_operators::time::EventTime;
///
/// let delay = Mean::of(|minutes: &i32| f64::from(*minutes));
/// let mut state = delay.start();
/// [4, 5].iter().for_each(|it| delay.add(&mut state, EventTime::MIN, it));
/// assert_eq!(delay.finish(&state), 4.5);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mean<F>(F);

impl<F> Mean<F> {
    /// The mean of what `number` gives for each record.
    pub fn of<D>(number: F) -> Self
    where
        F: Fn(&D) -> f64 + Clone + 'static,
    {
        Self(number)
    }

    /// The number of a record.
    pub(crate) fn number<D>(&self, record: &D) -> f64
    where
        F: Fn(&D) -> f64,
    {
        (self.0)(record)
    }
}

impl<D, F> Aggregate<D> for Mean<F>
where
    F: Fn(&D) -> f64 + Clone + 'static,
{
    type State = (u64, Compensated);
    type Output = f64;

    #[inline]
    fn start(&self) -> Self::State {
        (0, Compensated::default())
    }

    #[inline]
    fn add(&self, (count, sum): &mut Self::State, _at: EventTime, record: &D) {
        *count = count.wrapping_add(1);
        sum.add((self.0)(record));
    }

    #[inline]
    fn merge(&self, (count, sum): &mut Self::State, other: &Self::State) {
        *count = count.wrapping_add(other.0);
        sum.merge(&other.1);
    }

    #[inline]
    fn finish(&self, (count, sum): &Self::State) -> f64 {
        sum.total() / *count as f64
    }
}
