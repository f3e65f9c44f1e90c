//! Histories of two sides that change, and the check of what is computed of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill_operators::collection::{Collection, Diff, Record};
use tidemill_operators::stream::Stream;
use tidemill_operators::time::Epoch;

use crate::support::{Run, Tap, by_epoch, histories, runs};

/// To which side a pair is added, and how often.
pub(crate) type Change = (bool, (u8, u8), Diff);
/// How often each record is there; none is there no times.
pub(crate) type Bag<D> = BTreeMap<D, Diff>;
pub(crate) type Pairs<'s> = Collection<'s, (u8, u8)>;

/// Histories of pairs of small numbers, on any number of workers, perhaps with a restart.
pub(crate) fn some() -> impl Strategy<Value = Run<Change>> {
    let diff = prop_oneof![Just(1isize), Just(1), Just(2), Just(-1), Just(-2)];
    let change = (any::<bool>(), (0..5u8, 0..5u8), diff);
    runs(histories(change, 1..7, 0..10))
}

pub(crate) fn add<D: Ord>(bag: &mut Bag<D>, record: D, diff: Diff) {
    let times = bag.remove(&record).unwrap_or(0) + diff;
    if times != 0 {
        bag.insert(record, times);
    }
}

pub(crate) fn bag<D: Ord>(changes: impl IntoIterator<Item = (D, Diff)>) -> Bag<D> {
    let mut bag = Bag::new();
    changes.into_iter().for_each(|(record, diff)| add(&mut bag, record, diff));
    bag
}

/// What changes from one bag to another.
pub(crate) fn difference<D: Ord + Clone>(before: &Bag<D>, now: &Bag<D>) -> Bag<D> {
    let gone = before.iter().map(|(record, times)| (record.clone(), -times));
    bag(gone.chain(now.iter().map(|(record, times)| (record.clone(), *times))))
}

/// The two sides of a stream of changes.
pub(crate) fn sides(stream: Stream<'_, Change>) -> (Pairs<'_>, Pairs<'_>) {
    let left = stream.clone().filter(|it| it.0).map(|it| (it.1, it.2)).changelog();
    let right = stream.filter(|it| !it.0).map(|it| (it.1, it.2)).changelog();
    (left, right)
}

/// The contents of both sides at the end of each epoch.
pub(crate) fn contents(run: &Run<Change>) -> Vec<(Bag<(u8, u8)>, Bag<(u8, u8)>)> {
    let (mut left, mut right) = (Bag::new(), Bag::new());
    let epochs = run.epochs().iter().map(|partitions| {
        for (is_left, pair, diff) in partitions.iter().flatten() {
            add(if *is_left { &mut left } else { &mut right }, *pair, *diff);
        }
        (left.clone(), right.clone())
    });
    epochs.collect()
}

/// Runs what `build` makes of the two sides, and compares its changes, epoch by epoch, with those of
/// what `whole` computes of their contents.
#[track_caller]
pub(crate) fn check<O: Record + Send>(
    run: &Run<Change>,
    build: impl for<'s> Fn(Pairs<'s>, Pairs<'s>) -> Collection<'s, O> + Send + Sync + 'static,
    whole: impl Fn(&Bag<(u8, u8)>, &Bag<(u8, u8)>) -> Bag<O>,
) {
    let seen = run.go(move |stream, tap: &Tap<(O, Diff)>| {
        let (left, right) = sides(stream);
        tap.watch(build(left, right).changes());
    });
    let mut before = Bag::new();
    let mut expected = Vec::new();
    for (epoch, (left, right)) in contents(run).into_iter().enumerate() {
        let now = whole(&left, &right);
        let changed = difference(&before, &now);
        expected.extend(changed.into_iter().map(|change| (epoch as Epoch, change)));
        before = now;
    }
    assert_eq!(by_epoch(seen), expected, "{run:?}");
}

/// How many records a key has.
pub(crate) fn of_key(side: &Bag<(u8, u8)>, key: u8) -> Diff {
    side.iter().filter(|(pair, _)| pair.0 == key).map(|(_, times)| *times).sum()
}

/// The pairs of values that have the same key.
pub(crate) fn joined(left: &Bag<(u8, u8)>, right: &Bag<(u8, u8)>) -> Bag<(u8, (u8, u8))> {
    let pairs = left.iter().flat_map(|(one, times)| {
        let matches = right.iter().filter(move |(other, _)| other.0 == one.0);
        matches.map(move |(other, more)| ((one.0, (one.1, other.1)), times * more))
    });
    bag(pairs)
}
