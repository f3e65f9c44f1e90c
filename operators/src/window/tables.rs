//! Tumbling windows of an aggregate, one table each: the rule for the most common windows.
//!
//! It does what the general rule does for tumbling windows without allowed lateness, faster.
//!
//! # Cost
//!
//! A record costs a comparison and one lookup in the table of its window, whose place is remembered
//! from the record before. A watermark costs the keys of the windows that it completes: their
//! tables are drained, nothing else is looked at. State is one aggregate per key and open window,
//! freed when the window fires.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::IntoIter;

use super::{Pane, Tumbling};
use crate::aggregate::Aggregate;
use crate::event::Event;
use crate::key::hash;
use crate::keyed::{Key, Value};
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::time::{EventTime, Span};

type Table<K, S> = HashMap<K, S, FixedState>;

/// The open windows of one worker's keys.
pub(crate) struct Tables<K, V, A: Aggregate<V>> {
    windows: Tumbling,
    aggregate: A,
    /// The window of the last record; its table is not in `open`.
    span: Span,
    table: Table<K, A::State>,
    /// The window of the last record that was in another window than the one before it: records
    /// around the end of a window go back and forth. Its table is not in `open` either.
    other: (Span, Table<K, A::State>),
    /// The further open windows, by their last moment.
    open: BTreeMap<EventTime, (Span, Table<K, A::State>)>,
    /// The last moments of the windows whose tables did not change since they were saved.
    saved: BTreeSet<EventTime>,
    /// Whether a record has come since the last save: the tables at hand may have changed.
    touched: bool,
    firing: Option<(Span, IntoIter<K, A::State>)>,
    /// Keys in the last window that fired: room to make in the next.
    expected: usize,
    watermark: EventTime,
}

impl<K: Key, V: Value, A: Aggregate<V>> Tables<K, V, A> {
    pub(crate) fn new(windows: Tumbling, aggregate: A) -> Self {
        Self {
            span: windows.window_of(EventTime::default()),
            other: (windows.window_of(EventTime::default()), Table::default()),
            windows,
            aggregate,
            table: Table::default(),
            open: BTreeMap::new(),
            saved: BTreeSet::new(),
            touched: false,
            firing: None,
            expected: 0,
            watermark: EventTime::MIN,
        }
    }

    #[inline]
    fn fold(
        &mut self,
        record: Event<(K, V)>,
        out: &mut Outbox<Event<Pane<K, A::Output>>, Event<(K, V)>>,
    ) {
        let at = record.at;
        if !self.span.contains(at) {
            self.turn_to(at);
        }
        if self.span.last() <= self.watermark {
            out.side.push(record);
            return;
        }
        let (key, value) = record.value;
        let start = || self.aggregate.start();
        self.aggregate.add(self.table.entry(key).or_insert_with(start), at, &value);
    }

    /// Makes the window of the moment `at` the one at hand.
    fn turn_to(&mut self, at: EventTime) {
        std::mem::swap(&mut self.span, &mut self.other.0);
        std::mem::swap(&mut self.table, &mut self.other.1);
        if !self.span.contains(at) {
            self.open_at(at);
        }
    }

    /// Puts the window at hand aside, and takes that of the moment `at`.
    #[cold]
    fn open_at(&mut self, at: EventTime) {
        let span = self.windows.window_of(at);
        self.saved.remove(&span.last());
        let table = match self.open.remove(&span.last()) {
            Some((_, table)) => table,
            None => Table::with_capacity_and_hasher(self.expected, FixedState::default()),
        };
        let last = std::mem::replace(&mut self.span, span);
        let table = std::mem::replace(&mut self.table, table);
        self.saved.remove(&last.last());
        self.put_aside(last, table);
    }

    fn put_aside(&mut self, span: Span, table: Table<K, A::State>) {
        if !table.is_empty() {
            self.open.insert(span.last(), (span, table));
        }
    }

    /// Takes out the earliest window that is complete.
    fn completed(&mut self) -> Option<(Span, Table<K, A::State>)> {
        if self.span.last() <= self.watermark {
            let table = std::mem::take(&mut self.table);
            self.put_aside(self.span, table);
        }
        if self.other.0.last() <= self.watermark {
            let table = std::mem::take(&mut self.other.1);
            self.put_aside(self.other.0, table);
        }
        let entry = self.open.first_entry()?;
        if *entry.key() > self.watermark {
            return None;
        }
        self.saved.remove(entry.key());
        Some(entry.remove())
    }
}

impl<K: Key, V: Value, A: Aggregate<V>> Rule<Event<(K, V)>> for Tables<K, V, A> {
    type Output = Event<Pane<K, A::Output>>;
    type Side = Event<(K, V)>;
    type Saved = (EventTime, K, A::State);

    fn accept(&mut self, record: Event<(K, V)>, out: &mut Outbox<Self::Output, Self::Side>) {
        self.touched = true;
        self.fold(record, out);
    }

    fn accept_all(
        &mut self,
        records: &mut Vec<Event<(K, V)>>,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) {
        self.touched = true;
        for record in records.drain(..) {
            self.fold(record, out);
        }
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        self.watermark = watermark;
        loop {
            if let Some((span, rest)) = &mut self.firing {
                let room = Outbox::<Self::Output, Self::Side>::FULL - out.main.len();
                let aggregate = &self.aggregate;
                out.main.extend(rest.take(room).map(|(key, state)| {
                    let value = aggregate.finish(&state);
                    Event::new(span.last(), Pane { key, span: *span, value })
                }));
                if out.full() {
                    return Advance::More;
                }
            }
            let Some((span, table)) = self.completed() else {
                self.firing = None;
                return Advance::Done;
            };
            self.expected = table.len();
            self.firing = Some((span, table.into_iter()));
        }
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        if std::mem::take(&mut self.touched) {
            self.saved.remove(&self.span.last());
            self.saved.remove(&self.other.0.last());
        }
        let at_hand = [(&self.span, &self.table), (&self.other.0, &self.other.1)];
        let open = self.open.values().map(|(span, table)| (span, table));
        for (span, table) in open.chain(at_hand).filter(|(_, table)| !table.is_empty()) {
            // From the first moment of time on: numbers from the top are not a rule's own, and only
            // a window of the very last microsecond would have one.
            let section = span.start().micros().wrapping_sub(i64::MIN).cast_unsigned();
            if !self.saved.insert(span.last()) && to.unchanged(section) {
                continue;
            }
            to.section(section);
            for (key, state) in table {
                to.keyed(hash(key), (span.start(), key.clone(), state.clone()));
            }
        }
    }

    fn restore(&mut self, (start, key, state): Self::Saved) {
        if !self.span.contains(start) {
            self.turn_to(start);
        }
        self.table.insert(key, state);
    }

    fn resume(&mut self, watermark: EventTime) {
        self.watermark = watermark;
    }
}
