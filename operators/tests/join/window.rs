//! Window joins in running dataflows against all pairs of the whole input.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::event::Event;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::join::WindowJoin;
use tidemill_operators::keyed::OfTwo;
use tidemill_operators::rule::Either;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, Span};
use tidemill_operators::window::{Assign, Count, Pane, Session, Sliding, Tumbling};

use crate::support::{Run, Tap, at, by_epoch, histories, runs};

/// A moment, a key, whether it goes left, and a number.
type Record = (i64, u8, bool, u8);
/// The key of a row, the first and last moment of its window, and what is on its sides.
type Row = (u8, i64, i64, Option<u8>, Option<u8>);
type Told = (Epoch, Result<Row, Record>);
/// The numbers of both sides of a window.
type Sides = (Vec<u8>, Vec<u8>);

const DELAY: i64 = 6;
/// Longer than all of the history: nothing is late.
const PATIENT: i64 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Inner,
    Left,
    Right,
    Full,
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Inner), Just(Kind::Left), Just(Kind::Right), Just(Kind::Full)]
}

fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// The windows that hold anything, by the epoch in which they fire, and the late records.
fn model(
    run: &Run<Record>,
    delay: i64,
    windows_of: impl Fn(i64) -> Vec<Span>,
) -> (BTreeMap<(usize, u8, Span), Sides>, Vec<Told>) {
    let watermarks = run.watermarks(|it| it.0, delay);
    let (mut fired, mut late) = (BTreeMap::new(), Vec::new());
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        let in_force = if epoch == 0 { i64::MIN } else { watermarks[epoch - 1] };
        for &(time, key, is_left, number) in partitions.iter().flatten() {
            let mut open = windows_of(time);
            open.retain(|it| it.last().micros() > in_force);
            if open.is_empty() {
                late.push((epoch as Epoch, Err((time, key, is_left, number))));
            }
            for span in open {
                let fires = watermarks.iter().position(|it| *it >= span.last().micros());
                let sides: &mut Sides =
                    fired.entry((fires.unwrap_or(usize::MAX), key, span)).or_default();
                if is_left { sides.0.push(number) } else { sides.1.push(number) }
            }
        }
    }
    fired.retain(|it, _| it.0 < usize::MAX);
    (fired, late)
}

/// The rows of a window.
fn rows(kind: Kind, (lefts, rights): &Sides) -> Vec<(Option<u8>, Option<u8>)> {
    let pairs =
        lefts.iter().flat_map(|left| rights.iter().map(|right| (Some(*left), Some(*right))));
    let left =
        lefts.iter().filter(|_| rights.is_empty() && matches!(kind, Kind::Left | Kind::Full));
    let right =
        rights.iter().filter(|_| lefts.is_empty() && matches!(kind, Kind::Right | Kind::Full));
    let alone = left.map(|it| (Some(*it), None)).chain(right.map(|it| (None, Some(*it))));
    pairs.chain(alone).collect()
}

fn rows_of(fired: &BTreeMap<(usize, u8, Span), Sides>, kind: Kind) -> Vec<Told> {
    let rows = fired.iter().flat_map(|((epoch, key, span), sides)| {
        let (first, last) = (span.start().micros(), span.last().micros());
        let row = move |(left, right)| (*epoch as Epoch, Ok((*key, first, last, left, right)));
        rows(kind, sides).into_iter().map(row)
    });
    rows.collect()
}

fn build<'s, A: Assign<Either<u8, u8>>>(
    stream: Stream<'s, Record>,
    delay: i64,
    assign: A,
) -> WindowJoin<'s, u8, u8, u8, A> {
    let disorder = Disorder::up_to(micros(delay as u64));
    let (left, right) = stream.event_time(|it| at(it.0), disorder).split(|it| match it.2 {
        true => Either::Left((it.1, it.3)),
        false => Either::Right((it.1, it.3)),
    });
    left.key_value(|it| it).window_join(right.key_value(|it| it), assign)
}

fn late(side: OfTwo<u8, u8, u8>) -> Result<Row, Record> {
    Err(match side {
        Either::Left(it) => (it.at.micros(), it.value.0, true, it.value.1),
        Either::Right(it) => (it.at.micros(), it.value.0, false, it.value.1),
    })
}

fn go<A: Assign<Either<u8, u8>> + Copy + Send + Sync>(
    run: &Run<Record>,
    kind: Kind,
    delay: i64,
    assign: A,
) -> Vec<Told> {
    by_epoch(run.go(move |stream: Stream<'_, Record>, tap: &Tap<Result<Row, Record>>| {
        let join = build(stream, delay, assign);
        fn row<T>(
            sides: impl Fn(T) -> (Option<u8>, Option<u8>),
        ) -> impl Fn(Event<Pane<u8, T>>) -> Result<Row, Record> {
            move |Event { at, value: Pane { key, span, value } }| {
                assert_eq!(at, span.last(), "a row has the time of its window's last moment");
                let (left, right) = sides(value);
                Ok((key, span.start().micros(), span.last().micros(), left, right))
            }
        }
        let (rows, aside) = match kind {
            Kind::Inner => {
                let (rows, late) = join.joined_with_late();
                (rows.timed().map(row(|it: (u8, u8)| (Some(it.0), Some(it.1)))), late)
            }
            Kind::Left => {
                let (rows, late) = join.left_outer().joined_with_late();
                (rows.timed().map(row(|it: (u8, Option<u8>)| (Some(it.0), it.1))), late)
            }
            Kind::Right => {
                let (rows, late) = join.right_outer().joined_with_late();
                (rows.timed().map(row(|it: (Option<u8>, u8)| (it.0, Some(it.1)))), late)
            }
            Kind::Full => {
                let (rows, late) = join.full_outer().joined_with_late();
                (rows.timed().map(row(|it| it)), late)
            }
        };
        tap.watch(rows.union(aside.map(late)));
    }))
}

#[track_caller]
fn check<A: Assign<Either<u8, u8>> + Copy + Send + Sync>(run: &Run<Record>, kind: Kind, assign: A) {
    let (fired, mut expected) = model(run, DELAY, |time| {
        let mut windows = Vec::new();
        assign.windows_of(at(time), &Either::Left(0), &mut windows);
        windows
    });
    expected.extend(rows_of(&fired, kind));
    expected.sort();
    assert_eq!(go(run, kind, DELAY, assign), expected, "{run:?}");
}

fn some_runs() -> impl Strategy<Value = Run<Record>> {
    runs(histories((-30..30i64, 0..3u8, any::<bool>(), 0..4u8), 1..7, 0..10))
}

/// Histories whose time goes on, with one record of a key in an epoch at most: whether it is late does
/// not depend on which side comes first.
fn runs_of_one_record() -> impl Strategy<Value = Run<Record>> {
    let histories = histories((0..20i64, 0..3u8, any::<bool>(), 0..4u8), 1..14, 0..3);
    runs(histories.prop_map(|mut epochs| {
        for (epoch, partitions) in epochs.iter_mut().enumerate() {
            let mut seen = BTreeSet::new();
            for records in partitions {
                records.retain(|it| seen.insert(it.1));
                records.iter_mut().for_each(|it| it.0 += 5 * epoch as i64);
            }
        }
        epochs
    }))
}

/// What sessions give epoch by epoch, with late records, cut anew for each record.
fn followed_sessions(run: &Run<Record>, gap: i64, kind: Kind) -> Vec<Told> {
    let mut kept = BTreeMap::<u8, Vec<Record>>::new();
    let (mut told, mut before) = (Vec::new(), i64::MIN);
    let watermarks = run.watermarks(|it| it.0, DELAY);
    for (epoch, (partitions, now)) in run.epochs().iter().zip(watermarks).enumerate() {
        for &record in partitions.iter().flatten() {
            let records = kept.entry(record.1).or_default();
            records.push(record);
            let sessions = cut(records, gap);
            let ours = sessions.iter().find(|it| it.1.contains(&record));
            if ours.is_some_and(|(span, _)| span.last().micros() <= before) {
                records.pop();
                told.push((epoch as Epoch, Err(record)));
            }
        }
        let mut fired = BTreeMap::new();
        for (&key, records) in &mut kept {
            for (span, session) in cut(&std::mem::take(records), gap) {
                if span.last().micros() > now {
                    records.extend(session);
                    continue;
                }
                let sides: &mut Sides = fired.entry((epoch, key, span)).or_default();
                for (_, _, is_left, number) in session {
                    if is_left { sides.0.push(number) } else { sides.1.push(number) }
                }
            }
        }
        told.extend(rows_of(&fired, kind));
        before = now;
    }
    told.sort();
    told
}

/// Sorts the records of a key and cuts them where one comes after all earlier ones have ended.
fn cut(records: &[Record], gap: i64) -> Vec<(Span, Vec<Record>)> {
    let mut records = records.to_vec();
    records.sort();
    let sessions = records.chunk_by(|one, two| two.0 - one.0 <= gap);
    let session =
        |it: &[Record]| (Span::between(at(it[0].0), at(it[it.len() - 1].0 + gap - 1)), it.to_vec());
    sessions.map(session).collect()
}

/// The session of each moment of a key, as its first and last record's.
fn sessions(run: &Run<Record>, gap: i64) -> BTreeMap<(u8, i64), Span> {
    let all = run.epochs().iter().flatten().flatten();
    let mut moments: Vec<_> = all.map(|it| (it.1, it.0)).collect();
    moments.sort();
    let apart = |one: &(u8, i64), two: &(u8, i64)| one.0 == two.0 && two.1 - one.1 <= gap;
    let sessions = moments.chunk_by(apart).flat_map(|session| {
        let last = session[session.len() - 1].1 + gap - 1;
        let span = Span::between(at(session[0].1), at(last));
        session.iter().map(move |moment| (*moment, span))
    });
    sessions.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn tumbling_windows_give_all_pairs(run in some_runs(), kind in kinds(), size in 1..20u64) {
        check(&run, kind, Tumbling::new(micros(size)));
    }

    #[test]
    fn sliding_windows_give_all_pairs(
        run in some_runs(),
        kind in kinds(),
        size in 1..20u64,
        slide in 1..12u64,
    ) {
        check(&run, kind, Sliding::new(micros(size), micros(slide)));
    }

    #[test]
    fn sessions_are_of_both_sides(run in some_runs(), kind in kinds(), gap in 1..8u64) {
        let sessions = sessions(&run, gap as i64);
        let mut sides = BTreeMap::new();
        let last = run.watermarks(|it| it.0, PATIENT).iter().position(|it| *it == i64::MAX);
        for &(time, key, is_left, number) in run.epochs().iter().flatten().flatten() {
            let epoch = last.unwrap_or(usize::MAX);
            let found: &mut Sides = sides.entry((epoch, key, sessions[&(key, time)])).or_default();
            if is_left { found.0.push(number) } else { found.1.push(number) }
        }
        let mut expected = rows_of(&sides, kind);
        expected.sort();
        prop_assert_eq!(go(&run, kind, PATIENT, Session::gap(micros(gap))), expected);
    }

    #[test]
    fn sessions_merge_and_end_as_time_goes_on(
        run in runs_of_one_record(),
        kind in kinds(),
        gap in 1..12u64,
    ) {
        let expected = followed_sessions(&run, gap as i64, kind);
        prop_assert_eq!(go(&run, kind, DELAY, Session::gap(micros(gap))), expected);
    }

    #[test]
    fn a_function_sees_both_sides_of_a_window(run in some_runs(), size in 1..20u64) {
        let windows = Tumbling::new(micros(size));
        let given = by_epoch(run.go(move |stream: Stream<'_, Record>, tap: &Tap<_>| {
            let join = build(stream, DELAY, windows);
            let groups = join.cogroup(|key, span, lefts, rights| {
                let numbers = |side: &[Event<u8>]| {
                    assert!(side.iter().all(|it| span.contains(it.at)));
                    let mut numbers = Vec::from_iter(side.iter().map(|it| it.value));
                    numbers.sort();
                    numbers
                };
                Some((*key, numbers(lefts), numbers(rights)))
            });
            tap.watch(groups.values().map(|pane| {
                let (key, lefts, rights) = pane.value;
                assert_eq!(key, pane.key);
                (key, pane.span, lefts, rights)
            }));
        }));
        let (fired, _) = model(&run, DELAY, |time| vec![windows.window_of(at(time))]);
        let groups = fired.into_iter().map(|((epoch, key, span), (mut lefts, mut rights))| {
            lefts.sort();
            rights.sort();
            (epoch as Epoch, (key, span, lefts, rights))
        });
        let mut expected = Vec::from_iter(groups);
        expected.sort();
        prop_assert_eq!(given, expected);
    }
}

#[test]
fn a_late_record_gives_all_rows_of_its_window_again() {
    let epochs = vec![
        vec![vec![(3, 1u8, true, 1u8), (4, 1, false, 2), (25, 1, true, 9)]],
        vec![vec![(5, 1, false, 3)]],
        vec![vec![(60, 1, true, 9)]],
        vec![vec![(6, 1, false, 4)]],
    ];
    let given = Run::new(epochs).ending().go(|stream: Stream<'_, Record>, tap: &Tap<_>| {
        let join = build(stream, 0, Tumbling::new(micros(10))).allow_lateness(micros(20));
        let (rows, late) = join.joined_with_late();
        let rows =
            rows.values().map(|pane| (pane.span.start().micros(), pane.value.0, pane.value.1));
        tap.watch(rows.union(late.map(|_| (-1, 0, 0))));
    });
    let expected = [(0, (0, 1, 2)), (1, (0, 1, 2)), (1, (0, 1, 3)), (3, (-1, 0, 0))];
    assert_eq!(by_epoch(given), expected);
}

#[test]
fn count_windows_count_both_sides_together() {
    let epochs = vec![vec![vec![(1, 1u8, true, 1u8), (2, 1, false, 2), (3, 1, false, 3)]]];
    let epochs = [epochs, vec![vec![vec![(4, 1, true, 4), (5, 1, true, 5)]]]].concat();
    let given = Run::new(epochs).go(|stream: Stream<'_, Record>, tap: &Tap<_>| {
        tap.watch(build(stream, 0, Count::sliding(2, 2)).joined().values().map(|it| it.value));
    });
    // The first two and the second two; a fifth record stays alone.
    assert_eq!(by_epoch(given), [(0, (1, 2)), (1, (4, 3))]);
}

#[test]
fn a_large_window_gives_its_rows_in_pieces() {
    // More rows than an activation gives; each must come once.
    let records = (0..700).map(|it| (1, 1u8, it % 2 == 0, (it % 251) as u8)).collect();
    let run = Run::new(vec![vec![records]]).ending();
    let rows = go(&run, Kind::Inner, 0, Tumbling::new(micros(10)));
    let (fired, _) = model(&run, 0, |_| vec![Span::between(at(0), at(9))]);
    let mut expected = rows_of(&fired, Kind::Inner);
    expected.sort();
    assert_eq!(rows.len(), 350 * 350);
    assert_eq!(rows, expected);
}
