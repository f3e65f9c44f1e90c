//! What the rules of all process functions share: keys, timers in order, and saving.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use super::contents::{Contents, Kept, Timers};
use super::context::Context;
use super::keys::{Held, Keys};
use super::states::States;
use crate::event::Event;
use crate::flow::Clock;
use crate::key::hash;
use crate::keyed::Key;
use crate::rule::{Advance, Outbox, Snapshot};
use crate::state::backend::Spill;
use crate::state::journal::{Entries, Journal};
use crate::time::EventTime;

/// Keys that are woken after which firing pauses even if nothing was emitted.
const WAKES: usize = 16 * 1024;

/// A key with its contents, or without if it is gone: an entry of saved state.
pub(crate) type Entry<K> = (K, Option<Kept>);

/// The timers of a function, whatever its inputs.
pub(crate) trait Fire<K, O, S> {
    fn event(&self, at: EventTime, context: &mut Context<'_, K, O, S>);
    fn processing(&self, at: EventTime, context: &mut Context<'_, K, O, S>);
}

/// Keys in the order in which they wake. A key waits in one place at most, at
/// the moment noted in its [`Timers`], and is moved back lazily: a timer that is put off time and again costs
/// nothing until the first of these moments comes.
type Agenda<K> = BTreeSet<(EventTime, K)>;

/// The keys of one worker, with their states and timers.
pub(crate) struct Engine<K> {
    states: Rc<States>,
    keys: Keys<K>,
    order: Order<K>,
    clock: Rc<dyn Clock>,
    watermark: EventTime,
    /// The watermark of the epoch before, while timers fire.
    before: EventTime,
    /// The time of day for the epoch that completes.
    today: Option<EventTime>,
    dropped: BTreeSet<String>,
    /// Keys of which something had expired when they were restored.
    expired: Vec<K>,
    unreadable: Option<String>,
}

/// What a callback has made of a key.
struct Closed {
    /// Whether nothing is left of it.
    empty: bool,
    changed: bool,
}

/// Where keys wait, and which of them have changed.
struct Order<K> {
    event: Agenda<K>,
    processing: Agenda<K>,
    cleanup: Agenda<K>,
    journal: Journal<K>,
}

impl<K> fmt::Debug for Engine<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("states", &self.states).finish_non_exhaustive()
    }
}

impl<K: Key> Engine<K> {
    /// No keys yet, for a function with these states.
    pub(crate) fn new(states: States, clock: Rc<dyn Clock>) -> Self {
        let states = Rc::new(states);
        Self {
            keys: Keys::new(Rc::clone(&states), None),
            states,
            order: Order::new(),
            clock,
            watermark: EventTime::MIN,
            before: EventTime::MIN,
            today: None,
            dropped: BTreeSet::new(),
            expired: Vec::new(),
            unreadable: None,
        }
    }

    /// Puts what does not fit in memory where `spill` says. Called before the first record.
    pub(crate) fn spill(&mut self, spill: Option<Spill>) {
        self.keys = Keys::new(Rc::clone(&self.states), spill);
    }

    /// How many keys have state or timers.
    pub(crate) fn count(&self) -> usize {
        self.keys.count()
    }

    /// Whether some key waits for the time of day.
    pub(crate) fn waits(&self) -> bool {
        !self.order.processing.is_empty()
    }

    /// Calls `function` for a record of `key` that happened at `time`.
    pub(crate) fn call<O, S>(
        &mut self,
        key: K,
        time: EventTime,
        out: &mut Outbox<Event<O>, S>,
        function: impl FnOnce(&mut Context<'_, K, O, S>),
    ) {
        let (now, watermark) = (time.max(self.watermark), self.watermark);
        let (clock, bounded) = (&*self.clock, self.keys.bounded());
        let held = self.keys.open(key);
        let Held { key, contents, .. } = &mut *held;
        function(&mut Context { key, time, now, watermark, clock, contents, out });
        let closed = self.order.close(held);
        if bounded || closed.empty {
            let key = held.key.clone();
            self.settle(&key, closed);
        }
    }

    /// Fires the timers that are due: those of event time, then those of the time of day.
    pub(crate) fn fire<O, S>(
        &mut self,
        function: &impl Fire<K, O, S>,
        watermark: EventTime,
        out: &mut Outbox<Event<O>, S>,
    ) -> Advance {
        self.watermark = watermark;
        for _ in 0..WAKES {
            if out.full() {
                return Advance::More;
            }
            if let Some((moment, key)) = due(&mut self.order.event, watermark) {
                self.wake(moment, &key, function, out);
                continue;
            }
            let clock = &*self.clock;
            let today = *self.today.get_or_insert_with(|| clock.now());
            if let Some((moment, key)) = due(&mut self.order.processing, today) {
                self.wake_today(moment, &key, function, out);
                continue;
            }
            // Last: no callback is to come that may still see what goes.
            let Some((_, key)) = due(&mut self.order.cleanup, watermark) else {
                self.before = watermark;
                self.today = None;
                return Advance::Done;
            };
            self.clean(&key);
        }
        Advance::More
    }

    fn wake<O, S>(
        &mut self,
        moment: EventTime,
        key: &K,
        function: &impl Fire<K, O, S>,
        out: &mut Outbox<Event<O>, S>,
    ) {
        let Some(held) = self.keys.find(key) else { return };
        let Held { key: ours, contents, .. } = &mut *held;
        let event = &mut contents.timers_mut().event;
        event.queued = None;
        let now = moment.max(self.before);
        if event.delete(moment) {
            contents.cells.changed = true;
            let (watermark, clock) = (self.watermark, &*self.clock);
            let mut context =
                Context { key: ours, time: moment, now, watermark, clock, contents, out };
            function.event(moment, &mut context);
        }
        let closed = self.order.close(held);
        self.settle(key, closed);
    }

    fn wake_today<O, S>(
        &mut self,
        moment: EventTime,
        key: &K,
        function: &impl Fire<K, O, S>,
        out: &mut Outbox<Event<O>, S>,
    ) {
        let Some(held) = self.keys.find(key) else { return };
        let Held { key: ours, contents, .. } = &mut *held;
        let processing = &mut contents.timers_mut().processing;
        processing.queued = None;
        if processing.delete(moment) {
            contents.cells.changed = true;
            let (watermark, clock) = (self.watermark, &*self.clock);
            let time = EventTime::from_micros(watermark.micros().saturating_add(1));
            let mut context =
                Context { key: ours, time, now: time, watermark, clock, contents, out };
            function.processing(moment, &mut context);
        }
        let closed = self.order.close(held);
        self.settle(key, closed);
    }

    fn clean(&mut self, key: &K) {
        let Some(held) = self.keys.find(key) else { return };
        held.contents.timers_mut().cleanup = None;
        held.contents.cells.expire(|place| self.states.declared[place].expiry, self.watermark);
        let closed = self.order.close(held);
        self.settle(key, closed);
    }

    /// Saves every key, or those that changed.
    pub(crate) fn save<S>(&mut self, to: &mut dyn Snapshot<S>, entry: impl Fn(Entry<K>) -> S) {
        let Self { keys, order, .. } = self;
        order.journal.save(to, &mut Saving { keys, entry });
    }

    /// Says that the entries that come next stand in this section.
    pub(crate) fn restoring(&mut self, section: u64) {
        self.order.journal.restoring(section);
    }

    /// Takes an entry back. A later one for a key replaces an earlier one.
    pub(crate) fn restore(&mut self, (key, kept): Entry<K>) {
        self.order.journal.restored(|| key.clone());
        let Some(kept) = kept else { return self.discard(&key) };
        match Contents::of(kept, &self.states, &mut self.dropped) {
            Ok(mut contents) => {
                let expiry = |place: usize| self.states.declared[place].expiry;
                if contents.cells.expire(expiry, self.watermark) {
                    self.expired.push(key.clone());
                }
                contents.cells.changed = false;
                let mut held = Held::new(key, contents);
                // Where an earlier entry of the key waits, it wakes for nothing.
                if self.order.close(&mut held).empty {
                    self.discard(&held.key);
                } else {
                    self.keys.put(held);
                }
            }
            Err(why) => self.refuse(why),
        }
    }

    /// Notes that an entry cannot be used.
    pub(crate) fn refuse(&mut self, why: String) {
        self.unreadable.get_or_insert(why);
    }

    /// Says which states were restored that are not declared, or why one cannot be read.
    pub(crate) fn restored(&mut self) -> Result<Vec<String>, String> {
        self.keys.settle();
        // What was dropped or has expired is not to come back.
        if !self.dropped.is_empty() {
            self.order.journal.forget();
        }
        for key in std::mem::take(&mut self.expired) {
            self.order.journal.gone(key);
        }
        match self.unreadable.take() {
            Some(why) => Err(why),
            None => Ok(std::mem::take(&mut self.dropped).into_iter().collect()),
        }
    }

    /// Sees to the place of a key that was used.
    fn settle(&mut self, key: &K, closed: Closed) {
        if closed.empty {
            self.forget(key);
        } else {
            self.keys.used(key, closed.changed);
        }
    }

    fn forget(&mut self, key: &K) {
        if let Some(held) = self.keys.remove(key) {
            self.order.leave(*held);
        }
    }

    /// Forgets a key that an earlier entry may have brought. If that is a row, the key may go on
    /// waiting, and wakes for nothing.
    fn discard(&mut self, key: &K) {
        if let Some(held) = self.keys.discard(key) {
            self.order.leave(*held);
        }
    }

    pub(crate) fn resume(&mut self, watermark: EventTime) {
        (self.watermark, self.before) = (watermark, watermark);
    }
}

/// Takes out the first key that wakes at or before `now`.
fn due<K: Key>(agenda: &mut Agenda<K>, now: EventTime) -> Option<(EventTime, K)> {
    agenda.first().filter(|(moment, _)| *moment <= now)?;
    agenda.pop_first()
}

impl<K: Key> Order<K> {
    fn new() -> Self {
        let (event, processing, cleanup) = (Agenda::new(), Agenda::new(), Agenda::new());
        Self { event, processing, cleanup, journal: Journal::default() }
    }

    /// Sees to what a callback has done to a key: notes a change, and lets the key wait for its
    /// next moment.
    fn close(&mut self, held: &mut Held<K>) -> Closed {
        let Held { key, contents, noted, .. } = held;
        let empty = contents.empty();
        let changed = std::mem::take(&mut contents.cells.changed);
        if changed {
            if empty {
                self.journal.gone(key.clone());
            } else {
                self.journal.note(noted, || key.clone());
            }
        }
        let next = contents.cells.cleanup;
        let timers = match next {
            Some(_) => Some(contents.timers_mut()),
            None => contents.some_timers(),
        };
        if let Some(Timers { event, processing, cleanup }) = timers.filter(|_| !empty) {
            let (first, today) = (event.first(), processing.first());
            wait(&mut self.event, &mut event.queued, first, key);
            wait(&mut self.processing, &mut processing.queued, today, key);
            wait(&mut self.cleanup, cleanup, next, key);
        }
        Closed { empty, changed }
    }

    /// Lets a key wait no more.
    fn leave(&mut self, Held { mut key, contents, .. }: Held<K>) {
        let Timers { event, processing, cleanup } = contents.timers();
        let places = [
            (&mut self.event, event.queued),
            (&mut self.processing, processing.queued),
            (&mut self.cleanup, *cleanup),
        ];
        for (agenda, queued) in places {
            if let Some(queued) = queued {
                let place = (queued, key);
                agenda.remove(&place);
                key = place.1;
            }
        }
    }
}

/// Lets a key wait for its next moment, if it does not wait for an earlier one.
fn wait<K: Key>(
    agenda: &mut Agenda<K>,
    queued: &mut Option<EventTime>,
    next: Option<EventTime>,
    key: &K,
) {
    let Some(next) = next else { return };
    match *queued {
        Some(queued) if queued <= next => return,
        Some(queued) => _ = agenda.remove(&(queued, key.clone())),
        None => {}
    }
    *queued = Some(next);
    agenda.insert((next, key.clone()));
}

/// What is to be saved, as entries of the rule.
struct Saving<'a, K, F> {
    keys: &'a mut Keys<K>,
    entry: F,
}

impl<K: Key, S, F: Fn(Entry<K>) -> S> Entries<K, S> for Saving<'_, K, F> {
    fn count(&self) -> usize {
        self.keys.count()
    }

    fn all(&mut self, give: &mut dyn FnMut(u64, S)) {
        let Self { keys, entry } = self;
        keys.each(|key, kept| give(hash(key), entry((key.clone(), Some(kept)))));
    }

    fn one(&mut self, key: &K) -> (u64, S) {
        (hash(key), (self.entry)((key.clone(), self.keys.kept(key))))
    }
}
