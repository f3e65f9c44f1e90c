//! The rules for the most common windows against the general rule, which other tests hold against models.

use std::fmt::Debug;
use std::time::Duration;

use proptest::prelude::*;

use super::contents::Folded;
use super::running::Running;
use super::slices::Slices;
use super::tables::Tables;
use super::{Assign, Cumulative, General, Pane, Sliding, Tumbling};
use crate::aggregate::{Aggregate, Collect, Count, Sum};
use crate::event::Event;
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::state::{decode, encode};
use crate::time::EventTime;

type Record = Event<(u8, i64)>;

/// Records that come in one epoch, how far the watermark then moves, and whether to restart.
type History = Vec<(Vec<(u8, i64)>, i64, bool)>;

/// What a rule gave by the end of one epoch, in order of nothing.
type Given<R> = Vec<(Vec<<R as Rule<Record>>::Output>, Vec<Record>)>;

struct Entries<S>(Vec<S>);

impl<S> Snapshot<S> for Entries<S> {
    fn unchanged(&mut self, _: u64) -> bool {
        false
    }

    fn section(&mut self, _: u64) {}

    fn keyed(&mut self, _hash: u64, entry: S) {
        self.0.push(entry);
    }

    fn everyone(&mut self, _: S) {
        unreachable!("windows share nothing between workers");
    }
}

fn run<R>(history: &History, fresh: impl Fn() -> R) -> Given<R>
where
    R: Rule<Record, Side = Record, Output: Ord + Debug>,
{
    let (mut rule, mut watermark) = (fresh(), i64::MIN);
    let mut given = Vec::new();
    for (records, step, restart) in history {
        let mut out = Outbox::new();
        let event = |(place, &(key, at)): (usize, &(u8, i64))| {
            Event::new(EventTime::from_micros(at), (key, at * 100 + place as i64))
        };
        let mut events = Vec::from_iter(records.iter().enumerate().map(event));
        if events.len() % 2 == 0 {
            rule.accept_all(&mut events, &mut out);
        } else {
            events.into_iter().for_each(|event| rule.accept(event, &mut out));
        }
        watermark = watermark.max(-70).saturating_add(*step);
        while rule.advance(EventTime::from_micros(watermark), &mut out) == Advance::More {}
        out.main.sort();
        out.side.sort();
        given.push((out.main, out.side));
        if *restart {
            let mut entries = Entries(Vec::new());
            rule.save(&mut entries);
            rule = fresh();
            rule.resume(EventTime::from_micros(watermark));
            for entry in entries.0.iter().rev() {
                rule.restore(decode(&encode(entry)).expect("it was just encoded"));
            }
        }
    }
    given
}

fn histories() -> impl Strategy<Value = History> {
    // Many keys at once, then few of them: slices change their form.
    let few = prop::collection::vec((0u8..4, -60i64..60), 0..12);
    let many = prop::collection::vec((0u8..60, -60i64..60), 0..90);
    let records = prop_oneof![2 => few, 1 => many];
    let step = prop_oneof![3 => 0i64..12, 1 => 12i64..40, 1 => Just(0)];
    prop::collection::vec((records, step, prop::bool::weighted(0.2)), 1..20)
}

fn general<A, G>(
    history: &History,
    windows: A,
    aggregate: G,
) -> Vec<(Vec<Event<Pane<u8, G::Output>>>, Vec<Record>)>
where
    A: Assign<i64> + Clone,
    G: Aggregate<i64, Output: Ord + Debug>,
{
    run(history, || {
        let contents = Folded(aggregate.clone());
        General::new(windows.clone(), windows.trigger(), Duration::ZERO, contents)
            .expect("a good setting")
    })
}

/// An aggregate that cannot be inverted.
fn all() -> impl Aggregate<i64, Output = (u64, Vec<i64>)> {
    (Count, Collect::of(|it: &i64| *it))
}

/// An aggregate that can.
fn sums() -> impl Aggregate<i64, Output = (u64, i64)> {
    (Count, Sum::of(|it: &i64| *it))
}

/// One whose state is more than a few numbers.
#[derive(Clone)]
struct Boxed;

impl Aggregate<i64> for Boxed {
    type State = Vec<i64>;
    type Output = i64;

    fn start(&self) -> Vec<i64> {
        vec![0]
    }

    fn add(&self, state: &mut Vec<i64>, _at: EventTime, record: &i64) {
        state[0] += record;
    }

    fn merge(&self, state: &mut Vec<i64>, other: &Vec<i64>) {
        state[0] += other[0];
    }

    fn invertible(&self) -> bool {
        true
    }

    fn retract(&self, state: &mut Vec<i64>, other: &Vec<i64>) {
        state[0] -= other[0];
    }

    fn finish(&self, state: &Vec<i64>) -> i64 {
        state[0]
    }
}

const MICROS: fn(u64) -> Duration = Duration::from_micros;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn slices_do_what_the_general_rule_does_for_sliding_windows(
        history in histories(), slide in 1u64..12, more in 0u64..20, offset in 0u64..9,
    ) {
        let windows = Sliding::new(MICROS(slide + more), MICROS(slide)).offset(MICROS(offset));
        let ours = run(&history, || Slices::sliding(windows, all()).expect("no gaps"));
        prop_assert_eq!(ours, general(&history, windows, all()));
    }

    #[test]
    fn running_totals_do_what_the_general_rule_does_for_sliding_windows(
        history in histories(), slide in 1u64..12, more in 0u64..20, offset in 0u64..9,
    ) {
        let windows = Sliding::new(MICROS(slide + more), MICROS(slide)).offset(MICROS(offset));
        let ours = run(&history, || Running::sliding(windows, sums()).expect("no gaps"));
        prop_assert_eq!(ours, general(&history, windows, sums()));
        let ours = run(&history, || Running::sliding(windows, Boxed).expect("no gaps"));
        prop_assert_eq!(ours, general(&history, windows, Boxed));
    }

    #[test]
    fn slices_do_what_the_general_rule_does_for_cumulative_windows(
        history in histories(), step in 1u64..12, steps in 1u64..8, offset in 0u64..9,
    ) {
        let windows = Cumulative::new(MICROS(step * steps), MICROS(step)).offset(MICROS(offset));
        let ours = run(&history, || Slices::cumulative(windows, all()));
        prop_assert_eq!(ours, general(&history, windows, all()));
    }

    #[test]
    fn running_totals_do_what_the_general_rule_does_for_cumulative_windows(
        history in histories(), step in 1u64..12, steps in 1u64..8, offset in 0u64..9,
    ) {
        let windows = Cumulative::new(MICROS(step * steps), MICROS(step)).offset(MICROS(offset));
        let ours = run(&history, || Running::cumulative(windows, sums()));
        prop_assert_eq!(ours, general(&history, windows, sums()));
        let ours = run(&history, || Running::cumulative(windows, Boxed));
        prop_assert_eq!(ours, general(&history, windows, Boxed));
    }

    #[test]
    fn tables_do_what_the_general_rule_does_for_tumbling_windows(
        history in histories(), size in 1u64..30, offset in 0u64..9,
    ) {
        let windows = Tumbling::new(MICROS(size)).offset(MICROS(offset));
        let ours = run(&history, || Tables::new(windows, all()));
        prop_assert_eq!(ours, general(&history, windows, all()));
    }
}
