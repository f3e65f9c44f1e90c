//! Evictors: which records of a window are dropped before its function sees them.
//!
//! An evictor needs the records themselves, so a window with one keeps them all, whatever is computed.
//! What it drops is gone for later firings too. The ready-made ones do what `CountEvictor`,
//! `TimeEvictor` and `DeltaEvictor` do in Apache Flink.

use std::fmt;
use std::time::Duration;

use crate::event::Event;
use crate::time::{EventTime, Span};

/// Drops records of a window before its function sees them.
pub trait Evict<V>: 'static {
    /// Removes what the function shall not see of `records`, which are in order of arrival and at
    /// least one. A window left empty gives no result.
    fn evict(&self, window: Span, records: &mut Vec<Event<V>>);
}

/// Keeps the `records` records that arrived last.
///
/// # Panics
///
/// If the number is zero.
pub fn count(records: usize) -> Newest {
    assert!(records > 0, "records of a count evictor must be at least one");
    Newest(records)
}

/// Keeps the records less than `length` older, in event time, than the latest of the window.
pub fn time(length: Duration) -> Recent {
    Recent(length)
}

/// Keeps the records for which `distance(record, last)` is less than `threshold`, where `last` is
/// the record that arrived last.
pub fn delta<F>(threshold: f64, distance: F) -> Near<F> {
    Near { threshold, distance }
}

/// Keeps a number of records: see [`count`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest(usize);

/// Keeps a length of event time: see [`time`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recent(Duration);

/// Keeps what is near the last record: see [`delta`].
#[derive(Clone, Copy)]
pub struct Near<F> {
    threshold: f64,
    distance: F,
}

impl<F> fmt::Debug for Near<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Near").field("threshold", &self.threshold).finish_non_exhaustive()
    }
}

impl<V> Evict<V> for Newest {
    fn evict(&self, _window: Span, records: &mut Vec<Event<V>>) {
        records.drain(..records.len().saturating_sub(self.0));
    }
}

impl<V> Evict<V> for Recent {
    fn evict(&self, _window: Span, records: &mut Vec<Event<V>>) {
        let latest = records.iter().map(|it| it.at).max().unwrap_or(EventTime::MIN);
        // Before the start of time there is nothing to drop.
        if let Some(cut) = latest.checked_sub(self.0) {
            records.retain(|it| it.at > cut);
        }
    }
}

impl<V: 'static, F: Fn(&V, &V) -> f64 + 'static> Evict<V> for Near<F> {
    fn evict(&self, _window: Span, records: &mut Vec<Event<V>>) {
        let Some(last) = records.pop() else { return };
        // A distance that is no number drops nothing.
        let far = |it: &V| (self.distance)(it, &last.value) >= self.threshold;
        records.retain(|it| !far(&it.value));
        if !far(&last.value) {
            records.push(last);
        }
    }
}
