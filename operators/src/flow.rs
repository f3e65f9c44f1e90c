//! What the operators of one dataflow on one worker share while they are built and run.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use timely::dataflow::Scope;

use crate::count::{Counters, Counts};
use crate::key::Groups;
use crate::plan::{Kind, Node, NodeId, Plan, Routing};
use crate::state::backend::{Backend, InMemory, Spill};
use crate::state::{Forgetful, Keeper};
use crate::time::{Epoch, EventTime};

/// Tells the time of day. The wall clock enters the operators here only.
pub trait Clock {
    /// The time of day.
    fn now(&self) -> EventTime;
}

/// A clock that stands where it is put: for tests, and for jobs without processing time.
#[derive(Debug, Default)]
pub struct StillClock(Cell<EventTime>);

impl StillClock {
    /// Puts the clock to `now`.
    pub fn set(&self, now: EventTime) {
        self.0.set(now);
    }
}

impl Clock for StillClock {
    fn now(&self) -> EventTime {
        self.0.get()
    }
}

/// Ends what runs a flow, for an operator that cannot go on.
///
/// An operator that raises it leaves the epoch that it is at incomplete, so nothing wrong is taken
/// for an answer: a run that is not ended then waits for ever.
pub trait Alarm {
    /// Ends the run with an error: which operator cannot go on, why, and what to try.
    fn raise(&self, operator: &str, why: String);
}

/// Ends the run by a panic of the worker.
#[derive(Debug, Default)]
pub struct Panicking;

impl Alarm for Panicking {
    fn raise(&self, operator: &str, why: String) {
        panic!("`{operator}` cannot go on: {why}");
    }
}

/// What a flow is given from outside.
#[derive(Clone)]
pub struct Surroundings {
    /// Keeps and recalls the state of operators.
    pub keeper: Rc<dyn Keeper>,
    /// Takes the keyed state that does not fit in memory.
    pub backend: Rc<dyn Backend>,
    /// Tells the time of day.
    pub clock: Rc<dyn Clock>,
    /// The number of key groups.
    pub max_parallelism: u16,
    /// Where operators count.
    pub counters: Counters,
    /// Ends the run when an operator cannot go on.
    pub alarm: Rc<dyn Alarm>,
    /// What the program around the flow wants verbs of its own to find: see [`Flow::host`].
    pub host: Rc<dyn Any>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            keeper: Rc::new(Forgetful),
            backend: Rc::new(InMemory),
            clock: Rc::new(StillClock::default()),
            max_parallelism: Groups::DEFAULT,
            counters: Counters::new(),
            alarm: Rc::new(Panicking),
            host: Rc::new(()),
        }
    }
}

/// A dataflow under construction on one worker, and afterwards what its operators share.
///
/// Handles such as [`Stream`](crate::stream::Stream) carry it along; it is cheap to clone.
#[derive(Clone)]
pub struct Flow<'scope> {
    scope: Scope<'scope, Epoch>,
    site: Rc<Site>,
}

/// The part of a flow that outlives its construction.
pub(crate) struct Site {
    pub(crate) keeper: Rc<dyn Keeper>,
    backend: Rc<dyn Backend>,
    pub(crate) clock: Rc<dyn Clock>,
    pub(crate) groups: Groups,
    pub(crate) worker: usize,
    counters: Counters,
    alarm: Rc<dyn Alarm>,
    host: Rc<dyn Any>,
    stopped: Cell<bool>,
    plan: RefCell<Plan>,
    reached: RefCell<Vec<Reached>>,
}

/// How far one operator has come: it has completed all epochs before this one.
#[derive(Clone, Debug, Default)]
pub struct Reached(Rc<Cell<Epoch>>);

impl Reached {
    /// Says that all epochs before `epoch` are complete; [`Epoch::MAX`] if there will be no more.
    pub fn set(&self, epoch: Epoch) {
        self.0.set(epoch);
    }

    /// The earliest epoch that is not complete.
    pub fn get(&self) -> Epoch {
        self.0.get()
    }
}

impl<'scope> Flow<'scope> {
    /// A flow in `scope` that keeps no state and whose clock stands still.
    pub fn new(scope: Scope<'scope, Epoch>) -> Self {
        Self::within(scope, Surroundings::default())
    }

    /// A flow in `scope` with these surroundings.
    pub fn within(scope: Scope<'scope, Epoch>, surroundings: Surroundings) -> Self {
        let site = Site {
            keeper: surroundings.keeper,
            backend: surroundings.backend,
            clock: surroundings.clock,
            groups: Groups::new(surroundings.max_parallelism, scope.peers()),
            worker: scope.index(),
            counters: surroundings.counters,
            alarm: surroundings.alarm,
            host: surroundings.host,
            stopped: Cell::new(false),
            plan: RefCell::default(),
            reached: RefCell::default(),
        };
        Self { scope, site: Rc::new(site) }
    }

    /// The flow of a site, from its scope.
    pub(crate) fn of(scope: Scope<'scope, Epoch>, site: Rc<Site>) -> Self {
        Self { scope, site }
    }

    /// The engine's own scope.
    pub fn scope(&self) -> Scope<'scope, Epoch> {
        self.scope
    }

    /// The operators built so far.
    pub fn plan(&self) -> Plan {
        self.site.plan.borrow().clone()
    }

    /// Adds an operator to the plan, fed by the nodes of `inputs`. Its name becomes unique.
    pub fn add<const N: usize>(&self, node: Node, inputs: [(NodeId, Routing); N]) -> NodeId {
        self.site.add(node, inputs)
    }

    /// The unique name of a node: the name under which its state is kept.
    pub fn name_of(&self, node: NodeId) -> String {
        self.site.name_of(node)
    }

    /// The counters of a node on this worker.
    pub fn counts(&self, node: NodeId, kind: Kind) -> Counts {
        self.site.counters.operator(&self.name_of(node), kind, self.site.worker)
    }

    /// Gives an operator the cell in which it says how far it has come.
    ///
    /// Every operator at which records can wait, or leave the flow, has one: [`Progress`] is the
    /// least of them.
    pub fn reached(&self) -> Reached {
        let reached = Reached::default();
        self.site.reached.borrow_mut().push(reached.clone());
        reached
    }

    /// How far the whole flow has come on this worker, also after construction.
    pub fn progress(&self) -> Progress {
        Progress(Rc::clone(&self.site))
    }

    /// What the program around the flow gave it for verbs of its own, if it is of this type.
    pub fn host<T: 'static>(&self) -> Option<Rc<T>> {
        Rc::clone(&self.site.host).downcast().ok()
    }

    /// Where the state of operators is kept.
    pub fn keeper(&self) -> Rc<dyn Keeper> {
        Rc::clone(&self.site.keeper)
    }

    /// Where a stateful operator puts what does not fit in memory, if not all of it is to stay there.
    ///
    /// # Panics
    ///
    /// If the backend fails.
    pub fn spill(&self, node: NodeId) -> Option<Spill> {
        let name = self.name_of(node);
        let opened = self.site.backend.open(&name, self.site.worker);
        opened.unwrap_or_else(|error| panic!("cannot keep the state of `{name}`: {error}"))
    }

    /// What tells the flow the time of day.
    pub fn clock(&self) -> Rc<dyn Clock> {
        Rc::clone(&self.site.clock)
    }

    pub(crate) fn site(&self) -> Rc<Site> {
        Rc::clone(&self.site)
    }
}

impl fmt::Debug for Flow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("worker", &self.site.worker).finish_non_exhaustive()
    }
}

/// How far the operators of a flow have come on one worker.
#[derive(Clone)]
pub struct Progress(Rc<Site>);

impl Progress {
    /// The earliest epoch that some operator has not completed; [`Epoch::MAX`] once all are done.
    pub fn reached(&self) -> Epoch {
        self.0.reached.borrow().iter().map(Reached::get).min().unwrap_or(Epoch::MAX)
    }
}

impl Progress {
    /// Says that the input is cut short: its end is not the end of time, so windows that are open
    /// when it comes stay unfired.
    pub fn stop(&self) {
        self.0.stopped.set(true);
    }
}

impl Site {
    pub(crate) fn add<const N: usize>(&self, node: Node, inputs: [(NodeId, Routing); N]) -> NodeId {
        let mut plan = self.plan.borrow_mut();
        let id = plan.add(node);
        for (from, routing) in inputs {
            plan.connect(from, id, routing);
        }
        id
    }

    /// Leads what one operator gives back to an earlier one.
    pub(crate) fn lead_back(&self, from: NodeId, to: NodeId) {
        self.plan.borrow_mut().connect_labelled(from, to, Routing::Local, "again");
    }

    pub(crate) fn name_of(&self, node: NodeId) -> String {
        self.plan.borrow().name(node).to_owned()
    }

    /// Ends the run, because `operator` cannot go on.
    pub(crate) fn alarm(&self, operator: &str, why: String) {
        self.alarm.raise(operator, why);
    }

    /// Whether the end of the input is not the end of time.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped.get()
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.reached()).finish()
    }
}
