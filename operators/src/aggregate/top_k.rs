//! The greatest few of a value of each record.

use super::order::{comparable, compare};
use super::{Aggregate, Kept};
use crate::time::EventTime;

/// The `k` greatest values, the greatest first, passing over NaN; fewer if there are fewer.
///
/// A tuple ranks by its first part and carries the rest along, and the rest settles ties:
/// `TopK::of(3, |it: &Bid| (it.price, it.id))`. Equal values each take a place.
/// [`Reverse`](std::cmp::Reverse) gives the least.
///
/// # Cost
///
/// One comparison for a record that is not among the greatest, otherwise a binary search and a
/// shift of up to `k` values; the state is at most `k` values.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, TopK};
/// use tidemill_operators::time::EventTime;
///
/// let best = TopK::of(2, |bid: &(u32, char)| *bid);
/// let mut state = best.start();
/// let bids = [(30, 'a'), (50, 'b'), (10, 'c'), (40, 'd')];
/// bids.iter().for_each(|it| best.add(&mut state, EventTime::MIN, it));
/// assert_eq!(best.finish(&state), [(50, 'b'), (40, 'd')]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TopK<F> {
    k: usize,
    value: F,
}

impl<F> TopK<F> {
    /// The `k` greatest of what `value` gives for each record.
    pub fn of<D, V>(k: usize, value: F) -> Self
    where
        F: Fn(&D) -> V + Clone + 'static,
        V: PartialOrd + Kept,
    {
        Self { k, value }
    }

    /// Gives `value` its place among the greatest, if it has one.
    #[inline]
    fn rank<V: PartialOrd>(&self, greatest: &mut Vec<V>, value: V) {
        if greatest.len() >= self.k {
            match greatest.last() {
                Some(least) if value > *least => {}
                _ => return,
            }
            greatest.truncate(self.k - 1);
        } else if !comparable(&value) {
            return;
        }
        let place = greatest.partition_point(|it| compare(it, &value).is_ge());
        greatest.insert(place, value);
    }
}

impl<D, V, F> Aggregate<D> for TopK<F>
where
    F: Fn(&D) -> V + Clone + 'static,
    V: PartialOrd + Kept,
{
    type State = Vec<V>;
    type Output = Vec<V>;

    #[inline]
    fn start(&self) -> Vec<V> {
        Vec::new()
    }

    #[inline]
    fn add(&self, state: &mut Vec<V>, _at: EventTime, record: &D) {
        self.rank(state, (self.value)(record));
    }

    fn merge(&self, state: &mut Vec<V>, other: &Vec<V>) {
        other.iter().for_each(|it| self.rank(state, it.clone()));
    }

    fn finish(&self, state: &Vec<V>) -> Vec<V> {
        state.clone()
    }
}
