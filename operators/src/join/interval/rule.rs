//! The rule of interval joins.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::bounds::Interval;
use super::side::{Held, Place, Search, Side};
use crate::event::Event;
use crate::join::agenda::Agenda;
use crate::join::rows::Rows;
use crate::join::{MOST, reached};
use crate::key::hash;
use crate::keyed::{Key, OfTwo, Value};
use crate::rule::{Advance, Either, Outbox, Rule, Snapshot};
use crate::state::journal::{Entries, Journal, Noted};
use crate::time::EventTime;

/// Records that are freed after which an advance pauses even if nothing was emitted.
const FREED: usize = 64 * 1024;

/// Joins the records of two sides that have the same key and are near each other in time.
///
/// ```
/// use tidemill_operators::event::Event;
/// use tidemill_operators::join::{Inner, Interval, Intervals, earlier, later};
/// use tidemill_operators::rule::{Advance, Either, Outbox, Rule};
/// use tidemill_operators::time::{EventTime, seconds};
///
/// let near = Interval::of(earlier(seconds(1))..=later(seconds(2)));
/// let (mut rule, mut out) = (Intervals::<_, _, _, Inner>::new(near), Outbox::new());
/// let event = |at, value| Event::new(EventTime::from_secs(at), ('k', value));
/// rule.accept(Either::Left(event(10, 1)), &mut out);
/// rule.accept(Either::Right(event(12, 2)), &mut out);
/// rule.accept(Either::Right(event(13, 3)), &mut out);
/// assert_eq!(out.main, [Event::new(EventTime::from_secs(12), ('k', (1, 2)))]);
/// // No partner of the left record can come any more; one of the last right one still can.
/// assert_eq!(rule.advance(EventTime::from_secs(13), &mut out), Advance::Done);
/// assert_eq!(rule.records(), 1);
/// ```
pub struct Intervals<K, L, R, J> {
    /// Where the partners of a left record are.
    of_left: Interval,
    /// Where those of a right record are.
    of_right: Interval,
    keys: HashMap<K, Pair<L, R>, FixedState>,
    agenda: Agenda<K>,
    journal: Journal<K>,
    /// Records whose turn comes when the outbox has been shipped.
    waiting: VecDeque<Turn<K, L, R>>,
    /// Tells records of one moment apart.
    arrivals: u64,
    watermark: EventTime,
    rows: PhantomData<J>,
}

/// Both sides of a key.
struct Pair<L, R> {
    left: Side<L>,
    right: Side<R>,
    noted: Noted,
    /// The moment at which the key waits.
    queued: Option<EventTime>,
}

/// A record that looks for its partners.
struct Turn<K, L, R> {
    at: EventTime,
    key: K,
    value: Either<L, R>,
    from: Place,
    matched: bool,
}

/// The records of a key that wait for partners, each with its time and whether it has met any: one
/// entry of saved state. A key without records is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved<K, L, R> {
    key: K,
    left: Vec<(EventTime, L, bool)>,
    right: Vec<(EventTime, R, bool)>,
}

impl<L, R> Default for Pair<L, R> {
    fn default() -> Self {
        let (left, right) = (Side::default(), Side::default());
        Self { left, right, noted: Noted::default(), queued: None }
    }
}

impl<K, L, R, J> fmt::Debug for Intervals<K, L, R, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intervals").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl<K: Key, L: Value, R: Value, J: Rows<L, R>> Intervals<K, L, R, J> {
    /// Joins each left record with the right ones that are in `interval` around it.
    pub fn new(interval: Interval) -> Self {
        Self {
            of_left: interval,
            of_right: interval.turned(),
            keys: HashMap::default(),
            agenda: Agenda::default(),
            journal: Journal::default(),
            waiting: VecDeque::new(),
            arrivals: 0,
            watermark: EventTime::MIN,
            rows: PhantomData,
        }
    }

    /// How many records wait for partners.
    pub fn records(&self) -> usize {
        self.keys.values().map(|it| it.left.len() + it.right.len()).sum()
    }

    /// Lets a record look for its partners, and then wait for those to come. If it has too many for
    /// the outbox it goes on later.
    fn take(&mut self, turn: Turn<K, L, R>, out: &mut Outbox<Event<(K, J::Row)>, OfTwo<K, L, R>>) {
        let Turn { at, key, value, from, matched } = turn;
        let interval = match value {
            Either::Left(_) => self.of_left,
            Either::Right(_) => self.of_right,
        };
        // Beyond the ends of time there are no partners.
        let Some(within) = interval.around(at) else {
            return alone::<K, L, R, J>(at, key, &value, out);
        };
        let waits = !reached(self.watermark, within.1);
        let pair = match self.keys.get_mut(&key) {
            Some(known) => known,
            None if waits => self.keys.entry(key.clone()).insert(Pair::default()).into_mut(),
            None => return alone::<K, L, R, J>(at, key, &value, out),
        };
        self.journal.note(&mut pair.noted, || key.clone());
        let mut search = Search { within, from, matched };
        let most = MOST.saturating_sub(out.main.len()).max(1);
        let mut give =
            |other: EventTime, row| out.main.push(Event::new(at.max(other), (key.clone(), row)));
        let through = match &value {
            Either::Left(left) => {
                pair.right.search(&mut search, most, |it, right| give(it, J::both(left, right)))
            }
            Either::Right(right) => {
                pair.left.search(&mut search, most, |it, left| give(it, J::both(left, right)))
            }
        };
        let Search { from, matched, .. } = search;
        if !through {
            self.waiting.push_front(Turn { at, key, value, from, matched });
        } else if waits {
            let place = (at, self.arrivals);
            self.arrivals += 1;
            match value {
                Either::Left(left) => pair.left.insert(place, left, matched),
                Either::Right(right) => pair.right.insert(place, right, matched),
            }
            self.agenda.wait(&mut pair.queued, Some(within.1), &key);
        } else if !matched {
            alone::<K, L, R, J>(at, key, &value, out);
        }
    }

    /// Frees the records of a key that no partner can come for any more. Returns how many.
    fn wake(
        &mut self,
        moment: EventTime,
        key: K,
        most: usize,
        out: &mut Outbox<Event<(K, J::Row)>, OfTwo<K, L, R>>,
    ) -> usize {
        let Some(pair) = self.keys.get_mut(&key).filter(|it| it.queued == Some(moment)) else {
            return 0;
        };
        pair.queued = None;
        self.journal.note(&mut pair.noted, || key.clone());
        let (watermark, of_left, of_right) = (self.watermark, self.of_left, self.of_right);
        let free = |last: Option<EventTime>| last.is_none_or(|it| it <= watermark);
        let mut freed = 0;
        while freed < most && !out.full() {
            let (at, row) = if let Some((at, held)) = pair.left.pop(|at| free(of_left.last(at))) {
                (at, unmatched(&held, J::left))
            } else if let Some((at, held)) = pair.right.pop(|at| free(of_right.last(at))) {
                (at, unmatched(&held, J::right))
            } else {
                break;
            };
            freed += 1;
            out.main.extend(row.map(|row| Event::new(at, (key.clone(), row))));
        }
        match pair.next(of_left, of_right) {
            None => _ = self.keys.remove(&key),
            next => self.agenda.wait(&mut pair.queued, next, &key),
        }
        freed
    }
}

/// Gives the row of a record that no partner can come for.
fn alone<K, L, R, J: Rows<L, R>>(
    at: EventTime,
    key: K,
    value: &Either<L, R>,
    out: &mut Outbox<Event<(K, J::Row)>, OfTwo<K, L, R>>,
) {
    let row = match value {
        Either::Left(left) => J::left(left),
        Either::Right(right) => J::right(right),
    };
    out.main.extend(row.map(|row| Event::new(at, (key, row))));
}

fn unmatched<V, Row>(held: &Held<V>, row: impl FnOnce(&V) -> Option<Row>) -> Option<Row> {
    if held.matched { None } else { row(&held.value) }
}

impl<L, R> Pair<L, R> {
    /// The first moment at which a record can be freed; none if there is no record.
    fn next(&self, of_left: Interval, of_right: Interval) -> Option<EventTime> {
        let left = self.left.first().and_then(|at| of_left.last(at));
        let right = self.right.first().and_then(|at| of_right.last(at));
        left.into_iter().chain(right).min()
    }
}

impl<K: Key, L: Value, R: Value, J: Rows<L, R>> Rule<OfTwo<K, L, R>> for Intervals<K, L, R, J> {
    type Output = Event<(K, J::Row)>;
    type Side = OfTwo<K, L, R>;
    type Saved = Saved<K, L, R>;

    fn accept(&mut self, record: OfTwo<K, L, R>, out: &mut Outbox<Self::Output, Self::Side>) {
        let at = match &record {
            Either::Left(event) => event.at,
            Either::Right(event) => event.at,
        };
        if reached(self.watermark, at) {
            out.side.push(record);
            return;
        }
        let (key, value) = match record {
            Either::Left(Event { value: (key, left), .. }) => (key, Either::Left(left)),
            Either::Right(Event { value: (key, right), .. }) => (key, Either::Right(right)),
        };
        let turn = Turn { at, key, value, from: (EventTime::MIN, 0), matched: false };
        if self.waiting.is_empty() && out.main.len() < MOST {
            self.take(turn, out);
        } else {
            self.waiting.push_back(turn);
        }
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        while let Some(turn) = self.waiting.pop_front() {
            self.take(turn, out);
            if out.full() {
                return Advance::More;
            }
        }
        self.watermark = watermark;
        if watermark == EventTime::MIN {
            return Advance::Done;
        }
        let mut freed = 0;
        while let Some((moment, key)) = self.agenda.pop(watermark) {
            freed += self.wake(moment, key, FREED - freed, out).max(1);
            if out.full() || freed >= FREED {
                return Advance::More;
            }
        }
        Advance::Done
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        self.journal.save(to, &mut Keys(&self.keys));
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.journal.restoring(section);
        true
    }

    fn restore(&mut self, Saved { key, left, right }: Self::Saved) {
        self.journal.restored(|| key.clone());
        self.keys.remove(&key);
        let mut pair = Pair::default();
        for (at, value, matched) in left {
            pair.left.insert((at, self.arrivals), value, matched);
            self.arrivals += 1;
        }
        for (at, value, matched) in right {
            pair.right.insert((at, self.arrivals), value, matched);
            self.arrivals += 1;
        }
        if let Some(next) = pair.next(self.of_left, self.of_right) {
            self.agenda.wait(&mut pair.queued, Some(next), &key);
            self.keys.insert(key, pair);
        }
    }

    fn resume(&mut self, watermark: EventTime) {
        self.watermark = watermark;
    }
}

/// The keys of a rule, to be saved.
struct Keys<'a, K, L, R>(&'a HashMap<K, Pair<L, R>, FixedState>);

impl<K: Key, L: Value, R: Value> Entries<K, Saved<K, L, R>> for Keys<'_, K, L, R> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn all(&mut self, give: &mut dyn FnMut(u64, Saved<K, L, R>)) {
        for (key, pair) in self.0 {
            let (left, right) = (pair.left.saved(), pair.right.saved());
            give(hash(key), Saved { key: key.clone(), left, right });
        }
    }

    fn one(&mut self, key: &K) -> (u64, Saved<K, L, R>) {
        let pair = self.0.get(key);
        let (left, right) = pair.map(|it| (it.left.saved(), it.right.saved())).unwrap_or_default();
        (hash(key), Saved { key: key.clone(), left, right })
    }
}
