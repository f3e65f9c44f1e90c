//! Metrics: what a running job counts, added up over its workers.
//!
//! Operators count into the [`Counters`] of their job; this room reads them. The progress bar and
//! whoever else shows a job take a [`Snapshot`] and find the same numbers in it.
//!
//! # Cost
//!
//! A snapshot reads each counter once, under a lock that operators take only while they are built.

use std::time::Duration;

use tidemill_operators::count::{Counter, Counters, Counts, Gauge};
use tidemill_operators::plan::Kind;
use tidemill_operators::time::EventTime;

/// The metrics of a job in this process. Clones are the same metrics.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    counters: Counters,
    expected_rows: Counter,
    expected_bytes: Counter,
    checkpoints: Checkpoints,
}

/// What a process counts of checkpoints.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    /// Checkpoints that this process has committed.
    pub committed: Counter,
    /// Attempts to write, commit or clean up that failed; each but the last was tried again.
    pub failures: Counter,
    /// The epoch of the latest one.
    pub epoch: Gauge,
    /// The bytes it consists of, those it shares with earlier ones counted too.
    pub bytes: Gauge,
    /// The bytes of state that this process was given back when it began.
    pub restored: Counter,
    /// The microseconds that its workers spent on that, added up.
    pub restoring: Counter,
}

impl Metrics {
    /// Metrics of a job that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where operators get their counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Where checkpoints are counted.
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    /// Says that the sources will read this many more records.
    pub fn expect_rows(&self, rows: u64) {
        self.expected_rows.add(rows);
    }

    /// Says that the sources will read this many more bytes.
    pub fn expect_bytes(&self, bytes: u64) {
        self.expected_bytes.add(bytes);
    }

    /// How long a share `q` of the epochs took at most, from their first record until the outputs
    /// had completed them: on the worker where it took longest.
    pub fn epoch_latency(&self, q: f64) -> Option<Duration> {
        self.counters.paces().iter().filter_map(|it| it.latency.quantile(q)).max()
    }

    /// What has been counted up to now.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            operators: Vec::new(),
            epoch: None,
            epochs_in_flight: 0,
            bytes_in_flight: 0,
            expected_rows: Some(self.expected_rows.get()).filter(|&it| it > 0),
            expected_bytes: Some(self.expected_bytes.get()).filter(|&it| it > 0),
            checkpoints: self.checkpoints.committed.get(),
            checkpoint_failures: self.checkpoints.failures.get(),
        };
        for row in self.counters.rows() {
            let known = snapshot.operators.iter().position(|it| it.name == row.operator);
            let at = known.unwrap_or_else(|| {
                snapshot.operators.push(Operator::new(row.operator, row.kind));
                snapshot.operators.len() - 1
            });
            snapshot.operators[at].add(&row.counts);
        }
        for pace in self.counters.paces() {
            let or_zero = |value: Option<i64>| value.map_or(0, |it| it.max(0) as u64);
            let epoch = pace.epoch.get().map(|it| it.max(0) as u64);
            snapshot.epoch = snapshot.epoch.max(epoch);
            let epochs = or_zero(pace.epochs_in_flight.get());
            snapshot.epochs_in_flight = snapshot.epochs_in_flight.max(epochs);
            snapshot.bytes_in_flight += or_zero(pace.bytes_in_flight.get());
        }
        snapshot
    }
}

/// What one operator has counted, on all workers of this process together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its unique name.
    pub name: String,
    /// Whether it reads, works or writes.
    pub kind: Kind,
    /// Records taken in.
    pub rows_in: u64,
    /// Records given out.
    pub rows_out: u64,
    /// Records that came too late for every window they belong to.
    pub late: u64,
    /// Records that could not be understood.
    pub malformed: u64,
    /// Bytes read or written outside.
    pub bytes: u64,
    /// The watermark of the worker that is furthest behind, if any has one.
    pub watermark: Option<EventTime>,
}

impl Operator {
    fn new(name: String, kind: Kind) -> Self {
        let [rows_in, rows_out, late, malformed, bytes] = [0; 5];
        Self { name, kind, rows_in, rows_out, late, malformed, bytes, watermark: None }
    }

    fn add(&mut self, counts: &Counts) {
        self.rows_in += counts.rows_in.get();
        self.rows_out += counts.rows_out.get();
        self.late += counts.late.get();
        self.malformed += counts.malformed.get();
        self.bytes += counts.bytes.get();
        let watermark = counts.watermark.get().map(EventTime::from_micros);
        self.watermark = earlier(self.watermark, watermark);
    }
}

/// The metrics of a job at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its operators, in the order in which they were built.
    pub operators: Vec<Operator>,
    /// The latest epoch that a source is in, if there is one.
    pub epoch: Option<u64>,
    /// Checkpoints that this process has committed.
    pub checkpoints: u64,
    /// Attempts at a checkpoint that failed and were made again.
    pub checkpoint_failures: u64,
    /// Epochs that the sources have begun and the outputs have not completed.
    pub epochs_in_flight: u64,
    /// Bytes that the sources of all workers have read for these epochs.
    pub bytes_in_flight: u64,
    /// Records that the sources will have read at the end, if that is known.
    pub expected_rows: Option<u64>,
    /// Bytes that the sources will have read at the end, if that is known.
    pub expected_bytes: Option<u64>,
}

impl Snapshot {
    /// Records that the sources have read.
    pub fn rows_in(&self) -> u64 {
        self.of(Kind::Source).map(|it| it.rows_in).sum()
    }

    /// Records that the sinks have written.
    pub fn rows_out(&self) -> u64 {
        self.of(Kind::Sink).map(|it| it.rows_out).sum()
    }

    /// Bytes that the sources have read.
    pub fn bytes_in(&self) -> u64 {
        self.of(Kind::Source).map(|it| it.bytes).sum()
    }

    /// Records that came too late, anywhere.
    pub fn late(&self) -> u64 {
        self.operators.iter().map(|it| it.late).sum()
    }

    /// Records that could not be understood, anywhere.
    pub fn malformed(&self) -> u64 {
        self.operators.iter().map(|it| it.malformed).sum()
    }

    /// The watermark that is furthest behind, if there is one.
    pub fn watermark(&self) -> Option<EventTime> {
        self.operators.iter().map(|it| it.watermark).fold(None, earlier)
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Operator> {
        self.operators.iter().filter(move |it| it.kind == kind)
    }
}

/// The earlier of two moments, as far as they are known.
fn earlier(a: Option<EventTime>, b: Option<EventTime>) -> Option<EventTime> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_added_up() {
        let metrics = Metrics::new();
        for worker in 0..2 {
            let counters = metrics.counters();
            let source = counters.operator("flights", Kind::Source, worker);
            source.rows_in.add(10);
            source.bytes.add(1_000);
            source.malformed.add(1);
            let window = counters.operator("hourly", Kind::Operator, worker);
            window.rows_in.add(9);
            window.late.add(worker as u64);
            counters.operator("out", Kind::Sink, worker).rows_out.add(4);
        }
        let seen = metrics.clone().snapshot();
        let names: Vec<_> = seen.operators.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["flights", "hourly", "out"]);
        assert_eq!((seen.rows_in(), seen.rows_out(), seen.bytes_in()), (20, 8, 2_000));
        assert_eq!((seen.late(), seen.malformed()), (1, 2));
        assert_eq!(seen.operators[1].rows_in, 18);
    }

    #[test]
    fn the_watermark_is_that_of_the_slowest_worker_that_has_one() {
        let metrics = Metrics::new();
        assert_eq!(metrics.snapshot().watermark(), None);
        let counts = [0, 1, 2].map(|it| metrics.counters().operator("a", Kind::Operator, it));
        counts[0].watermark.set(5_000);
        counts[2].watermark.set(3_000);
        assert_eq!(metrics.snapshot().watermark(), Some(EventTime::from_micros(3_000)));
    }

    #[test]
    fn what_is_in_flight_is_the_most_epochs_and_all_bytes() {
        let metrics = Metrics::new();
        assert_eq!(metrics.snapshot().epoch, None);
        for (worker, (epoch, epochs)) in [(7, 3), (8, 2)].into_iter().enumerate() {
            let pace = metrics.counters().worker(worker);
            pace.epoch.set(epoch);
            pace.epochs_in_flight.set(epochs);
            pace.bytes_in_flight.set(100);
        }
        let seen = metrics.snapshot();
        assert_eq!((seen.epoch, seen.epochs_in_flight, seen.bytes_in_flight), (Some(8), 3, 200));
    }

    #[test]
    fn totals_are_unknown_until_a_source_says_them() {
        let metrics = Metrics::new();
        assert_eq!(metrics.snapshot().expected_bytes, None);
        metrics.expect_bytes(3);
        metrics.expect_bytes(4);
        let seen = metrics.snapshot();
        assert_eq!((seen.expected_bytes, seen.expected_rows), (Some(7), None));
    }
}
