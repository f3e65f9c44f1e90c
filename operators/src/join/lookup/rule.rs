//! The rule of lookup joins.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound::{Excluded, Unbounded};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::collection::{Diff, Record};
use crate::event::Event;
use crate::join::rows::Rows;
use crate::keyed::{Key, Value};
use crate::rule::{Advance, Either, Outbox, Rule, Snapshot};
use crate::time::EventTime;

/// Records without rows after which an advance pauses.
const LOOKED_UP: usize = 64 * 1024;

/// Joins the records of an epoch with what a collection holds of their keys at its end. Saves nothing: a run
/// that continues has to be given the contents again, before the records of its first epoch are looked up.
pub struct Lookup<K, L, V, J> {
    table: Table<K, V>,
    /// The records of the epoch.
    waiting: VecDeque<Event<(K, L)>>,
    /// The value up to which the first of them has its rows.
    given: Option<V>,
    rows: PhantomData<J>,
}

/// The values of each key, and how often each is there.
struct Table<K, V> {
    keys: HashMap<K, BTreeMap<V, Diff>, FixedState>,
    values: usize,
}

impl<K, L, V, J> fmt::Debug for Lookup<K, L, V, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("values", &self.table.values).finish_non_exhaustive()
    }
}

impl<K: Key, L: Value, V: Record, J: Rows<L, V>> Lookup<K, L, V, J> {
    /// An empty collection.
    pub fn new() -> Self {
        Self {
            table: Table { keys: HashMap::default(), values: 0 },
            waiting: VecDeque::new(),
            given: None,
            rows: PhantomData,
        }
    }

    /// How many values are held.
    pub fn values(&self) -> usize {
        self.table.values
    }

    /// Gives rows for the first record that waits, as far as there is room; says whether that were
    /// all.
    fn look_up(&mut self, out: &mut Outbox<Event<(K, J::Row)>, Infallible>) -> bool {
        let Some(Event { at, value: (key, left) }) = self.waiting.front() else { return true };
        let mut found = self.given.is_some();
        let row = |row| Event::new(*at, (key.clone(), row));
        if let Some(values) = self.table.keys.get(key) {
            let from = self.given.as_ref().map_or(Unbounded, Excluded);
            let there = values.range::<V, _>((from, Unbounded)).filter(|(_, times)| **times > 0);
            for (value, times) in there {
                if out.full() {
                    return false;
                }
                out.main.extend((0..*times).map(|_| row(J::both(left, value))));
                self.given = Some(value.clone());
                found = true;
            }
        }
        if !found {
            out.main.extend(J::left(left).map(row));
        }
        self.given = None;
        self.waiting.pop_front();
        true
    }
}

impl<K: Key, L: Value, V: Record, J: Rows<L, V>> Default for Lookup<K, L, V, J> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Key, V: Record> Table<K, V> {
    /// Adds a value so many times more.
    fn change(&mut self, key: K, value: V, diff: Diff) {
        let values = match self.keys.get_mut(&key) {
            Some(known) => known,
            None => self.keys.entry(key.clone()).insert(BTreeMap::new()).into_mut(),
        };
        let known = values.len();
        let times = values.entry(value.clone()).or_default();
        *times += diff;
        if *times == 0 {
            values.remove(&value);
        }
        self.values = self.values + values.len() - known;
        if values.is_empty() {
            self.keys.remove(&key);
        }
    }
}

/// A record of the stream, or a change of the collection.
type OfEither<K, L, V> = Either<Event<(K, L)>, ((K, V), Diff)>;

impl<K: Key, L: Value, V: Record, J: Rows<L, V>> Rule<OfEither<K, L, V>> for Lookup<K, L, V, J> {
    type Output = Event<(K, J::Row)>;
    type Side = Infallible;
    type Saved = ();

    fn accept(&mut self, record: OfEither<K, L, V>, _: &mut Outbox<Self::Output, Infallible>) {
        match record {
            Either::Left(event) => self.waiting.push_back(event),
            Either::Right(((key, value), diff)) => {
                self.table.change(key, value, diff);
            }
        }
    }

    fn advance(&mut self, _: EventTime, out: &mut Outbox<Self::Output, Infallible>) -> Advance {
        for _ in 0..LOOKED_UP {
            if self.waiting.is_empty() {
                return Advance::Done;
            }
            if out.full() || !self.look_up(out) {
                return Advance::More;
            }
        }
        Advance::More
    }

    fn save(&mut self, _: &mut dyn Snapshot<Self::Saved>) {}

    fn restore(&mut self, (): Self::Saved) {}

    fn resume(&mut self, _: EventTime) {}
}
