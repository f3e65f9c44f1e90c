//! Time: the epochs the engine counts, the moments records carry, and spans of them.
//!
//! An [`Epoch`] is the engine's timestamp and says nothing about the world. An [`EventTime`] is a
//! moment of the world, in microseconds, and is plain data to the engine. A [`Span`] is a window
//! of moments that knows its first and its last, so both ends of time can be inside one.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub mod rfc3339;

/// The timestamp of every top-level dataflow scope: a counter of small batches of input.
///
/// All records that one worker's sources read between two ticks of the epoch clock carry the same
/// epoch. It is the engine's own `u64`, so anything written for timely or differential fits.
pub type Epoch = u64;

/// A moment in microseconds since 1970-01-01T00:00:00 UTC, negative before it.
///
/// The whole range of `i64` is usable: about 292,000 years to either side. Arithmetic never wraps:
/// it is checked ([`checked_add`](Self::checked_add)) or stops at the ends of time
/// ([`saturating_add`](Self::saturating_add)).
///
/// ```
/// use tidemill_operators::time::{EventTime, seconds};
///
/// let noon = EventTime::from_millis(43_200_000);
/// assert_eq!(noon.saturating_add(seconds(1)).millis(), 43_201_000);
/// assert_eq!(EventTime::MAX.checked_add(seconds(1)), None);
/// assert_eq!(noon.to_string(), "1970-01-01T12:00:00Z");
/// assert_eq!("1970-01-01T13:00:00+01:00".parse(), Ok(noon));
/// ```
///
/// In records it is read and written as its number, or as text with [`rfc3339`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EventTime(i64);

impl EventTime {
    /// The first moment of time, and the watermark of a stream that promises nothing.
    pub const MIN: Self = Self(i64::MIN);
    /// The last moment of time, and the watermark of a stream that has ended.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment `micros` microseconds after 1970 began.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after 1970 began, or the nearest end of time.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// The moment `secs` seconds after 1970 began, or the nearest end of time.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970 began.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970 began, rounded towards the past.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The moment `span` later, or none beyond the end of time.
    pub fn checked_add(self, span: Duration) -> Option<Self> {
        i64::try_from(span.as_micros()).ok().and_then(|it| self.0.checked_add(it)).map(Self)
    }

    /// The moment `span` earlier, or none before the start of time.
    pub fn checked_sub(self, span: Duration) -> Option<Self> {
        i64::try_from(span.as_micros()).ok().and_then(|it| self.0.checked_sub(it)).map(Self)
    }

    /// The moment `span` later, or the end of time.
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros_of(span)))
    }

    /// The moment `span` earlier, or the start of time.
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros_of(span)))
    }

    /// The moment just before this one, or the start of time.
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// Writes the moment as RFC 3339 in UTC, as far as the calendar reaches (years 0 to 9999).
impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, micros) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        if !(0..=9999).contains(&year) {
            return write!(f, "{}us", self.0);
        }
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match fraction {
            0 => f.write_str("Z"),
            it if it % 1_000 == 0 => write!(f, ".{:03}Z", it / 1_000),
            it => write!(f, ".{it:06}Z"),
        }
    }
}

const DAY: i64 = 86_400_000_000;

/// The proleptic Gregorian date `days` days after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counts from 0000-03-01, so that leap days end each four-year, century and 400-year cycle.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// A non-empty run of moments, from `start` up to but not including the end.
///
/// It is kept as its first and last moment, so a span can reach the very end of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    start: EventTime,
    last: EventTime,
}

impl Span {
    /// All of time.
    pub const ALWAYS: Self = Self { start: EventTime::MIN, last: EventTime::MAX };

    /// The span that begins at `start` and lasts for `length`, cut at the end of time.
    ///
    /// A length under one microsecond counts as one: a span is never empty.
    pub fn starting(start: EventTime, length: Duration) -> Self {
        Self::from_micros(start.0, micros_of(length))
    }

    /// The span of all moments from `start` to `last`, both inside.
    ///
    /// # Panics
    ///
    /// If `last` is before `start`.
    pub fn between(start: EventTime, last: EventTime) -> Self {
        assert!(start <= last, "a span ends before it starts");
        Self { start, last }
    }

    pub(crate) fn from_micros(start: i64, length: i64) -> Self {
        let last = start.saturating_add(length.max(1) - 1);
        Self { start: EventTime(start), last: EventTime(last) }
    }

    /// The first moment inside.
    pub fn start(self) -> EventTime {
        self.start
    }

    /// The last moment inside: one microsecond before the end.
    pub fn last(self) -> EventTime {
        self.last
    }

    /// The first moment after the span, or the end of time itself if the span reaches it.
    pub fn end(self) -> EventTime {
        EventTime(self.last.0.saturating_add(1))
    }

    /// Whether `at` lies inside.
    pub fn contains(self, at: EventTime) -> bool {
        self.start <= at && at <= self.last
    }

    /// Whether the two share a moment or follow each other without a gap.
    pub fn touches(self, other: Self) -> bool {
        self.start <= other.end() && other.start <= self.end()
    }

    /// The smallest span that covers both.
    pub fn cover(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), last: self.last.max(other.last) }
    }
}

/// Writes the span as a half-open interval.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end())
    }
}

/// A span of time of `n` milliseconds.
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A span of time of `n` seconds.
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A span of time of `n` minutes.
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// A span of time of `n` hours.
pub const fn hours(n: u64) -> Duration {
    Duration::from_secs(3_600 * n)
}

/// A span of time of `n` days of 24 hours.
pub const fn days(n: u64) -> Duration {
    Duration::from_secs(86_400 * n)
}

/// The length in whole microseconds, or the longest there is.
pub(crate) fn micros_of(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_time_stay_reachable() {
        let last = Span::from_micros(i64::MAX - 3, 10);
        assert!(last.contains(EventTime::MAX));
        assert_eq!(last.last(), EventTime::MAX);
        assert_eq!(EventTime::MIN.saturating_sub(days(1)), EventTime::MIN);
        assert_eq!(EventTime::MIN.checked_sub(millis(1)), None);
        assert!(Span::ALWAYS.contains(EventTime::MIN) && Span::ALWAYS.contains(EventTime::MAX));
    }

    #[test]
    fn spans_that_touch_have_no_gap() {
        let span = |start, length| Span::from_micros(start, length);
        assert!(span(0, 10).touches(span(10, 5)));
        assert!(span(10, 5).touches(span(0, 10)));
        assert!(!span(0, 10).touches(span(11, 5)));
        assert_eq!(span(0, 10).cover(span(10, 5)), span(0, 15));
    }

    #[test]
    fn moments_read_as_dates() {
        let shown = |micros| EventTime::from_micros(micros).to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(shown(951_782_400_000_000), "2000-02-29T00:00:00Z");
        assert_eq!(shown(1_357_034_400_500_000), "2013-01-01T10:00:00.500Z");
        assert_eq!(shown(i64::MAX), format!("{}us", i64::MAX));
    }
}
