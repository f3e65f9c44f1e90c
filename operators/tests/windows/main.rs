//! Windows in real dataflows against slow models: the same panes for any number of workers, batch
//! size, cut into epochs and restart.

#[path = "../support/mod.rs"]
mod support;

mod late;
mod models;
mod named;
mod on_time;
mod unaligned;
mod verbs;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::aggregate::{Collect, Count as Number, Max, Sum};
use tidemill_operators::event::Event;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::events::Events;
use tidemill_operators::keyed::Keyed;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, Span};
use tidemill_operators::window::trigger::{AtWatermark, EveryRecords};
use tidemill_operators::window::{
    Assign, Count, Cumulative, Global, Pane, Session, Sliding, Tumbling, evict,
};

use models::*;
use support::{Epochs, Run, Tap, at, by_epoch, histories, records, runs};

/// A moment, a key, and a number.
type Record = (i64, u8, i64);
/// What windows hold: a moment and a number.
type Held = (i64, i64);
/// A key, the first and the last moment of a window, and its records.
type Window = (u8, i64, i64, Vec<Held>);

/// What comes out of windows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Given {
    Pane(Window),
    Late(Record),
}

/// How far records may be out of order.
const DELAY: i64 = 10;

fn lasting(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

/// Histories whose partitions go on in time, with records that are up to `back` behind. The keys
/// of a partition are its own where the order in which they arrive matters.
fn disordered(back: i64, own: bool) -> impl Strategy<Value = Run<Record>> {
    let record = (0..6i64, 0..=back, 0..3u8, 0..9i64);
    let epochs = histories(record, 1..7, 0..10).prop_map(move |mut epochs| {
        let mut clocks = [-60, -55, -65, -60];
        let mut made: Epochs<Record> = Vec::new();
        for partitions in &mut epochs {
            let partitions = partitions.iter().enumerate().map(|(partition, records)| {
                let mut record = |&(step, late, key, value): &(i64, i64, u8, i64)| {
                    clocks[partition] += step;
                    let key = if own { key + 3 * partition as u8 } else { key };
                    (clocks[partition] - late, key, value)
                };
                records.iter().map(&mut record).collect()
            });
            made.push(partitions.collect());
        }
        made
    });
    runs(epochs)
}

fn keyed(stream: Stream<'_, Record>) -> Keyed<'_, u8, Held> {
    let events = stream.event_time(|it| at(it.0), Disorder::up_to(lasting(DELAY)));
    events.key_value(|(at, key, value)| (key, (at, value)))
}

fn watch(panes: Events<'_, Pane<u8, Vec<Held>>>, tap: &Tap<Given>) {
    tap.watch(panes.timed().map(|event| {
        let Pane { key, span, value } = event.value;
        assert_eq!(event.at, span.last(), "a pane travels at its last moment");
        Given::Pane((key, span.start().micros(), span.last().micros(), value))
    }));
}

fn watch_late(late: Stream<'_, Event<(u8, Held)>>, tap: &Tap<Given>) {
    tap.watch(late.map(|event| {
        let (key, (moment, number)) = event.value;
        assert_eq!(event.at, at(moment));
        Given::Late((moment, key, number))
    }));
}

/// The records of each window, folded as they come and given in order of time.
fn folded<A>(run: &Run<Record>, assign: A, lateness: i64) -> Vec<(Epoch, Given)>
where
    A: Assign<Held> + Clone + Send + Sync,
{
    by_epoch(run.go(move |stream, tap: &Tap<Given>| {
        let late = tap.clone();
        let windows = keyed(stream).window(assign.clone()).allow_lateness(lasting(lateness));
        let (panes, records) = windows.with_late().aggregate(Collect::of(|it: &Held| *it));
        watch_late(records, &late);
        watch(panes, tap);
    }))
}

/// All records of a window, as they came.
fn as_they_came(_: &u8, _: Span, records: &[Event<Held>]) -> [Vec<Held>; 1] {
    [records.iter().map(|it| it.value).collect()]
}

/// The records of each window in the order in which they came.
fn whole<A>(run: &Run<Record>, assign: A, lateness: i64) -> Vec<(Epoch, Given)>
where
    A: Assign<Held> + Clone + Send + Sync,
{
    by_epoch(run.go(move |stream, tap: &Tap<Given>| {
        let late = tap.clone();
        let windows = keyed(stream).window(assign.clone()).allow_lateness(lasting(lateness));
        let (panes, records) = windows.with_late().process(as_they_came);
        watch_late(records, &late);
        watch(panes, tap);
    }))
}

/// The outcome without its epochs.
fn timeless(given: Vec<(Epoch, Given)>) -> Vec<Given> {
    let mut given: Vec<_> = given.into_iter().map(|it| it.1).collect();
    given.sort();
    given
}

/// All records of a history.
fn all(run: &Run<Record>) -> impl Iterator<Item = Record> {
    run.epochs().iter().flatten().flatten().copied()
}

/// The records of each key, in the order in which they arrive: each key has one partition.
fn arriving(run: &Run<Record>) -> BTreeMap<u8, Vec<Held>> {
    let mut keys = BTreeMap::<u8, Vec<Held>>::new();
    all(run).for_each(|(at, key, value)| keys.entry(key).or_default().push((at, value)));
    keys
}
