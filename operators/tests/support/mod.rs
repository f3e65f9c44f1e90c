//! Runs a flow over a history of epochs on several workers, with restarts, and never hangs.
//!
//! A [`Run`] is data: what each partition of a source brings in each epoch, and how it is fed. It
//! builds a flow on every worker, feeds it, and gives what the watched streams gave. [`on_workers`]
//! is the room below it, for tests that feed by a script of their own.

// Each test binary uses a part of this.
#![allow(dead_code, unused_imports)]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tidemill_operators::batch::Batch;
use tidemill_operators::flow::{Alarm, Flow, Progress, StillClock, Surroundings};
use tidemill_operators::key::Group;
use tidemill_operators::partitions::Partitions;
use tidemill_operators::plan::Node;
use tidemill_operators::state::{Keeper, Memory, Part, Section};
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, EventTime};
use timely::container::NoopBuilder;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream as Timely};
use timely::scheduling::Activator;
use timely::worker::Worker;

mod run;

pub(crate) use run::{Epochs, Run, histories, runs};

/// Steps without any progress after which a run counts as stuck: a capability that is kept too
/// long must fail here, not hang.
const PATIENCE: usize = 5_000;

/// Notes which operators cannot go on, and lets the run be.
#[derive(Default)]
pub(crate) struct Alarms(RefCell<Vec<String>>);

impl Alarms {
    /// The operators, in the order in which they said so.
    pub(crate) fn raised(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

impl Alarm for Alarms {
    fn raise(&self, operator: &str, _: String) {
        self.0.borrow_mut().push(operator.to_owned());
    }
}

/// A record that a watched stream gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen<O> {
    pub(crate) epoch: Epoch,
    pub(crate) worker: usize,
    pub(crate) record: O,
}

/// The records alone, in order.
pub(crate) fn records<O: Ord>(seen: Vec<Seen<O>>) -> Vec<O> {
    let mut records: Vec<O> = seen.into_iter().map(|it| it.record).collect();
    records.sort();
    records
}

/// The records with their epochs, in order.
pub(crate) fn by_epoch<O: Ord>(seen: Vec<Seen<O>>) -> Vec<(Epoch, O)> {
    let mut records: Vec<_> = seen.into_iter().map(|it| (it.epoch, it.record)).collect();
    records.sort();
    records
}

/// Keeps one epoch, in memory: like a job that takes a checkpoint when it is told to.
#[derive(Clone)]
pub(crate) struct Cut {
    pub(crate) memory: Memory,
    pub(crate) at: Option<Epoch>,
}

impl Keeper for Cut {
    fn due(&self, completed: &Range<Epoch>) -> bool {
        // Epochs before the one that matters are kept too: it is then written as what changed.
        let before = |at| completed.start < at && self.memory.due(completed);
        self.at.is_some_and(|at| completed.contains(&at) || before(at))
    }

    fn keep(&self, operator: &str, worker: usize, completed: Range<Epoch>, saved: Vec<Section>) {
        self.memory.keep(operator, worker, completed, saved);
    }

    fn recall(
        &self,
        operator: &str,
        entries: &'static str,
        worker: usize,
        groups: Range<Group>,
        each: &mut dyn FnMut(Part, Option<u64>),
    ) {
        self.memory.recall(operator, entries, worker, groups, each);
    }

    fn refuse(&self, operator: &str, why: String) {
        self.memory.refuse(operator, why);
    }

    fn resume(&self) -> Epoch {
        self.memory.resume()
    }
}

/// What the workers of one run share.
struct Shared {
    /// The first failure of any worker.
    failed: Mutex<Option<String>>,
    /// How far each worker's operators have come.
    reached: Vec<AtomicU64>,
}

impl Shared {
    fn fail(&self, why: String) {
        lock(&self.failed).get_or_insert(why);
    }

    fn failed(&self) -> bool {
        lock(&self.failed).is_some()
    }
}

/// Takes the streams whose records a test wants to see.
pub(crate) struct Tap<O> {
    worker: usize,
    seen: Arc<Mutex<Vec<Seen<O>>>>,
    watched: Rc<RefCell<Vec<(String, Rc<Cell<Epoch>>)>>>,
}

impl<O> Clone for Tap<O> {
    fn clone(&self) -> Self {
        let (seen, watched) = (Arc::clone(&self.seen), Rc::clone(&self.watched));
        Self { worker: self.worker, seen, watched }
    }
}

impl<O: 'static> Tap<O> {
    /// Collects what `stream` gives. Nothing may come of an epoch that was said to be complete.
    pub(crate) fn watch(&self, stream: Stream<'_, O>) {
        let name = stream.flow().name_of(stream.node());
        let completed = Rc::new(Cell::new(0));
        self.watched.borrow_mut().push((name.clone(), Rc::clone(&completed)));
        let (worker, seen, told) = (self.worker, Arc::clone(&self.seen), Rc::clone(&completed));
        stream.watch(
            move |epoch, records| {
                assert!(epoch >= completed.get(), "`{name}` gave records of a complete epoch");
                let records = records.drain(..).map(|record| Seen { epoch, worker, record });
                lock(&seen).extend(records);
            },
            move |epoch| told.set(epoch),
        );
    }
}

/// What a worker's source is to send next.
struct Line<D> {
    batches: VecDeque<(Epoch, Batch<D>)>,
    frontier: Epoch,
}

/// One worker while a script feeds it.
pub(crate) struct Bench<'a, D> {
    worker: &'a mut Worker,
    line: Rc<RefCell<Line<D>>>,
    activator: Activator,
    progress: Progress,
    watched: Vec<(String, Rc<Cell<Epoch>>)>,
    shared: Arc<Shared>,
    /// The partitions that this worker reads.
    pub(crate) partitions: Rc<Partitions>,
    /// This worker's clock.
    pub(crate) clock: Rc<StillClock>,
}

impl<D: 'static> Bench<'_, D> {
    pub(crate) fn index(&self) -> usize {
        self.worker.index()
    }

    pub(crate) fn peers(&self) -> usize {
        self.worker.peers()
    }

    /// Sends records of an epoch, read from the partition with this mark.
    pub(crate) fn send(&mut self, epoch: Epoch, partition: u32, records: Vec<D>) {
        self.line.borrow_mut().batches.push_back((epoch, Batch { partition, records }));
        self.activator.activate();
    }

    /// Sends nothing more of epochs before this one.
    pub(crate) fn advance(&mut self, epoch: Epoch) {
        self.line.borrow_mut().frontier = epoch;
        self.activator.activate();
    }

    /// Lets every operator that wants to work do so once.
    pub(crate) fn step(&mut self) {
        self.worker.step();
    }

    /// How far all operators on this worker have come.
    pub(crate) fn reached(&self) -> Epoch {
        let watched = self.watched.iter().map(|(_, reached)| reached.get());
        watched.min().unwrap_or(Epoch::MAX).min(self.progress.reached())
    }

    /// Works until every worker has completed `epoch`.
    pub(crate) fn settle(&mut self, epoch: Epoch) {
        self.work_until(&format!("completes epoch {epoch}"), |bench| {
            bench.shared.reached.iter().all(|it| it.load(SeqCst) > epoch)
        });
    }

    /// Ends the input, which is not the end of time, and works until everything is done.
    pub(crate) fn stop(&mut self) {
        self.progress.stop();
        self.finish();
    }

    /// Ends the input and works until everything is done.
    pub(crate) fn finish(&mut self) {
        self.advance(Epoch::MAX);
        self.work_until("ends", |bench| !bench.worker.has_dataflows());
        assert_eq!(self.reached(), Epoch::MAX, "an operator ended without a word");
    }

    /// Works until `done`, or fails with the names of the operators that hold on.
    fn work_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let (mut patience, mut last) = (PATIENCE, None);
        loop {
            let reached = self.reached();
            self.shared.reached[self.worker.index()].store(reached, SeqCst);
            if done(self) {
                return;
            }
            let all: Vec<_> = self.shared.reached.iter().map(|it| it.load(SeqCst)).collect();
            if last.as_ref() != Some(&all) {
                (patience, last) = (PATIENCE, Some(all));
            }
            patience -= 1;
            let stuck = self.watched.iter().filter(|it| it.1.get() == reached);
            let stuck: Vec<_> = stuck.map(|it| it.0.as_str()).collect();
            assert!(patience > 0, "never {what}: stuck in epoch {reached} at {stuck:?}");
            assert!(!self.shared.failed(), "another worker failed");
            self.worker.step_or_park(Some(Duration::from_millis(1)));
        }
    }
}

/// Builds a flow on each worker and lets a script feed it; gives what the tapped streams gave.
///
/// # Panics
///
/// If a worker panics, an operator does, or the flow does not end in a bounded number of steps.
pub(crate) fn on_workers<D, O, K>(
    workers: usize,
    keeper: K,
    names: impl Fn(usize) -> Vec<String> + Send + Sync + 'static,
    build: impl for<'s> Fn(Stream<'s, D>, &Tap<O>) + Send + Sync + 'static,
    script: impl Fn(&mut Bench<'_, D>) + Send + Sync + 'static,
) -> Vec<Seen<O>>
where
    D: 'static,
    O: Send + 'static,
    K: Keeper + Clone + Send + Sync + 'static,
{
    let reached = (0..workers).map(|_| AtomicU64::new(0)).collect();
    let shared = Arc::new(Shared { failed: Mutex::new(None), reached });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (ours, tapped) = (Arc::clone(&shared), Arc::clone(&seen));
    let guards = timely::execute(timely::Config::process(workers), move |worker| {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let names = names(worker.index());
            let seen = Arc::clone(&tapped);
            let mut bench = bench(worker, keeper.clone(), names, seen, &build, Arc::clone(&ours));
            script(&mut bench);
        }));
        if let Err(panic) = outcome {
            ours.fail(message(&*panic));
            for dataflow in worker.installed_dataflows() {
                worker.drop_dataflow(dataflow);
            }
        }
    });
    for outcome in guards.expect("the workers start").join() {
        outcome.expect("a worker's panics are caught");
    }
    if let Some(why) = lock(&shared.failed).take() {
        panic!("{why}");
    }
    std::mem::take(&mut *lock(&seen))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no worker panics while it holds a lock")
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|it| (*it).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Builds the flow on one worker.
fn bench<'a, D: 'static, O: 'static>(
    worker: &'a mut Worker,
    keeper: impl Keeper + 'static,
    names: Vec<String>,
    seen: Arc<Mutex<Vec<Seen<O>>>>,
    build: &impl for<'s> Fn(Stream<'s, D>, &Tap<O>),
    shared: Arc<Shared>,
) -> Bench<'a, D> {
    let (partitions, clock) = (Rc::new(Partitions::default()), Rc::new(StillClock::default()));
    for name in names {
        partitions.add(name);
    }
    let resume = keeper.resume();
    let line = Line { batches: VecDeque::new(), frontier: resume };
    let line = Rc::new(RefCell::new(line));
    let tap = Tap { worker: worker.index(), seen, watched: Rc::default() };
    let surroundings = Surroundings {
        keeper: Rc::new(keeper),
        clock: Rc::clone(&clock) as _,
        ..Surroundings::default()
    };
    let (progress, activator) = worker.dataflow(|scope| {
        let flow = Flow::within(scope, surroundings);
        let node = flow.add(Node::source("feed"), []);
        let (activator, stream) = source(scope, Rc::clone(&line));
        build(Stream::from_source(&flow, node, stream, Rc::clone(&partitions)), &tap);
        (flow.progress(), activator)
    });
    let watched = tap.watched.take();
    Bench { worker, line, activator, progress, watched, shared, partitions, clock }
}

/// A source that sends what is put on the line.
fn source<'s, D: 'static>(
    scope: Scope<'s, Epoch>,
    line: Rc<RefCell<Line<D>>>,
) -> (Activator, Timely<'s, Epoch, Batch<D>>) {
    let mut builder = OperatorBuilder::new("feed".to_owned(), scope);
    let (output, stream) = builder.new_output();
    let mut output = OutputBuilder::<Epoch, NoopBuilder<Batch<D>>>::from(output);
    let activator = scope.activator_for(builder.operator_info().address);
    builder.build(move |mut capabilities| {
        let mut held = capabilities.pop();
        move |_| {
            let Some(capability) = &mut held else { return };
            let mut output = output.activate();
            let mut line = line.borrow_mut();
            for (epoch, mut batch) in line.batches.drain(..) {
                let at = capability.delayed(&epoch);
                output.session_with_builder(&at).give_container(&mut batch);
            }
            match line.frontier {
                Epoch::MAX => held = None,
                frontier => capability.downgrade(&frontier),
            }
        }
    });
    (activator, stream)
}

/// The moment `micros` microseconds after 1970 began.
pub(crate) fn at(micros: i64) -> EventTime {
    EventTime::from_micros(micros)
}
