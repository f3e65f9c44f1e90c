//! The general window rule: any assigner, trigger, evictor and contents, with allowed lateness.
//!
//! # Guarantees
//!
//! - A window that fires gives panes with the event time of its last moment. With the default
//!   trigger it fires when the watermark reaches that moment.
//! - It takes records until the watermark reaches its last moment plus the allowed lateness, and is
//!   then dropped. With the default trigger a record that comes after the firing and before that
//!   fires the window again at once, with the updated contents.
//! - A record that no window takes leaves by the side output: because each of its windows is
//!   dropped already, or because it has none. A late record may miss one sliding window and count
//!   in another.
//! - Merging windows that touch become one, transitively. A late record counts if the window it
//!   merges into is not dropped yet, and it may join windows that have fired, which then fire again
//!   as one.
//! - Windows wake in the order of their moments; at one moment in the order in which they asked.
//!   Nothing depends on the order of a hash map.
//!
//! # Cost
//!
//! A record costs one look-up of its key, and per window of the record a binary search among the
//! key's windows. A watermark costs only the windows that it wakes: each waits in one place of an
//! agenda ordered by time, and is moved there lazily when a session grows. State is held per key
//! and window. It is freed when the window is dropped, and that of a window over all of time (count
//! and global windows) only when its trigger purges it and remembers nothing.

mod agenda;
mod parts;
mod windows;

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use self::agenda::{Agenda, Call};
use self::parts::Parts;
use self::windows::Window;
use crate::event::Event;
use crate::key;
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::state::journal::{Entries, Journal, Noted};
use crate::time::{EventTime, Span};
use crate::window::assign::{Assign, Refused};
use crate::window::contents::Contents;
use crate::window::pane::Pane;
use crate::window::trigger::Trigger;

/// Calls of the agenda after which `advance` pauses even if nothing was emitted.
const CALLS: usize = 64 * 1024;

/// The windows of all keys of one worker.
///
/// ```
/// use tidemill_operators::event::Event;
/// use tidemill_operators::rule::{Advance, Outbox, Rule};
/// use tidemill_operators::time::{EventTime, seconds};
/// use tidemill_operators::window::contents::Reduced;
/// use tidemill_operators::window::trigger::AtWatermark;
/// use tidemill_operators::window::{General, Session};
///
/// let sum = Reduced(|sum: &mut u32, it: &u32| *sum += it);
/// let mut rule = General::new(Session::gap(seconds(10)), AtWatermark, seconds(0), sum)?;
/// let mut out = Outbox::new();
/// for (at, cents) in [(0, 5), (20, 7), (10, 30)] {
///     rule.accept(Event::new(EventTime::from_secs(at), ('a', cents)), &mut out);
/// }
/// assert_eq!(rule.advance(EventTime::MAX, &mut out), Advance::Done);
/// assert_eq!(out.main.len(), 1);
/// assert_eq!(out.main[0].value.value, 42);
/// assert_eq!(out.main[0].value.span.end(), EventTime::from_secs(30));
/// # Ok::<(), tidemill_operators::window::Refused>(())
/// ```
pub struct General<K, V, A, T, C>
where
    T: Trigger<V>,
    C: Contents<K, V>,
{
    parts: Parts<A, T, C>,
    keys: HashTable<Saved<K, C::State, T::State>>,
    hasher: FixedState,
    agenda: Agenda<K>,
    /// The windows of the record at hand; kept for its allocation.
    spans: Vec<Span>,
    journal: Journal<K>,
}

/// A key with its windows in order: one entry of saved state. A key without windows is gone.
#[derive(Clone, Serialize, Deserialize)]
pub struct Saved<K, C, S> {
    key: K,
    windows: Vec<Window<C, S>>,
    #[serde(skip)]
    noted: Noted,
}

impl<K, C, S> fmt::Debug for Saved<K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved").field("windows", &self.windows.len()).finish_non_exhaustive()
    }
}

impl<K, V, A, T, C> fmt::Debug for General<K, V, A, T, C>
where
    T: Trigger<V>,
    C: Contents<K, V>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("General").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl<K, V, A, T, C> General<K, V, A, T, C>
where
    A: Assign<V>,
    T: Trigger<V>,
    C: Contents<K, V>,
{
    /// Windows given by `assign` that fire as `trigger` says, take records up to `lateness` after
    /// their end, and compute `contents`.
    ///
    /// # Errors
    ///
    /// If the windows merge and the trigger cannot.
    pub fn new(assign: A, trigger: T, lateness: Duration, contents: C) -> Result<Self, Refused> {
        if assign.merging() && !trigger.merges() {
            return Err(Refused::new("trigger", "does not serve windows that merge"));
        }
        Ok(Self {
            parts: Parts { assign, trigger, contents, lateness, watermark: EventTime::MIN },
            keys: HashTable::new(),
            hasher: FixedState::default(),
            agenda: Agenda::default(),
            spans: Vec::new(),
            journal: Journal::default(),
        })
    }
}

impl<K, V, A, T, C> Rule<Event<(K, V)>> for General<K, V, A, T, C>
where
    K: Clone + Ord + Hash + Serialize + DeserializeOwned + 'static,
    V: 'static,
    A: Assign<V>,
    T: Trigger<V>,
    C: Contents<K, V>,
{
    type Output = Event<Pane<K, C::Output>>;
    type Side = Event<(K, V)>;
    type Saved = Saved<K, C::State, T::State>;

    fn accept(&mut self, record: Event<(K, V)>, out: &mut Outbox<Self::Output, Self::Side>) {
        let Event { at, value: (key, value) } = record;
        self.spans.clear();
        self.parts.assign.windows_of(at, &value, &mut self.spans);
        if !self.parts.assign.merging() {
            self.spans.retain(|&it| !self.parts.dropped(it));
        }
        if self.spans.is_empty() {
            out.side.push(Event::new(at, (key, value)));
            return;
        }
        let hash = self.hasher.hash_one(&key);
        let mut entry = self
            .keys
            .entry(hash, |it| it.key == key, |it| self.hasher.hash_one(&it.key))
            .or_insert_with(|| Saved::new(key.clone()));
        let Saved { key: ours, windows, noted } = entry.get_mut();
        self.journal.note(noted, || ours.clone());
        let mut taken = false;
        for &span in &self.spans {
            let Some(place) = self.parts.place(windows, span, &mut self.agenda) else { continue };
            taken = true;
            let window = &mut windows[place];
            self.parts.add(ours, window, at, &value, out);
            if self.parts.over(window) {
                windows.remove(place);
            } else {
                self.parts.queue(ours, window, &mut self.agenda);
            }
        }
        if windows.is_empty() {
            entry.remove();
        }
        if !taken {
            out.side.push(Event::new(at, (key, value)));
        }
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        self.parts.watermark = watermark;
        for _ in 0..CALLS {
            let Some((moment, call)) = self.agenda.pop(watermark) else { return Advance::Done };
            self.wake(moment, &call, out);
            if out.full() {
                return Advance::More;
            }
        }
        Advance::More
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        self.journal.save(to, &mut Keys(&self.keys, &self.hasher));
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.journal.restoring(section);
        true
    }

    fn restore(&mut self, mut saved: Self::Saved) {
        self.journal.restored(|| saved.key.clone());
        for window in &mut saved.windows {
            window.id = self.agenda.id();
            self.parts.queue(&saved.key, window, &mut self.agenda);
        }
        let hash = self.hasher.hash_one(&saved.key);
        if let Ok(earlier) = self.keys.find_entry(hash, |it| it.key == saved.key) {
            earlier.remove();
        }
        if !saved.windows.is_empty() {
            self.keys.insert_unique(hash, saved, |it| self.hasher.hash_one(&it.key));
        }
    }

    fn resume(&mut self, watermark: EventTime) {
        self.parts.watermark = watermark;
    }
}

impl<K, V, A, T, C> General<K, V, A, T, C>
where
    K: Clone + Ord + Hash,
    A: Assign<V>,
    T: Trigger<V>,
    C: Contents<K, V>,
{
    /// Wakes the window that `call` names, unless it is gone or waits for another moment.
    fn wake(
        &mut self,
        moment: EventTime,
        call: &Call<K>,
        out: &mut Outbox<Event<Pane<K, C::Output>>, Event<(K, V)>>,
    ) {
        let hash = self.hasher.hash_one(&call.key);
        let Ok(mut entry) = self.keys.find_entry(hash, |it| it.key == call.key) else { return };
        let Saved { key, windows, noted } = entry.get_mut();
        let named = |it: &Window<_, _>| it.id == call.window && it.queued == Some(moment);
        let Some(place) = windows.iter().position(named) else { return };
        let window = &mut windows[place];
        self.journal.note(noted, || key.clone());
        window.queued = None;
        if window.moments.first() == Some(&moment) {
            window.moments.remove(0);
            self.parts.on_moment(key, window, moment, out);
        }
        if self.parts.over(window) || self.parts.end(window.span) <= moment {
            windows.remove(place);
        } else {
            self.parts.queue(key, window, &mut self.agenda);
        }
        if windows.is_empty() {
            entry.remove();
        }
    }
}

impl<K, C, S> Saved<K, C, S> {
    fn new(key: K) -> Self {
        Self { key, windows: Vec::new(), noted: Noted::default() }
    }
}

/// The keys of a rule, to be saved.
struct Keys<'a, K, C, S>(&'a HashTable<Saved<K, C, S>>, &'a FixedState);

impl<K, C, S> Entries<K, Saved<K, C, S>> for Keys<'_, K, C, S>
where
    K: Clone + Eq + Hash + Serialize,
    C: Clone,
    S: Clone,
{
    fn count(&self) -> usize {
        self.0.len()
    }

    fn all(&mut self, give: &mut dyn FnMut(u64, Saved<K, C, S>)) {
        self.0.iter().for_each(|saved| give(key::hash(&saved.key), saved.clone()));
    }

    fn one(&mut self, key: &K) -> (u64, Saved<K, C, S>) {
        let saved = self.0.find(self.1.hash_one(key), |it| it.key == *key);
        (key::hash(key), saved.cloned().unwrap_or_else(|| Saved::new(key.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;
    use crate::window::contents::Reduced;
    use crate::window::trigger::{AtWatermark, Decision, Watch};
    use crate::window::{Session, Tumbling};

    #[test]
    fn a_session_waits_in_one_place_however_often_it_grows() {
        let sum = Reduced(|sum: &mut u64, it: &u64| *sum += it);
        let mut rule = General::new(Session::gap(seconds(2)), AtWatermark, seconds(9), sum)
            .expect("sessions fire at the watermark");
        let mut out = Outbox::new();
        for second in 0..1_000 {
            rule.accept(Event::new(EventTime::from_secs(second), ('a', 1)), &mut out);
            assert_eq!(rule.advance(EventTime::from_secs(second - 5), &mut out), Advance::Done);
            assert_eq!(rule.agenda.len(), 1);
        }
        assert_eq!(rule.advance(EventTime::from_secs(2_000), &mut out), Advance::Done);
        assert_eq!(out.main.iter().map(|it| it.value.value).collect::<Vec<_>>(), [1_000]);
        assert_eq!((rule.agenda.len(), rule.keys.len()), (0, 0));
    }

    /// Asks for the moment of each record.
    struct AtEach;

    impl Trigger<u64> for AtEach {
        type State = ();

        fn start(&self) {}

        fn on_record(&self, _: &mut (), at: EventTime, _: &u64, watch: &mut Watch<'_>) -> Decision {
            watch.wake_at(at);
            Decision::Continue
        }

        fn on_moment(&self, _: &mut (), _: EventTime, _: &mut Watch<'_>) -> Decision {
            Decision::Fire
        }
    }

    #[test]
    fn an_entry_that_was_overtaken_is_not_put_back() {
        let sum = Reduced(|sum: &mut u64, it: &u64| *sum += it);
        let mut rule = General::new(Tumbling::new(seconds(10)), AtEach, seconds(0), sum)
            .expect("it may be built");
        let mut out = Outbox::new();
        for at in [8, 5] {
            rule.accept(Event::new(EventTime::from_secs(at), ('a', 1)), &mut out);
        }
        assert_eq!(rule.advance(EventTime::from_secs(5), &mut out), Advance::Done);
        assert_eq!(rule.advance(EventTime::from_secs(8), &mut out), Advance::Done);
        assert_eq!((out.main.len(), rule.agenda.len()), (2, 1));
    }
}
