//! The verbs of streams, events and keyed events against one-line models.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tidemill_operators::aggregate::{Max, Sum};
use tidemill_operators::event_time::Disorder;
use tidemill_operators::events::Events;
use tidemill_operators::rule::Either;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::Epoch;

use support::{Run, Seen, Tap, at, by_epoch, histories, runs};

type Record = (i64, u8);

fn any_run() -> impl Strategy<Value = Run<Record>> {
    runs(histories((0..40i64, 0..5u8), 1..5, 0..12))
}

fn timed(stream: Stream<'_, Record>) -> Events<'_, Record> {
    stream.event_time(|it| at(it.0), Disorder::ascending())
}

/// What each epoch is made into, sorted.
fn model<T: Ord>(run: &Run<Record>, make: impl Fn(Record) -> Vec<T>) -> Vec<(Epoch, T)> {
    let epochs = run.epochs().iter().enumerate();
    let records = epochs.flat_map(|(epoch, it)| it.iter().flatten().map(move |it| (epoch, *it)));
    let made =
        records.flat_map(|(epoch, it)| make(it).into_iter().map(move |it| (epoch as Epoch, it)));
    let mut made: Vec<_> = made.collect();
    made.sort();
    made
}

/// Runs a flow and compares what it gives with what each record is to be made into.
fn check<T: Ord + Send + std::fmt::Debug + 'static>(
    run: &Run<Record>,
    build: impl for<'s> Fn(Stream<'s, Record>, &Tap<T>) + Send + Sync + 'static,
    make: impl Fn(Record) -> Vec<T>,
) {
    assert_eq!(by_epoch(run.go(build)), model(run, make), "{run:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn map_makes_one_of_each(run in any_run()) {
        check(&run, |stream, tap| tap.watch(stream.map(|it| it.0 * 2)), |it| vec![it.0 * 2]);
        let timed = run.go(|stream, tap| tap.watch(timed(stream).map(|it| it.1).timed()));
        let with_times = by_epoch(timed).into_iter().map(|(epoch, it)| (epoch, (it.at, it.value)));
        prop_assert_eq!(with_times.collect::<Vec<_>>(), model(&run, |it| vec![(at(it.0), it.1)]));
    }

    #[test]
    fn filter_keeps_what_it_holds_for(run in any_run()) {
        let keep = |it: &Record| it.0 % 3 == 1;
        let make = move |it| Vec::from_iter(keep(&it).then_some(it));
        check(&run, move |stream, tap| tap.watch(stream.filter(keep)), make);
        check(&run, move |stream, tap| tap.watch(timed(stream).filter(keep).values()), make);
    }

    #[test]
    fn flat_map_makes_any_number_of_each(run in any_run()) {
        let make = |it: Record| vec![it.0; usize::from(it.1)];
        check(&run, move |stream, tap| tap.watch(stream.flat_map(make)), make);
        check(&run, move |stream, tap| tap.watch(timed(stream).flat_map(make).values()), make);
    }

    #[test]
    fn inspect_sees_each_and_changes_nothing(run in any_run()) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let whole = Arc::clone(&seen);
        check(
            &run,
            move |stream, tap| {
                let (one, other) = (Arc::clone(&whole), Arc::clone(&whole));
                let stream = stream.inspect(move |it| one.lock().unwrap().push(*it));
                let events = timed(stream);
                let events = events.inspect(move |at, it| other.lock().unwrap().push((at.micros(), it.1)));
                tap.watch(events.values());
            },
            |it| vec![it],
        );
        // What comes again after a restart is seen again.
        let mut twice: Vec<_> = model(&run, |it| vec![it.1, it.1]).into_iter().map(|it| it.1).collect();
        twice.sort();
        let mut keys: Vec<_> = seen.lock().unwrap().iter().map(|it| it.1).collect();
        keys.sort();
        keys.dedup();
        twice.dedup();
        prop_assert_eq!(keys, twice);
    }

    #[test]
    fn each_epoch_is_seen_once_whole_and_in_order(run in any_run()) {
        let found = by_epoch(run.go(|stream, tap| tap.watch(stream.each_epoch(|all| [all]))));
        let records = model(&run, |it| vec![it]);
        let epochs = records.chunk_by(|one, other| one.0 == other.0);
        let whole = |it: &[(Epoch, Record)]| (it[0].0, it.iter().map(|it| it.1).collect::<Vec<_>>());
        prop_assert_eq!(found, epochs.map(whole).collect::<Vec<_>>(), "{:?}", run);
    }

    #[test]
    fn union_holds_the_records_of_both(run in any_run()) {
        let both = |it: Record| vec![it.0, it.0 + 100];
        check(
            &run,
            |stream, tap| tap.watch(stream.clone().map(|it| it.0).union(stream.map(|it| it.0 + 100))),
            both,
        );
        check(
            &run,
            |stream, tap| {
                let events = timed(stream.clone()).union(timed(stream).map(|it| (it.0 + 100, it.1)));
                tap.watch(events.map(|it| it.0).values());
            },
            both,
        );
    }

    #[test]
    fn split_sends_each_record_one_way(run in any_run()) {
        let choose = |it: Record| match it.1 {
            0 | 3 => Either::Left(it.0),
            _ => Either::Right(it),
        };
        let make = move |it| vec![match choose(it) {
            Either::Left(it) => (it, 99),
            Either::Right(it) => it,
        }];
        check(
            &run,
            move |stream, tap| {
                let (left, right) = stream.split(choose);
                tap.watch(left.map(|it| (it, 99)));
                tap.watch(right);
            },
            make,
        );
        check(
            &run,
            move |stream, tap| {
                let (left, right) = timed(stream).split(choose);
                tap.watch(left.map(|it| (it, 99)).values());
                tap.watch(right.values());
            },
            make,
        );
    }

    #[test]
    fn rebalance_keeps_every_record(run in any_run()) {
        check(&run, |stream, tap| tap.watch(stream.rebalance()), |it| vec![it]);
        check(&run, |stream, tap| tap.watch(timed(stream).rebalance().values()), |it| vec![it]);
    }

    #[test]
    fn broadcast_gives_every_worker_everything(
        epochs in histories((0..40i64, 0..5u8), 1..5, 0..12),
        workers in prop_oneof![Just(1usize), Just(2), Just(4)],
        batch in 1..9usize,
        flight in 1..4usize,
    ) {
        let run = Run::new(epochs).workers(workers).batch(batch).flight(flight);
        let of_each = |seen: Vec<Seen<Record>>| {
            let of = |worker| seen.iter().filter(move |it| it.worker == worker).copied().collect();
            (0..workers).map(|worker| by_epoch(of(worker))).collect::<Vec<_>>()
        };
        let expected = vec![model(&run, |it| vec![it]); workers];
        let plain = run.go(|stream, tap| tap.watch(stream.broadcast()));
        prop_assert_eq!(of_each(plain), expected.clone());
        let events = run.go(|stream, tap| tap.watch(timed(stream).broadcast().values()));
        prop_assert_eq!(of_each(events), expected);
    }

    #[test]
    fn keys_stand_beside_their_records(run in any_run()) {
        let pair = |it: Record| vec![(it.1, it.0 + 1)];
        check(
            &run,
            |stream, tap| {
                let keyed = timed(stream).key_by(|it| it.1);
                tap.watch(keyed.map_values(|it| it.0 + 1).pairs().values());
            },
            pair,
        );
        check(
            &run,
            |stream, tap| tap.watch(timed(stream).key_value(|it| (it.1, it.0 + 1)).pairs().values()),
            pair,
        );
    }

    #[test]
    fn rolling_folds_give_the_fold_so_far(run in any_run()) {
        // What a key has come to so far depends on the order within an epoch, its epoch's end not.
        let mut sums = BTreeMap::<u8, (i64, Option<i64>)>::new();
        let mut ends = Vec::new();
        for (epoch, partitions) in run.epochs().iter().enumerate() {
            let mut count = BTreeMap::<u8, usize>::new();
            for &(value, key) in partitions.iter().flatten() {
                let so_far = sums.entry(key).or_default();
                *so_far = (so_far.0 + value + 1, so_far.1.max(Some(value)));
                *count.entry(key).or_default() += 1;
            }
            ends.extend(count.into_iter().map(|(key, n)| (epoch as Epoch, key, n, sums[&key])));
        }
        let whole = |seen: Vec<Seen<(u8, (i64, Option<i64>))>>| {
            let mut of = BTreeMap::<(Epoch, u8), Vec<_>>::new();
            for it in seen {
                of.entry((it.epoch, it.record.0)).or_default().push(it.record.1);
            }
            // Sums of numbers above zero only rise, and so the greatest is the last.
            of.into_iter()
                .map(|((epoch, key), it)| (epoch, key, it.len(), it.into_iter().max().unwrap()))
                .collect::<Vec<_>>()
        };
        let aggregated = run.go(|stream, tap| {
            let keyed = timed(stream).key_by(|it| it.1);
            let both = (Sum::of(|it: &Record| it.0 + 1), Max::of(|it: &Record| it.0));
            tap.watch(keyed.aggregate(both).values());
        });
        prop_assert_eq!(whole(aggregated), ends.clone());
        let reduced = run.go(|stream, tap| {
            let keyed = timed(stream).key_value(|it| (it.1, (it.0 + 1, Some(it.0))));
            tap.watch(keyed.reduce(|a, b| (a.0 + b.0, a.1.max(b.1))).values());
        });
        prop_assert_eq!(whole(reduced), ends);
    }

    #[test]
    fn a_stream_of_the_engine_comes_and_goes_unchanged(run in any_run()) {
        check(
            &run,
            |stream, tap| {
                let flow = stream.flow().clone();
                tap.watch(Stream::from_inner(&flow, stream.inner()).map(|it| it));
            },
            |it| vec![it],
        );
    }
}

#[test]
fn records_of_a_partition_stay_in_order() {
    let epochs = (0..6).map(|epoch| vec![(0..50).map(|it| (epoch * 50 + it, 0)).collect(); 2]);
    let run = Run::new(epochs.collect()).batch(3).workers(2);
    let seen = run.go(|stream, tap| {
        let (left, right) = stream.flat_map(Some).filter(|_| true).split(Either::<_, Record>::Left);
        tap.watch(left.inspect(|_| ()).map(|it| it.0));
        tap.watch(right.map(|it| it.0));
    });
    for worker in 0..2 {
        let of = seen.iter().filter(|it| it.worker == worker).map(|it| it.record);
        assert_eq!(of.collect::<Vec<_>>(), (0..300).collect::<Vec<_>>());
    }
}

#[test]
fn rebalance_gives_every_worker_its_share() {
    let epochs = vec![vec![vec![(0, 0); 400]]];
    let run = Run::new(epochs).batch(10).workers(4);
    let seen = run.go(|stream, tap| tap.watch(stream.rebalance()));
    for worker in 0..4 {
        assert_eq!(seen.iter().filter(|it| it.worker == worker).count(), 100);
    }
}
