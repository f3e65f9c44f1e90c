//! The rule of temporal joins.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::history::{History, Past};
use crate::collection::Diff;
use crate::event::Event;
use crate::join::agenda::Agenda;
use crate::join::reached;
use crate::join::rows::Rows;
use crate::key::hash;
use crate::keyed::{Key, OfTwo, Value};
use crate::rule::{Advance, Either, Outbox, Rule, Snapshot};
use crate::state::journal::{Entries, Journal};
use crate::time::EventTime;

/// Records and versions that are freed after which an advance pauses even if nothing was emitted.
const FREED: usize = 64 * 1024;

/// Joins each record with the version of its key that is valid at its time.
///
/// Rows leave as `O`, made of a row, its key and by how much more often it is there.
pub struct Temporal<K, L, V, J: Rows<L, V>, O> {
    keys: HashMap<K, History<L, V>, FixedState>,
    agenda: Agenda<K>,
    journal: Journal<K>,
    /// Tells records of one moment apart.
    arrivals: u64,
    watermark: EventTime,
    /// How far the watermark has to pass a record before its row is final.
    lateness: Duration,
    give: fn((K, J::Row), Diff) -> O,
    rows: PhantomData<(J, V)>,
}

/// A key with its records and versions, each with its time: one entry of saved state. A key without
/// any is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedHistory<K, L, V> {
    key: K,
    past: Past<L, V>,
}

impl<K, L, V, J: Rows<L, V>, O> fmt::Debug for Temporal<K, L, V, J, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Temporal").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl<K: Key, L: Value, V: Value, J: Rows<L, V>> Temporal<K, L, V, J, (K, J::Row)> {
    /// Gives each row once.
    pub fn new() -> Self {
        Self::with(Duration::ZERO, |row, _| row)
    }
}

impl<K: Key, L: Value, V: Value, J: Rows<L, V>> Default for Temporal<K, L, V, J, (K, J::Row)> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Key, L: Value, V: Value, J: Rows<L, V>> Temporal<K, L, V, J, ((K, J::Row), Diff)> {
    /// Takes rows back and gives others for versions that come up to `lateness` too late.
    pub fn correcting(lateness: Duration) -> Self {
        Self::with(lateness, |row, diff| (row, diff))
    }
}

impl<K: Key, L: Value, V: Value, J: Rows<L, V>, O: 'static> Temporal<K, L, V, J, O> {
    fn with(lateness: Duration, give: fn((K, J::Row), Diff) -> O) -> Self {
        Self {
            keys: HashMap::default(),
            agenda: Agenda::default(),
            journal: Journal::default(),
            arrivals: 0,
            watermark: EventTime::MIN,
            lateness,
            give,
            rows: PhantomData,
        }
    }

    /// How many records, and how many versions, are held.
    pub fn held(&self) -> (usize, usize) {
        let records = self.keys.values().map(|it| it.open.len() + it.given.len()).sum();
        (records, self.keys.values().map(|it| it.versions.len()).sum())
    }

    /// Whether a moment is so far behind the watermark that rows of that time are final.
    fn over(&self, at: EventTime) -> bool {
        reached(self.watermark, at.saturating_add(self.lateness))
    }

    fn record(
        &mut self,
        at: EventTime,
        key: K,
        left: L,
        out: &mut Outbox<Event<O>, OfTwo<K, L, Option<V>>>,
    ) {
        if self.over(at) {
            out.side.push(Either::Left(Event::new(at, (key, left))));
            return;
        }
        let history = match self.keys.get_mut(&key) {
            Some(known) => known,
            None => self.keys.entry(key.clone()).insert(History::default()).into_mut(),
        };
        self.journal.note(&mut history.noted, || key.clone());
        let place = (at, self.arrivals);
        self.arrivals += 1;
        if reached(self.watermark, at) {
            let row = row::<L, V, J>(&left, history.valid(at));
            out.main.extend(row.map(|row| Event::new(at, (self.give)((key.clone(), row), 1))));
            history.given.insert(place, left);
        } else {
            history.open.insert(place, left);
        }
        let next = history.next(self.lateness);
        self.agenda.wait(&mut history.queued, next, &key);
    }

    fn version(
        &mut self,
        at: EventTime,
        key: K,
        version: Option<V>,
        out: &mut Outbox<Event<O>, OfTwo<K, L, Option<V>>>,
    ) {
        let replaced = self.keys.get(&key).and_then(|it| it.replaced(at));
        if replaced.is_some_and(|later| self.over(later)) {
            out.side.push(Either::Right(Event::new(at, (key, version))));
            return;
        }
        let history = match self.keys.get_mut(&key) {
            Some(known) => known,
            None => self.keys.entry(key.clone()).insert(History::default()).into_mut(),
        };
        self.journal.note(&mut history.noted, || key.clone());
        let old = history.valid(at);
        for (time, left) in history.given_from(at) {
            let gone = row::<L, V, J>(left, old).map(|row| (row, -1));
            let come = row::<L, V, J>(left, version.as_ref()).map(|row| (row, 1));
            for (row, diff) in gone.into_iter().chain(come) {
                out.main.push(Event::new(time, (self.give)((key.clone(), row), diff)));
            }
        }
        history.versions.insert(at, version);
        let next = history.next(self.lateness);
        self.agenda.wait(&mut history.queued, next, &key);
    }

    /// Gives the rows of a key that are due, and frees what is over. Returns how much that was.
    fn wake(
        &mut self,
        moment: EventTime,
        key: K,
        out: &mut Outbox<Event<O>, OfTwo<K, L, Option<V>>>,
    ) -> usize {
        let (watermark, lateness) = (self.watermark, self.lateness);
        let over = |at: EventTime| at.saturating_add(lateness) <= watermark;
        let Some(history) = self.keys.get_mut(&key).filter(|it| it.queued == Some(moment)) else {
            return 0;
        };
        history.queued = None;
        self.journal.note(&mut history.noted, || key.clone());
        let mut done = 0;
        while !out.full()
            && done < FREED
            && let Some(first) = history.open.first_entry().filter(|it| it.key().0 <= watermark)
        {
            let (place, left) = first.remove_entry();
            let row = row::<L, V, J>(&left, history.valid(place.0));
            out.main.extend(row.map(|row| Event::new(place.0, (self.give)((key.clone(), row), 1))));
            if !over(place.0) {
                history.given.insert(place, left);
            }
            done += 1;
        }
        let more = history.open.first_key_value().is_some_and(|(place, _)| place.0 <= watermark);
        if !more {
            done += history.free(over);
        }
        if history.empty() {
            self.keys.remove(&key);
        } else {
            let next = history.next(lateness);
            self.agenda.wait(&mut history.queued, next, &key);
        }
        done
    }
}

/// The row of a record and the version that is valid at its time, if there is one.
fn row<L, V, J: Rows<L, V>>(left: &L, version: Option<&V>) -> Option<J::Row> {
    match version {
        Some(version) => Some(J::both(left, version)),
        None => J::left(left),
    }
}

impl<K, L, V, J, O> Rule<OfTwo<K, L, Option<V>>> for Temporal<K, L, V, J, O>
where
    K: Key,
    L: Value,
    V: Value,
    J: Rows<L, V>,
    O: 'static,
{
    type Output = Event<O>;
    type Side = OfTwo<K, L, Option<V>>;
    type Saved = SavedHistory<K, L, V>;

    fn accept(
        &mut self,
        record: OfTwo<K, L, Option<V>>,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) {
        match record {
            Either::Left(Event { at, value: (key, left) }) => self.record(at, key, left, out),
            Either::Right(Event { at, value: (key, it) }) => self.version(at, key, it, out),
        }
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        self.watermark = watermark;
        if watermark == EventTime::MIN {
            return Advance::Done;
        }
        let mut done = 0;
        while let Some((moment, key)) = self.agenda.pop(watermark) {
            done += self.wake(moment, key, out).max(1);
            if out.full() || done >= FREED {
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

    fn restore(&mut self, saved: Self::Saved) {
        let SavedHistory { key, past } = saved;
        self.journal.restored(|| key.clone());
        self.keys.remove(&key);
        let history = History::restored(past, &mut self.arrivals);
        if !history.empty() {
            let history = self.keys.entry(key.clone()).insert(history).into_mut();
            let next = history.next(self.lateness);
            self.agenda.wait(&mut history.queued, next, &key);
        }
    }

    fn resume(&mut self, watermark: EventTime) {
        self.watermark = watermark;
    }
}

/// The keys of a rule, to be saved.
struct Keys<'a, K, L, V>(&'a HashMap<K, History<L, V>, FixedState>);

impl<K: Key, L: Value, V: Value> Entries<K, SavedHistory<K, L, V>> for Keys<'_, K, L, V> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn all(&mut self, give: &mut dyn FnMut(u64, SavedHistory<K, L, V>)) {
        self.0.iter().for_each(|(key, history)| {
            give(hash(key), SavedHistory { key: key.clone(), past: history.saved() })
        });
    }

    fn one(&mut self, key: &K) -> (u64, SavedHistory<K, L, V>) {
        let past = self.0.get(key).map(History::saved).unwrap_or_default();
        (hash(key), SavedHistory { key: key.clone(), past })
    }
}
