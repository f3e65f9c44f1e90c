//! Retention by the watermark, and the contents of windows.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::aggregate::{Count, Sum};
use tidemill_operators::collection::{Diff, Verdict};
use tidemill_operators::event_time::Disorder;
use tidemill_operators::events::Events;
use tidemill_operators::key::Group;
use tidemill_operators::state::{Forgetful, Keeper, Part, Section};
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, EventTime, Span};
use tidemill_operators::window::{Assign, Cumulative, Session, Sliding, Tumbling};

use crate::history::{Bag, add, bag, difference};
use crate::support::{Epochs, Run, Tap, at, by_epoch, histories, on_workers, runs};

/// A moment and a key.
type Row = (i64, u8);

/// How far records may be out of order.
const DELAY: i64 = 10;

fn micros(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

/// Histories whose partitions go on in time, with records that are up to `back` behind.
fn disordered(back: i64) -> impl Strategy<Value = Run<Row>> {
    let record = (0..8i64, 0..=back, 0..3u8);
    let epochs = histories(record, 1..7, 0..10).prop_map(|epochs| {
        let mut clocks = [-60, -55, -65, -60];
        let mut made: Epochs<Row> = Vec::new();
        for partitions in &epochs {
            let partitions = partitions.iter().enumerate().map(|(partition, records)| {
                let mut record = |&(step, late, key): &(i64, i64, u8)| {
                    clocks[partition] += step;
                    (clocks[partition] - late, key)
                };
                records.iter().map(&mut record).collect()
            });
            made.push(partitions.collect());
        }
        made
    });
    runs(epochs)
}

fn events(stream: Stream<'_, Row>) -> Events<'_, Row> {
    stream.event_time(|it| at(it.0), Disorder::up_to(micros(DELAY)))
}

/// What comes out: changes, and what came too late.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Given<D> {
    Change(D, Diff),
    Late(Row),
}

/// The watermark before and after each epoch.
fn marks(run: &Run<Row>) -> Vec<(i64, i64)> {
    let after = run.watermarks(|it| it.0, DELAY);
    let mut highest = i64::MIN;
    let steps = after.into_iter().map(|mark| {
        let before = highest;
        highest = highest.max(mark);
        (before, highest)
    });
    steps.collect()
}

/// Runs the collection of what lasts for `span`, and compares it with what should be there.
fn retained(run: &Run<Row>, span: i64) {
    let seen = run.go(move |stream, tap: &Tap<Given<Row>>| {
        let (rows, late) = events(stream).lasting_with_late(micros(span));
        tap.watch(rows.changes().map(|(row, diff)| Given::Change(row, diff)));
        tap.watch(late.map(|event| Given::Late(event.value)));
    });
    let (mut came, mut before, mut expected) = (Bag::new(), Bag::new(), Vec::new());
    for (epoch, (mark, next)) in marks(run).into_iter().enumerate() {
        for row in run.epochs()[epoch].iter().flatten() {
            if row.0 + span <= mark {
                expected.push((epoch as Epoch, Given::Late(*row)));
            }
            add(&mut came, *row, 1);
        }
        let there = came.iter().filter(|(row, _)| row.0 + span > next);
        let now = bag(there.map(|(row, times)| (*row, *times)));
        let changes = difference(&before, &now).into_iter();
        expected.extend(changes.map(|(row, it)| (epoch as Epoch, Given::Change(row, it))));
        before = now;
    }
    expected.sort();
    assert_eq!(by_epoch(seen), expected, "{run:?}");
}

/// The windows of a row.
fn spans<A: Assign<Row>>(assign: &A, row: &Row) -> Vec<Span> {
    let mut spans = Vec::new();
    assign.windows_of(at(row.0), row, &mut spans);
    spans
}

/// Runs the contents of windows and an aggregate of them, and compares both with what should be
/// said of each window in each epoch.
fn windowed<A: Assign<Row> + Clone + Send + Sync>(run: &Run<Row>, assign: A) {
    type Said = (Verdict, Result<Row, (Diff, i64)>);
    let windows = assign.clone();
    let seen = run.go(move |stream, tap: &Tap<Given<Said>>| {
        let (rows, late) = events(stream).windowed_with_late(windows.clone());
        let sums = rows.clone().aggregate((Count, Sum::of(|row: &Row| i64::from(row.1))));
        let sums = sums.verdicts().map(|((verdict, sums), it)| ((verdict, Err(sums)), it));
        tap.watch(sums.map(|(said, diff)| Given::Change(said, diff)));
        let rows = rows.verdicts().map(|((verdict, row), it)| ((verdict, Ok(row)), it));
        tap.watch(rows.map(|(said, diff)| Given::Change(said, diff)));
        tap.watch(late.map(|event| Given::Late(event.value)));
    });
    let (mut came, mut before, mut expected) = (Vec::new(), Bag::new(), Vec::new());
    for (epoch, (mark, next)) in marks(run).into_iter().enumerate() {
        let (mark, next) = (EventTime::from_micros(mark), EventTime::from_micros(next));
        for row in run.epochs()[epoch].iter().flatten() {
            let spans = spans(&assign, row);
            if spans.iter().all(|it| it.last() <= mark) {
                expected.push((epoch as Epoch, Given::Late(*row)));
            }
            let open = spans.into_iter().filter(|it| it.last() > mark);
            came.extend(open.map(|span| (span, *row)));
        }
        let open = came.iter().filter(|it| it.0.last() > next);
        let now = said(open.map(|(span, row)| (Verdict::Speculative(*span), *row)));
        let closed = came.iter().filter(|it| it.0.last() > mark && it.0.last() <= next);
        let certain = said(closed.map(|(span, row)| (Verdict::Certain(*span), *row)));
        let changes = difference(&before, &now).into_iter().chain(certain);
        expected.extend(changes.map(|(said, it)| (epoch as Epoch, Given::Change(said, it))));
        before = now;
    }
    expected.sort();
    assert_eq!(by_epoch(seen), expected, "{run:?}");
}

/// What follows from rows with their verdicts: the rows themselves, their number and sum.
fn said(
    rows: impl Iterator<Item = (Verdict, Row)> + Clone,
) -> Bag<(Verdict, Result<Row, (Diff, i64)>)> {
    let mut sums = Bag::new();
    let mut figures = std::collections::BTreeMap::<Verdict, (Diff, i64)>::new();
    for (verdict, row) in rows {
        let (count, sum) = figures.entry(verdict).or_default();
        (*count, *sum) = (*count + 1, *sum + i64::from(row.1));
        add(&mut sums, (verdict, Ok(row)), 1);
    }
    let figures = figures.into_iter().map(|(verdict, it)| ((verdict, Err(it)), 1));
    sums.extend(figures);
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn rows_stay_until_the_watermark_passes(run in disordered(DELAY), span in 0..60i64) {
        retained(&run, span);
    }

    #[test]
    fn rows_that_are_too_old_go_by_the_side(run in disordered(3 * DELAY), span in 0..20i64) {
        retained(&run, span);
    }

    #[test]
    fn tumbling_windows_are_speculative_then_certain(run in disordered(DELAY)) {
        windowed(&run, Tumbling::new(micros(15)));
    }

    #[test]
    fn sliding_windows_are_speculative_then_certain(run in disordered(2 * DELAY)) {
        windowed(&run, Sliding::new(micros(20), micros(8)));
    }

    #[test]
    fn cumulative_windows_are_speculative_then_certain(run in disordered(2 * DELAY)) {
        windowed(&run, Cumulative::new(micros(20), micros(5)));
    }
}

#[test]
fn what_is_certain_goes_on_all_workers_at_once() {
    // Only one worker has something to do in the second epoch.
    let first = vec![(-55, 1), (-51, 0), (-57, 1), (-52, 2), (-45, 0), (-35, 2)];
    let epochs = vec![vec![first], vec![vec![(-42, 1)]], vec![vec![(-40, 2)]]];
    let run = Run::new(epochs).workers(2).batch(1).ending();
    windowed(&run, Tumbling::new(micros(15)));
}

#[test]
fn rows_are_given_back_after_a_restart() {
    let epochs = (0..14i64).map(|it| vec![vec![(10 * it, it as u8)], vec![(10 * it + 3, 9)]]);
    for cut in [0, 3, 7, 10] {
        let run = Run::new(epochs.clone().collect()).ending().workers(2).restart(cut, 4);
        retained(&run, 35);
        windowed(&run, Tumbling::new(micros(40)));
        windowed(&run.restart(12, 1), Sliding::new(micros(40), micros(10)));
    }
}

#[test]
#[should_panic(expected = "cannot be a collection: use windows whose bounds the clock tells")]
fn sessions_are_refused() {
    let run = Run::new(vec![vec![vec![(0, 0)]]]);
    run.go(|stream, tap: &Tap<((Verdict, Row), Diff)>| {
        tap.watch(events(stream).windowed(Session::gap(micros(5))).verdicts());
    });
}

/// Notes of each save of the rows how many sections there are, and how many of them are written.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(usize, usize)>>>);

impl Keeper for Notes {
    fn due(&self, _: &Range<Epoch>) -> bool {
        true
    }

    fn keep(&self, operator: &str, _: usize, _: Range<Epoch>, saved: Vec<Section>) {
        if operator == "lasting" {
            // The last section is the watermark's.
            let rows = saved.iter().filter(|it| it.id < u64::MAX);
            let written = rows.clone().filter(|it| it.parts.is_some()).count();
            self.0.lock().expect("no test panics with it").push((rows.count(), written));
        }
    }

    fn recall(
        &self,
        operator: &str,
        entries: &'static str,
        worker: usize,
        groups: Range<Group>,
        each: &mut dyn FnMut(Part, Option<u64>),
    ) {
        Forgetful.recall(operator, entries, worker, groups, each)
    }

    fn refuse(&self, operator: &str, why: String) {
        panic!("`{operator}`: {why}");
    }
}

#[test]
fn what_is_saved_follows_what_came_and_what_went() {
    let notes = Notes::default();
    on_workers(
        1,
        notes.clone(),
        |_| vec!["0".into()],
        |stream: Stream<'_, Row>, tap: &Tap<(Row, Diff)>| {
            tap.watch(events(stream).lasting(micros(160)).changes());
        },
        |bench| {
            for epoch in 0..100u64 {
                bench.send(epoch, 0, vec![(10 * epoch as i64, 1)]);
                bench.advance(epoch + 1);
                bench.settle(epoch);
            }
            bench.finish();
        },
    );
    let notes = notes.0.lock().expect("no test panics with it");
    // A slice is as long as an epoch: each begins one, and leaves the oldest.
    let settled = &notes[30..99];
    assert!(settled.iter().all(|it| *it == (18, 1)), "{settled:?}");
    assert_eq!(notes.last(), Some(&(0, 0)), "nothing is left at the end of time");
}
