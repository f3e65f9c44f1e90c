//! What windows keep and give: aggregates, reductions, functions and evictors.

use std::fmt::Debug;

use proptest::prelude::*;
use tidemill_operators::aggregate::Aggregate;
use tidemill_operators::event::Event;
use tidemill_operators::time::{EventTime, Span};
use tidemill_operators::window::contents::{
    Contents, Evicting, Folded, FoldedThen, Reduced, Whole,
};
use tidemill_operators::window::evict::{self, Evict};
use tidemill_operators::window::trigger::{AtWatermark, EveryRecords};
use tidemill_operators::window::{General, Global, Session, Tumbling};

use crate::harness::Step::{Record, Watermark};
use crate::harness::{Outcome, Records, Step, arrivals, check, lasting, records, run, scripts};

/// The number and the sum of the values.
#[derive(Clone)]
struct CountAndSum;

impl Aggregate<i64> for CountAndSum {
    type State = (u64, i64);
    type Output = (u64, i64);

    fn start(&self) -> (u64, i64) {
        (0, 0)
    }

    fn add(&self, state: &mut (u64, i64), _: EventTime, value: &i64) {
        self.merge(state, &(1, *value));
    }

    fn merge(&self, state: &mut (u64, i64), other: &(u64, i64)) {
        *state = (state.0 + other.0, state.1 + other.1);
    }

    fn finish(&self, state: &(u64, i64)) -> (u64, i64) {
        *state
    }
}

/// Checks that sessions with `contents` give what `compute` makes of the records of each.
fn agrees<T: Ord + Debug + 'static>(
    script: &[Step],
    contents: impl Contents<u8, i64, Output = T> + Clone,
    compute: impl Fn(u8, &Records) -> T,
) {
    let session = Session::gap(lasting(6));
    let all = || General::new(session, AtWatermark, lasting(12), records()).expect("it merges");
    let Outcome { panes, late } = run(all, script).0;
    let computed =
        |it: &(usize, u8, i64, i64, Records)| (it.0, it.1, it.2, it.3, compute(it.1, &it.4));
    let mut panes: Vec<_> = panes.iter().map(computed).collect();
    panes.sort();
    let make =
        || General::new(session, AtWatermark, lasting(12), contents.clone()).expect("it merges");
    check(make, script, &Outcome { panes, late });
}

fn sum(records: &Records) -> i64 {
    records.iter().map(|it| it.1).sum()
}

proptest! {
    #[test]
    fn every_form_computes_the_same(script in scripts(20, 0..7)) {
        let both = |_: u8, it: &Records| (it.len() as u64, sum(it));
        agrees(&script, Folded(CountAndSum), both);
        agrees(&script, Reduced(|sum: &mut i64, value: &i64| *sum += value), |_, it| sum(it));
        let then = |key: &u8, span: Span, (count, sum): (u64, i64)| {
            assert!(span.last() >= span.start());
            Some((*key, count, sum))
        };
        let with_key = |key, it: &Records| (key, it.len() as u64, sum(it));
        agrees(&script, FoldedThen(CountAndSum, then), with_key);
        let whole = |_: &u8, _: Span, it: &[Event<i64>]| [it.iter().map(|it| it.value).max()];
        agrees(&script, Whole(whole), |_, it| it.iter().map(|it| it.1).max());
        agrees(&script, Evicting(evict::count(usize::MAX), Folded(CountAndSum)), both);
    }
}

/// What a window of a hundred gives that fires at every record of a list, as moments and values.
fn evicted(evict: impl Evict<i64> + Clone, list: &[(i64, i64)]) -> Vec<Records> {
    let make = || {
        let contents = Evicting(evict.clone(), arrivals());
        let tumbling = Tumbling::new(lasting(100));
        General::new(tumbling, EveryRecords::new(1), lasting(0), contents).expect("it may be built")
    };
    let script: Vec<_> = list.iter().map(|&(at, value)| Record(at, 0, value)).collect();
    run(make, &script).0.panes.into_iter().map(|it| it.4).collect()
}

#[test]
fn a_count_evictor_keeps_what_arrived_last() {
    let given = evicted(evict::count(2), &[(9, 1), (1, 2), (5, 3)]);
    assert_eq!(given, [vec![(9, 1)], vec![(9, 1), (1, 2)], vec![(1, 2), (5, 3)]]);
}

#[test]
fn a_time_evictor_keeps_what_is_less_than_its_length_older_than_the_latest() {
    let given = evicted(evict::time(lasting(5)), &[(10, 1), (14, 2), (15, 3), (11, 4)]);
    let given: Vec<Vec<_>> = given.iter().map(|it| it.iter().map(|it| it.1).collect()).collect();
    assert_eq!(given, [vec![1], vec![1, 2], vec![2, 3], vec![2, 3, 4]]);
}

#[test]
fn a_delta_evictor_keeps_what_is_near_the_last() {
    let near = evict::delta(3.0, |a: &i64, b: &i64| (a - b).abs() as f64);
    let given = evicted(near, &[(1, 10), (2, 12), (3, 13), (4, 20)]);
    let given: Vec<Vec<_>> = given.iter().map(|it| it.iter().map(|it| it.1).collect()).collect();
    assert_eq!(given, [vec![10], vec![10, 12], vec![12, 13], vec![20]]);
}

#[test]
fn an_evictor_of_ones_own_may_leave_nothing_and_then_nothing_is_given() {
    #[derive(Clone)]
    struct Even;
    impl Evict<i64> for Even {
        fn evict(&self, window: Span, records: &mut Vec<Event<i64>>) {
            assert_eq!(window.start(), EventTime::from_micros(0));
            records.retain(|it| it.value % 2 == 0);
        }
    }
    let given = evicted(Even, &[(1, 1), (2, 2), (3, 3)]);
    assert_eq!(given, [vec![(2, 2)], vec![(2, 2)]]);
}

#[test]
fn the_records_that_are_left_bound_the_pane_of_a_global_window() {
    let make = || {
        let contents = Evicting(evict::count(1), arrivals());
        General::new(Global, EveryRecords::new(2), lasting(0), contents).expect("it may be built")
    };
    let script = [Record(1, 0, 1), Record(8, 0, 2), Watermark(100)];
    assert_eq!(run(make, &script).0.panes, [(1, 0, 8, 8, vec![(8, 2)])]);
}
