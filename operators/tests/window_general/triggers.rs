//! Each trigger against the story of one window.

use proptest::prelude::*;
use tidemill_operators::event::Event;
use tidemill_operators::rule::Rule;
use tidemill_operators::time::EventTime;
use tidemill_operators::window::trigger::{
    AtWatermark, Continuous, Decision, Delta, EveryRecords, Never, Trigger, Watch,
};
use tidemill_operators::window::{General, Pane, Tumbling};

use crate::harness::Step::{Record, Restart, Watermark};
use crate::harness::{Records, Step, check, lasting, records, run, scripts};
use crate::model::{Turn, at_watermark, follow, outcome, taken};

pub(crate) type Fired = Vec<(usize, Records)>;

fn rule<T: Trigger<i64>>(
    trigger: T,
    lateness: u64,
) -> impl Rule<Event<(u8, i64)>, Output = Event<Pane<u8, Records>>, Side = Event<(u8, i64)>> {
    General::new(Tumbling::new(lasting(20)), trigger, lasting(lateness), records())
        .expect("it may be built")
}

/// Tells the story of every tumbling window of twenty.
pub(crate) fn model(
    script: &[Step],
    lateness: u64,
    tell: impl Fn((i64, i64), &[(usize, Turn)]) -> Fired,
) -> crate::harness::Outcome<Records> {
    let window = |at: i64| {
        let start = at.div_euclid(20) * 20;
        vec![(start, start + 19)]
    };
    outcome(follow(script, lateness as i64, window), tell)
}

/// The same firings, each without the records of those before it. Empty ones do not happen.
pub(crate) fn purged(fired: Fired) -> Fired {
    let mut gone = 0;
    let mut left = Vec::new();
    for (index, records) in fired {
        let rest = records[gone..].to_vec();
        gone = records.len();
        if !rest.is_empty() {
            left.push((index, rest));
        }
    }
    left
}

/// Which records of a story fire, by their step, given all values up to each.
fn at_records(story: &[(usize, Turn)], mut fires: impl FnMut(&Records) -> bool) -> Fired {
    let mut fired = Vec::new();
    for (place, (index, turn)) in story.iter().enumerate() {
        let records = taken(&story[..=place]);
        if matches!(turn, Turn::Take(..)) && fires(&records) {
            fired.push((*index, records));
        }
    }
    fired
}

pub(crate) fn every(records: usize, story: &[(usize, Turn)]) -> Fired {
    at_records(story, |it| it.len().is_multiple_of(records))
}

pub(crate) fn delta(threshold: i64, story: &[(usize, Turn)]) -> Fired {
    let mut fired = None;
    at_records(story, |records| {
        let (_, current) = records[records.len() - 1];
        let before = *fired.get_or_insert(current);
        let fires = (before - current).abs() > threshold;
        if fires {
            fired = Some(current);
        }
        fires
    })
}

pub(crate) fn continuous(interval: i64, (_, last): (i64, i64), story: &[(usize, Turn)]) -> Fired {
    let (mut next, mut waits) = (None, false);
    let mut fired = Vec::new();
    for (place, (index, turn)) in story.iter().enumerate() {
        let records = taken(&story[..=place]);
        match *turn {
            Turn::Take(_, _, watermark) if watermark >= last => fired.push((*index, records)),
            Turn::Take(at, _, _) => {
                waits = true;
                next.get_or_insert((at.div_euclid(interval) + 1) * interval);
            }
            Turn::Watermark(to) => {
                while let Some(early) = next.filter(|&it| it < last && it <= to) {
                    fired.push((*index, records.clone()));
                    next = Some(early + interval);
                }
                if waits && to >= last {
                    waits = false;
                    fired.push((*index, records));
                }
            }
        }
    }
    fired
}

proptest! {
    #[test]
    fn every_so_many_records(
        script in scripts(15, 0..12), count in 1..6usize, lateness in 0..20u64,
    ) {
        let trigger = EveryRecords::new(count as u64);
        let expected = model(&script, lateness, |_, story| every(count, story));
        check(|| rule(trigger, lateness), &script, &expected);
        let expected = model(&script, lateness, |_, story| purged(every(count, story)));
        check(|| rule(trigger.purging(), lateness), &script, &expected);
    }

    #[test]
    fn at_the_watermark_and_purging(script in scripts(15, 0..8), lateness in 0..20u64) {
        let expected = model(&script, lateness, |span, story| purged(at_watermark(span, story)));
        check(|| rule(AtWatermark.purging(), lateness), &script, &expected);
    }

    #[test]
    fn early_results_every_so_often(
        script in scripts(15, 0..8), interval in 1..25i64, lateness in 0..20u64,
    ) {
        let trigger = Continuous::every(lasting(interval as u64));
        let tell = |span, story: &[_]| continuous(interval, span, story);
        check(|| rule(trigger, lateness), &script, &model(&script, lateness, tell));
        let tell = |span, story: &[_]| purged(continuous(interval, span, story));
        check(|| rule(trigger.purging(), lateness), &script, &model(&script, lateness, tell));
    }

    #[test]
    fn at_a_distance(script in scripts(15, 0..12), threshold in 0..5i64, lateness in 0..20u64) {
        let distance = |a: &i64, b: &i64| (a - b).abs() as f64;
        let trigger = Delta::new(threshold as f64, distance);
        let expected = model(&script, lateness, |_, story| delta(threshold, story));
        check(|| rule(trigger, lateness), &script, &expected);
        let expected = model(&script, lateness, |_, story| purged(delta(threshold, story)));
        check(|| rule(trigger.purging(), lateness), &script, &expected);
    }
}

#[test]
fn a_window_that_never_fires_is_dropped_all_the_same() {
    let script = [Record(3, 0, 1), Watermark(19), Watermark(24)];
    assert_eq!(run(|| rule(Never, 5), &script[..2]).1, 1);
    let (outcome, left) = run(|| rule(Never, 5), &script);
    assert_eq!((outcome.panes, outcome.late, left), (vec![], vec![], 0));
}

#[test]
fn a_count_too_small_when_the_window_ends_gives_nothing() {
    let script = [Record(3, 0, 1), Record(4, 0, 2), Watermark(19), Watermark(i64::MAX)];
    assert_eq!(run(|| rule(EveryRecords::new(3), 0), &script).0.panes, []);
}

#[test]
fn a_delta_compares_with_the_record_that_fired_last() {
    let script = [10, 11, 12, 13, 14].map(|it| Record(it, 0, it));
    let trigger = || Delta::new(1.0, |a: &i64, b: &i64| (b - a) as f64);
    let steps: Vec<_> = run(|| rule(trigger(), 0), &script).0.panes.iter().map(|it| it.0).collect();
    assert_eq!(steps, [2, 4]);
}

/// Opens with a countdown of moments, then takes back one and purges at another.
struct Countdown;

impl Trigger<i64> for Countdown {
    type State = Vec<i64>;

    fn start(&self) -> Vec<i64> {
        Vec::new()
    }

    fn on_record(
        &self,
        woken: &mut Vec<i64>,
        at: EventTime,
        _: &i64,
        watch: &mut Watch<'_>,
    ) -> Decision {
        if woken.is_empty() {
            [3, 5, 7, 9].iter().for_each(|&it| watch.wake_at(EventTime::from_micros(it)));
        }
        woken.push(at.micros());
        Decision::Continue
    }

    fn on_moment(&self, woken: &mut Vec<i64>, at: EventTime, watch: &mut Watch<'_>) -> Decision {
        woken.push(at.micros());
        match at.micros() {
            3 => {
                watch.forget(EventTime::from_micros(7));
                Decision::Fire
            }
            5 => Decision::Purge,
            9 => {
                assert_eq!(woken, &[1, 3, 5, 6, 9], "what it remembers outlives a purge");
                Decision::FireAndPurge
            }
            _ => panic!("woken at a moment taken back"),
        }
    }
}

#[test]
fn a_trigger_of_ones_own_wakes_forgets_and_purges() {
    let script = [
        Record(1, 0, 1),
        Watermark(3),
        Restart(2),
        Watermark(5),
        Record(6, 0, 2),
        Watermark(8),
        Restart(1),
        Watermark(9),
        Watermark(19),
    ];
    let (outcome, left) = run(|| rule(Countdown, 0), &script);
    let panes = vec![(1, 0, 0, 19, vec![(1, 1)]), (7, 0, 0, 19, vec![(6, 2)])];
    assert_eq!((outcome.panes, left), (panes, 0));
}
