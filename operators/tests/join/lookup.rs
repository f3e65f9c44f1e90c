//! Lookup joins in running dataflows against the contents of the collection at each epoch.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::collection::Diff;
use tidemill_operators::event::Event;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::join::{LeftOuter, Lookup};
use tidemill_operators::rule::{Advance, Either, Outbox, Rule};
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, EventTime};

use crate::support::{Run, Tap, at, by_epoch, histories, runs};

/// A record with its moment, key and number, or by how much more often a value of a key is there.
#[derive(Clone, Copy, Debug)]
enum Input {
    Record(i64, u8, u8),
    Change(u8, u8, Diff),
}

/// The time of a row, its key and number, and the value.
type Row = (i64, u8, u8, Option<u8>);

fn inputs() -> impl Strategy<Value = Input> + Clone {
    let diff = prop_oneof![Just(1isize), Just(1), Just(2), Just(-1)];
    prop_oneof![
        (-30..30i64, 0..3u8, 0..9u8).prop_map(|(at, key, it)| Input::Record(at, key, it)),
        (0..3u8, 0..4u8, diff).prop_map(|(key, value, diff)| Input::Change(key, value, diff)),
    ]
}

fn model(run: &Run<Input>, outer: bool) -> Vec<(Epoch, Row)> {
    let mut contents = BTreeMap::<(u8, u8), Diff>::new();
    let mut rows = Vec::new();
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        for input in partitions.iter().flatten() {
            if let Input::Change(key, value, diff) = input {
                *contents.entry((*key, *value)).or_default() += diff;
            }
        }
        for input in partitions.iter().flatten() {
            if let Input::Record(time, key, number) = *input {
                let found = contents.iter().filter(|((of, _), _)| *of == key);
                let found = found.flat_map(|(it, times)| (0..*times).map(move |_| Some(it.1)));
                let mut found = Vec::from_iter(found);
                if outer && found.is_empty() {
                    found.push(None);
                }
                rows.extend(found.into_iter().map(|it| (epoch as Epoch, (time, key, number, it))));
            }
        }
    }
    rows.sort();
    rows
}

fn go(run: &Run<Input>, outer: bool) -> Vec<(Epoch, Row)> {
    by_epoch(run.go(move |stream: Stream<'_, Input>, tap: &Tap<Row>| {
        let (records, changes) = stream.split(|it| match it {
            Input::Record(time, key, number) => Either::Left((time, key, number)),
            Input::Change(key, value, diff) => Either::Right(((key, value), diff)),
        });
        let join = records
            .event_time(|it| at(it.0), Disorder::up_to(Duration::from_micros(5)))
            .key_value(|it| (it.1, it.2))
            .lookup_join(changes.changelog());
        let rows = match outer {
            true => join.left_outer().joined(),
            false => join.joined().map_values(|(number, value)| (number, Some(value))),
        };
        tap.watch(
            rows.pairs().timed().map(|Event { at, value: (key, (number, value)) }| {
                (at.micros(), key, number, value)
            }),
        );
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_record_sees_the_contents_at_the_end_of_its_epoch(
        run in runs(histories(inputs(), 1..8, 0..10)),
        outer in any::<bool>(),
    ) {
        prop_assert_eq!(go(&run, outer), model(&run, outer));
    }
}

#[test]
fn a_stream_without_event_time_sees_the_contents_at_the_end_of_its_epoch() {
    let epochs = vec![
        vec![vec![Input::Record(0, 1, 5), Input::Change(1, 7, 1), Input::Record(0, 2, 6)]],
        vec![vec![]],
        vec![vec![Input::Record(0, 1, 8), Input::Change(1, 7, -1), Input::Change(2, 3, 1)]],
        vec![vec![Input::Record(0, 2, 9)]],
    ];
    let run = Run::new(epochs).workers(2).restart(2, 1);
    let rows = run.go(|stream: Stream<'_, Input>, tap: &Tap<(u8, (u8, Option<u8>))>| {
        let (records, changes) = stream.split(|it| match it {
            Input::Record(_, key, number) => Either::Left((key, number)),
            Input::Change(key, value, diff) => Either::Right(((key, value), diff)),
        });
        tap.watch(records.lookup_join(changes.changelog()).left_outer().name("seen").joined());
    });
    let expected = [(0, (1, (5, Some(7)))), (0, (2, (6, None))), (2, (1, (8, None)))];
    assert_eq!(by_epoch(rows), [&expected[..], &[(3, (2, (9, Some(3))))]].concat());
}

type OfEither = Either<Event<(u8, u32)>, ((u8, u32), Diff)>;

fn change(key: u8, value: u32, diff: Diff) -> OfEither {
    Either::Right(((key, value), diff))
}

fn record(key: u8, number: u32) -> OfEither {
    Either::Left(Event::new(at(0), (key, number)))
}

#[test]
fn much_to_give_is_given_in_pieces() {
    let full = Outbox::<(), ()>::FULL;
    let (mut rule, mut out) = (Lookup::<u8, u32, u32, LeftOuter>::new(), Outbox::new());
    (0..3_000).for_each(|it| rule.accept(change(1, it, 1), &mut out));
    (0..3).for_each(|it| rule.accept(record(1, it), &mut out));
    rule.accept(record(2, 9), &mut out);
    let mut rows = Vec::new();
    while rule.advance(EventTime::MIN, &mut out) == Advance::More {
        assert!(out.main.len() <= full, "{} rows at once", out.main.len());
        assert!(rows.len() < 20_000, "it gives more rows than there are");
        rows.extend(out.main.drain(..).map(|it| it.value));
    }
    rows.extend(out.main.drain(..).map(|it| it.value));
    let expected = (0..3).flat_map(|it| (0..3_000).map(move |value| (1, (it, Some(value)))));
    assert!(rows.into_iter().eq(expected.chain([(2, (9, None))])));
}

/// What comes out a little different when it is computed anew, as real numbers may.
#[test]
fn a_run_that_continues_finds_what_the_collection_holds_now_alone() {
    let epochs = vec![
        vec![vec![Input::Change(1, 7, 1), Input::Change(2, 3, 1), Input::Record(0, 1, 5)]],
        vec![vec![Input::Record(0, 1, 6)]],
        vec![vec![Input::Change(2, 3, -1), Input::Record(0, 1, 8), Input::Record(0, 2, 8)]],
        vec![vec![Input::Change(1, 7, -1), Input::Change(1, 9, 1), Input::Record(0, 1, 9)]],
    ];
    let runs = AtomicU8::new(0);
    let rows = Run::new(epochs).restart(1, 1).go(move |stream, tap: &Tap<(u8, (u8, u8))>| {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        let (records, changes) = stream.split(|it| match it {
            Input::Record(_, key, number) => Either::Left((key, number)),
            Input::Change(key, value, diff) => Either::Right(((key, value), diff)),
        });
        let table = changes.changelog().map(move |(key, value)| (key, 10 * value + run));
        tap.watch(records.lookup_join(table).joined());
    });
    let expected = [(0, (1, (5, 70))), (1, (1, (6, 70))), (2, (1, (8, 71))), (3, (1, (9, 91)))];
    assert_eq!(by_epoch(rows), expected);
}
