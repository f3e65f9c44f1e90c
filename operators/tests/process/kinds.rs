//! Every kind of state, and event timers, in running dataflows against a naive twin.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::aggregate::Sum;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::process::{
    AggregatingState, Context, Expiry, ListState, MapState, Process, ReducingState, States,
    ValueState,
};
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, EventTime};

use crate::support::{Epochs, Run, Tap, at, by_epoch, histories, runs};

/// A moment, a key, what to do, and a number to do it with.
pub(crate) type Record = (i64, u8, u8, i64);

const DELAY: i64 = 10;
const LIFE: i64 = 16;

/// What a key looked like after a callback: a timer's moment if it was one, how many callbacks
/// there were, whether it was late, and what each state held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Look {
    time: i64,
    key: u8,
    timer: bool,
    calls: u32,
    late: bool,
    fresh: Option<i64>,
    list: Vec<i64>,
    map: Vec<(i64, i64)>,
    largest: Option<i64>,
    sum: Option<i64>,
    used: Option<i64>,
}

/// Does what records tell it.
struct Obeys {
    calls: ValueState<u32>,
    fresh: ValueState<i64>,
    list: ListState<i64>,
    map: MapState<i64, i64>,
    largest: ReducingState<i64>,
    sum: AggregatingState<i64, Sum<fn(&i64) -> i64>>,
    used: ValueState<i64>,
    touched: MapState<i64, ()>,
}

impl Obeys {
    fn new(states: &mut States) -> Self {
        let life = Duration::from_micros(LIFE as u64);
        Self {
            calls: states.value("calls"),
            fresh: states.expiring(Expiry::after_write(life)).value("fresh"),
            list: states.expiring(Expiry::after_write(life)).list("list"),
            map: states.expiring(Expiry::after_write(life)).map("map"),
            largest: states.expiring(Expiry::after_write(life)).reducing(
                "largest",
                |a: &mut i64, b| {
                    *a = (*a).max(b);
                },
            ),
            sum: states.aggregating("sum", Sum::of((|it| *it) as fn(&i64) -> i64)),
            used: states.expiring(Expiry::after_access(life)).value("used"),
            touched: states.expiring(Expiry::after_access(life)).map("touched"),
        }
    }

    fn look(&self, timer: bool, context: &mut Context<'_, u8, Look>) {
        let calls = context.state(&self.calls).or_default();
        *calls += 1;
        let look = Look {
            time: context.time().micros(),
            key: *context.key(),
            timer,
            calls: *context.state(&self.calls).or_default(),
            late: !timer && context.late(),
            fresh: context.state(&self.fresh).copied(),
            list: context.state(&self.list).iter().copied().collect(),
            map: context.state(&self.map).iter().map(|(key, it)| (*key, *it)).collect(),
            largest: context.state(&self.largest).get().copied(),
            sum: context.state(&self.sum).get(),
            // Only every third look touches what lives by access.
            used: match *context.state(&self.calls).or_default() % 3 {
                0 => {
                    let sum = context.state(&self.touched).iter().map(|it| it.0).sum::<i64>();
                    context.state(&self.used).copied().map(|it| it + 1_000 * sum)
                }
                _ => None,
            },
        };
        assert_eq!(context.state(&self.list).len(), look.list.len());
        assert_eq!(context.state(&self.map).len(), look.map.len());
        context.emit(look);
    }
}

impl Process for Obeys {
    type Key = u8;
    type Record = (u8, i64);
    type Output = Look;
    type Side = Infallible;

    fn on_record(&self, (what, n): (u8, i64), context: &mut Context<'_, u8, Look>) {
        let moment = at(context.time().micros() + n);
        match what {
            0 => context.state(&self.fresh).set(n),
            1 => *context.state(&self.fresh).or_insert_with(|| 100) += n,
            2 => context.state(&self.list).push(n),
            3 => _ = context.state(&self.map).insert(n % 4, n),
            4 => *context.state(&self.map).or_insert_with(n % 4, || 50) += 1,
            5 => context.state(&self.largest).add(n),
            6 => context.state(&self.sum).add(&n),
            7 => context.state(&self.used).set(n),
            8 => _ = context.state(&self.touched).insert(n % 4, ()),
            9 => context.state(&self.list).retain(|it| it % 2 == 0),
            10 => _ = context.state(&self.map).remove(&(n % 4)),
            11 => {
                context.state(&self.largest).clear();
                context.state(&self.sum).clear();
                context.state(&self.fresh).take();
            }
            12 => _ = context.delete_event_timer(moment),
            _ => _ = context.set_event_timer(moment),
        }
        self.look(false, context);
    }

    fn on_event_timer(&self, moment: EventTime, context: &mut Context<'_, u8, Look>) {
        assert_eq!(context.time(), moment);
        let micros = moment.micros();
        if micros % 3 == 0 && !context.ended() {
            context.set_event_timer(at(micros + 7));
        }
        if micros % 2 == 0 {
            context.delete_event_timer(at(micros + 1));
        }
        if micros % 5 == 0 {
            context.set_event_timer(at(micros - 4));
        }
        self.look(true, context);
    }
}

/// What one key holds, in the simplest way: everything with when it was touched.
#[derive(Default)]
struct Twin {
    calls: u32,
    fresh: Option<(i64, i64)>,
    list: Vec<(i64, i64)>,
    map: BTreeMap<i64, (i64, i64)>,
    largest: Option<(i64, i64)>,
    sum: Option<i64>,
    used: Option<(i64, i64)>,
    touched: BTreeMap<i64, i64>,
    timers: BTreeSet<i64>,
}

fn lives(touched: i64, now: i64) -> bool {
    touched.saturating_add(LIFE) > now
}

fn touch(then: i64, now: i64) -> i64 {
    if lives(then, now) { then.max(now) } else { now }
}

impl Twin {
    fn obey(&mut self, time: i64, what: u8, n: i64, now: i64) {
        let moment = time + n;
        match what {
            0 => self.fresh = Some((self.fresh.map_or(now, |it| touch(it.0, now)), n)),
            1 => {
                let before = self.fresh.filter(|it| lives(it.0, now));
                let (then, value) = before.unwrap_or((now, 100));
                self.fresh = Some((then.max(now), value + n));
            }
            2 => self.list.push((now, n)),
            3 => _ = self.map.insert(n % 4, (now, n)),
            4 => {
                let before = self.map.get(&(n % 4)).filter(|it| lives(it.0, now));
                let (then, value) = before.copied().unwrap_or((now, 50));
                self.map.insert(n % 4, (then.max(now), value + 1));
            }
            5 => {
                let before = self.largest.filter(|it| lives(it.0, now));
                let (then, value) = before.unwrap_or((now, n));
                self.largest = Some((then.max(now), value.max(n)));
            }
            6 => self.sum = Some(self.sum.unwrap_or(0) + n),
            7 => self.used = Some((self.used.map_or(now, |it| touch(it.0, now)), n)),
            8 => _ = self.touched.insert(n % 4, now),
            9 => self.list.retain(|it| lives(it.0, now) && it.1 % 2 == 0),
            10 => _ = self.map.remove(&(n % 4)),
            11 => (self.largest, self.sum, self.fresh) = (None, None, None),
            12 => _ = self.timers.remove(&moment),
            _ => _ = self.timers.insert(moment),
        }
    }

    fn look(&mut self, time: i64, key: u8, late: Option<bool>, now: i64) -> Look {
        self.calls += 1;
        let used = self.calls.is_multiple_of(3).then(|| {
            let living = self.touched.iter_mut().filter(|it| lives(*it.1, now));
            let sum: i64 = living.map(|(it, then)| (*then = (*then).max(now), *it).1).sum();
            let used = self.used.as_mut().filter(|it| lives(it.0, now))?;
            used.0 = used.0.max(now);
            Some(used.1 + 1_000 * sum)
        });
        let map = self.map.iter().filter(|(_, it)| lives(it.0, now));
        Look {
            time,
            key,
            timer: late.is_none(),
            calls: self.calls,
            late: late.unwrap_or(false),
            fresh: self.fresh.filter(|it| lives(it.0, now)).map(|it| it.1),
            list: self.list.iter().filter(|it| lives(it.0, now)).map(|it| it.1).collect(),
            map: map.map(|(key, it)| (*key, it.1)).collect(),
            largest: self.largest.filter(|it| lives(it.0, now)).map(|it| it.1),
            sum: self.sum,
            used: used.flatten(),
        }
    }
}

/// What is seen of each key, callback by callback, from the whole input.
fn model(run: &Run<Record>) -> Vec<(Epoch, Look)> {
    let mut keys = BTreeMap::<u8, Twin>::new();
    let (mut given, mut before) = (Vec::new(), i64::MIN);
    let watermarks = run.watermarks(|it| it.0, DELAY);
    for ((epoch, partitions), now) in run.epochs().iter().enumerate().zip(watermarks) {
        for &(time, key, what, n) in partitions.iter().flatten() {
            let twin = keys.entry(key).or_default();
            twin.obey(time, what, n, time.max(before));
            let look = twin.look(time, key, Some(time <= before), time.max(before));
            given.push((epoch as Epoch, look));
        }
        let first = |keys: &BTreeMap<u8, Twin>| {
            let due = keys.iter().filter_map(|(key, it)| Some((*it.timers.first()?, *key)));
            due.filter(|it| it.0 <= now).min()
        };
        while let Some((time, key)) = first(&keys) {
            let twin = keys.get_mut(&key).expect("the key of a timer");
            twin.timers.pop_first();
            if time % 3 == 0 && now < i64::MAX {
                twin.timers.insert(time + 7);
            }
            if time % 2 == 0 {
                twin.timers.remove(&(time + 1));
            }
            if time % 5 == 0 {
                twin.timers.insert(time - 4);
            }
            given.push((epoch as Epoch, twin.look(time, key, None, time.max(before))));
        }
        before = now;
    }
    given.sort();
    given
}

/// Histories whose partitions go on in time, with late records. A key belongs to one partition.
pub(crate) fn disordered() -> impl Strategy<Value = Run<Record>> {
    let record = (0..6i64, 0..=25i64, 0..3u8, 0..16u8, -12..24i64);
    let epochs = histories(record, 1..8, 0..14).prop_map(|epochs| {
        let mut clocks = [-60i64, -55, -65, -60];
        let mut made: Epochs<Record> = Vec::new();
        for partitions in &epochs {
            let partitions = partitions.iter().enumerate().map(|(partition, records)| {
                let mut record = |&(step, late, key, what, n): &(i64, i64, u8, u8, i64)| {
                    clocks[partition] += step;
                    (clocks[partition] - late, key + 3 * partition as u8, what, n)
                };
                records.iter().map(&mut record).collect()
            });
            made.push(partitions.collect());
        }
        made
    });
    runs(epochs)
}

#[track_caller]
fn check(run: &Run<Record>) {
    let given = run.go(|stream: Stream<'_, Record>, tap: &Tap<Look>| {
        let keyed = stream
            .event_time(|it| at(it.0), Disorder::up_to(Duration::from_micros(DELAY as u64)))
            .key_value(|(_, key, what, n)| (key, (what, n)));
        tap.watch(keyed.process(Obeys::new).timed().map(|event| {
            assert_eq!(event.at.micros(), event.value.time, "it carries the time of its callback");
            event.value
        }));
    });
    assert_eq!(by_epoch(given), model(run), "{run:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn functions_see_what_their_twin_sees(run in disordered()) {
        check(&run);
    }
}

/// A history of one partition, with what is to happen in each epoch.
fn of(epochs: &[&[Record]]) -> Run<Record> {
    Run::new(epochs.iter().map(|it| vec![it.to_vec()]).collect()).ending()
}

#[test]
fn state_survives_many_restarts_on_other_numbers_of_workers() {
    let records = |epoch: i64| -> Vec<Record> {
        (0..40).map(|it| (epoch * 9 + it % 5, (it % 11) as u8, (it % 16) as u8, it % 13)).collect()
    };
    let all: Vec<Vec<Record>> = (0..12).map(records).collect();
    let all: Vec<&[Record]> = all.iter().map(Vec::as_slice).collect();
    check(&of(&all).restart(2, 4).restart(5, 2).restart(6, 1).restart(9, 4));
    check(&of(&all).workers(4).batch(3).flight(5).restart(7, 1));
}

#[test]
fn an_epoch_may_be_empty_and_a_history_too() {
    check(&of(&[]));
    check(&of(&[&[], &[(0, 1, 13, 5)], &[], &[(30, 1, 0, 1)], &[]]));
}
