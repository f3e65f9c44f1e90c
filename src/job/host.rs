//! What one worker of a job lends its sources and sinks while the job runs.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use timely::scheduling::Activator;

use super::checkpoints::Keeping;
use super::clock::EpochClock;
use crate::error::Result;
use crate::flow::Clock;
use crate::metrics::Metrics;
use crate::time::EventTime;
use crate::{Error, ErrorKind};

/// One worker's part of a running job.
pub(crate) struct Host {
    pub(crate) clock: EpochClock,
    pub(crate) fate: Arc<Fate>,
    pub(crate) metrics: Metrics,
    /// Whether the job is only shown, not run: nothing outside is touched.
    pub(crate) shown: bool,
    /// Where sinks learn what is committed, if the job continues a run or takes checkpoints.
    pub(crate) keeping: Option<Rc<Keeping>>,
    /// Wakes the sources when there is room again or a new epoch.
    sources: RefCell<Vec<Activator>>,
    writers: RefCell<Vec<JoinHandle<Result<()>>>>,
}

impl Host {
    /// The host of a worker whose job runs.
    pub(crate) fn new(
        clock: EpochClock,
        fate: Arc<Fate>,
        metrics: Metrics,
        keeping: Option<Rc<Keeping>>,
    ) -> Self {
        Self {
            clock,
            fate,
            metrics,
            shown: false,
            keeping,
            sources: RefCell::default(),
            writers: RefCell::default(),
        }
    }

    /// The same host for a job that is only shown.
    pub(crate) fn shown(self) -> Self {
        Self { shown: true, ..self }
    }

    pub(crate) fn add_source(&self, activator: Activator) {
        self.sources.borrow_mut().push(activator);
    }

    pub(crate) fn wake_sources(&self) {
        self.sources.borrow().iter().for_each(Activator::activate);
    }

    pub(crate) fn add_writer(&self, writer: JoinHandle<Result<()>>) {
        self.writers.borrow_mut().push(writer);
    }

    /// Waits for the writers to close what they wrote.
    pub(crate) fn join_writers(&self) {
        for writer in self.writers.take() {
            let done = writer.join().unwrap_or_else(|panic| {
                Err(Error::new(ErrorKind::Stopped, format!("a sink panicked: {}", said(&*panic))))
            });
            if let Err(error) = done {
                self.fate.fail(error);
            }
        }
    }
}

/// What is decided for all workers of this process: whether to go on, to stop, or to fail.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    stopping: AtomicBool,
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
}

impl Fate {
    /// Ends the input of the job; what was read is worked off.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ends the job with an error; the first one counts.
    pub(crate) fn fail(&self, error: Error) {
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn take_error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// The machine's clock.
#[derive(Debug)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> EventTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        EventTime::MIN.max(EventTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(0)))
    }
}

/// Finds the host of a flow.
pub(crate) fn host_of(flow: &crate::flow::Flow<'_>) -> Result<Rc<Host>> {
    flow.host().ok_or_else(|| {
        Error::new(ErrorKind::Setting, "this flow is not part of a job; build it in `Job::run`")
    })
}
