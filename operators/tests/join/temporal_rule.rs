//! The rule of temporal joins, called directly: late versions, ends of time, freeing, pacing, saving.

use std::time::Duration;

use tidemill_operators::event::Event;
use tidemill_operators::join::{Inner, LeftOuter, Temporal};
use tidemill_operators::rule::{Advance, Either, Outbox, Rule};
use tidemill_operators::time::EventTime;

use crate::sections::Sections;
use crate::support::at;

type Row = (u8, (u32, Option<char>));
type OfTwo = Either<Event<(u8, u32)>, Event<(u8, Option<char>)>>;

/// A rule with what it gave.
struct Hand<O: 'static> {
    rule: Temporal<u8, u32, char, LeftOuter, O>,
    out: Outbox<Event<O>, OfTwo>,
}

fn record(time: i64, number: u32) -> OfTwo {
    Either::Left(Event::new(at(time), (1, number)))
}

fn version(time: i64, version: impl Into<Option<char>>) -> OfTwo {
    Either::Right(Event::new(at(time), (1, version.into())))
}

fn plain() -> Hand<Row> {
    Hand { rule: Temporal::new(), out: Outbox::new() }
}

fn correcting(micros: u64) -> Hand<(Row, isize)> {
    Hand { rule: Temporal::correcting(Duration::from_micros(micros)), out: Outbox::new() }
}

impl<O> Hand<O> {
    /// Takes records and versions; gives what leaves by the side.
    fn accept(&mut self, records: impl IntoIterator<Item = OfTwo>) -> Vec<OfTwo> {
        records.into_iter().for_each(|it| self.rule.accept(it, &mut self.out));
        std::mem::take(&mut self.out.side)
    }

    /// Completes an epoch; gives all that came since the last one.
    fn advance(&mut self, watermark: EventTime) -> Vec<O> {
        let mut given = Vec::new();
        for _ in 0..1_000 {
            let done = self.rule.advance(watermark, &mut self.out) == Advance::Done;
            given.extend(self.out.main.drain(..).map(|it| it.value));
            if done {
                return given;
            }
        }
        panic!("the rule is never through with {watermark}");
    }
}

#[test]
fn a_version_is_valid_from_its_time_until_the_next() {
    let mut hand = plain();
    hand.accept([version(20, 'b'), version(10, 'a'), version(30, None)]);
    hand.accept([9, 10, 19, 20, 29, 30, 31].map(|time| record(time, time as u32)));
    let expected = [
        (9, None),
        (10, Some('a')),
        (19, Some('a')),
        (20, Some('b')),
        (29, Some('b')),
        (30, None),
        (31, None),
    ];
    assert_eq!(hand.advance(at(40)), expected.map(|row| (1, row)));
}

#[test]
fn of_versions_of_one_time_the_last_counts() {
    let mut hand = plain();
    hand.accept([version(10, 'a'), version(10, 'b'), record(10, 1), record(10, 1)]);
    hand.accept([version(10, 'c')]);
    assert_eq!(hand.advance(at(10)), [(1, (1, Some('c'))); 2]);
}

#[test]
fn an_inner_join_gives_no_row_where_nothing_is_valid() {
    let mut rule = Temporal::<u8, u32, char, Inner, _>::new();
    let mut out = Outbox::new();
    let records = [record(5, 1), version(6, 'a'), record(7, 2), version(8, None), record(9, 3)];
    records.into_iter().for_each(|it| rule.accept(it, &mut out));
    assert_eq!(rule.advance(at(20), &mut out), Advance::Done);
    assert_eq!(out.main, [Event::new(at(7), (1, (2, 'a')))]);
}

#[test]
fn a_late_version_counts_from_now_on_if_it_is_the_newest() {
    let mut hand = plain();
    hand.accept([version(10, 'a'), record(15, 1), record(45, 2)]);
    assert_eq!(hand.advance(at(30)), [(1, (1, Some('a')))]);
    // Older than what is valid: of no use. Newer: it counts for the record of 45.
    assert_eq!(hand.accept([version(9, 'z'), version(20, 'b')]), [version(9, 'z')]);
    assert_eq!(hand.accept([record(30, 3)]), [record(30, 3)]);
    assert_eq!(hand.advance(at(50)), [(1, (2, Some('b')))]);
    assert_eq!(hand.rule.held(), (0, 1));
}

#[test]
fn late_versions_take_rows_back_while_they_are_not_final() {
    let mut hand = correcting(20);
    hand.accept([version(10, 'a'), record(12, 1), record(25, 2), record(60, 3)]);
    assert_eq!(hand.advance(at(30)), [((1, (1, Some('a'))), 1), ((1, (2, Some('a'))), 1)]);
    assert_eq!(hand.accept([version(11, 'b'), version(24, None)]), []);
    let first = [((1, (1, Some('a'))), -1), ((1, (1, Some('b'))), 1)];
    let second = [((1, (2, Some('a'))), -1), ((1, (2, Some('b'))), 1)];
    let third = [((1, (2, Some('b'))), -1), ((1, (2, None)), 1)];
    assert_eq!(hand.advance(at(31)), [first, second, third].concat());
    // A late record has its row at once, unless it would be final.
    assert_eq!(hand.accept([record(13, 4), record(11, 5)]), [record(11, 5)]);
    assert_eq!(hand.advance(at(31)), [((1, (4, Some('b'))), 1)]);
    // Now the record of 12 is final, and that of 13 is not.
    hand.advance(at(32));
    assert_eq!(hand.accept([version(12, 'c')]), []);
    let corrected = [((1, (4, Some('b'))), -1), ((1, (4, Some('c'))), 1)];
    assert_eq!(hand.advance(at(32)), corrected);
    hand.advance(at(70));
    assert_eq!(hand.rule.held(), (1, 0));
}

#[test]
fn only_the_latest_version_before_the_watermark_is_held() {
    let mut hand = plain();
    hand.accept((0..10).map(|time| version(time, 'x')));
    hand.advance(at(5));
    assert_eq!(hand.rule.held(), (0, 5));
    hand.advance(at(500));
    assert_eq!(hand.rule.held(), (0, 1));
    hand.accept([version(600, None)]);
    hand.advance(at(599));
    assert_eq!(hand.rule.held(), (0, 2));
    hand.advance(at(600));
    assert_eq!(hand.rule.held(), (0, 0));
}

#[test]
fn both_ends_of_time_can_have_versions_and_records() {
    let (first, last) = (i64::MIN, i64::MAX);
    let mut hand = plain();
    assert_eq!(hand.advance(EventTime::MIN), []);
    let all = [record(first, 1), version(first, 'a'), version(last, 'b'), record(last, 2)];
    assert_eq!(hand.accept(all), []);
    assert_eq!(hand.advance(at(first + 1)), [(1, (1, Some('a')))]);
    assert_eq!(hand.advance(at(last - 1)), []);
    assert_eq!(hand.advance(EventTime::MAX), [(1, (2, Some('b')))]);
    let mut hand = correcting(u64::MAX);
    hand.accept([record(0, 1), version(last, 'b')]);
    assert_eq!(hand.advance(at(last - 1)).len(), 1);
    assert_eq!(hand.rule.held(), (1, 1));
    hand.advance(EventTime::MAX);
    assert_eq!(hand.rule.held(), (0, 1));
}

#[test]
fn much_to_give_is_given_in_pieces() {
    let full = Outbox::<(), ()>::FULL;
    let mut hand = plain();
    hand.accept((0..5_000).map(|it| record(1, it)));
    assert_eq!(hand.rule.advance(at(9), &mut hand.out), Advance::More);
    assert_eq!((hand.out.main.len(), hand.rule.held().0), (full, 5_000 - full));
    let rows = hand.advance(at(9));
    assert!(rows.iter().map(|it| it.1.0).eq(0..5_000));
}

#[test]
fn a_save_writes_the_keys_that_changed() {
    let mut hand = correcting(10);
    let mut sections = Sections::default();
    let of = |key: u8, time| Either::Right(Event::new(at(time), (key, Some('a'))));
    hand.accept((0..200).map(|key| of(key, 50)));
    sections.save(&mut hand.rule);
    assert_eq!(sections.written, 200);
    hand.accept([record(55, 5), record(70, 7), version(60, 'b')]);
    assert_eq!(hand.advance(at(58)), [((1, (5, Some('a'))), 1)]);
    sections.save(&mut hand.rule);
    assert_eq!((sections.written, sections.count()), (1, 2));
    let mut fresh = correcting(10);
    fresh.rule.resume(at(58));
    assert_eq!(sections.restore(&mut fresh.rule), Ok(vec![]));
    assert_eq!(fresh.rule.held(), (2, 201));
    fresh.accept([version(52, 'c')]);
    let corrected = [((1, (5, Some('a'))), -1), ((1, (5, Some('c'))), 1)];
    let given = [&corrected[..], &[((1, (7, Some('b'))), 1)]].concat();
    assert_eq!(fresh.advance(at(100)), given);
    assert_eq!(fresh.rule.held(), (0, 200));
}
