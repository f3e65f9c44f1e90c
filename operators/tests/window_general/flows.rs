//! Triggers in dataflows, against the stories of their windows: over disordered input that is cut into
//! epochs and batches at random, on any number of workers, with a restart in the middle.

use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::event::Event;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::time::{Epoch, EventTime, Span};
use tidemill_operators::window::Tumbling;
use tidemill_operators::window::trigger::{
    AtWatermark, Continuous, Decision, Delta, EveryRecords, Trigger, Watch,
};

use crate::harness::{Records, Step};
use crate::model::{Turn, at_watermark, taken};
use crate::support::{Epochs, Run, Tap, at, by_epoch, histories, runs};
use crate::triggers::{Fired, continuous, delta, every, model, purged};

/// A moment, a key, and a number.
type Record = (i64, u8, i64);

/// How far records may be out of order.
const DELAY: i64 = 10;

/// What comes out of windows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Given {
    Pane(u8, i64, i64, Records),
    Late(Record),
}

fn lasting(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

/// Histories whose partitions go on in time, each with keys of its own: what a trigger does depends on
/// the order in which the records of a key arrive.
fn disordered() -> impl Strategy<Value = Run<Record>> {
    let record = (0..6i64, 0..=4 * DELAY, 0..3u8, 0..9i64);
    let epochs = histories(record, 1..7, 0..10).prop_map(|epochs| {
        let mut clocks = [-60, -55, -65, -60];
        let mut made: Epochs<Record> = Vec::new();
        for partitions in &epochs {
            let partitions = partitions.iter().zip(&mut clocks).zip(0..);
            let moved = partitions.map(|((records, clock), partition): (_, u8)| {
                let record = |&(step, late, key, value): &(i64, i64, u8, i64)| {
                    *clock += step;
                    (*clock - late, key + 3 * partition, value)
                };
                records.iter().map(record).collect()
            });
            made.push(moved.collect());
        }
        made
    });
    runs(epochs)
}

/// The history as a script, and the epoch of each of its steps.
fn script(run: &Run<Record>) -> (Vec<Step>, Vec<Epoch>) {
    let (mut steps, mut epochs) = (Vec::new(), Vec::new());
    let watermarks = run.watermarks(|it| it.0, DELAY);
    for (epoch, (partitions, watermark)) in run.epochs().iter().zip(watermarks).enumerate() {
        let records = partitions.iter().flatten();
        steps.extend(records.map(|&(at, key, value)| Step::Record(at, key, value)));
        steps.push(Step::Watermark(watermark));
        epochs.resize(steps.len(), epoch as Epoch);
    }
    (steps, epochs)
}

/// The records of a pane, sorted.
fn sorted(_: &u8, _: Span, records: &[Event<i64>]) -> [Records; 1] {
    let mut records: Records = records.iter().map(|it| (it.at.micros(), it.value)).collect();
    records.sort_unstable();
    [records]
}

/// Compares a trigger over tumbling windows of twenty with what is told of each window.
fn check<T: Trigger<i64> + Clone + Send + Sync>(
    run: &Run<Record>,
    trigger: T,
    lateness: i64,
    tell: impl Fn((i64, i64), &[(usize, Turn)]) -> Fired,
) {
    let (steps, epochs) = script(run);
    let expected = model(&steps, lateness.unsigned_abs(), tell);
    let panes = expected.panes.into_iter().map(|(step, key, first, last, records)| {
        (epochs[step], Given::Pane(key, first, last, records))
    });
    let late = expected.late.into_iter().map(|step| match steps[step] {
        Step::Record(at, key, value) => (epochs[step], Given::Late((at, key, value))),
        other => panic!("{other:?} is no record"),
    });
    let mut expected: Vec<_> = panes.chain(late).collect();
    expected.sort();

    let given = run.go(move |stream, tap: &Tap<Given>| {
        let events = stream.event_time(|it| at(it.0), Disorder::up_to(lasting(DELAY)));
        let keyed = events.key_value(|(_, key, value)| (key, value));
        let windows = keyed.window(Tumbling::new(lasting(20))).trigger(trigger.clone());
        let (panes, late) = windows.allow_lateness(lasting(lateness)).with_late().process(sorted);
        tap.watch(panes.values().map(|it| {
            let (first, last) = (it.span.start().micros(), it.span.last().micros());
            Given::Pane(it.key, first, last, it.value)
        }));
        tap.watch(late.map(|it| Given::Late((it.at.micros(), it.value.0, it.value.1))));
    });
    assert_eq!(by_epoch(given), expected, "{run:?}");
}

/// Fires at each number that is greater than all before it in the window, and purges when time comes
/// to the middle of the window.
#[derive(Clone)]
struct Highest;

fn middle(first: i64) -> i64 {
    first + 10
}

impl Trigger<i64> for Highest {
    type State = Option<i64>;

    fn start(&self) -> Option<i64> {
        None
    }

    fn on_record(
        &self,
        highest: &mut Option<i64>,
        _: EventTime,
        value: &i64,
        watch: &mut Watch<'_>,
    ) -> Decision {
        let middle = EventTime::from_micros(middle(watch.span().start().micros()));
        if watch.watermark() < middle {
            watch.wake_at(middle);
        }
        if highest.is_some_and(|highest| highest >= *value) {
            return Decision::Continue;
        }
        *highest = Some(*value);
        Decision::Fire
    }

    fn on_moment(&self, _: &mut Option<i64>, _: EventTime, _: &mut Watch<'_>) -> Decision {
        Decision::Purge
    }
}

/// What it does, told by hand.
fn highest((first, _): (i64, i64), story: &[(usize, Turn)]) -> Fired {
    let (mut highest, mut waits, mut gone) = (None, false, 0);
    let mut fired = Vec::new();
    for (place, (index, turn)) in story.iter().enumerate() {
        let records = taken(&story[..=place]);
        match *turn {
            Turn::Take(_, value, watermark) => {
                waits |= watermark < middle(first);
                if highest < Some(value) {
                    highest = Some(value);
                    fired.push((*index, records[gone..].to_vec()));
                }
            }
            Turn::Watermark(to) if waits && to >= middle(first) => {
                (gone, waits) = (records.len(), false);
            }
            Turn::Watermark(_) => {}
        }
    }
    fired
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_so_many_records(run in disordered(), count in 1..6usize, lateness in 0..20i64) {
        let trigger = EveryRecords::new(count as u64);
        check(&run, trigger, lateness, |_, story| every(count, story));
        check(&run, trigger.purging(), lateness, |_, story| purged(every(count, story)));
    }

    #[test]
    fn at_the_watermark_and_purging(run in disordered(), lateness in 0..20i64) {
        let tell = |span, story: &[_]| purged(at_watermark(span, story));
        check(&run, AtWatermark.purging(), lateness, tell);
    }

    #[test]
    fn early_results_every_so_often(
        run in disordered(), interval in 1..25i64, lateness in 0..20i64,
    ) {
        let trigger = Continuous::every(lasting(interval));
        let tell = |span, story: &[_]| continuous(interval, span, story);
        check(&run, trigger, lateness, tell);
        let tell = |span, story: &[_]| purged(continuous(interval, span, story));
        check(&run, trigger.purging(), lateness, tell);
    }

    #[test]
    fn at_a_distance(run in disordered(), threshold in 0..5i64, lateness in 0..20i64) {
        let trigger = Delta::new(threshold as f64, |a: &i64, b: &i64| (a - b).abs() as f64);
        check(&run, trigger, lateness, |_, story| delta(threshold, story));
        check(&run, trigger.purging(), lateness, |_, story| purged(delta(threshold, story)));
    }

    #[test]
    fn a_trigger_of_ones_own(run in disordered(), lateness in 0..20i64) {
        check(&run, Highest, lateness, highest);
    }
}
