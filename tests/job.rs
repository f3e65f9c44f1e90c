//! Whole jobs through the public API: what goes in, what comes out, and how they end.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tidemill::connect::{Sink, Writer};
use tidemill::metrics::Snapshot;
use tidemill::prelude::*;
use tidemill::{Error, ErrorKind, Result};

#[test]
fn a_bounded_job_ends_with_every_window_fired() {
    for workers in [1, 2, 4] {
        let panes = collect::<(u64, i64, u64)>();
        let sink = panes.clone();
        let settings = Settings::default().workers(workers).quiet();
        let seen = Job::new("test", settings)
            .run(move |flow| {
                flow.read(iterate(|| 0..1_000u64))?
                    .event_time(|it| EventTime::from_millis(*it as i64), Disorder::ascending())
                    .key_by(|it| it % 3)
                    .window(Tumbling::new(millis(100)))
                    .aggregate(Count)
                    .map(|pane| (pane.key, pane.span.start().millis(), pane.value))
                    .write(sink.clone())
            })
            .expect("the job runs");
        let mut expected = Vec::new();
        for key in 0..3 {
            for start in (0..1_000).step_by(100) {
                let count = (start..start + 100).filter(|it| it % 3 == key).count() as u64;
                expected.push((key, start as i64, count));
            }
        }
        assert_eq!(panes.sorted(), expected, "{workers} workers");
        assert_eq!((seen.rows_in(), seen.rows_out()), (1_000, 30));
    }
}

#[test]
fn what_operators_hold_is_dropped_when_the_job_has_ended() {
    use std::sync::Arc;
    let held = Arc::new(());
    let lent = Arc::clone(&held);
    Job::new("test", Settings::default().workers(2).quiet())
        .run(move |flow| {
            let lent = Arc::clone(&lent);
            let numbers = flow.read(iterate(|| 0..10u64))?;
            _ = numbers.inspect(move |_| assert!(Arc::strong_count(&lent) > 1));
            Ok(())
        })
        .expect("the job runs");
    assert_eq!(Arc::strong_count(&held), 1);
}

/// The error that a job ends with.
fn failure(
    workers: usize,
    build: impl Fn(&Flow<'_>) -> Result<()> + Send + Sync + 'static,
) -> Error {
    let settings = Settings::default().workers(workers).quiet();
    Job::new("test", settings).run(build).expect_err("the job fails")
}

#[test]
fn a_place_that_cannot_be_opened_ends_the_job_with_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (missing, there) = (folder.path().join("missing.txt"), folder.path().to_owned());
    for workers in [1, 2] {
        let path = missing.clone();
        let error = failure(workers, move |flow| flow.read(text(path.clone()))?.write(collect()));
        assert_eq!(error.kind(), ErrorKind::Read);
        assert!(error.to_string().contains("missing.txt"), "{error:#}");
    }
    let error = failure(1, move |flow| {
        flow.read(iterate(|| 0..10u32))?.write(to_text(there.clone()).single_file())
    });
    assert_eq!(error.kind(), ErrorKind::Write);
    assert!(error.to_string().contains("is a folder"), "{error:#}");
}

#[test]
fn a_loop_that_does_not_end_ends_the_job_with_its_name() {
    for workers in [1, 2] {
        let written = collect();
        let sink = written.clone();
        let settings = Settings::default().workers(workers).quiet();
        let error = Job::new("test", settings)
            .run(move |flow| {
                let numbers = flow.read(iterate(|| 0..10u32))?.inserts();
                let turning = Loop::named("turning").at_most(30);
                let turned = numbers.iterate_in(turning, |it| it.map(|it| it ^ (1 << 20)));
                turned.changes().write(sink.clone())
            })
            .expect_err("the job fails");
        let said = format!("{error:#}");
        assert!(said.contains("`turning` cannot go on") && said.contains("30 rounds"), "{said}");
        assert!(written.sorted().is_empty(), "nothing that is wrong is written");
    }
}

#[test]
fn what_is_late_does_not_depend_on_when_idle_workers_wake() {
    // Only the first worker has something to read; each record is an epoch of its own.
    for (workers, _run) in (1..=4).flat_map(|workers| (0..4).map(move |run| (workers, run))) {
        let late = collect();
        let sink = late.clone();
        let settings = Settings::default().workers(workers).epoch_rows(1).quiet();
        let seen = Job::new("test", settings)
            .run(move |flow| {
                let (panes, late) = flow
                    .read(iterate(|| (0..200i64).map(|it| it ^ 3)))?
                    .event_time(|it| EventTime::from_millis(*it), Disorder::ascending())
                    .key_by(|it| it % 7)
                    .window(Tumbling::new(millis(1)))
                    .with_late()
                    .aggregate(Count);
                late.map(|it| it.value.1).write(sink.clone())?;
                panes.write(collect())
            })
            .expect("the job runs");
        let expected: Vec<i64> = (0..200).filter(|it| it % 4 != 3).collect();
        assert_eq!(late.sorted(), expected, "{workers} workers");
        assert_eq!(seen.rows_out(), 200);
    }
}

/// A sink whose writer stands still until it is told to go on.
#[derive(Clone, Default)]
struct Gated(Arc<(Mutex<bool>, Condvar)>);

impl Gated {
    fn open_gate(&self) {
        *self.0.0.lock().expect("nobody panics") = true;
        self.0.1.notify_all();
    }

    fn pass(&self) -> Result<()> {
        let gate = self.0.0.lock().expect("nobody panics");
        drop(self.0.1.wait_while(gate, |open| !*open).expect("nobody panics"));
        Ok(())
    }
}

impl Sink for Gated {
    type Record = u64;

    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Writer<Record = u64>>> {
        Ok(Box::new(self.clone()))
    }

    fn name(&self) -> String {
        "gated".to_owned()
    }
}

impl Writer for Gated {
    type Record = u64;

    fn write(&mut self, records: &mut Vec<u64>) -> Result<()> {
        records.clear();
        self.pass()
    }

    fn flush(&mut self) -> Result<()> {
        self.pass()
    }

    fn prepare(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _prepared: &[u8]) -> Result<()> {
        Ok(())
    }

    fn abort(&mut self, _prepared: &[u8]) -> Result<()> {
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Runs a job on a thread of its own, and gives what it ends with.
fn started(job: impl FnOnce() -> Result<Snapshot> + Send + 'static) -> Receiver<Result<Snapshot>> {
    let (tell, ended) = channel();
    thread::spawn(move || tell.send(job()));
    ended
}

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_sink_that_is_behind_by_many_empty_epochs_catches_up() {
    let gated = Gated::default();
    let (sink, settings) = (gated.clone(), Settings::default().epoch_rows(1).quiet());
    let job = Job::new("test", settings.in_flight(1_000, 1));
    let metrics = job.metrics();
    let ended = started(move || {
        job.run(move |flow| flow.read(iterate(|| 0..500u64))?.filter(|_| false).write(sink.clone()))
    });
    let deadline = Instant::now() + PATIENCE;
    while metrics.snapshot().rows_in() < 500 {
        assert!(Instant::now() < deadline, "{:?}", metrics.snapshot());
        thread::yield_now();
    }
    // The worker is to have nothing left to do: only the writer can go on.
    thread::sleep(Duration::from_millis(100));
    gated.open_gate();
    ended.recv_timeout(PATIENCE).expect("the job ends").expect("the job ends well");
}

#[test]
fn sources_wait_for_a_slow_sink() {
    for workers in [1, 2] {
        let gated = Gated::default();
        let sink = gated.clone();
        let settings = Settings::default().workers(workers).epoch_rows(100).in_flight(8, 1);
        let job = Job::new("test", settings.quiet());
        let metrics = job.metrics();
        let ended = started(move || {
            job.run(move |flow| {
                flow.read(generate(1, |index, _| index).limit(100_000))?.write(sink.clone())
            })
        });
        let deadline = Instant::now() + PATIENCE;
        let read = || metrics.snapshot().rows_in();
        while read() < 800 {
            assert!(Instant::now() < deadline, "{:?}", metrics.snapshot());
            thread::yield_now();
        }
        // Long enough for everything to be read, if the sources did not wait.
        thread::sleep(Duration::from_millis(200));
        assert!(read() <= 1_000 * workers as u64, "{} rows are in flight", read());
        gated.open_gate();
        let seen = ended.recv_timeout(PATIENCE).expect("the job ends").expect("it ends well");
        assert_eq!((seen.rows_in(), seen.rows_out()), (100_000, 100_000));
    }
}

#[test]
fn a_sink_that_panics_ends_the_job_with_its_name() {
    /// A record that cannot be written.
    struct Unspeakable;

    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("it has no name");
        }
    }

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.txt");
    let ended = started(move || {
        let settings = Settings::default().workers(2).quiet();
        Job::new("test", settings).run(move |flow| {
            // Without end: only the panic ends it.
            let records = flow.read(generate(1, |_, _| Unspeakable))?;
            records.write(to_text(path.clone()).single_file())
        })
    });
    let error = ended.recv_timeout(PATIENCE).expect("the job ends").expect_err("it fails");
    let said = format!("{error:#}");
    assert!(said.contains("out.txt panicked") && said.contains("it has no name"), "{said}");
}
