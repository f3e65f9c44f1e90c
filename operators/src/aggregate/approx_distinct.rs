//! How many different values the records have, about.

use serde::Serialize;

use super::Aggregate;
use super::hyper_log_log::HyperLogLog;
use crate::key;
use crate::time::EventTime;

/// Counts the different values by HyperLogLog, in bounded state.
///
/// A value is known by its [hash](key::hash()), which is the same in every build, so saved state
/// stays good.
///
/// # Guarantees
///
/// Exact, but for the one in 2⁶⁴ chance that two values hash alike, up to `m / 8` values, where
/// `m = 2^precision`; beyond, the standard error is `1.04 / √m`
/// (<https://algo.inria.fr/flajolet/Publications/FlFuGaMe07.pdf>). That is 512 values and 1.6 % at
/// the precision of 12 unless another is chosen, and two results in three lie within it, 99.7 %
/// within thrice. The estimate depends on the set of values alone: the same for every order of
/// arrival and worker count.
///
/// # Cost
///
/// One hash per record, and a look at one register or a binary search among the few values. The
/// state is 8 bytes per different value, and never more than `m` bytes.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, ApproxDistinct};
/// use tidemill_operators::time::EventTime;
///
/// let visitors = ApproxDistinct::of(|user: &u32| *user);
/// let mut state = visitors.start();
/// (0..100_000).for_each(|it| visitors.add(&mut state, EventTime::MIN, &it));
/// assert!((95_000..105_000).contains(&visitors.finish(&state)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ApproxDistinct<F> {
    value: F,
    precision: u8,
}

impl<F> ApproxDistinct<F> {
    /// Counts the different values that `value` gives.
    pub fn of<D, V>(value: F) -> Self
    where
        F: Fn(&D) -> V + Clone + 'static,
        V: Serialize,
    {
        Self { value, precision: 12 }
    }

    /// Uses two to the power of `precision` registers. It must not change while saved state is
    /// kept.
    ///
    /// # Panics
    ///
    /// Unless it is from 4 to 18.
    pub fn precision(self, precision: u8) -> Self {
        assert!(
            (4..=18).contains(&precision),
            "the precision of approximate distinct counts is from 4 to 18, not {precision}"
        );
        Self { precision, ..self }
    }
}

impl<D, V, F> Aggregate<D> for ApproxDistinct<F>
where
    F: Fn(&D) -> V + Clone + 'static,
    V: Serialize,
{
    type State = HyperLogLog;
    type Output = u64;

    #[inline]
    fn start(&self) -> HyperLogLog {
        HyperLogLog::new()
    }

    #[inline]
    fn add(&self, state: &mut HyperLogLog, _at: EventTime, record: &D) {
        state.add(key::hash(&(self.value)(record)), self.precision);
    }

    fn merge(&self, state: &mut HyperLogLog, other: &HyperLogLog) {
        state.merge(other, self.precision);
    }

    fn finish(&self, state: &HyperLogLog) -> u64 {
        state.estimate()
    }
}
