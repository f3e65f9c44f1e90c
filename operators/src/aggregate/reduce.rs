//! Two records made one, again and again.

use super::{Aggregate, Kept};
use crate::time::EventTime;

/// Combines all records into one by a binary function; none for no records.
///
/// # Guarantees
///
/// The function must be associative and commutative: which two records or results it is called
/// with, and in which order, is not promised.
///
/// # Cost
///
/// A call per record; the state is one record.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, Reduce};
/// use tidemill_operators::time::EventTime;
///
/// let longest = Reduce::by(|one: &u32, other: &u32| *one.max(other));
/// let mut state = longest.start();
/// [3, 8, 5].iter().for_each(|it| longest.add(&mut state, EventTime::MIN, it));
/// assert_eq!(longest.finish(&state), Some(8));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reduce<F>(F);

impl<F> Reduce<F> {
    /// Combines records by `both`.
    pub fn by<D>(both: F) -> Self
    where
        F: Fn(&D, &D) -> D + Clone + 'static,
        D: Kept,
    {
        Self(both)
    }
}

impl<D, F> Aggregate<D> for Reduce<F>
where
    F: Fn(&D, &D) -> D + Clone + 'static,
    D: Kept,
{
    type State = Option<D>;
    type Output = Option<D>;

    #[inline]
    fn start(&self) -> Option<D> {
        None
    }

    #[inline]
    fn add(&self, state: &mut Option<D>, _at: EventTime, record: &D) {
        *state = Some(match state {
            Some(so_far) => (self.0)(so_far, record),
            None => record.clone(),
        });
    }

    #[inline]
    fn merge(&self, state: &mut Option<D>, other: &Option<D>) {
        if let Some(record) = other {
            self.add(state, EventTime::MIN, record);
        }
    }

    #[inline]
    fn finish(&self, state: &Option<D>) -> Option<D> {
        state.clone()
    }
}
