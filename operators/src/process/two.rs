//! Process functions of two keyed inputs that share keys, state and timers.

use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;

use super::engine::{Engine, Entry, Fire};
use super::{Context, Processed, States};
use crate::event::Event;
use crate::events::Events;
use crate::flow::Clock;
use crate::keyed::{Key, Keyed, OfTwo, Value};
use crate::rule::{Advance, Either, Outbox, Rule, Snapshot};
use crate::state::backend::Spill;
use crate::time::EventTime;

/// A function of the records of each key, from two inputs.
///
/// As [`Process`](super::Process), with the same guarantees. Records of the two inputs are seen as
/// they arrive, in no order between them; the watermark is the lesser of theirs.
pub trait CoProcess: 'static {
    /// What both inputs are keyed by.
    type Key: Key;
    /// What the records of the first input are, besides the key.
    type Left;
    /// What the records of the second input are, besides the key.
    type Right;
    /// What is given out.
    type Output: 'static;
    /// What is given to the side output; [`Infallible`] if nothing is.
    type Side: 'static;

    /// Takes a record of the first input.
    fn on_left(
        &self,
        record: Self::Left,
        context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    );

    /// Takes a record of the second input.
    fn on_right(
        &self,
        record: Self::Right,
        context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    );

    /// As [`Process::on_event_timer`](super::Process::on_event_timer).
    fn on_event_timer(
        &self,
        _at: EventTime,
        _context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    ) {
    }

    /// As [`Process::on_processing_timer`](super::Process::on_processing_timer).
    fn on_processing_timer(
        &self,
        _at: EventTime,
        _context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    ) {
    }
}

/// Two keyed inputs side by side. Made by [`Keyed::connect`].
#[derive(Debug)]
pub struct Connected<'scope, K, L, R> {
    left: Keyed<'scope, K, L>,
    right: Keyed<'scope, K, R>,
}

impl<'scope, K: Key, V: Value> Keyed<'scope, K, V> {
    /// Puts a second input with the same keys beside this one, for a function of both.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use tidemill_operators::event_time::Disorder;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::process::{CoProcess, Context, ListState, States, ValueState};
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::EventTime;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// /// Gives each order its payment, whichever comes first.
    /// struct Paid {
    ///     item: ValueState<String>,
    ///     cents: ValueState<u32>,
    /// }
    ///
    /// impl Paid {
    ///     fn new(states: &mut States) -> Self {
    ///         Self { item: states.value("item"), cents: states.value("cents") }
    ///     }
    ///
    ///     fn give(&self, context: &mut Context<'_, u32, (String, u32)>) {
    ///         if context.state(&self.item).get().is_some()
    ///             && let Some(cents) = context.state(&self.cents).take()
    ///             && let Some(item) = context.state(&self.item).take()
    ///         {
    ///             context.emit((item, cents));
    ///         }
    ///     }
    /// }
    ///
    /// impl CoProcess for Paid {
    ///     type Key = u32;
    ///     type Left = String;
    ///     type Right = u32;
    ///     type Output = (String, u32);
    ///     type Side = Infallible;
    ///
    ///     fn on_left(&self, item: String, context: &mut Context<'_, u32, (String, u32)>) {
    ///         context.state(&self.item).set(item);
    ///         self.give(context);
    ///     }
    ///
    ///     fn on_right(&self, cents: u32, context: &mut Context<'_, u32, (String, u32)>) {
    ///         context.state(&self.cents).set(cents);
    ///         self.give(context);
    ///     }
    /// }
    ///
    /// let paid = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let orders = Stream::from_inner(&flow, [(7, "tea"), (8, "rice")].to_stream(scope))
    ///         .event_time(|_| EventTime::from_secs(1), Disorder::ascending())
    ///         .key_value(|(order, item)| (order, item.to_owned()));
    ///     let payments = Stream::from_inner(&flow, [(8u32, 250u32)].to_stream(scope))
    ///         .event_time(|_| EventTime::from_secs(2), Disorder::ascending())
    ///         .key_value(|(order, cents)| (order, cents));
    ///     orders.connect(payments).process(Paid::new).values().inner().capture()
    /// });
    /// assert_eq!(paid.extract(), [(0, vec![("rice".into(), 250)])]);
    /// ```
    pub fn connect<R: Value>(self, other: Keyed<'scope, K, R>) -> Connected<'scope, K, V, R> {
        Connected { left: self, right: other }
    }
}

impl<'scope, K: Key, L: Value, R: Value> Connected<'scope, K, L, R> {
    /// Runs a function of both inputs, made by `function` with the states that it declares.
    ///
    /// # Panics
    ///
    /// If two states have one name.
    pub fn process<F>(self, function: impl FnOnce(&mut States) -> F) -> Events<'scope, F::Output>
    where
        F: CoProcess<Key = K, Left = L, Right = R, Side = Infallible>,
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
        F: CoProcess<Key = K, Left = L, Right = R>,
    {
        let mut states = States::new();
        let function = function(&mut states);
        self.left.rule_with_of(self.right, states.node(), |flow, node| {
            CoProcessing::with(states, function, flow.clock()).spilling(flow.spill(node))
        })
    }
}

/// The rule that runs a function of two inputs over the keys of one worker.
pub struct CoProcessing<F: CoProcess> {
    function: Co<F>,
    engine: Engine<F::Key>,
}

impl<F: CoProcess> fmt::Debug for CoProcessing<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoProcessing").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl<F: CoProcess> CoProcessing<F> {
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
        Self { function: Co(function), engine: Engine::new(states, clock) }
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

struct Co<F>(F);

impl<F: CoProcess> Fire<F::Key, F::Output, F::Side> for Co<F> {
    fn event(&self, at: EventTime, context: &mut Context<'_, F::Key, F::Output, F::Side>) {
        self.0.on_event_timer(at, context);
    }

    fn processing(&self, at: EventTime, context: &mut Context<'_, F::Key, F::Output, F::Side>) {
        self.0.on_processing_timer(at, context);
    }
}

/// A keyed record of either input.
type OfEither<F> = OfTwo<<F as CoProcess>::Key, <F as CoProcess>::Left, <F as CoProcess>::Right>;

impl<F: CoProcess> Rule<OfEither<F>> for CoProcessing<F> {
    type Output = Event<F::Output>;
    type Side = F::Side;
    type Saved = Entry<F::Key>;

    fn accept(&mut self, record: OfEither<F>, out: &mut Outbox<Self::Output, Self::Side>) {
        let function = &self.function.0;
        match record {
            Either::Left(Event { at, value: (key, record) }) => {
                self.engine.call(key, at, out, |context| function.on_left(record, context));
            }
            Either::Right(Event { at, value: (key, record) }) => {
                self.engine.call(key, at, out, |context| function.on_right(record, context));
            }
        }
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
