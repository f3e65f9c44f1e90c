//! The life of the workers of one process: build, step, tick, finish.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use timely::WorkerConfig;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::vec::Broadcast;
use timely::worker::Worker;

use super::clock::{EpochClock, Pacing};
use super::host::{Fate, Host, WallClock};
use super::{Build, panics, stopped};
use crate::cluster;
use crate::config::Settings;
use crate::error::Result;
use crate::flow::{Flow, Progress, Surroundings};
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::state::{Forgetful, Keeper};
use crate::time::Epoch;

/// The longest that a worker sleeps before it looks at what other threads decided.
const NAP: Duration = Duration::from_millis(50);

/// Runs the workers of this process until the job has ended on all of them.
pub(super) fn run(
    name: &str,
    settings: &Settings,
    metrics: &Metrics,
    fate: &Arc<Fate>,
    build: impl Build,
) -> Result<()> {
    let (builders, others) = cluster::connect(name, settings, &|| fate.stopping())?;
    let name = name.to_owned();
    let (settings, metrics, fate) = (settings.clone(), metrics.clone(), Arc::clone(fate));
    let guards =
        timely::execute::execute_from(builders, others, WorkerConfig::default(), move |worker| {
            let host = host(worker, &settings, &metrics, &fate, false);
            let worked = catch_unwind(AssertUnwindSafe(|| live(worker, &host, &settings, &build)));
            match worked {
                Ok(Ok(())) => {}
                Ok(Err(error)) => fate.fail(error),
                Err(panic) => fate.fail(panics::error(&*panic)),
            }
            if fate.failed() {
                if settings.processes > 1
                    && let Some(error) = fate.take_error()
                {
                    // The other processes notice; this worker cannot tell them any more.
                    cluster::leave(&name, &error);
                }
                let dropped = catch_unwind(AssertUnwindSafe(|| {
                    let left = worker.installed_dataflows();
                    left.into_iter().for_each(|it| worker.drop_dataflow(it));
                }));
                drop(dropped);
            }
            host.join_writers();
        });
    let guards = guards.map_err(|error| stopped("cannot start the workers").because(error))?;
    for joined in guards.join() {
        joined.map_err(|error| stopped("a worker ended in a panic").because(error))?;
    }
    Ok(())
}

/// The plan of a job, from building it once without touching anything outside.
pub(super) fn plan(
    name: &str,
    settings: &Settings,
    metrics: &Metrics,
    build: impl Build,
) -> Result<Plan> {
    let made = Arc::new(Mutex::new(None));
    let (settings, metrics, keep) = (settings.clone(), metrics.clone(), Arc::clone(&made));
    timely::execute_directly(move |worker| {
        let host = host(worker, &settings, &metrics, &Arc::default(), true);
        let plan = worker.dataflow::<Epoch, _, _>(|scope| {
            let flow = Flow::within(scope, surroundings(&settings, &host));
            build(&flow).map(|()| flow.plan())
        });
        *keep.lock().expect("nobody else holds it") = Some(plan);
        let built = worker.installed_dataflows();
        built.into_iter().for_each(|it| worker.drop_dataflow(it));
    });
    let plan = made.lock().expect("its worker has ended").take();
    plan.ok_or_else(|| stopped(format!("cannot build the job {name}")))?
}

fn host(
    worker: &Worker,
    settings: &Settings,
    metrics: &Metrics,
    fate: &Arc<Fate>,
    shown: bool,
) -> Rc<Host> {
    let pace = metrics.counters().worker(worker.index());
    let clock = EpochClock::new(Pacing::of(settings), Forgetful.resume(), Instant::now(), pace);
    Rc::new(Host::new(clock, Arc::clone(fate), metrics.clone(), shown))
}

fn surroundings(settings: &Settings, host: &Rc<Host>) -> Surroundings {
    Surroundings {
        keeper: Rc::new(Forgetful),
        clock: Rc::new(WallClock),
        max_parallelism: u16::try_from(settings.max_parallelism).expect("checked to fit"),
        counters: host.metrics.counters().clone(),
        host: Rc::clone(host) as Rc<_>,
    }
}

/// Builds the dataflow on this worker and works until it has ended.
fn live(
    worker: &mut Worker,
    host: &Rc<Host>,
    settings: &Settings,
    build: &impl Build,
) -> Result<()> {
    let mut news = News::new(worker);
    let before = worker.next_dataflow_index();
    panics::name_operators(worker);
    let built = worker.dataflow::<Epoch, _, _>(|scope| {
        let flow = Flow::within(scope, surroundings(settings, host));
        build(&flow).map(|()| flow.progress())
    });
    let progress = built?;
    while worker.installed_dataflows().contains(&before) {
        if host.fate.failed() {
            return Ok(());
        }
        tick(host, &progress, &mut news);
        let nap = host.clock.patience(Instant::now()).min(NAP);
        worker.step_or_park(Some(nap));
    }
    news.close();
    // The others may still need this worker to pass on their news.
    while worker.has_dataflows() && !host.fate.failed() {
        worker.step_or_park(Some(NAP));
    }
    Ok(())
}

/// Lets the epoch clock tick if it is time, and tells the others.
fn tick(host: &Host, progress: &Progress, news: &mut News) {
    if news.stop.get() {
        host.fate.stop();
    }
    if host.fate.stopping() && !news.stopped {
        progress.stop();
        news.stopped = true;
        news.tell(News::STOP);
        host.wake_sources();
    }
    let room = host.clock.room() > 0;
    let ticked = host.clock.tick(progress.reached(), news.heard.get(), Instant::now());
    if let Some((epoch, first)) = ticked {
        if first {
            news.tell(epoch);
        }
        news.heard.set(news.heard.get().max(epoch));
    }
    if ticked.is_some() || !room && host.clock.room() > 0 {
        host.wake_sources();
    }
}

/// What the workers of a job tell each other: the epoch they have entered, and that it is to stop.
struct News {
    telling: Option<InputHandle<Epoch, timely::container::CapacityContainerBuilder<Vec<Epoch>>>>,
    round: Epoch,
    heard: Rc<Cell<Epoch>>,
    stop: Rc<Cell<bool>>,
    stopped: bool,
}

impl News {
    /// Told instead of an epoch.
    const STOP: Epoch = Epoch::MAX;

    fn new(worker: &mut Worker) -> Self {
        let mut telling = InputHandle::new();
        let (heard, stop) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let (hear, told_to_stop) = (Rc::clone(&heard), Rc::clone(&stop));
        worker.dataflow_named("news", |scope| {
            let told = telling.to_stream(scope).container::<Vec<Epoch>>();
            told.broadcast().sink(Pipeline, "hear", move |(input, _frontier)| {
                input.for_each(|_capability, told| {
                    for news in told.drain(..) {
                        match news {
                            Self::STOP => told_to_stop.set(true),
                            epoch => hear.set(hear.get().max(epoch)),
                        }
                    }
                });
            });
        });
        Self { telling: Some(telling), round: 0, heard, stop, stopped: false }
    }

    fn tell(&mut self, news: Epoch) {
        if let Some(telling) = &mut self.telling {
            telling.send(news);
            self.round += 1;
            telling.advance_to(self.round);
        }
    }

    fn close(&mut self) {
        self.telling = None;
    }
}
