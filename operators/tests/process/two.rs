//! Functions of two keyed inputs in running dataflows.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::process::{CoProcess, Context, States, ValueState};
use tidemill_operators::rule::Either;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, EventTime};

use crate::support::{Run, Tap, at, by_epoch, histories, runs};

/// A moment, a key and a number; even ones go left.
type Record = (i64, u8, i64);
/// A key, how many of its numbers came left, and the sum of those that came right.
type Told = (i64, u8, u32, i64);

const DELAY: i64 = 8;

/// At each multiple of ten after a record, says what has come so far.
struct Ledger {
    lefts: ValueState<u32>,
    rights: ValueState<i64>,
}

impl Ledger {
    fn new(states: &mut States) -> Self {
        Self { lefts: states.value("lefts"), rights: states.value("rights") }
    }

    fn ask(context: &mut Context<'_, u8, Told, Told>) {
        let next = (context.time().micros().div_euclid(10) + 1) * 10;
        context.set_event_timer(at(next));
    }
}

impl CoProcess for Ledger {
    type Key = u8;
    type Left = ();
    type Right = i64;
    type Output = Told;
    type Side = Told;

    fn on_left(&self, (): (), context: &mut Context<'_, u8, Told, Told>) {
        *context.state(&self.lefts).or_default() += 1;
        Self::ask(context);
    }

    fn on_right(&self, number: i64, context: &mut Context<'_, u8, Told, Told>) {
        *context.state(&self.rights).or_default() += number;
        Self::ask(context);
    }

    fn on_event_timer(&self, moment: EventTime, context: &mut Context<'_, u8, Told, Told>) {
        let lefts = context.state(&self.lefts).copied().unwrap_or(0);
        let rights = context.state(&self.rights).copied().unwrap_or(0);
        let told = (moment.micros(), *context.key(), lefts, rights);
        if rights % 2 == 0 { context.emit(told) } else { context.side(told) }
    }
}

/// The state of each key at each of its timers, whichever output it takes.
fn model(run: &Run<Record>, side: bool) -> Vec<(Epoch, Told)> {
    let mut keys = BTreeMap::<u8, (u32, i64)>::new();
    let mut timers = std::collections::BTreeSet::new();
    let mut told = Vec::new();
    let watermarks = run.watermarks(|it| it.0, DELAY);
    for ((epoch, partitions), now) in run.epochs().iter().enumerate().zip(watermarks) {
        for &(time, key, number) in partitions.iter().flatten() {
            let state = keys.entry(key).or_default();
            match number % 2 {
                0 => state.0 += 1,
                _ => state.1 += number,
            }
            timers.insert(((time.div_euclid(10) + 1) * 10, key));
        }
        while let Some(&(time, key)) = timers.first().filter(|it| it.0 <= now) {
            timers.pop_first();
            let (lefts, rights) = keys[&key];
            if (rights % 2 != 0) == side {
                told.push((epoch as Epoch, (time, key, lefts, rights)));
            }
        }
    }
    told.sort();
    told
}

fn go(run: &Run<Record>, side: bool) -> Vec<(Epoch, Told)> {
    by_epoch(run.go(move |stream: Stream<'_, Record>, tap: &Tap<Told>| {
        let disorder = Disorder::up_to(Duration::from_micros(DELAY as u64));
        let events = stream.event_time(|it| at(it.0), disorder);
        let (left, right) = events.split(|it| match it.2 % 2 {
            0 => Either::Left((it.1, ())),
            _ => Either::Right((it.1, it.2)),
        });
        let (left, right) = (left.key_value(|it| it), right.key_value(|it| it));
        let (told, aside) = left.connect(right).process_with_side(Ledger::new);
        tap.watch(if side { aside } else { told.values() });
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn two_inputs_share_keys_and_timers(
        run in runs(histories((0..60i64, 0..5u8, 0..9i64), 1..7, 0..10)),
    ) {
        prop_assert_eq!(go(&run, false), model(&run, false));
    }

    #[test]
    fn each_output_gets_what_is_its_own(
        run in runs(histories((0..60i64, 0..3u8, 0..9i64), 1..5, 0..10)),
    ) {
        prop_assert_eq!(go(&run, true), model(&run, true));
    }
}

/// Two inputs far apart in time.
struct Never;

impl CoProcess for Never {
    type Key = u8;
    type Left = ();
    type Right = ();
    type Output = i64;
    type Side = Infallible;

    fn on_left(&self, (): (), context: &mut Context<'_, u8, i64>) {
        context.set_event_timer(at(50));
    }

    fn on_right(&self, (): (), _: &mut Context<'_, u8, i64>) {}

    fn on_event_timer(&self, _: EventTime, context: &mut Context<'_, u8, i64>) {
        context.emit(context.watermark().micros());
    }
}

#[test]
fn the_watermark_is_the_lesser_of_both() {
    // In the first epoch the left input is far ahead of the right.
    let epochs = vec![vec![vec![(100, 0u8), (10, 1)]], vec![vec![(60, 1)]], vec![vec![(70, 1)]]];
    let given = Run::new(epochs).go(|stream: Stream<'_, (i64, u8)>, tap: &Tap<i64>| {
        let (left, right) = stream.split(|it| match it.1 {
            0 => Either::Left(it.0),
            _ => Either::Right(it.0),
        });
        let left = left.event_time(|it| at(*it), Disorder::ascending()).key_value(|_| (1, ()));
        let right = right.event_time(|it| at(*it), Disorder::ascending()).key_value(|_| (1, ()));
        tap.watch(left.connect(right).process(|_| Never).values());
    });
    assert_eq!(by_epoch(given), [(1, 59)]);
}
