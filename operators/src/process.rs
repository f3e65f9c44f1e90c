//! Process functions: a user's own logic per key, with state and timers.
//!
//! A [`Process`] function sees the records of one key after another, keeps state for each, and sets
//! timers that call it back. [`Keyed::process`] runs it; a [`CoProcess`] function has two keyed
//! inputs ([`Keyed::connect`]), a [`BroadcastProcess`] function a second one that reaches every key
//! ([`Keyed::connect_broadcast`]).
//!
//! # Guarantees
//!
//! * Records of a key are seen one by one, in the order in which they arrive at its worker.
//! * An event timer fires when the watermark of a complete epoch reaches it: in the order of their
//!   times, and at one time in the order of keys. What it emits carries the timer's time. One that
//!   is set to a moment that the watermark has reached already fires with the epoch at hand.
//! * A record that is late is seen like any other; [`Context::late`] tells.
//! * State and event timers are a function of the input and its epochs, and of nothing else: after
//!   a restart they are as they were, on any number of workers. Processing timers are saved and
//!   restored too, but which epoch one fires in is a matter of the hour: a run that repeats another
//!   may put its effects elsewhere among the records. What was saved with an epoch and what left
//!   with it always agree.
//! * A handle of state is of no use without a key:
//!
//! ```compile_fail,E0599
//! use tidemill_operators::process::States;
//!
//! let count = States::new().value::<u64>("count");
//! count.get(); // There is no key: `context.state(&count).get()` has one.
//! ```
//!
//! # Cost
//!
//! A record costs one look-up of its key and what the function does. State is held per key and
//! freed when nothing is left of it: no contents under any name and no timer. Contents go by the
//! function's hand, or by [`Expiry`]; **a function that does neither keeps its keys for ever**.
//! Setting or deleting a timer costs nothing beyond the key itself, unless it is the first that the
//! key waits for: then a step in a tree of the waiting keys.
//!
//! # Example
//!
//! How many edits a user makes before a pause of half an hour:
//!
//! ```
//! use std::convert::Infallible;
//!
//! use tidemill_operators::event_time::Disorder;
//! use tidemill_operators::flow::Flow;
//! use tidemill_operators::process::{Context, Process, States, ValueState};
//! use tidemill_operators::stream::Stream;
//! use tidemill_operators::time::{EventTime, minutes};
//! use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
//!
//! struct Sittings {
//!     edits: ValueState<u32>,
//!     end: ValueState<EventTime>,
//! }
//!
//! impl Sittings {
//!     fn new(states: &mut States) -> Self {
//!         Self { edits: states.value("edits"), end: states.value("end") }
//!     }
//!
//!     fn close(&self, end: EventTime, context: &mut Context<'_, String, (String, u32)>) {
//!         context.state(&self.end).clear();
//!         if let Some(edits) = context.state(&self.edits).take() {
//!             context.emit_at(end, (context.key().clone(), edits));
//!         }
//!     }
//! }
//!
//! impl Process for Sittings {
//!     type Key = String;
//!     type Record = ();
//!     type Output = (String, u32);
//!     type Side = Infallible;
//!
//!     fn on_record(&self, (): (), context: &mut Context<'_, String, (String, u32)>) {
//!         // Timers fire between epochs: within one, a record may be beyond the end.
//!         if let Some(end) = context.state(&self.end).copied() {
//!             context.delete_event_timer(end);
//!             if end <= context.time() {
//!                 self.close(end, context);
//!             }
//!         }
//!         *context.state(&self.edits).or_default() += 1;
//!         let end = context.time().saturating_add(minutes(30));
//!         context.state(&self.end).set(end);
//!         context.set_event_timer(end);
//!     }
//!
//!     fn on_event_timer(&self, end: EventTime, context: &mut Context<'_, String, (String, u32)>) {
//!         self.close(end, context);
//!     }
//! }
//!
//! let edits = [("ann", 0), ("bob", 5), ("ann", 20), ("ann", 60)];
//! let sittings = timely::example(move |scope| {
//!     Stream::from_inner(&Flow::new(scope), edits.to_stream(scope))
//!         .event_time(|it| EventTime::from_secs(60 * it.1), Disorder::ascending())
//!         .key_value(|(user, _)| (user.to_owned(), ()))
//!         .process(Sittings::new)
//!         .values()
//!         .inner()
//!         .capture()
//! });
//! let sittings = sittings.extract().remove(0).1;
//! assert_eq!(sittings, [("ann".into(), 1), ("ann".into(), 2), ("bob".into(), 1)]);
//! ```

use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;

use crate::event::Event;
use crate::events::Events;
use crate::flow::Clock;
use crate::keyed::{Key, Keyed, Value};
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::state::backend::Spill;
use crate::stream::Stream;
use crate::time::EventTime;

mod broadcast;
mod cell;
mod contents;
mod context;
mod engine;
mod keys;
mod kinds;
mod states;
mod two;

pub use broadcast::{BroadcastProcess, BroadcastProcessing, Saved, WithBroadcast};
pub use contents::Kept;
pub use context::Context;
pub use kinds::{
    AggregatingMut, AggregatingState, ListMut, ListState, MapMut, MapState, ReducingMut,
    ReducingState, State, ValueMut, ValueState,
};
pub use states::{Expiry, States, Stored};
pub use two::{CoProcess, CoProcessing, Connected};

use engine::{Engine, Entry, Fire};

/// A function of the records of each key.
///
/// It is a value that is made once per worker and serves every key: what it holds besides handles
/// of state is neither per key nor saved. Several outputs are one side output of an enum, taken
/// apart by [`Stream::split`].
pub trait Process: 'static {
    /// What the input is keyed by.
    type Key: Key;
    /// What the records are, besides the key.
    type Record;
    /// What is given out.
    type Output: 'static;
    /// What is given to the side output; [`Infallible`] if nothing is.
    type Side: 'static;

    /// Takes a record of the current key.
    fn on_record(
        &self,
        record: Self::Record,
        context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    );

    /// Is called when the watermark reaches a moment that the current key has an event timer for.
    fn on_event_timer(
        &self,
        _at: EventTime,
        _context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    ) {
    }

    /// Is called when the time of day reaches a moment that the current key has a processing timer
    /// for.
    fn on_processing_timer(
        &self,
        _at: EventTime,
        _context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    ) {
    }
}

/// The events that a process function gives, and what it gives to the side.
pub type Processed<'scope, O, S> = (Events<'scope, O>, Stream<'scope, S>);

impl<'scope, K: Key, V: Value> Keyed<'scope, K, V> {
    /// Runs a process function, made by `function` with the states that it declares.
    ///
    /// Guarantees, costs and an example stand at the [module](crate::process).
    ///
    /// # Panics
    ///
    /// If two states have one name.
    pub fn process<F>(self, function: impl FnOnce(&mut States) -> F) -> Events<'scope, F::Output>
    where
        F: Process<Key = K, Record = V, Side = Infallible>,
    {
        self.process_with_side(function).0
    }

    /// As [`process`](Self::process), with the side output.
    ///
    /// # Panics
    ///
    /// If two states have one name.
    pub fn process_with_side<F>(
        self,
        function: impl FnOnce(&mut States) -> F,
    ) -> Processed<'scope, F::Output, F::Side>
    where
        F: Process<Key = K, Record = V>,
    {
        let mut states = States::new();
        let function = function(&mut states);
        self.rule_of(states.node(), |flow, node| {
            Processing::with(states, function, flow.clock()).spilling(flow.spill(node))
        })
    }
}

/// The rule that runs a process function over the keys of one worker.
pub struct Processing<F: Process> {
    function: F,
    engine: Engine<F::Key>,
}

impl<F: Process> fmt::Debug for Processing<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processing").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl<F: Process> Processing<F> {
    /// The rule of a function whose processing timers follow `clock`.
    ///
    /// # Panics
    ///
    /// If two states have one name.
    pub fn new(clock: Rc<dyn Clock>, function: impl FnOnce(&mut States) -> F) -> Self {
        let mut states = States::new();
        let function = function(&mut states);
        Self::with(states, function, clock)
    }

    fn with(states: States, function: F, clock: Rc<dyn Clock>) -> Self {
        Self { function, engine: Engine::new(states, clock) }
    }

    /// The same rule, which puts what does not fit in memory where `spill` says.
    #[must_use]
    pub fn spilling(mut self, spill: Option<Spill>) -> Self {
        self.engine.spill(spill);
        self
    }

    /// How many keys have state or timers.
    pub fn keys(&self) -> usize {
        self.engine.count()
    }
}

impl<F: Process> Fire<F::Key, F::Output, F::Side> for F {
    fn event(&self, at: EventTime, context: &mut Context<'_, F::Key, F::Output, F::Side>) {
        self.on_event_timer(at, context);
    }

    fn processing(&self, at: EventTime, context: &mut Context<'_, F::Key, F::Output, F::Side>) {
        self.on_processing_timer(at, context);
    }
}

impl<F: Process> Rule<Event<(F::Key, F::Record)>> for Processing<F> {
    type Output = Event<F::Output>;
    type Side = F::Side;
    type Saved = Entry<F::Key>;

    fn accept(
        &mut self,
        Event { at, value: (key, record) }: Event<(F::Key, F::Record)>,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) {
        self.engine.call(key, at, out, |context| self.function.on_record(record, context));
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        self.engine.fire(&self.function, watermark, out)
    }

    fn waits(&self) -> bool {
        self.engine.waits()
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        self.engine.save(to, |entry| entry);
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.engine.restoring(section);
        true
    }

    fn restore(&mut self, saved: Self::Saved) {
        self.engine.restore(saved);
    }

    fn resume(&mut self, watermark: EventTime) {
        self.engine.resume(watermark);
    }

    fn restored(&mut self) -> Result<Vec<String>, String> {
        self.engine.restored()
    }
}
