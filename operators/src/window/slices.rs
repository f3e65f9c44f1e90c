//! Sliding and cumulative windows of an aggregate, cut into slices: a record is folded once.
//!
//! Time is cut into slices so that each window is a run of them (Li et al., *No pane, no gain*, 2005).
//! A record is folded into the slice that holds it. When a window fires, slices leave and enter two
//! stacks (Tangwongsan et al., *General incremental sliding-window aggregation*, 2015) whose two
//! tops merge to each key's result. It does what the general rule does for these windows without
//! allowed lateness, faster.
//!
//! # Cost
//!
//! A record costs one lookup of its key and one access to its slice, whatever the window and slide.
//! A firing costs a merge for each key of the window, and amortised three more for each key of
//! a slice that enters. State is, per key and slice, two aggregates, and per key three more; it is
//! freed when the last window of the slice has fired. A record that is late for some of its windows
//! makes the next firing cost a merge for each key of each slice of the window. An aggregate that is
//! [invertible](Aggregate::invertible) has a cheaper rule, [`Running`](super::running::Running).

mod calendar;
mod open;
mod places;
mod stacks;

pub(super) use self::calendar::Calendar;
pub(super) use self::open::Open;
pub(super) use self::places::Places;
use self::stacks::{Closed, Stacks};
use super::written::Written;
use super::{Cumulative, Pane, Sliding};
use crate::aggregate::Aggregate;
use crate::event::Event;
use crate::key::hash;
use crate::keyed::{Key, Value};
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::time::{EventTime, Span};

/// The slices of one worker's keys.
pub(crate) struct Slices<K, V, A: Aggregate<V>> {
    aggregate: A,
    calendar: Calendar,
    places: Places<K>,
    /// The slice of the last record, and its moments.
    number: i64,
    span: Span,
    /// Slices that were in no firing yet, in order: the state of each place.
    open: Vec<(i64, Open<A::State>)>,
    /// Slices that were: places and states, a place more than once if records came late.
    closed: Closed<A::State>,
    stacks: Stacks<A::State>,
    /// The window that fires, and the place that is next.
    firing: Option<(Span, usize)>,
    /// The first window that has not fired.
    next: i64,
    watermark: EventTime,
    /// Room that slices left.
    spare: Vec<Open<A::State>>,
    spare_states: Vec<Vec<(u32, A::State)>>,
    sorted: Vec<Sorted<V>>,
    known: Vec<(usize, u32)>,
    written: Written,
}

/// Records that are looked up before any of them is folded.
const AHEAD: usize = 64;

/// The slice, the place and the rest of a record.
type Sorted<V> = (i64, u32, Event<V>);

impl<K: Key, V: Value, A: Aggregate<V>> Slices<K, V, A> {
    /// Sliding windows; none if they leave gaps, which slices cannot have.
    pub(crate) fn sliding(windows: Sliding, aggregate: A) -> Option<Self> {
        Calendar::sliding(windows).map(|calendar| Self::new(calendar, aggregate))
    }

    pub(crate) fn cumulative(windows: Cumulative, aggregate: A) -> Self {
        Self::new(Calendar::cumulative(windows), aggregate)
    }

    fn new(calendar: Calendar, aggregate: A) -> Self {
        let number = calendar.slice_of(EventTime::default());
        Self {
            span: calendar.slice(number),
            stacks: Stacks::default(),
            aggregate,
            calendar,
            places: Places::default(),
            number,
            open: Vec::new(),
            closed: Closed::new(),
            firing: None,
            next: i64::MIN,
            watermark: EventTime::MIN,
            spare: Vec::new(),
            spare_states: Vec::new(),
            sorted: Vec::new(),
            known: Vec::new(),
            written: Written::default(),
        }
    }

    /// Finds the slice and the place of a record, unless it is late: then it is dealt with.
    #[inline]
    fn sort(
        &mut self,
        record: Event<(K, V)>,
        out: &mut Outbox<Event<Pane<K, A::Output>>, Event<(K, V)>>,
    ) -> Option<Sorted<V>> {
        let at = record.at;
        if !self.span.contains(at) {
            self.turn_to(at);
        }
        let complete = self.span.last() <= self.watermark;
        if complete && self.late() {
            out.side.push(record);
            return None;
        }
        let (key, value) = record.value;
        let place = self.places.of(key);
        if complete && self.number <= self.stacks.newest() {
            self.add_late(place, at, &value);
            return None;
        }
        Some((self.number, place, Event { at, value }))
    }

    /// Folds records whose slices and places are known.
    fn fold(&mut self, sorted: &mut Vec<Sorted<V>>, known: &mut Vec<(usize, u32)>) {
        // All slices are opened before it is noted where they are: opening one moves others.
        let (mut number, mut hand) = (None, 0);
        for (slice, ..) in sorted.iter() {
            if number.replace(*slice) != Some(*slice) {
                self.open(*slice);
            }
        }
        number = None;
        for (slice, place, _) in sorted.iter() {
            if number.replace(*slice) != Some(*slice) {
                hand = self.open(*slice);
            }
            known.push((hand, self.open[hand].1.at(*place, self.places.len())));
        }
        let start = || self.aggregate.start();
        for ((_, place, Event { at, value }), (hand, known)) in
            sorted.drain(..).zip(known.drain(..))
        {
            let open = &mut self.open[hand].1;
            let state = match known {
                // A record just before may have been the first of its key.
                0 => open.state(place, self.places.len(), start),
                at => &mut open.states[at as usize - 1].1,
            };
            self.aggregate.add(state, at, &value);
        }
    }

    /// Whether the last window that the slice at hand belongs to has fired.
    fn late(&self) -> bool {
        self.calendar.window(self.calendar.last_window(self.number)).last() <= self.watermark
    }

    /// Makes the slice of the moment `at` the one at hand.
    #[inline]
    fn turn_to(&mut self, at: EventTime) {
        // Records out of order go back and forth between the youngest slices: no arithmetic then.
        let mut young = self.open.iter().rev().take(4);
        if let Some((number, open)) = young.find(|(_, open)| open.span.contains(at)) {
            (self.number, self.span) = (*number, open.span);
            return;
        }
        self.number = self.calendar.slice_of(at);
        self.span = self.calendar.slice(self.number);
    }

    /// Where a slice is among the open ones; it is opened if need be.
    #[inline]
    fn open(&mut self, number: i64) -> usize {
        match self.open.binary_search_by_key(&number, |(it, _)| *it) {
            Ok(at) => at,
            Err(at) => {
                let mut open = self.spare.pop().unwrap_or_default();
                open.span = self.calendar.slice(number);
                self.open.insert(at, (number, open));
                at
            }
        }
    }

    /// Folds a record that is late for a window that its closed slice was in already.
    #[cold]
    fn add_late(&mut self, place: u32, at: EventTime, value: &V) {
        let mut state = self.aggregate.start();
        self.aggregate.add(&mut state, at, value);
        self.places.hold(place);
        let merge = |into: &mut _, from: &_| self.aggregate.merge(into, from);
        self.stacks.amend(self.number, place, &state, merge);
        self.closed.entry(self.number).or_default().push((place, state));
        self.written.change(self.number);
    }

    /// The first slice that there is.
    fn first_slice(&self) -> Option<i64> {
        let open = self.open.first().map(|(number, _)| *number);
        open.into_iter().chain(self.closed.keys().next().copied()).min()
    }

    /// Makes the stacks hold the next window that is complete, if there is one.
    fn begin_firing(&mut self) -> Option<Span> {
        let first = self.first_slice()?;
        let next = self.next.max(self.calendar.first_window(first));
        let span = self.calendar.window(next);
        if span.last() > self.watermark {
            return None;
        }
        self.next = next;
        let slices = self.calendar.slices(self.next);
        let complete = self.open.partition_point(|(number, _)| number <= slices.end());
        for (number, open) in self.open.drain(..complete).collect::<Vec<_>>() {
            self.close(number, open);
        }
        let merge = |into: &mut _, from: &_| self.aggregate.merge(into, from);
        self.stacks.turn_to(slices, self.places.len(), &self.closed, merge);
        Some(span)
    }

    fn close(&mut self, number: i64, mut open: Open<A::State>) {
        self.written.close(number);
        // The next slice to be opened will be about as large: growing by steps would copy it.
        let alike = || Vec::with_capacity(open.states.len() + open.states.len() / 16);
        let room = self.spare_states.pop().unwrap_or_else(alike);
        let states = open.empty_into(room);
        states.iter().for_each(|(place, _)| self.places.hold(*place));
        self.closed.insert(number, states);
        self.spare.push(open);
    }

    /// Frees the slices that no further window needs.
    fn end_firing(&mut self) {
        self.next += 1;
        let needed = *self.calendar.slices(self.next).start();
        while let Some((&number, _)) = self.closed.first_key_value()
            && number < needed
        {
            // The back may still hold it; it is made anew before the next window.
            self.stacks.leave(number, &self.closed);
            let (_, mut states) = self.closed.pop_first().expect("it was just seen");
            for (place, _) in states.drain(..) {
                let open = &self.open;
                self.places.release(place, || open.iter().any(|(_, open)| open.has(place)));
            }
            self.spare_states.push(states);
        }
    }

    /// Emits rows of the window that fires, from a place on; returns where to go on, if anywhere.
    fn emit(
        &self,
        span: Span,
        from: usize,
        out: &mut Outbox<Event<Pane<K, A::Output>>, Event<(K, V)>>,
    ) -> Option<usize> {
        let at = span.last();
        for place in from..self.places.len() {
            let value = match self.stacks.tops(place) {
                (None, None) => continue,
                (Some(one), None) | (None, Some(one)) => self.aggregate.finish(one),
                (Some(front), Some(back)) => {
                    let mut both = front.clone();
                    self.aggregate.merge(&mut both, back);
                    self.aggregate.finish(&both)
                }
            };
            let key = self.places.key(place).clone();
            out.main.push(Event::new(at, Pane { key, span, value }));
            if out.full() {
                return Some(place + 1);
            }
        }
        None
    }
}

impl<K: Key, V: Value, A: Aggregate<V>> Rule<Event<(K, V)>> for Slices<K, V, A> {
    type Output = Event<Pane<K, A::Output>>;
    type Side = Event<(K, V)>;
    type Saved = (i64, K, A::State);

    fn accept(&mut self, record: Event<(K, V)>, out: &mut Outbox<Self::Output, Self::Side>) {
        self.written.touch();
        if let Some((number, place, Event { at, value })) = self.sort(record, out) {
            let hand = self.open(number);
            let start = || self.aggregate.start();
            let state = self.open[hand].1.state(place, self.places.len(), start);
            self.aggregate.add(state, at, &value);
        }
    }

    /// Whether a key is new in a slice cannot be predicted, and waiting for memory to say so, record
    /// by record, costs more than all the rest. So the places of many records are looked up
    /// first, then where the states of these places are, and only then is anything decided.
    fn accept_all(
        &mut self,
        records: &mut Vec<Event<(K, V)>>,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) {
        self.written.touch();
        let mut sorted = std::mem::take(&mut self.sorted);
        let mut known = std::mem::take(&mut self.known);
        let mut records = records.drain(..);
        while records.len() > 0 {
            for record in records.by_ref().take(AHEAD) {
                sorted.extend(self.sort(record, out));
            }
            self.fold(&mut sorted, &mut known);
        }
        (self.sorted, self.known) = (sorted, known);
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        self.watermark = watermark;
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
        let closed = self.closed.iter().map(|(number, states)| (*number, states, false));
        let open = self.open.iter().map(|(number, open)| (*number, &open.states, true));
        for (number, states, may_have_changed) in closed.chain(open) {
            if self.written.begin(to, number, may_have_changed) {
                for (place, state) in states {
                    let key = self.places.key(*place as usize);
                    to.keyed(hash(key), (number, key.clone(), state.clone()));
                }
            }
        }
        let (open, closed) = (&self.open, &self.closed);
        self.written.end(|it| closed.contains_key(&it) || open.iter().any(|(open, _)| *open == it));
    }

    fn restore(&mut self, (number, key, saved): Self::Saved) {
        let place = self.places.of(key);
        let at = self.open(number);
        let start = || self.aggregate.start();
        let state = self.open[at].1.state(place, self.places.len(), start);
        self.aggregate.merge(state, &saved);
    }

    fn resume(&mut self, watermark: EventTime) {
        self.watermark = watermark;
        self.next = self.calendar.first_after(watermark);
    }
}
