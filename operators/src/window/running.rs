//! Sliding and cumulative windows of an invertible aggregate: a running total for each key.
//!
//! Time is cut into slices so that each window is a run of them. A record is folded into the slice
//! that holds it. A slice enters the total when the first of its windows fires and is taken out of it
//! after the last, so the total is the window that fires. It does what the general rule does for these windows
//! without allowed lateness, faster.
//!
//! # Cost
//!
//! A record costs one lookup of its key and one access to its slice, whatever the window and slide.
//! A firing costs a result for each key of the window; a slice that enters or leaves, a merge for each of
//! its keys. State is one aggregate per key and slice and one per key; it is freed when the last window of
//! the slice has fired. A slice that has a state for a good part of the keys has room for all of
//! them, at most eight times what it needs.

mod slice;
mod total;
mod young;

use std::collections::BTreeMap;

use self::slice::{Closed, Folding, Forms, Sorted};
use self::total::Total;
use self::young::Young;
use super::slices::{Calendar, Places};
use super::written::Written;
use super::{Cumulative, Pane, Sliding};
use crate::aggregate::Aggregate;
use crate::event::Event;
use crate::key::hash;
use crate::keyed::{Key, Value};
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::time::{EventTime, Span};

/// The running totals of one worker's keys.
pub(crate) struct Running<K, V, A: Aggregate<V>> {
    aggregate: A,
    calendar: Calendar,
    places: Places<K>,
    /// Slices that records are folded into; those that are not in `open` are free.
    slices: Vec<Slice<V, A::State>>,
    free: Vec<usize>,
    /// The slices that were in no firing yet, by number: where they are in `slices`.
    open: BTreeMap<i64, usize>,
    young: Young,
    /// The slices that are in the total, by number.
    closed: BTreeMap<i64, Closed<A::State>>,
    total: Total<A::State>,
    /// The youngest slice that was ever in the total.
    newest: i64,
    forms: Forms<A::State>,
    emptied: Vec<u32>,
    /// The window that fires, and the place that is next.
    firing: Option<(Span, usize)>,
    /// The first window that has not fired.
    next: i64,
    watermark: EventTime,
    written: Written,
}

/// A slice that records are folded into.
struct Slice<V, S> {
    states: Folding<S>,
    /// Records that are to be folded, with their places.
    waiting: Vec<Sorted<V>>,
}

/// What becomes of a record that is in none of the youngest slices.
enum Found {
    /// It is folded into this one of the slices.
    Open(usize),
    /// It has missed a window of this slice, but not all.
    Closed(i64),
    /// It has missed all.
    Late,
}

/// The outbox of the rule.
type Out<K, V, O> = Outbox<Event<Pane<K, O>>, Event<(K, V)>>;

impl<K: Key, V: Value, A: Aggregate<V>> Running<K, V, A> {
    /// Sliding windows; none if they leave gaps, which slices cannot have.
    pub(crate) fn sliding(windows: Sliding, aggregate: A) -> Option<Self> {
        Calendar::sliding(windows).map(|calendar| Self::new(calendar, aggregate))
    }

    pub(crate) fn cumulative(windows: Cumulative, aggregate: A) -> Self {
        Self::new(Calendar::cumulative(windows), aggregate)
    }

    fn new(calendar: Calendar, aggregate: A) -> Self {
        let (width, offset) = calendar.micros();
        Self {
            aggregate,
            calendar,
            places: Places::default(),
            slices: Vec::new(),
            free: Vec::new(),
            open: BTreeMap::new(),
            young: Young::new(width, offset),
            closed: BTreeMap::new(),
            total: Total { sums: Vec::new() },
            newest: i64::MIN,
            forms: Forms::default(),
            emptied: Vec::new(),
            firing: None,
            next: i64::MIN,
            watermark: EventTime::MIN,
            written: Written::default(),
        }
    }

    /// Finds the slice and the place of a record, unless it is late: then it is dealt with.
    #[inline]
    fn sort(
        &mut self,
        record: Event<(K, V)>,
        out: &mut Out<K, V, A::Output>,
    ) -> Option<(usize, Sorted<V>)> {
        let slot = match self.young.slot(record.at) {
            Some(slot) => slot,
            None => match self.find(record.at) {
                Found::Open(slot) => slot,
                Found::Closed(number) => {
                    self.take_late(number, record);
                    return None;
                }
                Found::Late => {
                    out.side.push(record);
                    return None;
                }
            },
        };
        let Event { at, value: (key, value) } = record;
        Some((slot, (self.places.of(key), Event { at, value })))
    }

    #[cold]
    fn find(&mut self, at: EventTime) -> Found {
        let number = self.calendar.slice_of(at);
        if self.calendar.slice(number).last() > self.watermark {
            let slot = self.open(number);
            self.young.know(number, slot);
            return Found::Open(slot);
        }
        let last = self.calendar.window(self.calendar.last_window(number)).last();
        if last <= self.watermark {
            Found::Late
        } else if number <= self.newest {
            Found::Closed(number)
        } else {
            Found::Open(self.open(number))
        }
    }

    /// Where a slice is; it is opened if need be.
    fn open(&mut self, number: i64) -> usize {
        if let Some(slot) = self.open.get(&number) {
            return *slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slices.push(Slice { states: Folding::default(), waiting: Vec::new() });
            self.slices.len() - 1
        });
        self.slices[slot].states = self.forms.open(self.places.len(), || self.aggregate.start());
        self.open.insert(number, slot);
        slot
    }

    /// Folds a record that is late for a window that its slice was in already.
    #[cold]
    fn take_late(&mut self, number: i64, record: Event<(K, V)>) {
        let Event { at, value: (key, value) } = record;
        let place = self.places.of(key);
        let mut state = self.aggregate.start();
        self.aggregate.add(&mut state, at, &value);
        let one = Closed::Sparse(vec![(place, state.clone())]);
        self.total.enter(&one, self.places.held(), &self.aggregate);
        self.written.change(number);
        match self.closed.entry(number).or_insert_with(|| Closed::Sparse(Vec::new())) {
            Closed::Sparse(states) => states.push((place, state)),
            Closed::Dense(dense) => {
                let known = dense.has(place);
                self.aggregate.merge(dense.state(place, || self.aggregate.start()), &state);
                if known {
                    // The slice has but one state of a place.
                    self.places.held()[place as usize] -= 1;
                }
            }
        }
    }

    /// The first slice that there is.
    fn first_slice(&self) -> Option<i64> {
        let (open, closed) = (self.open.first_key_value(), self.closed.first_key_value());
        open.map(|(it, _)| *it).into_iter().chain(closed.map(|(it, _)| *it)).min()
    }

    /// Makes the total that of the next window that is complete, if there is one.
    fn begin_firing(&mut self) -> Option<Span> {
        let next = self.next.max(self.calendar.first_window(self.first_slice()?));
        let span = self.calendar.window(next);
        if span.last() > self.watermark {
            return None;
        }
        self.next = next;
        self.young.forget();
        let slices = self.calendar.slices(next);
        while let Some(entry) = self.open.first_entry()
            && entry.key() <= slices.end()
        {
            let (number, slot) = entry.remove_entry();
            self.written.close(number);
            let slice = std::mem::take(&mut self.slices[slot].states);
            self.free.push(slot);
            let closed = self.forms.close(slice, self.places.len());
            self.total.enter(&closed, self.places.held(), &self.aggregate);
            self.closed.insert(number, closed);
        }
        self.newest = *slices.end();
        Some(span)
    }

    /// Takes out of the total, and frees, what no further window needs.
    fn end_firing(&mut self) {
        self.next += 1;
        let needed = *self.calendar.slices(self.next).start();
        while let Some(entry) = self.closed.first_entry()
            && *entry.key() < needed
        {
            let slice = entry.remove();
            self.total.leave(&slice, self.places.held(), &self.aggregate, &mut self.emptied);
            self.forms.reuse(slice);
            for place in self.emptied.drain(..) {
                self.total.sums[place as usize] = self.aggregate.start();
                if !self.open.values().any(|slot| self.slices[*slot].states.has(place)) {
                    self.places.free(place);
                }
            }
        }
    }

    /// Emits rows of the window that fires, from a place on; returns where to go on, if anywhere.
    fn emit(&mut self, span: Span, from: usize, out: &mut Out<K, V, A::Output>) -> Option<usize> {
        out.main.reserve(Outbox::<(), ()>::FULL.saturating_sub(out.main.len()));
        let at = span.last();
        for ((place, key), sum) in self.places.in_use(from).zip(&self.total.sums[from..]) {
            let Some(key) = key else { continue };
            let value = self.aggregate.finish(sum);
            out.main.push(Event::new(at, Pane { key: key.clone(), span, value }));
            if out.full() {
                return Some(place + 1);
            }
        }
        None
    }
}

impl<K: Key, V: Value, A: Aggregate<V>> Rule<Event<(K, V)>> for Running<K, V, A> {
    type Output = Event<Pane<K, A::Output>>;
    type Side = Event<(K, V)>;
    type Saved = (i64, K, A::State);

    fn accept(&mut self, record: Event<(K, V)>, out: &mut Outbox<Self::Output, Self::Side>) {
        self.written.touch();
        if let Some((slot, sorted)) = self.sort(record, out) {
            self.slices[slot].states.fold(&mut vec![sorted], self.places.len(), &self.aggregate);
        }
    }

    /// The places of all records are looked up first, then the records of each slice are folded: the
    /// processor waits for many places, or many states, at once, and has fewer of them in its caches.
    fn accept_all(
        &mut self,
        records: &mut Vec<Event<(K, V)>>,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) {
        self.written.touch();
        for record in records.drain(..) {
            if let Some((slot, sorted)) = self.sort(record, out) {
                self.slices[slot].waiting.push(sorted);
            }
        }
        for Slice { waiting, states } in &mut self.slices {
            states.fold(waiting, self.places.len(), &self.aggregate);
        }
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        self.watermark = watermark;
        self.young.forget();
        loop {
            if let Some((span, from)) = self.firing {
                if let Some(next) = self.emit(span, from, out) {
                    self.firing = Some((span, next));
                    return Advance::More;
                }
                self.firing = None;
                self.end_firing();
            }
            let Some(span) = self.begin_firing() else {
                // A record to come has missed the windows that are complete, fired or not.
                self.next = self.next.max(self.calendar.first_after(watermark));
                return Advance::Done;
            };
            self.firing = Some((span, 0));
        }
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        let places = &self.places;
        let entry = |number: i64, place: u32, state: &A::State| {
            let key = places.key(place as usize);
            (hash(key), (number, key.clone(), state.clone()))
        };
        for (number, slice) in &self.closed {
            if self.written.begin(to, *number, false) {
                slice.each(|place, state| {
                    let (hash, entry) = entry(*number, place, state);
                    to.keyed(hash, entry);
                });
            }
        }
        for (number, slot) in &self.open {
            if self.written.begin(to, *number, true) {
                self.slices[*slot].states.each(|place, state| {
                    let (hash, entry) = entry(*number, place, state);
                    to.keyed(hash, entry);
                });
            }
        }
        let (open, closed) = (&self.open, &self.closed);
        self.written.end(|it| open.contains_key(&it) || closed.contains_key(&it));
    }

    fn restore(&mut self, (number, key, saved): Self::Saved) {
        let place = self.places.of(key);
        let slot = self.open(number);
        let start = || self.aggregate.start();
        let state = self.slices[slot].states.state(place, self.places.len(), start);
        self.aggregate.merge(state, &saved);
    }

    fn resume(&mut self, watermark: EventTime) {
        self.watermark = watermark;
        self.next = self.calendar.first_after(watermark);
    }
}
