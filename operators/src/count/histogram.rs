//! A histogram of durations that threads can add to and read while it grows.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets in each doubling of the duration: a quantile is at most a sixteenth too high.
const STEPS: u64 = 16;

/// Buckets up to 2^40 microseconds, some twelve days; longer ones count there.
const BUCKETS: usize = (STEPS * (40 - 3)) as usize;

/// How long something took, over and over. Clones count together.
///
/// # Cost
///
/// Adding is one relaxed atomic addition; 5 KiB of memory.
#[derive(Clone)]
pub struct Histogram(Arc<[AtomicU64; BUCKETS]>);

impl Histogram {
    /// A histogram of nothing.
    pub fn new() -> Self {
        Self(Arc::new([const { AtomicU64::new(0) }; BUCKETS]))
    }

    /// Adds one duration.
    pub fn add(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(micros).min(BUCKETS - 1);
        self.0[bucket].fetch_add(1, Ordering::Relaxed);
    }

    /// How many durations there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|it| it.load(Ordering::Relaxed)).sum()
    }

    /// The duration that a share `q` of them does not exceed, if there are any.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill_operators::count::Histogram;
    ///
    /// let took = Histogram::new();
    /// (1..=100).for_each(|ms| took.add(Duration::from_millis(ms)));
    /// let median = took.quantile(0.5).expect("there are some");
    /// assert!((50..=54).contains(&median.as_millis()));
    /// ```
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let rank = (q.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let reaches = |it: &AtomicU64| {
            seen += it.load(Ordering::Relaxed);
            seen >= rank
        };
        let bucket = self.0.iter().position(reaches)?;
        Some(Duration::from_micros(last(bucket)))
    }
}

/// The bucket of a number: one for each small number, then so many for each doubling.
fn bucket(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let doublings = u64::from(micros.ilog2()) - 4;
    (STEPS * (doublings + 1) + (micros >> doublings) - STEPS) as usize
}

/// The largest number in a bucket.
fn last(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let doublings = bucket / STEPS - 1;
    ((bucket % STEPS + STEPS + 1) << doublings) - 1
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = self.quantile(0.5);
        f.debug_struct("Histogram").field("count", &self.count()).field("median", &median).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_where_the_next_begins() {
        for at in 0..BUCKETS {
            assert_eq!(bucket(last(at)), at);
            assert_eq!(bucket(last(at) + 1), at + 1);
        }
    }

    #[test]
    fn quantiles_are_near_the_sorted_durations() {
        let took = Histogram::new();
        assert_eq!(took.quantile(0.5), None);
        let mut micros: Vec<u64> = (0..1_000).map(|it| (it * it * 7_919) % 3_000_017).collect();
        micros.iter().for_each(|it| took.add(Duration::from_micros(*it)));
        micros.sort();
        for q in [0.0, 0.01, 0.5, 0.99, 1.0] {
            let rank = (q * 1_000f64).ceil().max(1.0) as usize;
            let (exact, near) = (micros[rank - 1], took.quantile(q).expect("some").as_micros());
            assert!(near >= exact.into() && near <= (exact + exact / 16).into(), "{q}: {near}");
        }
    }

    #[test]
    fn what_takes_for_ever_is_counted() {
        let took = Histogram::new();
        took.add(Duration::MAX);
        assert_eq!(took.count(), 1);
        assert!(took.quantile(1.0).is_some_and(|it| it > Duration::from_secs(1_000_000)));
    }
}
