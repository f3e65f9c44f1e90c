//! Session windows: touching, merging, late bridges.

use std::cmp::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::event::Event;
use tidemill_operators::rule::Rule;
use tidemill_operators::time::{EventTime, Span};
use tidemill_operators::window::trigger::{
    AtWatermark, Continuous, Decision, Delta, EveryRecords, Trigger, Watch,
};
use tidemill_operators::window::{Assign, General, Pane, Session};

use crate::harness::Step::{Record, Restart, Watermark};
use crate::harness::{Records, Step, check, lasting, micros, records, run, scripts};
use crate::model::sessions;

fn rule(
    gap: u64,
    lateness: u64,
) -> impl Rule<Event<(u8, i64)>, Output = Event<Pane<u8, Records>>, Side = Event<(u8, i64)>> {
    General::new(Session::gap(lasting(gap)), AtWatermark, lasting(lateness), records())
        .expect("it may be built")
}

/// What a script with sessions of gap ten gives, as `(step, first, last, values)`.
fn given(lateness: u64, script: &[Step]) -> (Vec<(usize, i64, i64, Vec<i64>)>, Vec<usize>) {
    let model = sessions(script, lateness as i64, |_| 10);
    check(|| rule(10, lateness), script, &model);
    let values = |records: &Records| records.iter().map(|it| it.1).collect();
    let (outcome, _) = run(|| rule(10, lateness), script);
    (outcome.panes.iter().map(|it| (it.0, it.2, it.3, values(&it.4))).collect(), outcome.late)
}

proptest! {
    #[test]
    fn sessions_agree_with_sorting_and_cutting(
        script in scripts(20, 0..6), gap in 1..15u64, lateness in 0..25u64,
    ) {
        let model = sessions(&script, lateness as i64, |_| gap as i64);
        check(|| rule(gap, lateness), &script, &model);
    }

    #[test]
    fn sessions_with_a_gap_of_each_record_agree_with_the_model(
        script in scripts(20, 0..6), lateness in 0..25u64,
    ) {
        let gap = |value: &i64| Duration::from_micros(1 + 3 * *value as u64);
        let make = || {
            let assign = Session::gap_by(gap);
            General::new(assign, AtWatermark, lasting(lateness), records()).expect("it may be built")
        };
        check(make, &script, &sessions(&script, lateness as i64, |value| 1 + 3 * value));
    }

    #[test]
    fn without_late_records_each_session_comes_once_and_whole(
        mut times in prop::collection::vec((-100..100i64, 0..3u8), 1..40),
    ) {
        let mut script: Vec<_> = times.iter().map(|&(at, key)| Record(at, key, 0)).collect();
        script.push(Watermark(i64::MAX));
        let (outcome, left) = run(|| rule(10, 0), &script);
        times.sort_unstable();
        let mut whole = Vec::new();
        for key in 0..3 {
            let of_key: Vec<_> = times.iter().filter(|it| it.1 == key).map(|it| it.0).collect();
            for part in of_key.chunk_by(|a, b| b - a <= 10) {
                let records: Records = part.iter().map(|&at| (at, 0)).collect();
                whole.push((times.len(), key, part[0], part[part.len() - 1] + 9, records));
            }
        }
        prop_assert_eq!(outcome.panes, whole);
        prop_assert_eq!((outcome.late, left), (vec![], 0));
    }
}

#[test]
fn records_exactly_one_gap_apart_share_a_session() {
    let script = [Record(0, 0, 1), Record(10, 0, 2), Record(21, 0, 3), Watermark(100)];
    assert_eq!(given(0, &script), (vec![(3, 0, 19, vec![1, 2]), (3, 21, 30, vec![3])], vec![]));
}

#[test]
fn one_record_bridges_several_sessions() {
    let script = [Record(0, 0, 1), Record(30, 0, 4), Record(20, 0, 3), Record(10, 0, 2)];
    let script = [&script[..], &[Watermark(100)]].concat();
    assert_eq!(given(0, &script), (vec![(4, 0, 39, vec![1, 2, 3, 4])], vec![]));
}

#[test]
fn keys_have_sessions_of_their_own() {
    let script = [Record(0, 0, 1), Record(5, 1, 2), Watermark(100)];
    assert_eq!(given(0, &script), (vec![(2, 0, 9, vec![1]), (2, 5, 14, vec![2])], vec![]));
}

#[test]
fn a_session_that_grows_fires_at_its_new_end_alone() {
    let script = [Record(0, 0, 1), Watermark(8), Record(7, 0, 2), Watermark(15), Watermark(16)];
    assert_eq!(given(0, &script), (vec![(4, 0, 16, vec![1, 2])], vec![]));
}

#[test]
fn a_record_that_is_late_alone_counts_in_an_open_session() {
    let script = [Record(10, 0, 1), Watermark(15), Record(3, 0, 2), Watermark(19)];
    assert_eq!(given(0, &script), (vec![(3, 3, 19, vec![2, 1])], vec![]));
}

#[test]
fn a_record_that_merges_with_nothing_open_goes_to_the_side() {
    let script = [Record(0, 0, 1), Watermark(15), Record(4, 0, 2), Watermark(30)];
    assert_eq!(given(0, &script), (vec![(1, 0, 9, vec![1])], vec![2]));
}

#[test]
fn a_late_record_joins_a_session_that_has_fired_and_fires_it_again() {
    let script = [Record(0, 0, 1), Watermark(16), Record(3, 0, 2), Watermark(20)];
    assert_eq!(given(10, &script), (vec![(1, 0, 9, vec![1]), (2, 0, 12, vec![1, 2])], vec![]));
}

#[test]
fn a_late_record_bridges_sessions_that_have_fired() {
    let script = [
        Record(0, 0, 1),
        Record(20, 0, 3),
        Watermark(40),
        Restart(3),
        Record(10, 0, 2),
        Watermark(41),
    ];
    let fired = vec![(2, 0, 9, vec![1]), (2, 20, 29, vec![3]), (4, 0, 29, vec![1, 2, 3])];
    assert_eq!(given(50, &script), (fired, vec![]));
}

#[test]
fn a_late_record_joins_a_fired_session_to_an_open_one() {
    let script =
        [Record(0, 0, 1), Record(20, 0, 3), Watermark(15), Record(10, 0, 2), Watermark(29)];
    let fired = vec![(2, 0, 9, vec![1]), (4, 0, 29, vec![1, 2, 3])];
    assert_eq!(given(50, &script), (fired, vec![]));
}

#[test]
fn a_session_that_a_late_record_revives_fires_when_its_new_end_comes() {
    let script = [Record(0, 0, 1), Watermark(10), Record(9, 0, 2), Watermark(17), Watermark(18)];
    assert_eq!(given(5, &script), (vec![(1, 0, 9, vec![1]), (4, 0, 18, vec![1, 2])], vec![]));
}

#[test]
fn sessions_reach_the_end_of_time() {
    let last = i64::MAX;
    let script = [Record(last, 0, 2), Record(last - 5, 0, 1), Watermark(last - 1), Watermark(last)];
    let (outcome, _) = run(|| rule(10, 3), &script);
    assert_eq!(outcome.panes, [(3, 0, last - 5, last, vec![(last - 5, 1), (last, 2)])]);
}

#[test]
fn the_state_of_a_session_is_dropped_when_its_lateness_ends() {
    let script = [Record(0, 0, 1), Record(5, 0, 2), Watermark(16), Watermark(17)];
    assert_eq!(run(|| rule(10, 3), &script[..3]).1, 1);
    assert_eq!(run(|| rule(10, 3), &script).1, 0);
}

#[test]
fn counts_of_merging_sessions_add_up() {
    let make = || {
        let trigger = EveryRecords::new(4);
        General::new(Session::gap(lasting(10)), trigger, lasting(0), records()).expect("it merges")
    };
    let script = [
        Record(0, 0, 1),
        Record(20, 0, 2),
        Record(21, 0, 3),
        Watermark(1),
        Restart(2),
        Record(10, 0, 4),
        Watermark(100),
    ];
    let records = vec![(0, 1), (10, 4), (20, 2), (21, 3)];
    assert_eq!(run(make, &script).0.panes, [(5, 0, 0, 30, records)]);
}

#[test]
fn early_moments_of_merging_sessions_become_the_earliest() {
    let make = || {
        let trigger = Continuous::every(lasting(8));
        General::new(Session::gap(lasting(10)), trigger, lasting(0), records()).expect("it merges")
    };
    let script = [Record(12, 0, 2), Record(1, 0, 1), Record(5, 0, 3), Watermark(8), Watermark(21)];
    let records = vec![(1, 1), (5, 3), (12, 2)];
    let (outcome, left) = run(make, &script);
    let pane = |step| (step, 0, 1, 21, records.clone());
    assert_eq!((outcome.panes, left), (vec![pane(3), pane(4), pane(4)], 0));
}

#[test]
fn a_purged_session_keeps_its_span_and_joins_others() {
    let make = || {
        let trigger = AtWatermark.purging();
        General::new(Session::gap(lasting(10)), trigger, lasting(50), records()).expect("it merges")
    };
    let script = [
        Record(0, 0, 1),
        Record(20, 0, 3),
        Watermark(15),
        Restart(2),
        Record(10, 0, 2),
        Watermark(30),
    ];
    let (outcome, _) = run(make, &script);
    let panes = [(2, 0, 0, 9, vec![(0, 1)]), (5, 0, 0, 29, vec![(10, 2), (20, 3)])];
    assert_eq!(outcome.panes, panes);
}

/// Purges a session three microseconds after its start, and joins sessions without asking again.
struct Early;

impl Trigger<i64> for Early {
    type State = u64;

    fn start(&self) -> u64 {
        0
    }

    fn on_record(&self, _: &mut u64, _: EventTime, _: &i64, watch: &mut Watch<'_>) -> Decision {
        if watch.span().last() > micros(20) {
            return Decision::Fire;
        }
        watch.wake_at(watch.span().start().saturating_add(lasting(3)));
        Decision::Continue
    }

    fn on_moment(&self, _: &mut u64, _: EventTime, _: &mut Watch<'_>) -> Decision {
        Decision::Purge
    }

    fn merges(&self) -> bool {
        true
    }

    fn on_merge(&self, merged: &mut u64, others: Vec<u64>, _: &mut Watch<'_>) {
        *merged += 1 + others.len() as u64;
        assert!(*merged < 3, "a record inside a session merges nothing");
    }
}

#[test]
fn moments_that_were_asked_for_before_a_merge_do_not_come() {
    let make = || {
        General::new(Session::gap(lasting(10)), Early, lasting(9), records()).expect("it merges")
    };
    let script = [
        Record(0, 0, 1),
        Record(20, 0, 3),
        Record(10, 0, 2),
        Watermark(24),
        Record(15, 0, 4),
        Watermark(38),
    ];
    let (outcome, left) = run(make, &script);
    let all = vec![(0, 1), (10, 2), (15, 4), (20, 3)];
    let part = vec![(0, 1), (10, 2), (20, 3)];
    let fired = vec![(1, 0, 20, 29, vec![(20, 3)]), (2, 0, 0, 29, part), (4, 0, 0, 29, all)];
    assert_eq!((outcome.panes, left), (fired, 0));
}

/// The past, the first moment and the future of 1970.
struct Parts;

impl Assign<i64> for Parts {
    type Trigger = EveryRecords;

    fn windows_of(&self, at: EventTime, _: &i64, windows: &mut Vec<Span>) {
        let first = micros(0);
        windows.push(match at.cmp(&first) {
            Ordering::Less => Span::between(EventTime::MIN, micros(-1)),
            Ordering::Equal => Span::between(first, first),
            Ordering::Greater => Span::between(micros(1), EventTime::MAX),
        });
    }

    fn trigger(&self) -> EveryRecords {
        EveryRecords::new(4)
    }

    fn merging(&self) -> bool {
        true
    }
}

#[test]
fn windows_of_ones_own_merge_into_all_of_time() {
    let make = || General::new(Parts, Parts.trigger(), lasting(0), records()).expect("it merges");
    let script = [Record(-9, 0, 1), Record(8, 0, 2), Record(5, 0, 3), Record(0, 0, 4)];
    let all = vec![(-9, 1), (0, 4), (5, 3), (8, 2)];
    assert_eq!(run(make, &script).0.panes, [(3, 0, -9, 8, all)]);
}

#[test]
fn a_trigger_that_cannot_merge_is_refused() {
    let trigger = Delta::new(1.0, |a: &i64, b: &i64| (a - b) as f64);
    let refused = General::new(Session::gap(lasting(10)), trigger, lasting(0), records())
        .expect_err("it is refused");
    assert_eq!(refused.to_string(), "trigger does not serve windows that merge");
    let built: Result<General<u8, i64, _, _, _>, _> =
        General::new(Session::gap(lasting(1)), AtWatermark.purging(), lasting(0), records());
    assert!(built.is_ok());
}
