//! Moments as text, as RFC 3339 writes them: for fields of records that are read or written.
//!
//! Say `#[serde(with = "…::time::rfc3339")]` at a field that is an [`EventTime`], and
//! `"…::time::rfc3339::option"` at one that may be missing. It is text in every format, also in those
//! that people do not read; without it an [`EventTime`] is its number of microseconds.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidemill_operators::state::{decode, encode};
//! use tidemill_operators::time::{EventTime, rfc3339};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Click {
//!     #[serde(with = "rfc3339")]
//!     at: EventTime,
//!     #[serde(with = "rfc3339::option")]
//!     answered: Option<EventTime>,
//! }
//!
//! let click = Click { at: "1969-12-31T23:59:59.5+01:00".parse().unwrap(), answered: None };
//! assert_eq!(click.at, EventTime::from_millis(-3_600_500));
//! let bytes = encode(&click);
//! assert!(String::from_utf8_lossy(&bytes).contains("1969-12-31T22:59:59.500Z"));
//! assert_eq!(decode(&bytes), Ok(click));
//! ```
//!
//! # What is read
//!
//! A date, `T` (or `t`, or a space), a time of day to the second with any number of decimals, and `Z` or
//! an offset from UTC. Decimals beyond the microsecond are dropped, so that a moment is rounded to the
//! past, before 1970 too. A leap second, `:60`, is the second after `:59`, as POSIX counts. Years are
//! 0000 to 9999.
//!
//! # Errors
//!
//! When text is read that is none of these, or a day that no calendar has. When a moment is written
//! that is outside of these years, as the ends of time are.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::ser::{Error, Serializer};

use super::{DAY, EventTime, civil};

/// Text that is not a moment as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATime;

impl fmt::Display for NotATime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "expected {EXPECTED}")
    }
}

impl std::error::Error for NotATime {}

const EXPECTED: &str = "a time as RFC 3339 writes it, such as 2013-01-01T10:00:00Z";

/// Reads a moment as [`rfc3339`](self) says.
impl FromStr for EventTime {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        micros(text.as_bytes()).map(Self).ok_or(NotATime)
    }
}

/// Writes a moment: for `#[serde(with = …)]`.
pub fn serialize<S: Serializer>(at: &EventTime, to: S) -> Result<S::Ok, S::Error> {
    match civil(at.0.div_euclid(DAY)).0 {
        0..=9999 => to.collect_str(at),
        _ => Err(S::Error::custom(format_args!("{at} is outside of the years 0000 to 9999"))),
    }
}

/// Reads a moment: for `#[serde(with = …)]`.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EventTime, D::Error> {
    from.deserialize_str(Moment)
}

struct Moment;

impl Visitor<'_> for Moment {
    type Value = EventTime;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<EventTime, E> {
        text.parse().map_err(|NotATime| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// The same for moments that may be missing.
pub mod option {
    use std::fmt;

    use serde::de::{self, Deserializer, Visitor};
    use serde::ser::{Serialize, Serializer};

    use super::{EXPECTED, EventTime};

    /// Writes a moment, or nothing: for `#[serde(with = …)]`.
    pub fn serialize<S: Serializer>(at: &Option<EventTime>, to: S) -> Result<S::Ok, S::Error> {
        struct Written<'a>(&'a EventTime);
        impl Serialize for Written<'_> {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                super::serialize(self.0, to)
            }
        }
        at.as_ref().map(Written).serialize(to)
    }

    /// Reads a moment, or nothing: for `#[serde(with = …)]`.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<EventTime>, D::Error> {
        from.deserialize_option(Maybe)
    }

    struct Maybe;

    impl<'de> Visitor<'de> for Maybe {
        type Value = Option<EventTime>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(out, "{EXPECTED}, or nothing")
        }

        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
            super::deserialize(from).map(Some)
        }
    }
}

/// The microseconds since 1970 that a text says.
fn micros(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (clock, rest) = rest.split_at_checked(9)?;
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = date else { return None };
    let &[b'T' | b't' | b' ', h0, h1, b':', n0, n1, b':', s0, s1] = clock else { return None };
    let (year, month, day) = (number(&[y0, y1, y2, y3])?, number(&[m0, m1])?, number(&[d0, d1])?);
    let (hour, minute, second) = (number(&[h0, h1])?, number(&[n0, n1])?, number(&[s0, s1])?);
    let (fraction, rest) = fraction(rest)?;
    let ahead = offset(rest)?;
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days(year, month, day);
    // A day that the month does not have would be one of the next.
    let seconds = 3_600 * hour + 60 * (minute - ahead) + second;
    (civil(days) == (year, month, day)).then_some(days * DAY + seconds * 1_000_000 + fraction)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| 10 * number + i64::from(digit - b'0'))
    })
}

/// Microseconds after a point, if there is one, and what follows.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else { return Some((0, text)) };
    let end = text.iter().position(|it| !it.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let kept = digits.get(..6).unwrap_or(digits);
    let missing = u32::try_from(6 - kept.len()).ok()?;
    (end > 0).then_some((number(kept)? * 10_i64.pow(missing), rest))
}

/// By how many minutes a clock is ahead of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let &[sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] = text else {
        return matches!(text, b"Z" | b"z").then_some(0);
    };
    let (hours, minutes) = (number(&[h0, h1])?, number(&[m0, m1])?);
    let ahead = 60 * hours + minutes;
    (hours < 24 && minutes < 60).then_some(if sign == b'+' { ahead } else { -ahead })
}

/// The days from 1970-01-01 to a date of the proleptic Gregorian calendar: the inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    // A year begins in March here, so that its leap day is its last.
    let year = if month > 2 { year } else { year - 1 };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + year * 365 + year / 4 - year / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<i64> {
        text.parse().ok().map(EventTime::micros)
    }

    /// The days of a date, counted one year and one month after the other.
    fn counted(date: (i64, i64, i64)) -> i64 {
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let year = |year: i64| if leap(year) { 366 } else { 365 };
        let month = |month: i64| match month {
            2 => 28 + i64::from(leap(date.0)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let years: i64 = (0..date.0).map(year).sum::<i64>() - (0..1970).map(year).sum::<i64>();
        years + (1..date.1).map(month).sum::<i64>() + date.2 - 1
    }

    #[test]
    fn dates_are_counted_as_by_hand() {
        for year in (0..=9999).step_by(3).chain([4, 100, 400, 1900, 1970, 2000, 2100, 9999]) {
            for (month, day) in [(1, 1), (2, 28), (3, 1), (6, 30), (12, 31)] {
                let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
                assert_eq!(parsed(&text), Some(counted((year, month, day)) * DAY), "{text}");
            }
        }
    }

    #[test]
    fn what_is_shown_is_read() {
        let first = counted((0, 1, 1)) * DAY;
        let beyond = (counted((9999, 12, 31)) + 1) * DAY;
        let step = (beyond - first) / 10_007;
        let some = (0..10_007).map(|it| first + it * step);
        for micros in some.chain([first, -1, 0, 1, -1_000, -1_000_001, beyond - 1]) {
            let shown = EventTime::from_micros(micros).to_string();
            assert_eq!(parsed(&shown), Some(micros), "{shown}");
        }
    }

    #[test]
    fn fractions_are_rounded_to_the_past() {
        let second = 1_000_000;
        for (text, micros) in [
            ("1970-01-01T00:00:00.5Z", 500_000),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("1970-01-01T00:00:00.0000019Z", 1),
            ("1970-01-01T00:00:00.999999999999999999999Z", 999_999),
            ("1969-12-31T23:59:59.9999999Z", -1),
            ("1969-12-31T23:59:59.0000001Z", -second),
            ("1969-12-31T23:59:58.25Z", -2 * second + 250_000),
        ] {
            assert_eq!(parsed(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn offsets_lead_to_utc() {
        let hour = 3_600_000_000;
        for (text, micros) in [
            ("1970-01-01T00:00:00z", 0),
            ("1970-01-01t00:00:00-00:00", 0),
            ("1970-01-01 08:00:00+08:00", 0),
            ("1969-12-31T18:30:00-05:30", 0),
            ("1970-01-01T00:00:00+23:59", -24 * hour + 60_000_000),
            ("1970-01-01T00:00:00.5-01:00", hour + 500_000),
            // A leap second is the one after it.
            ("1969-12-31T23:59:60Z", 0),
            ("1969-12-31T18:59:60.5-05:00", 500_000),
        ] {
            assert_eq!(parsed(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00,5Z",
            "1970-01-01T00:00:00 Z",
            "1970-01-01T00:00:00Z ",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+01:60",
            "1970-01-01_00:00:00Z",
            "1970-00-01T00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-01-00T00:00:00Z",
            "1970-01-32T00:00:00Z",
            "1970-04-31T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2001-02-29T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:61Z",
            "+970-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "1970-01-01T00:00:0éZ",
            "１970-01-01T00:00:00Z",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
        assert!(parsed("2000-02-29T00:00:00Z").is_some());
    }
}
