//! An aggregate made of closures.

use super::{Aggregate, Kept};
use crate::time::EventTime;

/// Folds records into a state by closures, for an aggregate not worth a type of its own.
///
/// # Guarantees
///
/// What [`Aggregate`] asks for is asked of the closures: merging the states of two sets of records
/// gives the state of their union, whatever the order, and the starting state changes nothing.
///
/// # Cost
///
/// That of the closures, and a clone of the starting state per key and window.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, Fold};
/// use tidemill_operators::time::EventTime;
///
/// /// Clicks per hundred views.
/// let rate = Fold::new(
///     (0u64, 0u64),
///     |(clicks, views), clicked: &bool| {
///         *clicks += u64::from(*clicked);
///         *views += 1;
///     },
///     |state, other| {
///         state.0 += other.0;
///         state.1 += other.1;
///     },
///     |(clicks, views)| 100 * clicks / views.max(&1),
/// );
/// let mut state = rate.start();
/// [true, false, false, true].iter().for_each(|it| rate.add(&mut state, EventTime::MIN, it));
/// assert_eq!(rate.finish(&state), 50);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fold<S, A, M, F> {
    start: S,
    add: A,
    merge: M,
    finish: F,
}

impl<S, A, M, F> Fold<S, A, M, F> {
    /// Begins with `start`, takes in a record by `add` and another state by `merge`, and gives what
    /// `finish` makes of the state.
    pub fn new<D, O>(start: S, add: A, merge: M, finish: F) -> Self
    where
        S: Kept,
        A: Fn(&mut S, &D) + Clone + 'static,
        M: Fn(&mut S, &S) + Clone + 'static,
        F: Fn(&S) -> O + Clone + 'static,
    {
        Self { start, add, merge, finish }
    }
}

impl<D, O, S, A, M, F> Aggregate<D> for Fold<S, A, M, F>
where
    S: Kept,
    A: Fn(&mut S, &D) + Clone + 'static,
    M: Fn(&mut S, &S) + Clone + 'static,
    F: Fn(&S) -> O + Clone + 'static,
    O: 'static,
{
    type State = S;
    type Output = O;

    #[inline]
    fn start(&self) -> S {
        self.start.clone()
    }

    #[inline]
    fn add(&self, state: &mut S, _at: EventTime, record: &D) {
        (self.add)(state, record);
    }

    #[inline]
    fn merge(&self, state: &mut S, other: &S) {
        (self.merge)(state, other);
    }

    #[inline]
    fn finish(&self, state: &S) -> O {
        (self.finish)(state)
    }
}
