//! When a sink's file is full and the next one begins.
//!
//! Rows and bytes are exact: they are looked at after each record. Age is looked at when records
//! are written or flushed, so a file that gets nothing more rolls at the next flush.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// A limit at which a sink ends one file and begins the next.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use tidemill::connect::{Roll, to_jsonl};
///
/// // Whichever comes first.
/// let sink = to_jsonl::<u64>("counts")
///     .roll(Roll::bytes(64 << 20))
///     .roll(Roll::every(Duration::from_secs(60)));
/// # drop(sink);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roll(Limit);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Rows(u64),
    Bytes(u64),
    Every(Duration),
}

impl Roll {
    /// A file holds at most this many records.
    pub fn rows(most: u64) -> Self {
        Self(Limit::Rows(most))
    }

    /// A file ends with the record that brings it to this many bytes, its header included.
    pub fn bytes(enough: u64) -> Self {
        Self(Limit::Bytes(enough))
    }

    /// A file ends this long after its first record.
    pub fn every(age: Duration) -> Self {
        Self(Limit::Every(age))
    }
}

/// All limits of a sink together: the first that is reached ends the file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rolling {
    rows: Option<u64>,
    bytes: Option<u64>,
    every: Option<Duration>,
}

impl Rolling {
    pub(crate) fn add(&mut self, Roll(limit): Roll) {
        fn tighten<N: Ord>(held: &mut Option<N>, new: N) {
            *held = Some(match held.take() {
                Some(old) => old.min(new),
                None => new,
            });
        }
        match limit {
            Limit::Rows(rows) => tighten(&mut self.rows, rows),
            Limit::Bytes(bytes) => tighten(&mut self.bytes, bytes),
            Limit::Every(age) => tighten(&mut self.every, age),
        }
    }

    /// Refuses limits that no file could keep.
    pub(crate) fn check(&self) -> Result<()> {
        let empty =
            self.rows == Some(0) || self.bytes == Some(0) || self.every == Some(Duration::ZERO);
        if empty {
            let message = "a file cannot roll at zero rows, bytes or seconds: set `roll` to more";
            return Err(Error::new(ErrorKind::Setting, message));
        }
        Ok(())
    }

    pub(crate) fn any(&self) -> bool {
        self.rows.is_some() || self.bytes.is_some() || self.every.is_some()
    }

    /// Whether a file that holds this much is full.
    pub(crate) fn full(&self, rows: u64, bytes: u64) -> bool {
        self.rows.is_some_and(|most| rows >= most) || self.bytes.is_some_and(|most| bytes >= most)
    }

    /// Whether files have to be asked for their age at all.
    pub(crate) fn ages(&self) -> bool {
        self.every.is_some()
    }

    /// Whether a file of this age is to end.
    pub(crate) fn old(&self, age: Duration) -> bool {
        self.every.is_some_and(|most| age >= most)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rolling(limits: &[Roll]) -> Rolling {
        let mut rolling = Rolling::default();
        limits.iter().for_each(|limit| rolling.add(*limit));
        rolling
    }

    #[test]
    fn the_first_limit_that_is_reached_ends_the_file() {
        let both = rolling(&[Roll::rows(10), Roll::bytes(100)]);
        assert!(!both.full(9, 99));
        assert!(both.full(10, 1));
        assert!(both.full(1, 100));
    }

    #[test]
    fn of_two_limits_of_one_kind_the_smaller_counts() {
        assert!(rolling(&[Roll::rows(3), Roll::rows(10)]).full(3, 0));
        assert!(rolling(&[Roll::rows(10), Roll::rows(3)]).full(3, 0));
    }

    #[test]
    fn age_ends_a_file_only_where_it_was_asked_for() {
        let second = Duration::from_secs(1);
        assert!(!rolling(&[Roll::rows(1)]).old(second));
        assert!(rolling(&[Roll::every(second)]).old(second));
        assert!(!rolling(&[Roll::every(second)]).old(second / 2));
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        for limit in [Roll::rows(0), Roll::bytes(0), Roll::every(Duration::ZERO)] {
            assert_eq!(rolling(&[limit]).check().unwrap_err().kind(), ErrorKind::Setting);
        }
    }
}
