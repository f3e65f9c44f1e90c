//! Counters: what each operator on each worker has seen, kept once for everybody who asks.
//!
//! An operator takes its [`Counts`] when it is built and adds to them as it works. Whoever shows a
//! job (a progress bar, a metrics page) reads the same cells through the [`Counters`] of the job.
//! Nothing here talks to the outside world.
//!
//! # Guarantees
//!
//! A counter never goes back and is exact once its worker has stopped. Counters are read one by
//! one: two of them read at the same time may be a batch apart.
//!
//! # Cost
//!
//! One uncontended relaxed atomic addition, on a cache line that no other worker writes; operators
//! add once for each batch. Taking the handles locks the table and belongs in the building of an
//! operator. What is kept is freed with the last handle.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::plan::Kind;

mod histogram;

pub use histogram::Histogram;

/// Keeps what it holds off the cache lines of its neighbours.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

/// A number that grows. Clones count together.
#[derive(Clone, Debug)]
pub struct Counter(Arc<Apart<AtomicU64>>);

impl Counter {
    /// A counter at zero, in no registry.
    pub fn new() -> Self {
        Self(Arc::new(Apart(AtomicU64::new(0))))
    }

    /// Counts `n` more.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.0.fetch_add(n, Ordering::Relaxed);
    }

    /// What has been counted so far.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

/// A number that is replaced. Clones show the same number.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<Apart<AtomicI64>>);

impl Gauge {
    /// `i64::MIN` stands for a gauge that was never set.
    const UNSET: i64 = i64::MIN;

    /// A gauge that shows nothing yet, in no registry.
    pub fn new() -> Self {
        Self(Arc::new(Apart(AtomicI64::new(Self::UNSET))))
    }

    /// Shows `value` from now on; `i64::MIN` shows nothing.
    #[inline]
    pub fn set(&self, value: i64) {
        self.0.0.store(value, Ordering::Relaxed);
    }

    /// What was set last, if anything was.
    #[inline]
    pub fn get(&self) -> Option<i64> {
        Some(self.0.0.load(Ordering::Relaxed)).filter(|&it| it != Self::UNSET)
    }
}

impl Default for Gauge {
    fn default() -> Self {
        Self::new()
    }
}

/// What one operator counts on one worker.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Records taken in; at a source, records read from outside.
    pub rows_in: Counter,
    /// Records given out; at a sink, records written outside.
    pub rows_out: Counter,
    /// Records that came too late for every window they belong to.
    pub late: Counter,
    /// Records that could not be understood.
    pub malformed: Counter,
    /// Bytes read from outside by a source, or written by a sink.
    pub bytes: Counter,
    /// The watermark, in microseconds since the Unix epoch.
    pub watermark: Gauge,
}

/// How far one worker has come, and how far its sources are ahead of its outputs.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// The epoch that the sources are in.
    pub epoch: Gauge,
    /// Epochs that the sources have begun and the outputs have not completed.
    pub epochs_in_flight: Gauge,
    /// Bytes that the sources have read for these epochs.
    pub bytes_in_flight: Gauge,
    /// How long epochs took from their first record until the outputs had completed them.
    pub latency: Histogram,
}

/// What one operator has counted on one worker, as [`Counters::rows`] lists it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The operator's unique name.
    pub operator: String,
    /// Whether it reads, works or writes.
    pub kind: Kind,
    /// The worker's index.
    pub worker: usize,
    /// The live counters.
    pub counts: Counts,
}

/// The counters of all operators on the workers of this process. Clones are the same registry.
///
/// ```
/// use tidemill_operators::count::Counters;
/// use tidemill_operators::plan::Kind;
///
/// let counters = Counters::new();
/// let counts = counters.operator("hourly", Kind::Operator, 0);
/// counts.late.add(3);
/// assert_eq!(counters.rows()[0].counts.late.get(), 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Row>,
    paces: Vec<(usize, Pace)>,
}

impl Counters {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The counters of an operator on a worker: made at the first call, the same ones afterwards.
    pub fn operator(&self, name: &str, kind: Kind, worker: usize) -> Counts {
        let mut table = self.table();
        let known = table.rows.iter().find(|it| it.worker == worker && it.operator == name);
        if let Some(row) = known {
            return row.counts.clone();
        }
        let counts = Counts::default();
        table.rows.push(Row { operator: name.into(), kind, worker, counts: counts.clone() });
        counts
    }

    /// The gauges of a worker: made at the first call, the same ones afterwards.
    pub fn worker(&self, worker: usize) -> Pace {
        let mut table = self.table();
        if let Some((_, pace)) = table.paces.iter().find(|(it, _)| *it == worker) {
            return pace.clone();
        }
        let pace = Pace::default();
        table.paces.push((worker, pace.clone()));
        pace
    }

    /// Every operator on every worker, in the order in which they were first asked for.
    pub fn rows(&self) -> Vec<Row> {
        self.table().rows.clone()
    }

    /// The gauges of every worker.
    pub fn paces(&self) -> Vec<Pace> {
        self.table().paces.iter().map(|(_, pace)| pace.clone()).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic elsewhere leaves the table whole: each change is a single push or assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_twice_gives_the_same_counters() {
        let counters = Counters::new();
        counters.operator("a", Kind::Operator, 0).rows_in.add(1);
        counters.clone().operator("a", Kind::Operator, 0).rows_in.add(2);
        counters.operator("a", Kind::Operator, 1).rows_in.add(10);
        let seen: Vec<_> = counters.rows().iter().map(|it| it.counts.rows_in.get()).collect();
        assert_eq!(seen, [3, 10]);
    }

    #[test]
    fn a_gauge_shows_nothing_until_it_is_set() {
        let gauge = Counters::new().worker(0).epoch;
        assert_eq!(gauge.get(), None);
        gauge.set(-5);
        gauge.set(7);
        assert_eq!(gauge.get(), Some(7));
    }

    #[test]
    fn threads_count_together() {
        let counter = Counter::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.add(1)));
            }
        });
        assert_eq!(counter.get(), 4_000);
    }
}
