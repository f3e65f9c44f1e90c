//! Temporal joins in running dataflows against the versions of the whole input.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::aggregate::Count;
use tidemill_operators::collection::Diff;
use tidemill_operators::event::Event;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::join::{LateForVersions, TemporalJoin};
use tidemill_operators::rule::Either;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::Epoch;
use tidemill_operators::window::Tumbling;

use crate::support::{Run, Tap, at, by_epoch, histories, runs};

/// A moment, a key, whether it is a record rather than a version, and the number of a record.
type Record = (i64, u8, bool, u8);
/// The time of a row, its key, its number, and the version.
type Row = (i64, u8, u8, Option<u8>);
/// By how much more often a row is there, or a record that came too late.
type Given = Result<(Row, Diff), Record>;

const DELAY: i64 = 6;

/// The version of a moment: at one moment all are alike, so that their order plays no part.
fn version(time: i64) -> Option<u8> {
    (time % 4 != 0).then_some((time + 100) as u8)
}

/// Which rows there are, and for how long they are corrected.
#[derive(Clone, Copy, Debug)]
struct Join {
    outer: bool,
    lateness: Option<i64>,
}

/// What changes from epoch to epoch in the rows of all records that are reached and not final.
fn model(run: &Run<Record>, join: Join) -> Vec<(Epoch, Given)> {
    let lateness = join.lateness.unwrap_or(0);
    let over = |time: i64, now: i64| now > i64::MIN && time.saturating_add(lateness) <= now;
    let (mut lefts, mut versions) = (Vec::<(i64, u8, u8)>::new(), Vec::<(i64, u8)>::new());
    let mut answers = BTreeMap::<usize, Option<Row>>::new();
    let mut told = Vec::new();
    let mut before = i64::MIN;
    for (epoch, now) in run.watermarks(|it| it.0, DELAY).into_iter().enumerate() {
        for &record in run.epochs()[epoch].iter().flatten() {
            match record {
                (time, _, true, _) if over(time, before) => {
                    told.push((epoch as Epoch, Err(record)))
                }
                (time, key, true, number) => lefts.push((time, key, number)),
                (time, key, false, _) => versions.push((time, key)),
            }
        }
        let mut changes = BTreeMap::<Row, Diff>::new();
        for (place, &(time, key, number)) in lefts.iter().enumerate() {
            if time > now || over(time, before) {
                continue;
            }
            let valid = versions.iter().filter(|it| it.1 == key && it.0 <= time).max();
            let valid = valid.and_then(|it| version(it.0));
            let row = (valid.is_some() || join.outer).then_some((time, key, number, valid));
            let old = answers.insert(place, row).flatten();
            old.into_iter().for_each(|row| *changes.entry(row).or_default() -= 1);
            row.into_iter().for_each(|row| *changes.entry(row).or_default() += 1);
        }
        let changes = changes.into_iter().filter(|(_, diff)| *diff != 0);
        told.extend(changes.map(|change| (epoch as Epoch, Ok(change))));
        // A deletion that is over is forgotten, with all that was before.
        for key in 0..10 {
            let last = versions.iter().filter(|it| it.1 == key && over(it.0, now)).max();
            if let Some(&(deleted, _)) = last.filter(|it| version(it.0).is_none()) {
                versions.retain(|it| it.1 != key || it.0 > deleted);
            }
        }
        before = now;
    }
    told.sort();
    told
}

/// Sums up the changes of a row in an epoch.
fn summed(given: Vec<(Epoch, Given)>) -> Vec<(Epoch, Given)> {
    let mut sums = BTreeMap::<(Epoch, Row), Diff>::new();
    let mut all = Vec::new();
    for (epoch, given) in given {
        match given {
            Ok((row, diff)) => *sums.entry((epoch, row)).or_default() += diff,
            late => all.push((epoch, late)),
        }
    }
    let sums = sums.into_iter().filter(|(_, diff)| *diff != 0);
    all.extend(sums.map(|((epoch, row), diff)| (epoch, Ok((row, diff)))));
    all.sort();
    all
}

fn build<'s>(stream: Stream<'s, Record>) -> TemporalJoin<'s, u8, u8, u8> {
    let disorder = Disorder::up_to(Duration::from_micros(DELAY as u64));
    let (left, right) = stream.event_time(|it| at(it.0), disorder).split(|it| match it.2 {
        true => Either::Left((it.1, it.3)),
        false => Either::Right((it.1, version(it.0))),
    });
    left.key_value(|it| it).temporal_join(right.key_value(|it| it)).name("as of")
}

fn lasting(micros: i64) -> Duration {
    Duration::from_micros(micros as u64)
}

fn given(event: Event<(u8, (u8, Option<u8>))>, diff: Diff) -> Given {
    let (key, (number, version)) = event.value;
    Ok(((event.at.micros(), key, number, version), diff))
}

/// The records that came too late; which versions did is tested elsewhere.
fn late(side: LateForVersions<u8, u8, u8>) -> Option<Given> {
    match side {
        Either::Left(it) => Some(Err((it.at.micros(), it.value.0, true, it.value.1))),
        Either::Right(_) => None,
    }
}

fn inner((key, (number, version)): (u8, (u8, u8))) -> (u8, (u8, Option<u8>)) {
    (key, (number, Some(version)))
}

fn go(run: &Run<Record>, join: Join) -> Vec<(Epoch, Given)> {
    summed(by_epoch(run.go(move |stream: Stream<'_, Record>, tap: &Tap<Given>| {
        let built = build(stream);
        let (rows, aside) = match (join.outer, join.lateness) {
            (false, None) => {
                let (rows, late) = built.joined_with_late();
                (rows.pairs().timed().map(|it| given(it.map(inner), 1)), late)
            }
            (true, None) => {
                let (rows, late) = built.left_outer().joined_with_late();
                (rows.pairs().timed().map(|it| given(it, 1)), late)
            }
            (false, Some(lateness)) => {
                let (changes, late) = built.correcting(lasting(lateness)).joined_with_late();
                let rows = changes.timed().map(|Event { at, value: (row, diff) }| {
                    given(Event::new(at, inner(row)), diff)
                });
                (rows, late)
            }
            (true, Some(lateness)) => {
                let join = built.left_outer().correcting(lasting(lateness));
                let (changes, late) = join.joined_with_late();
                let rows = changes
                    .timed()
                    .map(|Event { at, value: (row, diff) }| given(Event::new(at, row), diff));
                (rows, late)
            }
        };
        tap.watch(rows.union(aside.flat_map(late)));
    })))
}

fn some_runs() -> impl Strategy<Value = Run<Record>> {
    runs(histories((-30..30i64, 0..3u8, any::<bool>(), 0..4u8), 1..8, 0..10))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn each_record_meets_the_version_of_its_time(run in some_runs(), outer in any::<bool>()) {
        let join = Join { outer, lateness: None };
        prop_assert_eq!(go(&run, join), model(&run, join));
    }

    #[test]
    fn late_versions_correct_what_was_given(
        run in some_runs(),
        outer in any::<bool>(),
        lateness in 0..20i64,
    ) {
        let join = Join { outer, lateness: Some(lateness) };
        prop_assert_eq!(go(&run, join), model(&run, join));
    }

    #[test]
    fn no_change_is_late_for_what_follows(run in some_runs(), lateness in 0..20i64) {
        let late = run.go(move |stream: Stream<'_, Record>, tap: &Tap<i64>| {
            let join = build(stream).left_outer().correcting(lasting(lateness));
            let keyed = join.joined().key_value(|((key, row), diff)| (key, (row, diff as i64)));
            let windows = keyed.window(Tumbling::new(Duration::from_micros(1)));
            tap.watch(windows.with_late().aggregate(Count).1.map(|it| it.at.micros()));
        });
        prop_assert_eq!(by_epoch(late), []);
    }
}

#[test]
fn corrections_are_a_changelog() {
    // The version of 5 comes when the record of 10 has its row.
    let epochs = vec![
        vec![vec![(1, 1u8, false, 0u8), (10, 1, true, 7), (30, 1, true, 8)]],
        vec![vec![(5, 1, false, 0), (40, 1, true, 9)]],
    ];
    let changes = Run::new(epochs).go(|stream: Stream<'_, Record>, tap: &Tap<_>| {
        let rows = build(stream).correcting(lasting(30)).joined().values();
        tap.watch(rows.changelog().changes());
    });
    let row = |number, version| (1u8, (number, version));
    let expected = [
        (0, (row(7u8, 101u8), 1)),
        (1, (row(7, 101), -1)),
        (1, (row(7, 105), 1)),
        (1, (row(8, 105), 1)),
        (2, (row(9, 105), 1)),
    ];
    assert_eq!(by_epoch(changes), expected);
}
