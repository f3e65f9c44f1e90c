//! The rule of a process function, called directly: order, ends of time, freeing, saving.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill_operators::event::Event;
use tidemill_operators::flow::{Clock, StillClock};
use tidemill_operators::process::{
    Context, Expiry, ListState, Process, Processing, States, ValueState,
};
use tidemill_operators::rule::{Advance, Outbox, Rule};
use tidemill_operators::time::EventTime;

use crate::sections::Sections;
use crate::support::at;

/// What a test's function does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Do {
    Set(i64),
    Delete(i64),
    SetToday(i64),
    Push(i64),
    Read,
    Clear,
}
use Do::*;

/// Sets and deletes timers, pushes onto a list that expires, and says what it was called with.
struct Puppet {
    list: ListState<i64>,
}

impl Puppet {
    fn new(states: &mut States) -> Self {
        let life = Expiry::after_write(Duration::from_micros(80));
        Self { list: states.expiring(life).list("list") }
    }
}

impl Process for Puppet {
    type Key = u8;
    type Record = Do;
    type Output = (u8, i64);
    type Side = bool;

    fn on_record(&self, what: Do, context: &mut Context<'_, u8, (u8, i64), bool>) {
        let done = match what {
            Set(moment) => context.set_event_timer(at(moment)),
            Delete(moment) => context.delete_event_timer(at(moment)),
            SetToday(moment) => context.set_processing_timer(at(moment)),
            Push(number) => {
                context.state(&self.list).push(number);
                true
            }
            Read => {
                let sum = context.state(&self.list).iter().sum();
                context.emit((*context.key(), sum));
                context.late()
            }
            Clear => {
                context.state(&self.list).clear();
                true
            }
        };
        context.side(done);
    }

    fn on_event_timer(&self, moment: EventTime, context: &mut Context<'_, u8, (u8, i64), bool>) {
        assert_eq!(context.time(), moment);
        context.emit((*context.key(), moment.micros()));
    }

    fn on_processing_timer(
        &self,
        moment: EventTime,
        context: &mut Context<'_, u8, (u8, i64), bool>,
    ) {
        context.emit((*context.key(), -moment.micros()));
    }
}

/// The rule of a function with its clock and what it gave.
struct Hand {
    rule: Processing<Puppet>,
    clock: Rc<StillClock>,
    out: Outbox<Event<(u8, i64)>, bool>,
}

impl Hand {
    fn new() -> Self {
        let clock = Rc::new(StillClock::default());
        let rule = Processing::new(Rc::clone(&clock) as Rc<dyn Clock>, Puppet::new);
        Self { rule, clock, out: Outbox::new() }
    }

    /// Gives records of one moment; says what the function did.
    fn accept(&mut self, time: i64, records: &[(u8, Do)]) -> Vec<bool> {
        for &record in records {
            self.rule.accept(Event::new(at(time), record), &mut self.out);
        }
        std::mem::take(&mut self.out.side)
    }

    /// Completes an epoch; gives what came out since the last one, in order.
    fn advance(&mut self, watermark: EventTime) -> Vec<(u8, i64)> {
        let mut given = std::mem::take(&mut self.out.main);
        while self.rule.advance(watermark, &mut self.out) == Advance::More {
            given.append(&mut self.out.main);
        }
        given.append(&mut self.out.main);
        for Event { at, value: (_, moment) } in
            given.iter().filter(|it| (-100..0).contains(&it.value.1))
        {
            assert!(*at > watermark || watermark == EventTime::MAX, "{at} for {moment}");
        }
        given.into_iter().map(|it| it.value).collect()
    }

    fn restored(&self, sections: &Sections, watermark: i64) -> Self {
        let mut fresh = Self::new();
        fresh.rule.resume(at(watermark));
        assert_eq!(sections.restore(&mut fresh.rule), Ok(vec![]));
        fresh
    }
}

#[test]
fn timers_fire_in_order_of_time_and_then_of_key() {
    let mut hand = Hand::new();
    hand.accept(0, &[(3, Set(20)), (1, Set(30)), (2, Set(20)), (1, Set(20)), (3, Set(10))]);
    hand.accept(0, &[(2, Set(31)), (9, Set(30))]);
    assert_eq!(hand.advance(at(9)), []);
    let given = hand.advance(at(30));
    assert_eq!(given, [(3, 10), (1, 20), (2, 20), (3, 20), (1, 30), (9, 30)]);
    assert_eq!(hand.advance(at(31)), [(2, 31)]);
}

#[test]
fn a_key_has_one_timer_for_a_moment() {
    let mut hand = Hand::new();
    assert_eq!(hand.accept(0, &[(1, Set(5)), (1, Set(5)), (1, Set(6))]), [true, false, true]);
    assert_eq!(
        hand.accept(0, &[(1, Delete(6)), (1, Delete(6)), (2, Delete(5))]),
        [true, false, false]
    );
    assert_eq!(hand.advance(at(50)), [(1, 5)]);
    assert_eq!(hand.rule.keys(), 0);
}

#[test]
fn a_timer_in_the_past_fires_with_the_epoch_at_hand() {
    let mut hand = Hand::new();
    hand.advance(at(100));
    hand.accept(150, &[(1, Set(40)), (1, Set(100)), (2, Set(39)), (2, Set(101))]);
    assert_eq!(hand.advance(at(100)), [(2, 39), (1, 40), (1, 100)]);
    assert_eq!(hand.advance(at(101)), [(2, 101)]);
}

#[test]
fn a_timer_that_is_put_off_fires_where_it_was_put() {
    let mut hand = Hand::new();
    for end in 10..200 {
        hand.accept(end, &[(1, Delete(end - 1)), (1, Set(end))]);
    }
    assert_eq!(hand.advance(at(150)), []);
    hand.accept(150, &[(1, Set(160)), (1, Delete(199))]);
    assert_eq!(hand.advance(at(300)), [(1, 160)]);
    hand.accept(150, &[(1, Set(400)), (1, Set(350)), (1, Delete(350)), (2, Set(351))]);
    assert_eq!(hand.advance(at(500)), [(2, 351), (1, 400)]);
    assert_eq!(hand.rule.keys(), 0);
}

#[test]
fn both_ends_of_time_can_have_timers() {
    let mut hand = Hand::new();
    hand.accept(0, &[(1, Set(i64::MAX)), (2, Set(i64::MIN)), (3, Set(i64::MAX - 1))]);
    hand.accept(i64::MAX, &[(4, Push(1)), (4, Read)]);
    hand.accept(i64::MIN, &[(5, Push(1)), (5, Read)]);
    assert_eq!(hand.advance(EventTime::MIN), [(4, 1), (5, 1), (2, i64::MIN)]);
    assert_eq!(hand.advance(at(i64::MAX - 1)), [(3, i64::MAX - 1)]);
    assert_eq!(hand.advance(EventTime::MAX), [(1, i64::MAX)]);
    // What would live beyond the end of time does so.
    hand.accept(i64::MAX, &[(4, Read), (5, Read)]);
    assert_eq!((hand.advance(EventTime::MAX), hand.rule.keys()), (vec![(4, 1), (5, 0)], 1));
}

#[test]
fn late_records_are_seen_and_told() {
    let mut hand = Hand::new();
    hand.accept(20, &[(1, Push(7))]);
    hand.advance(at(20));
    assert_eq!(hand.accept(20, &[(1, Read)]), [true]);
    assert_eq!(hand.accept(21, &[(1, Read)]), [false]);
    assert_eq!(hand.accept(-900, &[(1, Read)]), [true]);
}

#[test]
fn what_has_expired_is_not_seen_and_is_freed_in_time() {
    let mut hand = Hand::new();
    hand.accept(0, &[(1, Push(1)), (2, Push(10))]);
    hand.accept(40, &[(1, Push(2))]);
    hand.accept(79, &[(1, Read)]);
    hand.accept(80, &[(1, Read), (2, Read)]);
    // A record of an earlier moment sees what lived then.
    hand.accept(79, &[(2, Read)]);
    hand.accept(120, &[(1, Read)]);
    assert_eq!(hand.advance(at(79)), [(1, 3), (1, 2), (2, 0), (2, 10), (1, 0)]);
    assert_eq!(hand.rule.keys(), 2);
    // An eighth of a life later the memory is free.
    hand.advance(at(90));
    assert_eq!(hand.rule.keys(), 1);
    hand.accept(0, &[(1, Read)]);
    assert_eq!(hand.advance(at(119)), [(1, 2)]);
    hand.accept(0, &[(1, Read)]);
    assert_eq!(hand.advance(at(119)), [(1, 2)]);
    hand.advance(at(130));
    assert_eq!(hand.rule.keys(), 0);
}

#[test]
fn keys_that_hold_nothing_are_free() {
    let mut hand = Hand::new();
    hand.accept(0, &[(1, Read), (2, Push(1)), (3, Set(5)), (4, SetToday(5))]);
    assert_eq!(hand.rule.keys(), 3);
    hand.accept(0, &[(2, Clear), (3, Delete(5))]);
    assert_eq!(hand.rule.keys(), 1);
    assert!(hand.rule.waits());
    hand.clock.set(at(5));
    assert_eq!(hand.advance(at(0)), [(1, 0), (4, -5)]);
    assert_eq!((hand.rule.keys(), hand.rule.waits()), (0, false));
}

#[test]
fn processing_timers_fire_after_event_timers_in_the_order_of_the_clock() {
    let mut hand = Hand::new();
    hand.accept(0, &[(2, SetToday(7)), (1, SetToday(7)), (1, SetToday(6)), (3, SetToday(8))]);
    hand.accept(0, &[(5, Set(3))]);
    hand.clock.set(at(7));
    assert_eq!(hand.advance(at(3)), [(5, 3), (1, -6), (1, -7), (2, -7)]);
    hand.clock.set(at(8));
    assert_eq!(hand.advance(at(3)), [(3, -8)]);
}

#[test]
fn much_to_fire_is_fired_in_pieces() {
    let mut hand = Hand::new();
    for key in 0..4 {
        let timers: Vec<_> = (0..1_000).map(|it| (key, Set(it))).collect();
        hand.accept(0, &timers);
    }
    assert_eq!(hand.rule.advance(at(5_000), &mut hand.out), Advance::More);
    assert_eq!(hand.out.main.len(), Outbox::<(), ()>::FULL);
    let given = hand.advance(at(5_000));
    let all = (0..1_000).flat_map(|it| (0..4).map(move |key| (key, it)));
    assert!(given.into_iter().eq(all));
}

#[test]
fn everything_goes_on_where_it_was_saved() {
    let mut hand = Hand::new();
    let mut sections = Sections::default();
    hand.accept(0, &[(1, Push(1)), (1, Set(30)), (2, Set(10)), (3, SetToday(4)), (4, Push(4))]);
    hand.advance(at(0));
    sections.save(&mut hand.rule);
    assert_eq!(sections.written, 4);
    hand.accept(20, &[(1, Push(2)), (4, Clear), (5, Push(8))]);
    assert_eq!(hand.advance(at(20)), [(2, 10)]);
    let mut fresh = hand.restored(&sections, 0);
    assert_eq!(fresh.rule.keys(), 4);
    sections.save(&mut hand.rule);
    let mut later = hand.restored(&sections, 20);
    assert_eq!(later.rule.keys(), 3);
    fresh.clock.set(at(4));
    assert_eq!(fresh.advance(at(30)), [(2, 10), (1, 30), (3, -4)]);
    later.accept(25, &[(1, Read), (4, Read), (5, Read)]);
    assert_eq!(later.advance(at(30)), [(1, 3), (4, 0), (5, 8), (1, 30)]);
    // What expires goes on doing so: the list of key 1 by 100, that of key 5 by then, too.
    later.advance(at(110));
    assert_eq!(later.rule.keys(), 1);
}

#[test]
fn a_save_writes_the_keys_that_changed() {
    let mut hand = Hand::new();
    let mut sections = Sections::default();
    (0..200).for_each(|key| _ = hand.accept(0, &[(key, Push(1))]));
    sections.save(&mut hand.rule);
    assert_eq!(sections.written, 200);
    hand.accept(1, &[(7, Push(2)), (7, Push(3)), (8, Clear), (9, Read), (201, Read)]);
    sections.save(&mut hand.rule);
    assert_eq!((sections.written, sections.count()), (2, 2));
    let mut fresh = hand.restored(&sections, 0);
    fresh.accept(2, &[(7, Read), (8, Read), (9, Read)]);
    assert_eq!(fresh.advance(at(0)), [(7, 6), (8, 0), (9, 1)]);
}

/// A function with a state of one's choice.
struct With<T>(#[allow(dead_code)] ValueState<T>);

impl<T: tidemill_operators::process::Stored + Default> Process for With<T> {
    type Key = u8;
    type Record = T;
    type Output = u8;
    type Side = Infallible;

    fn on_record(&self, value: T, context: &mut Context<'_, u8, u8>) {
        context.state(&self.0).set(value);
    }
}

fn with<T: tidemill_operators::process::Stored + Default>(name: &str) -> Processing<With<T>> {
    let clock = Rc::new(StillClock::default());
    Processing::new(clock, |states: &mut States| With(states.value(name)))
}

/// What a function with such a state has saved.
fn saved<T: tidemill_operators::process::Stored + Default>(name: &str, value: T) -> Sections {
    let (mut rule, mut sections) = (with::<T>(name), Sections::default());
    rule.accept(Event::new(at(0), (1, value)), &mut Outbox::new());
    sections.save(&mut rule);
    sections
}

#[test]
fn a_state_that_is_not_declared_any_more_is_named() {
    let (mut rule, mut sections) = (with::<u32>("new"), saved("old", 5u32));
    assert_eq!(sections.restore(&mut rule), Ok(vec!["old".to_owned()]));
    assert_eq!(rule.keys(), 0);
    // With the next save it is gone.
    sections.save(&mut rule);
    assert_eq!(sections.restore(&mut with::<u32>("new")), Ok(vec![]));
}

#[test]
fn what_has_expired_where_it_is_restored_is_gone() {
    let brief = |states: &mut States| {
        let life = Expiry::after_write(Duration::from_micros(10));
        With(states.expiring(life).value::<u32>("count"))
    };
    let mut sections = saved("count", 5u32);
    let mut rule = Processing::new(Rc::new(StillClock::default()), brief);
    rule.resume(at(100));
    assert_eq!((sections.restore(&mut rule), rule.keys()), (Ok(vec![]), 0));
    sections.save(&mut rule);
    // A later program lets it live for ever.
    let mut rule = with::<u32>("count");
    assert_eq!((sections.restore(&mut rule), rule.keys()), (Ok(vec![]), 0));
}

#[test]
fn a_state_of_another_type_is_refused_by_name() {
    let error = saved("count", 5u32).restore(&mut with::<String>("count"));
    let error = error.expect_err("a number is no text");
    assert!(error.contains("`count`"), "{error}");
}

#[derive(Default, Serialize, Deserialize)]
struct Before {
    name: String,
    unused: u8,
}

#[derive(Default, Serialize, Deserialize)]
struct After {
    #[serde(default)]
    age: u32,
    name: String,
}

#[test]
fn a_struct_in_a_state_may_gain_and_lose_fields() {
    let before = Before { name: "ann".into(), unused: 1 };
    let mut rule = with::<After>("user");
    assert_eq!(saved("user", before).restore(&mut rule), Ok(vec![]));
    assert_eq!(rule.keys(), 1);
}

#[test]
#[should_panic(expected = "two states of a function are named `a`")]
fn names_are_given_once() {
    let mut states = States::new();
    let _: (ValueState<u8>, ListState<u8>) = (states.value("a"), states.list("a"));
}
