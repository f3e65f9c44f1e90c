//! Functions with shared state in running dataflows: the same on every worker.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::process::{BroadcastProcess, Context, States, ValueState};
use tidemill_operators::rule::Either;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, EventTime};

use crate::support::{Run, Tap, at, by_epoch, histories, runs};

/// A moment and a number, for a key or for all.
type Record = (i64, Option<u8>, u8);
/// A key or none, a moment, how many records the key had, and what is shared.
type Told = (u8, i64, u32, Vec<(i64, u8)>);

const DELAY: i64 = 6;

/// Says of each record, and five later, what is shared at the time.
struct Recite {
    seen: ValueState<u32>,
}

impl Recite {
    fn new(states: &mut States) -> Self {
        Self { seen: states.value("seen") }
    }

    fn say(&self, shared: &[(i64, u8)], context: &mut Context<'_, u8, Told>) {
        let seen = *context.state(&self.seen).or_default();
        context.emit((*context.key(), context.time().micros(), seen, shared.to_vec()));
    }
}

impl BroadcastProcess for Recite {
    type Key = u8;
    type Record = u8;
    type Broadcast = u8;
    type Shared = Vec<(i64, u8)>;
    type Output = Told;
    type Side = Infallible;

    fn on_broadcast(&self, number: u8, moment: EventTime, shared: &mut Vec<(i64, u8)>) {
        shared.push((moment.micros(), number));
    }

    fn on_record(&self, _: u8, shared: &Vec<(i64, u8)>, context: &mut Context<'_, u8, Told>) {
        *context.state(&self.seen).or_default() += 1;
        context.set_event_timer(at(context.time().micros() + 5));
        self.say(shared, context);
    }

    fn on_event_timer(
        &self,
        _: EventTime,
        shared: &Vec<(i64, u8)>,
        context: &mut Context<'_, u8, Told>,
    ) {
        self.say(shared, context);
    }
}

fn model(run: &Run<Record>) -> Vec<(Epoch, Told)> {
    let (mut keys, mut timers) = (BTreeMap::<u8, u32>::new(), BTreeSet::new());
    let (mut shared, mut told) = (Vec::new(), Vec::new());
    let watermarks = run.watermarks(|it| it.0, DELAY);
    for ((epoch, partitions), now) in run.epochs().iter().enumerate().zip(watermarks) {
        let all = partitions.iter().flatten();
        let mut news: Vec<_> =
            all.clone().filter(|it| it.1.is_none()).map(|it| (it.0, it.2)).collect();
        news.sort();
        shared.append(&mut news);
        for &(time, key, _) in all {
            let Some(key) = key else { continue };
            let seen = keys.entry(key).or_default();
            *seen += 1;
            timers.insert((time + 5, key));
            told.push((epoch as Epoch, (key, time, *seen, shared.clone())));
        }
        while let Some(&(time, key)) = timers.first().filter(|it| it.0 <= now) {
            timers.pop_first();
            told.push((epoch as Epoch, (key, time, keys[&key], shared.clone())));
        }
    }
    told.sort();
    told
}

#[track_caller]
fn check(run: &Run<Record>) {
    let told = run.go(|stream: Stream<'_, Record>, tap: &Tap<Told>| {
        let disorder = Disorder::up_to(Duration::from_micros(DELAY as u64));
        let (keyed, all) = stream.event_time(|it| at(it.0), disorder).split(|it| match it.1 {
            Some(key) => Either::Left((key, it.2)),
            None => Either::Right(it.2),
        });
        let keyed = keyed.key_value(|it| it);
        tap.watch(keyed.connect_broadcast(all).process(Recite::new).values());
    });
    assert_eq!(by_epoch(told), model(run), "{run:?}");
}

/// Histories in which each key belongs to one partition.
fn any_history() -> impl Strategy<Value = Run<Record>> {
    let record = (0..40i64, proptest::option::weighted(0.7, 0..4u8), 0..9u8);
    let epochs = histories(record, 1..6, 0..9).prop_map(|mut epochs| {
        for epoch in &mut epochs {
            for (partition, records) in epoch.iter_mut().enumerate() {
                let keys = records.iter_mut().filter_map(|it| it.1.as_mut());
                keys.for_each(|it| *it += 4 * partition as u8);
            }
        }
        epochs
    });
    runs(epochs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn every_record_sees_what_was_told_up_to_its_epoch(run in any_history()) {
        check(&run);
    }
}

#[test]
fn what_is_shared_reaches_workers_that_come_later() {
    let epoch = |n: i64| {
        let keys = (0..9).map(move |key| (n * 10, Some(key), 0));
        vec![keys.chain([(n * 10 + 1, None, n as u8)]).collect::<Vec<Record>>()]
    };
    check(
        &Run::new((0..8).map(epoch).collect()).restart(1, 4).restart(3, 2).restart(4, 4).ending(),
    );
}

#[test]
fn a_broadcast_input_holds_nothing_back() {
    // The watermark passes the timer of key 3 although the last broadcast record is far behind.
    let epochs = vec![vec![vec![(0, None, 1), (10, Some(3), 0)]], vec![vec![(90, Some(4), 0)]]];
    let told = Run::new(epochs).go(|stream: Stream<'_, Record>, tap: &Tap<Told>| {
        let (keyed, all) = stream.split(|it| match it.1 {
            Some(key) => Either::Left((it.0, key, it.2)),
            None => Either::Right((it.0, it.2)),
        });
        let all = all.event_time(|it| at(it.0), Disorder::ascending()).map(|it| it.1);
        let keyed = keyed.event_time(|it| at(it.0), Disorder::ascending());
        let keyed = keyed.key_value(|(_, key, number)| (key, number));
        tap.watch(keyed.connect_broadcast(all).process(Recite::new).values());
    });
    let timer = (1, (3, 15, 1, vec![(0, 1)]));
    assert!(by_epoch(told).contains(&timer));
}
