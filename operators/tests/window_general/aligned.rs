//! Tumbling, sliding and cumulative windows, and each sentence about lateness.

use proptest::prelude::*;
use tidemill_operators::event::Event;
use tidemill_operators::rule::{Advance, Outbox, Rule};
use tidemill_operators::time::{EventTime, Span};
use tidemill_operators::window::trigger::AtWatermark;
use tidemill_operators::window::{Assign, Cumulative, General, Pane, Sliding, Tumbling};

use crate::harness::Step::{Record, Restart, Watermark};
use crate::harness::{Outcome, Records, Step, check, lasting, micros, records, run, scripts};
use crate::model::{at_watermark, follow, outcome};

type Aligned = Event<Pane<u8, Records>>;

fn rule<A: Assign<i64>>(
    assign: A,
    lateness: u64,
) -> impl Rule<Event<(u8, i64)>, Output = Aligned, Side = Event<(u8, i64)>> {
    General::new(assign, AtWatermark, lasting(lateness), records()).expect("it may be built")
}

/// Every window of a moment, found by trying every start.
fn tried(at: i64, size: i64, slide: i64, offset: i64) -> Vec<(i64, i64)> {
    let starts = (at - size - slide)..=at;
    let starts = starts.filter(|it| (it - offset).rem_euclid(slide) == 0);
    starts.map(|it| (it, it + size - 1)).filter(|it| it.0 <= at && at <= it.1).collect()
}

/// What a script with tumbling windows of ten gives, as `(step, first moment, values)`.
fn tumbling(lateness: u64, script: &[Step]) -> (Vec<(usize, i64, Vec<i64>)>, Vec<usize>) {
    shown(&run(|| rule(Tumbling::new(lasting(10)), lateness), script).0)
}

fn shown(outcome: &Outcome<Records>) -> (Vec<(usize, i64, Vec<i64>)>, Vec<usize>) {
    let values = |records: &Records| records.iter().map(|it| it.1).collect();
    let panes = outcome.panes.iter().map(|it| (it.0, it.2, values(&it.4))).collect();
    (panes, outcome.late.clone())
}

proptest! {
    #[test]
    fn tumbling_windows_agree_with_the_model(
        script in scripts(15, 0..9), size in 1..20u64, offset in 0..25u64, lateness in 0..20u64,
    ) {
        let later = || rule(Tumbling::new(lasting(size)).offset(lasting(offset)), lateness);
        let windows = |at, offset| tried(at, size as i64, size as i64, offset);
        let model = |offset| {
            let story = follow(&script, lateness as i64, |at| windows(at, offset));
            outcome(story, at_watermark)
        };
        check(later, &script, &model(offset as i64));
        let tumbling = Tumbling::new(lasting(size));
        let earlier = || rule(tumbling.offset_earlier(lasting(offset)), lateness);
        check(earlier, &script, &model(-(offset as i64)));
    }

    #[test]
    fn sliding_windows_agree_with_the_model(
        script in scripts(15, 0..9), size in 1..20u64, slide in 1..12u64, lateness in 0..20u64,
    ) {
        let windows = |at| tried(at, size as i64, slide as i64, 0);
        let model = outcome(follow(&script, lateness as i64, windows), at_watermark);
        check(|| rule(Sliding::new(lasting(size), lasting(slide)), lateness), &script, &model);
    }

    #[test]
    fn cumulative_windows_agree_with_the_model(
        script in scripts(15, 0..9), step in 1..8u64, steps in 1..5u64, lateness in 0..20u64,
    ) {
        let size = (step * steps) as i64;
        let windows = |at| {
            let ends = (1..=steps).map(|it| (it * step) as i64);
            ends.flat_map(|it| tried(at, it, size, 0)).collect()
        };
        let model = outcome(follow(&script, lateness as i64, windows), at_watermark);
        let cumulative = Cumulative::new(lasting(step * steps), lasting(step));
        check(|| rule(cumulative, lateness), &script, &model);
    }
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(tumbling(0, &[]), (vec![], vec![]));
    assert_eq!(tumbling(0, &[Watermark(5), Restart(3), Watermark(i64::MAX)]), (vec![], vec![]));
}

#[test]
fn a_window_fires_when_the_watermark_reaches_its_last_moment() {
    let script = [Record(3, 0, 1), Watermark(8), Watermark(9), Watermark(10)];
    assert_eq!(tumbling(0, &script), (vec![(2, 0, vec![1])], vec![]));
}

#[test]
fn the_end_of_a_window_is_outside() {
    let script = [Record(9, 0, 1), Record(10, 0, 2), Watermark(9), Watermark(19)];
    assert_eq!(tumbling(0, &script), (vec![(2, 0, vec![1]), (3, 10, vec![2])], vec![]));
}

#[test]
fn windows_before_1970_start_at_the_floor() {
    let script = [Record(-1, 0, 1), Record(-10, 0, 2), Record(-11, 0, 3), Watermark(-1)];
    assert_eq!(tumbling(0, &script), (vec![(3, -20, vec![3]), (3, -10, vec![2, 1])], vec![]));
}

#[test]
fn a_record_behind_the_watermark_counts_while_its_window_is_open() {
    let script = [Watermark(8), Record(2, 0, 1), Watermark(9)];
    assert_eq!(tumbling(0, &script), (vec![(2, 0, vec![1])], vec![]));
}

#[test]
fn a_record_of_a_dropped_window_goes_to_the_side() {
    let script = [Record(2, 0, 1), Watermark(9), Record(9, 0, 2), Record(10, 0, 3)];
    assert_eq!(tumbling(0, &script), (vec![(1, 0, vec![1])], vec![2]));
}

#[test]
fn within_the_lateness_each_late_record_fires_at_once() {
    let script = [Record(2, 0, 1), Watermark(9), Record(3, 0, 2), Record(4, 0, 3), Watermark(12)];
    let fired = vec![(1, 0, vec![1]), (2, 0, vec![1, 2]), (3, 0, vec![1, 2, 3])];
    assert_eq!(tumbling(5, &script), (fired, vec![]));
}

#[test]
fn a_late_record_may_be_the_first_of_its_window() {
    let script = [Watermark(9), Record(3, 0, 2), Watermark(10), Watermark(13)];
    assert_eq!(tumbling(5, &script), (vec![(1, 0, vec![2])], vec![]));
}

#[test]
fn the_lateness_ends_when_the_watermark_reaches_it() {
    let script = [Watermark(13), Record(3, 0, 1), Watermark(14), Record(3, 0, 2)];
    assert_eq!(tumbling(5, &script), (vec![(1, 0, vec![1])], vec![3]));
}

#[test]
fn state_is_dropped_when_the_lateness_ends() {
    let sum = |script: &[Step]| run(|| rule(Tumbling::new(lasting(10)), 5), script).1;
    assert_eq!(sum(&[Record(3, 0, 1), Record(3, 1, 1), Watermark(13)]), 2);
    assert_eq!(sum(&[Record(3, 0, 1), Record(3, 1, 1), Watermark(13), Watermark(14)]), 0);
    assert_eq!(sum(&[Watermark(13), Record(3, 0, 1), Restart(2), Watermark(14)]), 0);
}

#[test]
fn a_record_may_miss_one_sliding_window_and_count_in_another() {
    let script = [Record(6, 0, 1), Watermark(9), Record(7, 0, 2), Watermark(14), Record(7, 0, 3)];
    let (outcome, _) = run(|| rule(Sliding::new(lasting(10), lasting(5)), 0), &script);
    assert_eq!(shown(&outcome), (vec![(1, 0, vec![1]), (3, 5, vec![1, 2])], vec![4]));
}

#[test]
fn a_record_between_sliding_windows_goes_to_the_side() {
    let script = [Record(2, 0, 1), Record(7, 0, 2), Watermark(9)];
    let (outcome, left) = run(|| rule(Sliding::new(lasting(5), lasting(10)), 0), &script);
    assert_eq!((shown(&outcome), left), ((vec![(2, 0, vec![1])], vec![1]), 0));
}

#[test]
fn both_ends_of_time_are_in_windows() {
    let (first, last) = (i64::MIN, i64::MAX);
    let script = [Record(first, 0, 1), Record(last, 0, 2), Watermark(0), Watermark(last)];
    let (outcome, left) = run(|| rule(Tumbling::new(lasting(1_000)), 7), &script);
    let panes = [
        (2, 0, first, -9_223_372_036_854_775_001, vec![(first, 1)]),
        (3, 0, 9_223_372_036_854_775_000, last, vec![(last, 2)]),
    ];
    assert_eq!(outcome, Outcome { panes: panes.into(), late: vec![] });
    assert_eq!(left, 0);
}

#[test]
fn panes_leave_in_the_order_of_time() {
    let mut rule = rule(Sliding::new(lasting(10), lasting(5)), 0);
    let mut out = Outbox::new();
    for at in [33, 12, 48, 7, 21] {
        rule.accept(Event::new(micros(at), (at as u8, at)), &mut out);
    }
    assert_eq!(rule.advance(EventTime::MAX, &mut out), Advance::Done);
    assert!(out.main.is_sorted_by_key(|it| it.at), "{:?}", out.main);
    assert_eq!(out.main.len(), 10);
}

#[test]
fn a_full_outbox_pauses_the_rule_and_nothing_is_lost_or_doubled() {
    let mut rule = General::new(Tumbling::new(lasting(10)), AtWatermark, lasting(0), {
        tidemill_operators::window::contents::Whole(
            |_: &u32, _: Span, it: &[Event<i64>]| [it.len()],
        )
    })
    .expect("it may be built");
    let keys = Outbox::<(), ()>::FULL as u32 * 2 + 10;
    let mut out = Outbox::new();
    (0..keys).for_each(|key| rule.accept(Event::new(micros(3), (key, 1)), &mut out));
    let mut given = Vec::new();
    for expected in [Advance::More, Advance::More, Advance::Done] {
        assert_eq!(rule.advance(micros(9), &mut out), expected);
        given.extend(out.main.drain(..).map(|it| it.value.key));
    }
    assert!(given.into_iter().eq(0..keys), "in the order in which the keys came");
}
