//! Drives a rule through a script of records, watermarks and restarts.

use std::fmt::Debug;
use std::ops::Range;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::event::Event;
use tidemill_operators::key::{Groups, hash};
use tidemill_operators::rule::{Advance, Outbox, Rule, Snapshot};
use tidemill_operators::state::{decode, encode};
use tidemill_operators::time::{EventTime, Span};
use tidemill_operators::window::Pane;
use tidemill_operators::window::contents::{Contents, Whole};

/// One thing that happens to an operator. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record at a moment, with its key and value.
    Record(i64, u8, i64),
    /// The end of an epoch with this watermark.
    Watermark(i64),
    /// A restart on so many workers. Only right after a watermark or at the start.
    Restart(usize),
}

/// A pane, with the step that gave it: `(step, key, first moment, last moment, value)`.
pub(crate) type Given<T> = (usize, u8, i64, i64, T);

/// What a script led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome<T> {
    /// The panes, sorted.
    pub(crate) panes: Vec<Given<T>>,
    /// The steps whose records left by the side.
    pub(crate) late: Vec<usize>,
}

/// Runs a script on rules made by `make` and gives what they emitted, with the number of keys left.
pub(crate) fn run<R, T>(make: impl Fn() -> R, script: &[Step]) -> (Outcome<T>, usize)
where
    R: Rule<Event<(u8, i64)>, Output = Event<Pane<u8, T>>, Side = Event<(u8, i64)>>,
    T: Ord + Debug,
{
    let mut workers = vec![make()];
    let mut outcome = Outcome { panes: Vec::new(), late: Vec::new() };
    let mut watermark = EventTime::MIN;
    for (index, step) in script.iter().enumerate() {
        let mut out = Outbox::new();
        match *step {
            Step::Record(at, key, value) => {
                let owner = owner(hash(&key), workers.len());
                workers[owner].accept(Event::new(micros(at), (key, value)), &mut out);
            }
            Step::Watermark(at) => {
                assert!(micros(at) >= watermark, "a script's watermark goes back");
                watermark = micros(at);
                workers.iter_mut().for_each(|it| finish(it, watermark, &mut out));
            }
            Step::Restart(count) => workers = restart(&make, workers, count, watermark),
        }
        outcome.late.extend(out.side.iter().map(|_| index));
        for event in out.main {
            let Pane { key, span, value } = event.value;
            assert_eq!(event.at, span.last(), "a pane travels at its last moment");
            outcome.panes.push((index, key, span.start().micros(), span.last().micros(), value));
        }
    }
    outcome.panes.sort();
    let left = saved(workers).len();
    (outcome, left)
}

/// Checks a script against what is expected, and against itself with restarts everywhere.
#[track_caller]
pub(crate) fn check<R, T>(make: impl Fn() -> R, script: &[Step], expected: &Outcome<T>)
where
    R: Rule<Event<(u8, i64)>, Output = Event<Pane<u8, T>>, Side = Event<(u8, i64)>>,
    T: Ord + Debug,
{
    assert_eq!(&run(&make, script).0, expected, "with the restarts of the script");
    // A restart in place of nothing must not show, so the steps keep their numbers.
    let mut workers = (1..=4).cycle();
    let mut restarted = Vec::new();
    let mut numbers = Vec::new();
    for (index, &step) in script.iter().enumerate() {
        restarted.push(step);
        numbers.push(index);
        if let (Step::Watermark(_), Some(count)) = (step, workers.next()) {
            restarted.push(Step::Restart(count));
            numbers.push(index);
        }
    }
    let (mut outcome, _) = run(&make, &restarted);
    outcome.late.iter_mut().for_each(|it| *it = numbers[*it]);
    outcome.panes.iter_mut().for_each(|it| it.0 = numbers[it.0]);
    assert_eq!(&outcome, expected, "with a restart after every watermark");
}

fn finish<R: Rule<D>, D>(rule: &mut R, watermark: EventTime, out: &mut Outbox<R::Output, R::Side>) {
    for _ in 0..10_000 {
        let mut part = Outbox::new();
        let done = rule.advance(watermark, &mut part) == Advance::Done;
        out.main.append(&mut part.main);
        out.side.append(&mut part.side);
        if done {
            return;
        }
    }
    panic!("the rule is never through with watermark {watermark}");
}

struct Kept(Vec<(u64, Vec<u8>)>);

impl<S: serde::Serialize> Snapshot<S> for Kept {
    fn unchanged(&mut self, _: u64) -> bool {
        false
    }

    fn section(&mut self, _: u64) {}

    fn keyed(&mut self, hash: u64, entry: S) {
        self.0.push((hash, encode(&entry)));
    }

    fn everyone(&mut self, _: S) {
        unreachable!("windows share nothing between workers");
    }
}

fn saved<R: Rule<D>, D>(workers: Vec<R>) -> Vec<(u64, Vec<u8>)> {
    let mut kept = Kept(Vec::new());
    workers.into_iter().for_each(|mut it| it.save(&mut kept));
    kept.0
}

fn restart<R: Rule<D>, D>(
    make: impl Fn() -> R,
    workers: Vec<R>,
    count: usize,
    watermark: EventTime,
) -> Vec<R> {
    let mut fresh: Vec<R> = (0..count).map(|_| make()).collect();
    fresh.iter_mut().for_each(|it| it.resume(watermark));
    for (hash, bytes) in saved(workers) {
        let entry = decode(&bytes).expect("state deserialises");
        fresh[owner(hash, count)].restore(entry);
    }
    fresh
}

fn owner(hash: u64, workers: usize) -> usize {
    let groups = Groups::new(Groups::DEFAULT, workers);
    groups.worker(groups.group(hash))
}

pub(crate) fn micros(at: i64) -> EventTime {
    EventTime::from_micros(at)
}

pub(crate) fn lasting(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// The records of a window, as their moments and values in order.
pub(crate) type Records = Vec<(i64, i64)>;

/// Contents that give all records of the window, sorted.
pub(crate) fn records() -> impl Contents<u8, i64, Output = Records> {
    Whole(|_: &u8, _: Span, records: &[Event<i64>]| {
        let mut records: Records = records.iter().map(|it| (it.at.micros(), it.value)).collect();
        records.sort_unstable();
        [records]
    })
}

/// Contents that give all records of the window as they came.
pub(crate) fn arrivals() -> impl Contents<u8, i64, Output = Records> {
    Whole(|_: &u8, _: Span, records: &[Event<i64>]| {
        [records.iter().map(|it| (it.at.micros(), it.value)).collect::<Records>()]
    })
}

/// Scripts whose records come up to `disorder` early or late, in batches of different sizes.
pub(crate) fn scripts(disorder: i64, batch: Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let record = (-disorder..=disorder, 0..3u8, 0..8i64);
    let epoch = (prop::collection::vec(record, batch), 0..12i64, 0..disorder + 1, 0..8usize);
    (-60..0i64, prop::collection::vec(epoch, 1..14)).prop_map(|(start, epochs)| {
        let (mut clock, mut watermark) = (start, i64::MIN);
        let mut script = Vec::new();
        for (records, passed, lag, workers) in epochs {
            let record = |(off, key, value)| Step::Record(clock + off, key, value);
            script.extend(records.into_iter().map(record));
            clock += passed;
            watermark = watermark.max(clock - lag);
            script.push(Step::Watermark(watermark));
            script.extend((1..=4).contains(&workers).then_some(Step::Restart(workers)));
        }
        script.push(Step::Watermark(i64::MAX));
        script
    })
}
