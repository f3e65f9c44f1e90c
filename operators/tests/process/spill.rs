//! Functions whose keys do not fit in memory do the same as those whose keys do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::event::Event;
use tidemill_operators::flow::{Clock, StillClock};
use tidemill_operators::key::Groups;
use tidemill_operators::process::{
    Context, Expiry, ListState, MapState, Process, Processing, States, ValueState,
};
use tidemill_operators::rule::{Advance, Outbox, Rule};
use tidemill_operators::state::backend::{Failure, Spill, Table, Write};
use tidemill_operators::time::EventTime;

use crate::sections::Sections;
use crate::support::at;

/// Rows that the test can look into.
#[derive(Clone, Default)]
struct Rows(Rc<RefCell<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl Table for Rows {
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.0.borrow().get(key).cloned())
    }

    fn write(&mut self, rows: Vec<Write>) -> Result<(), Failure> {
        for (key, row) in rows {
            match row {
                Some(row) => _ = self.0.borrow_mut().insert(key, row),
                None => _ = self.0.borrow_mut().remove(&key),
            }
        }
        Ok(())
    }

    fn each(&mut self, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Failure> {
        self.0.borrow().iter().for_each(|(key, row)| show(key, row));
        Ok(())
    }
}

fn spill(rows: Rows, in_memory: usize) -> Spill {
    Spill { table: Box::new(rows), in_memory, groups: Groups::new(8, 1) }
}

/// Adds up numbers, remembers the last ones for a while, and clears what a timer finds.
struct Hoard {
    sum: ValueState<i64>,
    last: ListState<i64>,
    by: MapState<i64, i64>,
}

impl Hoard {
    fn new(states: &mut States) -> Self {
        let life = Expiry::after_access(Duration::from_micros(40));
        Self {
            sum: states.value("sum"),
            last: states.expiring(life).list("last"),
            by: states.map("by"),
        }
    }
}

impl Process for Hoard {
    type Key = u32;
    type Record = i64;
    type Output = (u32, i64, Vec<i64>, usize);
    type Side = Infallible;

    fn on_record(&self, number: i64, context: &mut Context<'_, u32, Self::Output>) {
        match number % 7 {
            0 => _ = context.set_event_timer(at(context.time().micros() + number)),
            1 => context.state(&self.last).push(number),
            2 => _ = context.state(&self.by).insert(number, number),
            3 => _ = context.set_processing_timer(at(number)),
            _ => *context.state(&self.sum).or_default() += number,
        }
        let sum = context.state(&self.sum).copied().unwrap_or(0);
        let last = context.state(&self.last).iter().copied().collect();
        let by = context.state(&self.by).len();
        context.emit((*context.key(), sum, last, by));
    }

    fn on_event_timer(&self, moment: EventTime, context: &mut Context<'_, u32, Self::Output>) {
        context.state(&self.sum).clear();
        context.emit((*context.key(), moment.micros(), vec![], 0));
    }

    fn on_processing_timer(&self, moment: EventTime, context: &mut Context<'_, u32, Self::Output>) {
        context.state(&self.by).clear();
        context.emit((*context.key(), -moment.micros(), vec![], 0));
    }
}

type Given = Event<(u32, i64, Vec<i64>, usize)>;

/// A rule with its clock, what it gave, and what it saved.
struct Hand {
    rule: Processing<Hoard>,
    clock: Rc<StillClock>,
    given: Vec<Given>,
    sections: Sections,
}

impl Hand {
    fn new(spill: Option<Spill>) -> Self {
        let clock = Rc::new(StillClock::default());
        let rule = Processing::new(Rc::clone(&clock) as Rc<dyn Clock>, Hoard::new).spilling(spill);
        Self { rule, clock, given: Vec::new(), sections: Sections::default() }
    }

    fn epoch(&mut self, records: &[(i64, u32, i64)], watermark: i64, restarts: bool) {
        let mut out = Outbox::new();
        for &(time, key, number) in records {
            self.rule.accept(Event::new(at(time), (key, number)), &mut out);
            self.given.append(&mut out.main);
        }
        self.clock.set(at(watermark));
        while self.rule.advance(at(watermark), &mut out) == Advance::More {
            self.given.append(&mut out.main);
        }
        self.given.append(&mut out.main);
        self.sections.save(&mut self.rule);
        if restarts {
            // Whatever was in memory or in rows, the sections alone have to do.
            let spill = Some(spill(Rows::default(), 600));
            let mut fresh = Self::new(spill.filter(|_| self.rule.keys().is_multiple_of(2)));
            fresh.rule.resume(at(watermark));
            assert_eq!(self.sections.restore(&mut fresh.rule), Ok(vec![]));
            (self.rule, self.clock) = (fresh.rule, fresh.clock);
            self.sections = Sections::default();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn rows_change_nothing(
        epochs in prop::collection::vec(
            (prop::collection::vec((-20..20i64, 0..60u32, 0..40i64), 0..80), 0..20i64, 0..5u8),
            1..12,
        ),
        in_memory in 200..6_000usize,
    ) {
        let rows = Rows::default();
        let (mut spilling, mut whole) =
            (Hand::new(Some(spill(rows, in_memory))), Hand::new(None));
        let mut now = 0;
        for (records, step, restart) in epochs {
            let records: Vec<_> =
                records.into_iter().map(|(time, key, number)| (now + time, key, number)).collect();
            now += step;
            spilling.epoch(&records, now, restart == 0);
            whole.epoch(&records, now, false);
            prop_assert_eq!(&spilling.given, &whole.given);
            spilling.given.clear();
            whole.given.clear();
        }
        // When exactly something that has expired is freed is left open; in the end it is.
        spilling.epoch(&[], now + 1_000, false);
        whole.epoch(&[], now + 1_000, false);
        prop_assert_eq!(spilling.rule.keys(), whole.rule.keys());
    }
}

#[test]
fn keys_that_are_not_used_leave_memory_and_come_back() {
    let rows = Rows::default();
    let mut hand = Hand::new(Some(spill(rows.clone(), 100_000)));
    let all: Vec<_> = (0..5_000).map(|key| (0, key, 4 + 7 * i64::from(key))).collect();
    hand.epoch(&all, 0, false);
    assert_eq!(hand.rule.keys(), 5_000);
    let in_rows = rows.0.borrow().len();
    assert!(in_rows > 4_000, "{in_rows} of 5000 keys left memory");
    hand.given.clear();
    hand.epoch(&all, 0, false);
    let doubled = all.iter().map(|&(_, key, number)| (key, 2 * number, vec![], 0));
    assert!(hand.given.iter().map(|it| it.value.clone()).eq(doubled));
    assert_eq!(hand.rule.keys(), 5_000);
}

#[test]
fn a_hot_key_stays_in_memory() {
    let rows = Rows::default();
    let mut hand = Hand::new(Some(spill(rows.clone(), 20_000)));
    for key in 1..2_000 {
        hand.epoch(&[(0, 0, 4), (0, key, 4)], 0, false);
    }
    let rows = rows.0.borrow();
    let encoded = tidemill_operators::state::encode(&0u32);
    let mut found = rows.keys().filter(|key| key[4..] == encoded);
    assert!(rows.len() > 1_500 && found.next().is_none(), "a key that is always used was put away");
}
