//! Processing timers in running dataflows, whose clock stands where the test puts it.

use std::collections::BTreeSet;
use std::convert::Infallible;

use proptest::prelude::*;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::process::{Context, Process};
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, EventTime};

use crate::support::{Run, Tap, at, by_epoch};

/// A key and a time of day to be woken at; to be forgotten, if negative.
type Record = (u8, i64);

/// Sets the timer that a record asks for, and says which fired; some set another.
struct Alarm;

impl Process for Alarm {
    type Key = u8;
    type Record = i64;
    type Output = (u8, i64);
    type Side = Infallible;

    fn on_record(&self, moment: i64, context: &mut Context<'_, u8, (u8, i64)>) {
        match moment {
            0.. => _ = context.set_processing_timer(at(moment)),
            _ => _ = context.delete_processing_timer(at(-moment)),
        }
    }

    fn on_processing_timer(&self, moment: EventTime, context: &mut Context<'_, u8, (u8, i64)>) {
        assert_eq!(context.time().micros(), context.watermark().micros().saturating_add(1));
        assert!(context.processing_time() >= moment);
        if moment.micros() % 4 == 0 {
            context.set_processing_timer(at(moment.micros() + 3));
        }
        context.emit((*context.key(), moment.micros()));
    }
}

/// The timers that fire in each epoch, by the clock of that epoch.
fn model(run: &Run<Record>, clock: &[i64]) -> Vec<(Epoch, (u8, i64))> {
    let (mut timers, mut fired) = (BTreeSet::new(), Vec::new());
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        for &(key, moment) in partitions.iter().flatten() {
            match moment {
                0.. => _ = timers.insert((moment, key)),
                _ => _ = timers.remove(&(-moment, key)),
            }
        }
        while let Some(&(moment, key)) = timers.first().filter(|it| it.0 <= clock[epoch]) {
            timers.pop_first();
            if moment % 4 == 0 {
                timers.insert((moment + 3, key));
            }
            fired.push((epoch as Epoch, (key, moment)));
        }
    }
    fired.sort();
    fired
}

#[track_caller]
fn check(run: Run<Record>, clock: Vec<i64>) {
    let run = run.clock(clock.clone());
    let fired = run.go(|stream: Stream<'_, Record>, tap: &Tap<(u8, i64)>| {
        let keyed = stream.event_time(|_| at(5), Disorder::ascending()).key_value(|it| it);
        tap.watch(keyed.process(|_| Alarm).values());
    });
    assert_eq!(by_epoch(fired), model(&run, &clock), "{run:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn timers_fire_by_the_clock(
        epochs in prop::collection::vec(prop::collection::vec((0..4u8, -20..30i64), 0..5), 1..8),
        steps in prop::collection::vec(0..6i64, 8),
        workers in prop_oneof![Just(1usize), Just(2), Just(4)],
        restart in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let clock: Vec<_> = steps.iter().scan(0, |now, step| { *now += step; Some(*now) }).collect();
        let length = epochs.len();
        // One partition: a timer is set and deleted in the order of its records.
        let run = Run::new(epochs.into_iter().map(|it| vec![it]).collect()).workers(workers);
        check(match restart {
            Some(at) => run.restart(at.index(length) as Epoch, 3 - workers.min(2)),
            None => run,
        }, clock);
    }
}

#[test]
fn a_timer_fires_although_nothing_arrives_any_more() {
    let mut epochs = vec![vec![vec![]]; 12];
    epochs[1][0].push((7, 50));
    let clock: Vec<_> = (0..12).map(|it| it * 8).collect();
    check(Run::new(epochs.clone()).workers(2), clock.clone());
    check(Run::new(epochs).workers(2).restart(4, 1), clock);
}
