//! The life of the workers of one process: build, step, tick, finish.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use timely::WorkerConfig;
use timely::worker::Worker;

use super::checkpoints::{Checkpoints, Course, Keeping, Scribe, Shelf};
use super::clock::{EpochClock, Pacing};
use super::host::{Fate, Host, WallClock, said};
use super::news::{News, Word};
use super::{Build, panics, stopped};
use crate::cluster;
use crate::config::Settings;
use crate::error::Result;
use crate::flow::{Alarm, Flow, Progress, Surroundings};
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::spill::{self, OnDisk};
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
    shelf: Option<Shelf>,
    build: impl Build,
) -> Result<()> {
    let scribe = shelf.as_ref().map(|it| Scribe::start(it, fate, metrics)).transpose()?;
    let (scribe, writing) = scribe.unzip();
    let on_disk = spill::open(name, settings)?;
    let (builders, others) = cluster::connect(name, settings, &|| fate.stopping())?;
    let process = Process {
        on_disk,
        name: name.to_owned(),
        settings: settings.clone(),
        metrics: metrics.clone(),
        fate: Arc::clone(fate),
        shelf: shelf.zip(scribe),
        build,
    };
    let guards =
        timely::execute::execute_from(builders, others, WorkerConfig::default(), move |worker| {
            process.work(worker);
        });
    let guards = guards.map_err(|error| stopped("cannot start the workers").because(error))?;
    for joined in guards.join() {
        joined.map_err(|error| stopped("a worker ended in a panic").because(error))?;
    }
    // The scribe ends when the workers have, who ask it.
    writing.map_or(Ok(()), |it| it.join()).map_err(|panic| {
        stopped("the thread that writes checkpoints panicked").because(said(&*panic))
    })
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
        let pace = metrics.counters().worker(worker.index());
        let clock = EpochClock::new(Pacing::of(&settings), 0, Instant::now(), pace);
        let host = Rc::new(Host::new(clock, Arc::default(), metrics.clone(), None).shown());
        let plan = worker.dataflow::<Epoch, _, _>(|scope| {
            let flow = Flow::within(scope, surroundings(&settings, &host, None));
            build(&flow).map(|()| flow.plan())
        });
        *keep.lock().expect("nobody else holds it") = Some(plan);
        let built = worker.installed_dataflows();
        built.into_iter().for_each(|it| worker.drop_dataflow(it));
    });
    let plan = made.lock().expect("its worker has ended").take();
    plan.ok_or_else(|| stopped(format!("cannot build the job {name}")))?
}

fn surroundings(settings: &Settings, host: &Rc<Host>, on_disk: Option<&OnDisk>) -> Surroundings {
    let keeping = host.keeping.as_ref().map(|it| Rc::clone(it) as Rc<dyn Keeper>);
    Surroundings {
        keeper: keeping.unwrap_or_else(|| Rc::new(Forgetful)),
        backend: spill::backend(on_disk),
        clock: Rc::new(WallClock),
        max_parallelism: u16::try_from(settings.max_parallelism).expect("checked to fit"),
        counters: host.metrics.counters().clone(),
        alarm: Rc::new(Failing(Arc::clone(&host.fate))),
        host: Rc::clone(host) as Rc<_>,
    }
}

/// Ends the job with an error when an operator cannot go on.
struct Failing(Arc<Fate>);

impl Alarm for Failing {
    fn raise(&self, operator: &str, why: String) {
        self.0.fail(stopped(format!("operator `{operator}` cannot go on")).because(why));
    }
}

/// What the workers of a process share.
struct Process<B> {
    name: String,
    settings: Settings,
    metrics: Metrics,
    fate: Arc<Fate>,
    shelf: Option<(Shelf, Scribe)>,
    on_disk: Option<OnDisk>,
    build: B,
}

impl<B: Build> Process<B> {
    /// The life of one worker, whatever comes.
    fn work(&self, worker: &mut Worker) {
        let host = OnceCell::new();
        match catch_unwind(AssertUnwindSafe(|| self.live(worker, &host))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.fate.fail(error),
            Err(panic) => self.fate.fail(panics::error(&*panic)),
        }
        if self.fate.failed() {
            if self.settings.processes > 1
                && let Some(error) = self.fate.take_error()
            {
                // The other processes notice; this worker cannot tell them any more.
                cluster::leave(&self.name, &error);
            }
            let dropped = catch_unwind(AssertUnwindSafe(|| {
                let left = worker.installed_dataflows();
                left.into_iter().for_each(|it| worker.drop_dataflow(it));
            }));
            drop(dropped);
        }
        if let Some(host) = host.get() {
            host.join_writers();
        }
    }

    /// Builds the dataflow on this worker and works until it has ended.
    fn live(&self, worker: &mut Worker, host: &OnceCell<Rc<Host>>) -> Result<()> {
        let mut news = News::new(worker);
        let course = self.begin(worker, &mut news)?;
        let keeping = course.as_ref().map(|it| Rc::clone(&it.keeping));
        let from = keeping.as_ref().map_or(0, |it| it.resume());
        let pace = self.metrics.counters().worker(worker.index());
        let clock = EpochClock::new(Pacing::of(&self.settings), from, Instant::now(), pace);
        let fate = Arc::clone(&self.fate);
        let host =
            host.get_or_init(|| Rc::new(Host::new(clock, fate, self.metrics.clone(), keeping)));

        let main = worker.next_dataflow_index();
        panics::name_operators(worker);
        let began = Instant::now();
        let progress = worker.dataflow::<Epoch, _, _>(|scope| {
            let given = surroundings(&self.settings, host, self.on_disk.as_ref());
            let flow = Flow::within(scope, given);
            (self.build)(&flow).map(|()| flow.progress())
        })?;
        if let Some(course) = &course {
            course.keeping.check(&self.settings.checkpoints)?;
            self.restored(worker.index(), &course.keeping, began.elapsed());
        }
        let checkpoints = course.zip(self.shelf.as_ref()).map(|(course, (_, scribe))| {
            Checkpoints::new(worker, &course, scribe.clone(), news.waker(worker))
        });
        let host = Rc::clone(host);
        let mut life = Life { host, progress, news, heard: from, stopped: false, checkpoints };
        while worker.installed_dataflows().contains(&main) || !life.kept() {
            if self.fate.failed() {
                return Ok(());
            }
            life.tick();
            worker.step_or_park(Some(life.nap()));
        }
        life.news.close();
        // The others may still need this worker to pass on their news.
        while worker.has_dataflows() && !self.fate.failed() {
            worker.step_or_park(Some(NAP));
        }
        Ok(())
    }

    /// Counts, and says once for each process, what its operators were given back.
    fn restored(&self, worker: usize, keeping: &Keeping, took: Duration) {
        if !keeping.continues() {
            return;
        }
        let bytes = keeping.recalled();
        let counted = self.metrics.checkpoints();
        counted.restored.add(bytes);
        counted.restoring.add(took.as_micros().try_into().unwrap_or(u64::MAX));
        if worker.is_multiple_of(self.settings.workers) {
            let (name, megabytes) = (&self.name, bytes as f64 / 1e6);
            eprintln!("{name}: worker {worker} has restored {megabytes:.1} MB in {took:.1?}");
        }
    }

    /// Learns what the run continues from: the first worker chooses.
    fn begin(&self, worker: &mut Worker, news: &mut News) -> Result<Option<Course>> {
        let Some((shelf, _)) = &self.shelf else { return Ok(None) };
        if worker.index() == 0 {
            news.tell_all(&Word::Continue(shelf.choose()?.map(Box::new)));
        }
        loop {
            if let Some(chosen) = news.chosen() {
                return Ok(Some(shelf.course(chosen.map(|it| *it))));
            }
            if self.fate.failed() {
                return Err(stopped("another worker of this process could not begin"));
            }
            worker.step_or_park(Some(NAP));
        }
    }
}

/// What a worker looks after while the dataflow runs.
struct Life {
    host: Rc<Host>,
    progress: Progress,
    news: News,
    /// The furthest epoch of any worker.
    heard: Epoch,
    /// Whether the others were told that the job is to stop.
    stopped: bool,
    checkpoints: Option<Checkpoints>,
}

impl Life {
    /// Whether no checkpoint is to come any more.
    fn kept(&self) -> bool {
        self.checkpoints.as_ref().is_none_or(Checkpoints::over)
    }

    /// How long the worker may sleep if nothing happens.
    fn nap(&self) -> Duration {
        let now = Instant::now();
        let checkpoints = self.checkpoints.as_ref().map(|it| it.patience(now));
        self.host.clock.patience(now).min(checkpoints.unwrap_or(NAP)).min(NAP)
    }

    /// Hears the news, lets the epoch clock tick if it is time, and tells the others.
    fn tick(&mut self) {
        let Self { host, news, .. } = self;
        while let Some(word) = news.hear() {
            match word {
                Word::Epoch(epoch) => self.heard = self.heard.max(epoch),
                Word::Stop => host.fate.stop(),
                other => {
                    if let Some(checkpoints) = &mut self.checkpoints {
                        checkpoints.hear(other);
                    }
                }
            }
        }
        if host.fate.stopping() && !self.stopped {
            self.progress.stop();
            self.stopped = true;
            news.tell_all(&Word::Stop);
            host.wake_sources();
        }
        let room = host.clock.room() > 0;
        let ticked = host.clock.tick(self.progress.reached(), self.heard, Instant::now());
        if let Some((epoch, first)) = ticked {
            if first {
                news.tell_all(&Word::Epoch(epoch));
            }
            self.heard = self.heard.max(epoch);
        }
        if ticked.is_some() || !room && host.clock.room() > 0 {
            host.wake_sources();
        }
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.work(self.heard, host.fate.stopping(), news);
        }
    }
}
