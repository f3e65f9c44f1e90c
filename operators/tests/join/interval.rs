//! Interval joins in running dataflows against every pair of the whole input.

use std::ops::Bound::{self, Excluded, Included};
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::aggregate::Count;
use tidemill_operators::event::Event;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::join::{Interval, IntervalJoin, Offset, earlier, later};
use tidemill_operators::keyed::Keyed;
use tidemill_operators::rule::Either;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::Epoch;
use tidemill_operators::window::Tumbling;

use crate::support::{Run, Tap, at, by_epoch, histories, runs};

/// A moment, a key, whether it goes left, and a number.
type Record = (i64, u8, bool, u8);
/// The time of a row, its key, and what is on its sides.
type Row = (i64, u8, Option<u8>, Option<u8>);
/// An epoch with a row, or with a record that came too late.
type Told = (Epoch, Result<Row, Record>);

const DELAY: i64 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Inner,
    Left,
    Right,
    Full,
}

/// What is joined: which rows, and between which distances.
#[derive(Clone, Copy, Debug)]
struct Join {
    kind: Kind,
    lower: Bound<i64>,
    upper: Bound<i64>,
}

impl Join {
    /// Whether records of these moments are partners.
    fn near(self, left: i64, right: i64) -> bool {
        let off = right - left;
        let after = match self.lower {
            Included(it) => off >= it,
            Excluded(it) => off > it,
            Bound::Unbounded => true,
        };
        let before = match self.upper {
            Included(it) => off <= it,
            Excluded(it) => off < it,
            Bound::Unbounded => true,
        };
        after && before
    }

    fn interval(self) -> Interval {
        Interval::of((self.lower.map(offset), self.upper.map(offset)))
    }
}

fn offset(micros: i64) -> Offset {
    let length = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 { earlier(length) } else { later(length) }
}

/// Every pair of records that were not late, and those that are in none.
fn model(run: &Run<Record>, join: Join) -> Vec<Told> {
    let watermarks = run.watermarks(|it| it.0, DELAY);
    let mut told = Vec::new();
    let (mut lefts, mut rights) = (Vec::new(), Vec::new());
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        let in_force = if epoch == 0 { i64::MIN } else { watermarks[epoch - 1] };
        for &record in partitions.iter().flatten() {
            match record {
                (time, ..) if time <= in_force => told.push((epoch as Epoch, Err(record))),
                (time, key, true, number) => lefts.push((epoch, time, key, number)),
                (time, key, false, number) => rights.push((epoch, time, key, number)),
            }
        }
    }
    // The first epoch, from one on, after which no record can come at which `near` holds.
    let over = |from: usize, near: &dyn Fn(i64) -> bool| {
        (from..watermarks.len()).find(|it| (-200..200).all(|at| at <= watermarks[*it] || !near(at)))
    };
    let pairs = |left: &(usize, i64, u8, u8), right: &(usize, i64, u8, u8)| {
        left.2 == right.2 && join.near(left.1, right.1)
    };
    for left in &lefts {
        let partners: Vec<_> = rights.iter().filter(|it| pairs(left, it)).collect();
        for right in &partners {
            let row = (left.1.max(right.1), left.2, Some(left.3), Some(right.3));
            told.push((left.0.max(right.0) as Epoch, Ok(row)));
        }
        if partners.is_empty()
            && matches!(join.kind, Kind::Left | Kind::Full)
            && let Some(epoch) = over(left.0, &|at| join.near(left.1, at))
        {
            told.push((epoch as Epoch, Ok((left.1, left.2, Some(left.3), None))));
        }
    }
    for right in &rights {
        if !lefts.iter().any(|it| pairs(it, right))
            && matches!(join.kind, Kind::Right | Kind::Full)
            && let Some(epoch) = over(right.0, &|at| join.near(at, right.1))
        {
            told.push((epoch as Epoch, Ok((right.1, right.2, None, Some(right.3)))));
        }
    }
    told.sort();
    told
}

type Sides<'s> = IntervalJoin<'s, u8, u8, u8>;

fn build<'s>(stream: Stream<'s, Record>, join: Join) -> Sides<'s> {
    let disorder = Disorder::up_to(Duration::from_micros(DELAY as u64));
    let (left, right) = stream.event_time(|it| at(it.0), disorder).split(|it| match it.2 {
        true => Either::Left((it.1, it.3)),
        false => Either::Right((it.1, it.3)),
    });
    let (left, right) = (left.key_value(|it| it), right.key_value(|it| it));
    left.interval_join(right, join.interval())
}

fn watch<'s, V: 'static>(
    tap: &Tap<Result<Row, Record>>,
    rows: Keyed<'s, u8, V>,
    late: Stream<'s, Either<Event<(u8, u8)>, Event<(u8, u8)>>>,
    row: impl Fn(V) -> (Option<u8>, Option<u8>) + 'static,
) {
    let rows = rows.pairs().timed().map(move |Event { at, value: (key, sides) }| {
        let (left, right) = row(sides);
        Ok((at.micros(), key, left, right))
    });
    let late = late.map(|it| {
        Err(match it {
            Either::Left(it) => (it.at.micros(), it.value.0, true, it.value.1),
            Either::Right(it) => (it.at.micros(), it.value.0, false, it.value.1),
        })
    });
    tap.watch(rows.union(late));
}

fn go(run: &Run<Record>, join: Join) -> Vec<Told> {
    by_epoch(run.go(move |stream: Stream<'_, Record>, tap: &Tap<Result<Row, Record>>| {
        let sides = build(stream, join).name("near");
        match join.kind {
            Kind::Inner => {
                let (rows, late) = sides.joined_with_late();
                watch(tap, rows, late, |(left, right)| (Some(left), Some(right)));
            }
            Kind::Left => {
                let (rows, late) = sides.left_outer().joined_with_late();
                watch(tap, rows, late, |(left, right)| (Some(left), right));
            }
            Kind::Right => {
                let (rows, late) = sides.right_outer().joined_with_late();
                watch(tap, rows, late, |(left, right)| (left, Some(right)));
            }
            Kind::Full => {
                let (rows, late) = sides.full_outer().joined_with_late();
                watch(tap, rows, late, |sides| sides);
            }
        }
    }))
}

fn joins() -> impl Strategy<Value = Join> {
    let kind =
        prop_oneof![Just(Kind::Inner), Just(Kind::Left), Just(Kind::Right), Just(Kind::Full)];
    let bound = |it: i64, inside: bool| if inside { Included(it) } else { Excluded(it) };
    (kind, -15..15i64, 0..15i64, any::<bool>(), any::<bool>()).prop_map(
        move |(kind, lower, length, first, last)| {
            // With both bounds outside, there must be a moment between.
            let length = length.max(i64::from(!first) + i64::from(!last));
            Join { kind, lower: bound(lower, first), upper: bound(lower + length, last) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn records_meet_all_their_partners_and_no_others(
        join in joins(),
        run in runs(histories((-30..30i64, 0..3u8, any::<bool>(), 0..4u8), 1..7, 0..10)),
    ) {
        prop_assert_eq!(go(&run, join), model(&run, join));
    }

    #[test]
    fn no_row_is_late_for_what_follows(
        join in joins(),
        run in runs(histories((-30..30i64, 0..2u8, any::<bool>(), 0..4u8), 1..7, 0..8)),
    ) {
        let full = Join { kind: Kind::Full, ..join };
        let late = run.go(move |stream: Stream<'_, Record>, tap: &Tap<i64>| {
            let windows = Tumbling::new(Duration::from_micros(1));
            let rows = build(stream, full).full_outer().joined();
            let (_, late) = rows.window(windows).with_late().aggregate(Count);
            tap.watch(late.map(|it| it.at.micros()));
        });
        prop_assert_eq!(by_epoch(late), []);
    }
}

#[test]
fn the_slower_side_decides_when_partners_can_come_no_more() {
    // The left side is far ahead: its record waits for the right side's watermark.
    let epochs = vec![
        vec![vec![(100, 1u8, true, 1u8), (500, 1, true, 2), (90, 1, false, 3)]],
        vec![vec![(104, 1, false, 4)]],
        vec![vec![(107, 1, false, 5)]],
    ];
    let given = Run::new(epochs).go(|stream: Stream<'_, Record>, tap: &Tap<Row>| {
        let (left, right) =
            stream.split(|it| if it.2 { Either::Left(it) } else { Either::Right(it) });
        let left = left.event_time(|it| at(it.0), Disorder::ascending());
        let right = right.event_time(|it| at(it.0), Disorder::ascending());
        let left = left.key_value(|it| (it.1, it.3));
        let right = right.key_value(|it| (it.1, it.3));
        let near = Interval::of(later(Duration::ZERO)..=later(Duration::from_micros(3)));
        let rows = left.interval_join(right, near).left_outer().joined();
        let row = |it: Event<(u8, (u8, Option<u8>))>| {
            let (key, (left, right)) = it.value;
            (it.at.micros(), key, Some(left), right)
        };
        tap.watch(rows.pairs().timed().map(row));
    });
    // At 103 it is over for the record of 100: the right side says so with its record of 104.
    assert_eq!(by_epoch(given), [(1, (100, 1, Some(1), None)), (3, (500, 1, Some(2), None))]);
}
