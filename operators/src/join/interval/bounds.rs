//! The interval in which a record's partners are.

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use crate::time::{EventTime, micros_of};
use crate::window::{Refused, allowed};

/// A distance from one moment to another: made by [`earlier`] and [`later`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offset(i64);

/// So much before a record.
pub fn earlier(by: Duration) -> Offset {
    Offset(-micros_of(by))
}

/// So much after a record.
pub fn later(by: Duration) -> Offset {
    Offset(micros_of(by))
}

/// Where the partners of a record are in time, relative to it: from a lower to an upper bound, each
/// of which is inside or outside.
///
/// ```
/// use std::ops::Bound::{Excluded, Included};
/// use tidemill_operators::join::{Interval, earlier, later};
/// use tidemill_operators::time::{minutes, seconds};
///
/// // Up to five seconds before and one minute after, both inside.
/// let near = Interval::of(earlier(seconds(5))..=later(minutes(1)));
/// assert_eq!(near.to_string(), "from 5s earlier to 60s later");
/// // Less than a minute after, and not at the same moment.
/// let after = Interval::of((Excluded(later(seconds(0))), Excluded(later(minutes(1)))));
/// assert_eq!(after.to_string(), "from 1µs later to 59.999999s later");
/// assert!(Interval::try_of(later(seconds(1))..later(seconds(1))).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The first and the last distance inside. Neither is the least `i64`.
    lower: i64,
    upper: i64,
}

impl Interval {
    /// The interval between `bounds`.
    ///
    /// # Panics
    ///
    /// If no moment is between the bounds, or a bound is missing. [`try_of`](Self::try_of) is for
    /// bounds that were not written in the program.
    pub fn of(bounds: impl RangeBounds<Offset>) -> Self {
        allowed(Self::try_of(bounds))
    }

    /// The interval between `bounds`.
    ///
    /// # Errors
    ///
    /// If no moment is between the bounds, or a bound is missing: then records of one side could
    /// never be freed.
    pub fn try_of(bounds: impl RangeBounds<Offset>) -> Result<Self, Refused> {
        const MISSING: &str = "must both be there: nothing would free the records of one side";
        const EMPTY: &str = "must leave a moment between them";
        let name = "bounds of an interval join";
        let lower = match bounds.start_bound() {
            Bound::Included(it) => Some(it.0),
            Bound::Excluded(it) => it.0.checked_add(1),
            Bound::Unbounded => return Err(Refused::new(name, MISSING)),
        };
        let upper = match bounds.end_bound() {
            Bound::Included(it) => Some(it.0),
            Bound::Excluded(it) => it.0.checked_sub(1),
            Bound::Unbounded => return Err(Refused::new(name, MISSING)),
        };
        match lower.zip(upper).filter(|(lower, upper)| lower <= upper) {
            Some((lower, upper)) => Ok(Self { lower, upper }),
            None => Err(Refused::new(name, EMPTY)),
        }
    }

    /// The interval in which partners of a record of the other side are.
    pub(super) fn turned(self) -> Self {
        Self { lower: -self.upper, upper: -self.lower }
    }

    /// The first and last moment of partners of a record that happened `at` a moment, or none if
    /// time does not reach so far.
    #[inline]
    pub(super) fn around(self, at: EventTime) -> Option<(EventTime, EventTime)> {
        let reach = |offset: i64| at.micros().checked_add(offset);
        let first = match reach(self.lower) {
            None if self.lower > 0 => return None,
            first => first.map_or(EventTime::MIN, EventTime::from_micros),
        };
        let last = match reach(self.upper) {
            None if self.upper < 0 => return None,
            last => last.map_or(EventTime::MAX, EventTime::from_micros),
        };
        Some((first, last))
    }

    /// The last moment of partners of a record that happened `at` a moment, if there is any.
    #[inline]
    pub(super) fn last(self, at: EventTime) -> Option<EventTime> {
        self.around(at).map(|(_, last)| last)
    }

    /// How long after a record its last partner may be.
    pub(super) fn ahead(self) -> Duration {
        Duration::from_micros(self.upper.max(0).unsigned_abs())
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |offset: i64| if offset < 0 { "earlier" } else { "later" };
        let length = |offset: i64| Duration::from_micros(offset.unsigned_abs());
        let (lower, upper) = (self.lower, self.upper);
        write!(f, "from {:?} {}", length(lower), side(lower))?;
        write!(f, " to {:?} {}", length(upper), side(upper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(interval: Interval, at: i64) -> Option<(i64, i64)> {
        let found = interval.around(EventTime::from_micros(at));
        found.map(|(first, last)| (first.micros(), last.micros()))
    }

    #[test]
    fn an_interval_is_cut_at_the_ends_of_time() {
        let (first, last) = (i64::MIN, i64::MAX);
        let micros = Duration::from_micros;
        let wide = Interval::of(earlier(micros(5))..=later(micros(7)));
        assert_eq!(around(wide, -3), Some((-8, 4)));
        assert_eq!(around(wide, first), Some((first, first + 7)));
        assert_eq!(around(wide, last - 1), Some((last - 6, last)));
        assert_eq!(around(wide.turned(), 10), Some((3, 15)));
        let after = Interval::of(later(micros(2))..=later(micros(4)));
        assert_eq!(around(after, last - 3), Some((last - 1, last)));
        assert_eq!(around(after, last - 1), None);
        assert_eq!(around(after.turned(), first + 1), None);
        assert_eq!(around(after.turned(), first + 2), Some((first, first)));
        let always = Interval::of(earlier(Duration::MAX)..=later(Duration::MAX));
        assert_eq!(around(always, 0), Some((-last, last)));
    }

    #[test]
    fn bounds_without_a_moment_between_them_are_refused() {
        let second = later(Duration::from_secs(1));
        let refused = |it: Result<Interval, Refused>| it.map_err(|it| it.to_string()).err();
        let empty = "bounds of an interval join must leave a moment between them";
        assert_eq!(refused(Interval::try_of(second..second)).as_deref(), Some(empty));
        let turned = (Bound::Included(second), Bound::Included(later(Duration::ZERO)));
        assert_eq!(refused(Interval::try_of(turned)).as_deref(), Some(empty));
        assert!(refused(Interval::try_of(second..)).is_some_and(|it| it.contains("free")));
        assert!(refused(Interval::try_of(..second)).is_some_and(|it| it.contains("free")));
        assert_eq!(refused(Interval::try_of(second..=second)), None);
    }
}
