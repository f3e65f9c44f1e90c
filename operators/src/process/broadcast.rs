//! Process functions of one keyed input and one that reaches every key.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use timely::dataflow::channels::pact::Pipeline;

use super::contents::Bytes;
use super::engine::{Engine, Entry, Fire};
use super::{Context, Processed, States, Stored};
use crate::batch::by_key;
use crate::drive::drive_two;
use crate::event::Event;
use crate::events::Events;
use crate::flow::Clock;
use crate::key::hash;
use crate::keyed::{Key, Keyed, Value};
use crate::plan::Routing;
use crate::rule::{Advance, Either, Outbox, Rule, Snapshot};
use crate::state::backend::Spill;
use crate::state::{decode, encode};
use crate::stream::Stream;
use crate::time::EventTime;

/// The section of the shared state: those of the keys are numbered from 0.
const SHARED: u64 = u64::MAX - 1;

/// Records after which an advance pauses even if nothing was emitted.
const RECORDS: usize = 16 * 1024;

/// A function of the records of each key, and of records that concern all keys.
///
/// What it knows from the latter is the *shared state*, one value that is identical on every
/// worker. Only [`on_broadcast`](Self::on_broadcast) can change it: the other methods see it behind
/// a shared reference. States and timers are per key, as in [`Process`](super::Process).
///
/// # Guarantees
///
/// The broadcast records of an epoch are seen before its keyed ones, in the order of their event
/// times, and those of one time in an order that depends on their contents alone. So a keyed
/// record, or a timer, sees exactly the broadcast records of its epoch and of those before, on any
/// number of workers.
///
/// The watermark is that of the keyed input. The broadcast one holds nothing back: its event times
/// say in which order its records count, no more.
///
/// # Cost
///
/// Keyed records wait until their epoch is complete. The shared state is held, and saved when it
/// has changed, once on every worker; nothing but the function frees any of it.
pub trait BroadcastProcess: 'static {
    /// What the keyed input is keyed by.
    type Key: Key;
    /// What the records of the keyed input are, besides the key.
    type Record;
    /// What the records of the broadcast input are.
    type Broadcast;
    /// What is known from the broadcast input.
    type Shared: Stored + Default;
    /// What is given out.
    type Output: 'static;
    /// What is given to the side output; [`Infallible`] if nothing is.
    type Side: 'static;

    /// Takes a broadcast record, on every worker alike. It belongs to no key, and gives nothing out:
    /// else it would do so once per worker.
    fn on_broadcast(&self, record: Self::Broadcast, at: EventTime, shared: &mut Self::Shared);

    /// Takes a record of the current key.
    fn on_record(
        &self,
        record: Self::Record,
        shared: &Self::Shared,
        context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    );

    /// As [`Process::on_event_timer`](super::Process::on_event_timer).
    fn on_event_timer(
        &self,
        _at: EventTime,
        _shared: &Self::Shared,
        _context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    ) {
    }

    /// As [`Process::on_processing_timer`](super::Process::on_processing_timer).
    fn on_processing_timer(
        &self,
        _at: EventTime,
        _shared: &Self::Shared,
        _context: &mut Context<'_, Self::Key, Self::Output, Self::Side>,
    ) {
    }
}

/// A keyed input and a broadcast one. Made by [`Keyed::connect_broadcast`].
#[derive(Debug)]
pub struct WithBroadcast<'scope, K, V, B> {
    keyed: Keyed<'scope, K, V>,
    broadcast: Events<'scope, B>,
}

impl<'scope, K: Key, V: Value> Keyed<'scope, K, V> {
    /// Puts events beside this input that are to reach all keys, for a function of both.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use tidemill_operators::event_time::Disorder;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::process::{BroadcastProcess, Context, States, ValueState};
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::EventTime;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// /// Reports an account that has spent more than is allowed at the time.
    /// struct Limit {
    ///     spent: ValueState<u32>,
    /// }
    ///
    /// impl BroadcastProcess for Limit {
    ///     type Key = u32;
    ///     type Record = u32;
    ///     type Broadcast = u32;
    ///     type Shared = u32;
    ///     type Output = u32;
    ///     type Side = Infallible;
    ///
    ///     fn on_broadcast(&self, limit: u32, _at: EventTime, allowed: &mut u32) {
    ///         *allowed = limit;
    ///     }
    ///
    ///     fn on_record(&self, cents: u32, allowed: &u32, context: &mut Context<'_, u32, u32>) {
    ///         let spent = context.state(&self.spent).or_default();
    ///         *spent += cents;
    ///         if *spent > *allowed {
    ///             context.emit(*context.key());
    ///         }
    ///     }
    /// }
    ///
    /// let reported = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let limits = Stream::from_inner(&flow, [100u32].to_stream(scope))
    ///         .event_time(|_| EventTime::from_secs(0), Disorder::ascending());
    ///     Stream::from_inner(&flow, [(1u32, 60u32), (2, 70), (1, 50)].to_stream(scope))
    ///         .event_time(|_| EventTime::from_secs(1), Disorder::ascending())
    ///         .key_value(|spent| spent)
    ///         .connect_broadcast(limits)
    ///         .process(|states| Limit { spent: states.value("spent") })
    ///         .values()
    ///         .inner()
    ///         .capture()
    /// });
    /// assert_eq!(reported.extract(), [(0, vec![1])]);
    /// ```
    ///
    /// The keyed side cannot write to what is shared:
    ///
    /// ```compile_fail,E0594
    /// # use tidemill_operators::process::{BroadcastProcess, Context};
    /// # use tidemill_operators::time::EventTime;
    /// # struct Limit;
    /// impl BroadcastProcess for Limit {
    /// #   type Key = u32;
    /// #   type Record = u32;
    /// #   type Broadcast = u32;
    /// #   type Shared = u32;
    /// #   type Output = u32;
    /// #   type Side = std::convert::Infallible;
    /// #   fn on_broadcast(&self, limit: u32, _at: EventTime, allowed: &mut u32) {}
    ///     fn on_record(&self, cents: u32, allowed: &u32, context: &mut Context<'_, u32, u32>) {
    ///         *allowed = cents;
    ///     }
    /// }
    /// ```
    pub fn connect_broadcast<B: Value>(
        self,
        broadcast: Events<'scope, B>,
    ) -> WithBroadcast<'scope, K, V, B> {
        WithBroadcast { keyed: self, broadcast: broadcast.broadcast() }
    }
}

impl<'scope, K: Key, V: Value, B: Value> WithBroadcast<'scope, K, V, B> {
    /// Runs a function of both inputs, made by `function` with the states that it declares.
    ///
    /// # Panics
    ///
    /// If two states have one name.
    pub fn process<F>(self, function: impl FnOnce(&mut States) -> F) -> Events<'scope, F::Output>
    where
        F: BroadcastProcess<Key = K, Record = V, Broadcast = B, Side = Infallible>,
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
        F: BroadcastProcess<Key = K, Record = V, Broadcast = B>,
    {
        let (keyed, broadcast) = (self.keyed.events, self.broadcast.stream);
        let flow = keyed.flow().clone();
        let routes =
            [(keyed.stream.node, Routing::ByKey(String::new())), (broadcast.node, Routing::Local)];
        let mut states = States::new();
        let function = function(&mut states);
        let node = flow.add(states.node(), routes);
        let pact = by_key(flow.site().groups, |event: &Event<(K, V)>| hash(&event.value.0));
        let rule =
            BroadcastProcessing::with(states, function, flow.clock()).spilling(flow.spill(node));
        let (left, right) = ((keyed.stream.inner, pact), (broadcast.inner, Pipeline));
        let (main, side) = drive_two(&flow, node, left, right, keyed.marks.clone(), rule);
        let side = Stream { flow: flow.clone(), inner: side, node, partitions: None };
        let stream = Stream { flow, inner: main, node, partitions: None };
        (Events { stream, marks: keyed.marks }, side)
    }
}

/// The rule that runs a function with shared state over the keys of one worker.
pub struct BroadcastProcessing<F: BroadcastProcess> {
    function: Sharing<F>,
    engine: Engine<F::Key>,
    /// Whether the shared state has changed since it was saved.
    changed: bool,
    told: Vec<Event<F::Broadcast>>,
    waiting: VecDeque<Event<(F::Key, F::Record)>>,
}

/// A function with what is shared.
struct Sharing<F: BroadcastProcess> {
    function: F,
    shared: F::Shared,
}

/// An entry of saved state: of a key, or what all workers share.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Key"))]
pub enum Saved<K> {
    /// The contents of a key, or that it is gone.
    Key(Entry<K>),
    /// The shared state.
    Shared(Bytes),
}

impl<F: BroadcastProcess> fmt::Debug for BroadcastProcessing<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastProcessing").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl<F: BroadcastProcess> BroadcastProcessing<F> {
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
        Self {
            function: Sharing { function, shared: F::Shared::default() },
            engine: Engine::new(states, clock),
            changed: false,
            told: Vec::new(),
            waiting: VecDeque::new(),
        }
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

impl<F: BroadcastProcess> Fire<F::Key, F::Output, F::Side> for Sharing<F> {
    fn event(&self, at: EventTime, context: &mut Context<'_, F::Key, F::Output, F::Side>) {
        self.function.on_event_timer(at, &self.shared, context);
    }

    fn processing(&self, at: EventTime, context: &mut Context<'_, F::Key, F::Output, F::Side>) {
        self.function.on_processing_timer(at, &self.shared, context);
    }
}

/// A keyed record or a broadcast one.
type KeyedOrBroadcast<F> = Either<
    Event<(<F as BroadcastProcess>::Key, <F as BroadcastProcess>::Record)>,
    Event<<F as BroadcastProcess>::Broadcast>,
>;

impl<F: BroadcastProcess<Broadcast: Serialize>> Rule<KeyedOrBroadcast<F>>
    for BroadcastProcessing<F>
{
    type Output = Event<F::Output>;
    type Side = F::Side;
    type Saved = Saved<F::Key>;

    fn accept(&mut self, record: KeyedOrBroadcast<F>, _: &mut Outbox<Self::Output, Self::Side>) {
        match record {
            Either::Left(record) => self.waiting.push_back(record),
            Either::Right(record) => self.told.push(record),
        }
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        // They arrive in an order of their own on each worker.
        self.told.sort_by_cached_key(|it| (it.at, encode(&it.value)));
        let Sharing { function, shared } = &mut self.function;
        for Event { at, value } in self.told.drain(..) {
            function.on_broadcast(value, at, shared);
            self.changed = true;
        }
        for _ in 0..RECORDS {
            let Some(Event { at, value: (key, record) }) = self.waiting.pop_front() else {
                return self.engine.fire(&self.function, watermark, out);
            };
            self.engine.call(key, at, out, |context| function.on_record(record, shared, context));
            if out.full() {
                break;
            }
        }
        Advance::More
    }

    fn waits(&self) -> bool {
        self.engine.waits()
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        self.engine.save(to, Saved::Key);
        if self.changed || !to.unchanged(SHARED) {
            to.section(SHARED);
            to.everyone(Saved::Shared(Bytes(encode(&self.function.shared))));
            self.changed = false;
        }
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.engine.restoring(section);
        true
    }

    fn restore(&mut self, saved: Self::Saved) {
        match saved {
            Saved::Key(entry) => self.engine.restore(entry),
            Saved::Shared(Bytes(bytes)) => match decode(&bytes) {
                Ok(shared) => self.function.shared = shared,
                Err(why) => {
                    self.engine.refuse(format!("its shared state is of another type: {why}"))
                }
            },
        }
    }

    fn resume(&mut self, watermark: EventTime) {
        self.engine.resume(watermark);
    }

    fn restored(&mut self) -> Result<Vec<String>, String> {
        self.engine.restored()
    }
}
