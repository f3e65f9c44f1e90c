//! The rule of interval joins, called directly: bounds, ends of time, freeing, pacing, saving.

use std::time::Duration;

use tidemill_operators::event::Event;
use tidemill_operators::join::{FullOuter, Inner, Interval, Intervals, Rows, earlier, later};
use tidemill_operators::rule::{Advance, Either, Outbox, Rule};
use tidemill_operators::time::EventTime;

use crate::sections::Sections;
use crate::support::at;

type OfTwo = Either<Event<(u8, u32)>, Event<(u8, u32)>>;

/// A rule with what it gave.
struct Hand<J: Rows<u32, u32>> {
    rule: Intervals<u8, u32, u32, J>,
    out: Outbox<Event<(u8, J::Row)>, OfTwo>,
}

fn left(time: i64, number: u32) -> OfTwo {
    Either::Left(Event::new(at(time), (1, number)))
}

fn right(time: i64, number: u32) -> OfTwo {
    Either::Right(Event::new(at(time), (1, number)))
}

fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// From two before to three after.
fn near() -> Interval {
    Interval::of(earlier(micros(2))..=later(micros(3)))
}

impl<J: Rows<u32, u32>> Hand<J> {
    fn new(interval: Interval) -> Self {
        Self { rule: Intervals::new(interval), out: Outbox::new() }
    }

    /// Takes records; gives the rows that came at once, with their times.
    fn accept(&mut self, records: impl IntoIterator<Item = OfTwo>) -> Vec<(i64, J::Row)> {
        records.into_iter().for_each(|it| self.rule.accept(it, &mut self.out));
        self.rows()
    }

    /// Completes an epoch; gives the rows that came with that.
    fn advance(&mut self, watermark: EventTime) -> Vec<(i64, J::Row)> {
        let mut rows = Vec::new();
        for _ in 0..1_000 {
            let done = self.rule.advance(watermark, &mut self.out) == Advance::Done;
            rows.append(&mut self.rows());
            if done {
                return rows;
            }
        }
        panic!("the rule is never through with {watermark}");
    }

    fn rows(&mut self) -> Vec<(i64, J::Row)> {
        self.out.main.drain(..).map(|it| (it.at.micros(), it.value.1)).collect()
    }

    fn restored(&self, sections: &Sections, watermark: EventTime) -> Self {
        let mut fresh = Self::new(near());
        fresh.rule.resume(watermark);
        assert_eq!(sections.restore(&mut fresh.rule), Ok(vec![]));
        fresh
    }
}

#[test]
fn bounds_that_are_inside_match_and_bounds_outside_do_not() {
    let mut hand = Hand::<Inner>::new(near());
    hand.accept([left(10, 0)]);
    let rows = hand.accept((7..=14).map(|time| right(time, time as u32)));
    assert_eq!(
        rows,
        [(10, (0, 8)), (10, (0, 9)), (10, (0, 10)), (11, (0, 11)), (12, (0, 12)), (13, (0, 13))]
    );
    use std::ops::Bound::Excluded;
    let inner = Interval::of((Excluded(earlier(micros(2))), Excluded(later(micros(3)))));
    let mut hand = Hand::<Inner>::new(inner);
    hand.accept((7..=14).map(|time| right(time, time as u32)));
    let rows = hand.accept([left(10, 0)]);
    assert_eq!(rows, [(10, (0, 9)), (10, (0, 10)), (11, (0, 11)), (12, (0, 12))]);
}

#[test]
fn equal_times_and_duplicates_are_pairs_of_their_own() {
    let mut hand = Hand::<FullOuter>::new(near());
    let rows = hand.accept([left(5, 1), left(5, 1), right(5, 2), right(5, 2)]);
    assert_eq!(rows, vec![(5, (Some(1), Some(2))); 4]);
    assert_eq!(hand.advance(EventTime::MAX), []);
    assert_eq!(hand.rule.records(), 0);
}

#[test]
fn keys_do_not_meet() {
    let mut hand = Hand::<Inner>::new(near());
    let other = Either::Right(Event::new(at(5), (2, 9)));
    assert_eq!(hand.accept([left(5, 1), other]), []);
}

#[test]
fn a_record_is_held_until_no_partner_can_come() {
    let mut hand = Hand::<FullOuter>::new(near());
    hand.accept([left(10, 1), right(20, 2)]);
    assert_eq!(hand.advance(at(12)), []);
    assert_eq!(hand.advance(at(13)), [(10, (Some(1), None))]);
    assert_eq!((hand.rule.records(), hand.advance(at(21))), (1, vec![]));
    // A left record may be two later than a right one.
    assert_eq!(hand.accept([left(22, 3)]), [(22, (Some(3), Some(2)))]);
    assert_eq!((hand.advance(at(22)), hand.rule.records()), (vec![], 1));
    assert_eq!((hand.advance(at(25)), hand.rule.records()), (vec![], 0));
}

#[test]
fn a_record_at_or_before_the_watermark_is_late() {
    let mut hand = Hand::<FullOuter>::new(near());
    hand.accept([left(12, 1)]);
    hand.advance(at(11));
    assert_eq!(hand.accept([right(11, 2), left(-5, 3)]), []);
    assert_eq!(std::mem::take(&mut hand.out.side), [right(11, 2), left(-5, 3)]);
    assert_eq!(hand.accept([right(12, 4)]), [(12, (Some(1), Some(4)))]);
    assert_eq!((hand.advance(EventTime::MAX), hand.out.side.len()), (vec![], 0));
}

#[test]
fn a_record_whose_partners_are_all_in_the_past_is_not_held() {
    let past = Interval::of(earlier(micros(9))..=earlier(micros(5)));
    let mut hand = Hand::<FullOuter>::new(past);
    hand.accept([right(10, 1)]);
    hand.advance(at(12));
    // Between 4 and 8 nothing can come any more; between 9 and 13 there is something.
    assert_eq!(hand.accept([left(13, 2)]), [(13, (Some(2), None))]);
    assert_eq!(hand.accept([left(17, 3)]), [(17, (Some(3), Some(1)))]);
    assert_eq!(hand.rule.records(), 1);
}

#[test]
fn both_ends_of_time_can_have_records() {
    let (first, last) = (i64::MIN, i64::MAX);
    let mut hand = Hand::<FullOuter>::new(near());
    let rows = hand.accept([left(first, 1), right(first + 3, 2), left(last, 3), right(last, 4)]);
    assert_eq!(rows, [(first + 3, (Some(1), Some(2))), (last, (Some(3), Some(4)))]);
    // The first moment of time as the watermark says nothing.
    assert_eq!(hand.advance(EventTime::MIN), []);
    assert_eq!(hand.accept([right(first, 5)]), [(first, (Some(1), Some(5)))]);
    assert_eq!((hand.advance(at(last - 1)), hand.rule.records()), (vec![], 2));
    assert_eq!((hand.advance(EventTime::MAX), hand.rule.records()), (vec![], 0));
    let after = Interval::of(later(micros(5))..=later(micros(9)));
    let mut hand = Hand::<FullOuter>::new(after);
    assert_eq!(hand.accept([left(last - 4, 1)]), [(last - 4, (Some(1), None))]);
    assert_eq!(hand.accept([right(first + 4, 2)]), [(first + 4, (None, Some(2)))]);
    assert_eq!((hand.accept([left(last - 5, 3)]), hand.rule.records()), (vec![], 1));
}

#[test]
fn much_to_give_is_given_in_pieces() {
    let full = Outbox::<(), ()>::FULL;
    let mut hand = Hand::<Inner>::new(near());
    (0..40_000).for_each(|it| hand.rule.accept(left(1, it), &mut hand.out));
    (0..3).for_each(|it| hand.rule.accept(right(1, it), &mut hand.out));
    let at_once = hand.out.main.len();
    assert!((1..=16 * full).contains(&at_once), "{at_once} rows at once");
    hand.out.main.clear();
    let (mut rest, mut calls) = (0, 0);
    while hand.rule.advance(at(100), &mut hand.out) == Advance::More {
        assert!(hand.out.main.len() <= 17 * full, "{} rows in a call", hand.out.main.len());
        rest += std::mem::take(&mut hand.out.main).len();
        assert!(rest < 200_000, "it gives more rows than there are");
        calls += 1;
    }
    assert_eq!(at_once + rest + hand.out.main.len(), 120_000);
    assert!(calls > 4, "{calls} calls");
    assert_eq!(hand.rule.records(), 0);
}

#[test]
fn much_to_free_is_freed_in_pieces() {
    let full = Outbox::<(), ()>::FULL;
    let mut hand = Hand::<FullOuter>::new(near());
    hand.accept((0..5_000).map(|it| left(1, it)));
    assert_eq!(hand.rule.advance(at(9), &mut hand.out), Advance::More);
    assert_eq!((hand.out.main.len(), hand.rule.records()), (full, 5_000 - full));
    assert_eq!(hand.advance(at(9)).len(), 5_000);
    let mut hand = Hand::<Inner>::new(near());
    hand.accept((0..200_000).map(|it| left(1, it)));
    assert_eq!(hand.rule.advance(at(9), &mut hand.out), Advance::More);
    assert!(hand.rule.records() > 100_000);
    assert_eq!((hand.advance(at(9)), hand.rule.records()), (vec![], 0));
}

#[test]
fn a_save_writes_the_keys_that_changed() {
    let mut hand = Hand::<FullOuter>::new(near());
    let mut sections = Sections::default();
    let of = |key: u8, time| Either::Left(Event::new(at(time), (key, u32::from(key))));
    hand.accept((0..200).map(|key| of(key, 50)));
    sections.save(&mut hand.rule);
    assert_eq!(sections.written, 200);
    // One more record of key 7, one that only meets, and one key that is freed.
    hand.accept([of(7, 51), of(201, 10)]);
    hand.advance(at(20));
    sections.save(&mut hand.rule);
    assert_eq!((sections.written, sections.count()), (2, 2));
    let mut fresh = hand.restored(&sections, at(20));
    assert_eq!(fresh.rule.records(), 201);
    let met = Either::Right(Event::new(at(50), (7, 70)));
    let rows = fresh.accept([met]);
    assert_eq!(rows, [(50, (Some(7), Some(70))), (51, (Some(7), Some(70)))]);
    // That it has met a partner is saved, too.
    let mut sections = Sections::default();
    sections.save(&mut fresh.rule);
    let mut again = hand.restored(&sections, at(20));
    let alone = again.advance(EventTime::MAX);
    assert_eq!(alone.len(), 199);
    assert!(alone.iter().all(|(_, row)| row.0 != Some(7)));
}
