//! Answers: what a study's query gives, folded to a few numbers that any program can compute.
//!
//! The fold does not depend on the order of the rows, so answers of different systems and worker
//! counts can be compared. It needs no more than 64-bit integers without overflow per row, so a
//! database can compute it in SQL (see `duckdb_tumbling.py`).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::events::Event;
use crate::settings::Settings;

/// One row of the result: a key in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Row {
    /// The key.
    pub key: u32,
    /// The first millisecond of the window.
    pub start_ms: i64,
    /// How many events the key has in the window.
    pub count: u64,
    /// The sum of their values.
    pub sum: i64,
}

/// All rows of a result, folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The number of rows.
    pub rows: u64,
    /// The sum of their counts: events, each as often as windows hold it.
    pub count: u64,
    /// The sum of their sums.
    pub sum: i64,
    /// A sum over the rows of numbers that depend on every field of a row, modulo 2^64.
    pub checksum: u64,
}

impl Answer {
    /// Takes in one row.
    #[inline]
    pub fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.count += row.count;
        self.sum += row.sum;
        self.checksum = self.checksum.wrapping_add(digest(row));
    }

    /// Takes in the answer over other rows.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.count += other.count;
        self.sum += other.sum;
        self.checksum = self.checksum.wrapping_add(other.checksum);
    }
}

/// Writes the answer as every program prints it.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, count, sum, checksum } = self;
        write!(f, "rows {rows} count {count} sum {sum} checksum {checksum:016x}")
    }
}

/// The line a program prints at its end.
pub fn report(program: &str, events: u64, took: Duration, answer: &Answer) -> String {
    let rate = events as f64 / took.as_secs_f64() / 1e6;
    format!("{program}: {:.3} s, {rate:.2} million events/s, {answer}", took.as_secs_f64())
}

/// A prime; the product of two numbers below it fits an `i64`.
const PRIME: i64 = 2_147_483_647;

#[inline]
fn digest(row: &Row) -> u64 {
    let place = (i64::from(row.key) + 1) * 1_000_003 + row.start_ms;
    let amount = row.count as i64 * 1_000_003 + row.sum;
    (place.rem_euclid(PRIME) * amount.rem_euclid(PRIME)) as u64
}

/// The answer computed from all events at once: slow, and obviously right.
pub fn model(events: impl Iterator<Item = Event>, settings: &Settings) -> Answer {
    let (size, slide) = (settings.size_ms(), settings.slide_ms());
    let mut windows: BTreeMap<(i64, u32), (u64, i64)> = BTreeMap::new();
    for event in events {
        let mut start = event.at_ms - event.at_ms.rem_euclid(slide);
        while start > event.at_ms - size {
            let entry = windows.entry((start, event.key)).or_default();
            entry.0 += 1;
            entry.1 += event.value;
            start -= slide;
        }
    }
    let mut answer = Answer::default();
    for ((start_ms, key), (count, sum)) in windows {
        answer.add(&Row { key, start_ms, count, sum });
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_differ_in_one_field_have_different_digests() {
        let row = Row { key: 7, start_ms: 10_000, count: 3, sum: 500 };
        for other in [
            Row { key: 8, ..row },
            Row { start_ms: 20_000, ..row },
            Row { count: 4, ..row },
            Row { sum: 501, ..row },
        ] {
            assert_ne!(digest(&row), digest(&other), "{other:?}");
        }
    }

    #[test]
    fn swapping_the_amounts_of_two_rows_changes_the_checksum() {
        let answer = |first, second| {
            let mut answer = Answer::default();
            answer.add(&Row { key: 1, start_ms: 0, count: 1, sum: first });
            answer.add(&Row { key: 2, start_ms: 0, count: 1, sum: second });
            answer.checksum
        };
        assert_ne!(answer(10, 20), answer(20, 10));
    }
}
