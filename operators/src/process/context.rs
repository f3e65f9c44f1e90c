//! What a callback can do: the current key, its state and timers, and the outputs.

use std::convert::Infallible;
use std::fmt;

use super::contents::Contents;
use super::kinds::{Access, Opened, State};
use crate::event::Event;
use crate::flow::Clock;
use crate::rule::Outbox;
use crate::time::EventTime;

/// What a callback of a process function works with. It speaks of one key, the current one.
///
/// `K` is the type of the key, `O` that of the output and `S` that of the side output.
pub struct Context<'a, K, O, S = Infallible> {
    pub(crate) key: &'a K,
    pub(crate) time: EventTime,
    /// The time at hand, or the watermark that was in force at the end of the epoch before.
    pub(crate) now: EventTime,
    pub(crate) watermark: EventTime,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) contents: &'a mut Contents,
    pub(crate) out: &'a mut Outbox<Event<O>, S>,
}

impl<K: fmt::Debug, O, S> fmt::Debug for Context<'_, K, O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, time, watermark, .. } = self;
        write!(f, "Context {{ key: {key:?}, time: {time}, watermark: {watermark}, .. }}")
    }
}

impl<'a, K, O, S> Context<'a, K, O, S> {
    /// The current key.
    pub fn key(&self) -> &'a K {
        self.key
    }

    /// The time of what is at hand: of the record, or that which the event timer was set to. In a
    /// processing timer it is the moment just after the watermark.
    pub fn time(&self) -> EventTime {
        self.time
    }

    /// How far event time has come. While records are taken it is the watermark of the last
    /// complete epoch; while timers fire, that of the epoch that completes.
    pub fn watermark(&self) -> EventTime {
        self.watermark
    }

    /// Whether the record at hand is late: the watermark has reached its time.
    pub fn late(&self) -> bool {
        self.time <= self.watermark
    }

    /// Whether the input has ended, so that every event timer fires at once. A function that sets
    /// its timer anew each time it fires asks this first: otherwise it never ends.
    pub fn ended(&self) -> bool {
        self.watermark == EventTime::MAX
    }

    /// The time of day. It differs from run to run, also where a run repeats an earlier one.
    pub fn processing_time(&self) -> EventTime {
        self.clock.now()
    }

    /// Gives `value` out, with the [time](Self::time) of what is at hand.
    pub fn emit(&mut self, value: O) {
        self.emit_at(self.time, value);
    }

    /// Gives `value` out with an event time of its own. At or before the watermark it is late
    /// wherever it arrives.
    pub fn emit_at(&mut self, at: EventTime, value: O) {
        self.out.main.push(Event::new(at, value));
    }

    /// Gives `value` to the side output.
    pub fn side(&mut self, value: S) {
        self.out.side.push(value);
    }

    /// The state of the current key that `state` is the handle of.
    pub fn state<'s, H: State>(&'s mut self, state: &'s H) -> Access<'s, H> {
        let Self { time, now, .. } = *self;
        state.open(Opened { cells: &mut self.contents.cells, time, now })
    }

    /// Lets [`on_event_timer`](super::Process::on_event_timer) be called for the current key once
    /// the watermark reaches `at`: with the epoch at hand if it has already. A key has one timer
    /// for a moment; says whether this is a new one.
    pub fn set_event_timer(&mut self, at: EventTime) -> bool {
        let new = self.contents.timers_mut().event.set(at);
        self.changed(new)
    }

    /// Takes the event timer for `at` back; says whether there was one.
    pub fn delete_event_timer(&mut self, at: EventTime) -> bool {
        let timers = self.contents.some_timers();
        let there = timers.is_some_and(|it| it.event.delete(at));
        self.changed(there)
    }

    /// Lets [`on_processing_timer`](super::Process::on_processing_timer) be called for the current
    /// key at the end of the first epoch that completes at or after `at` by the time of day. A key
    /// has one such timer for a moment; says whether this is a new one.
    pub fn set_processing_timer(&mut self, at: EventTime) -> bool {
        let new = self.contents.timers_mut().processing.set(at);
        self.changed(new)
    }

    /// Takes the processing timer for `at` back; says whether there was one.
    pub fn delete_processing_timer(&mut self, at: EventTime) -> bool {
        let timers = self.contents.some_timers();
        let there = timers.is_some_and(|it| it.processing.delete(at));
        self.changed(there)
    }

    fn changed(&mut self, changed: bool) -> bool {
        self.contents.cells.changed |= changed;
        changed
    }
}
