//! One job: build it, run it, stop it.
//!
//! A [`Job`] has a name, [`Settings`] and a function that builds its dataflow. The function is
//! called on every worker of every process and builds the same dataflow on each; what runs where is
//! decided by partitions and keys. A job whose sources end ends by itself, with every window fired.
//!
//! ```
//! use tidemill::prelude::*;
//!
//! # fn main() -> tidemill::Result<()> {
//! let numbers = collect::<u64>();
//! let sink = numbers.clone();
//! Job::new("double", Settings::default().workers(2).quiet()).run(move |flow| {
//!     flow.read(iterate(|| 1..=3u64))?.map(|it| it * 2).write(sink.clone())
//! })?;
//! assert_eq!(numbers.sorted(), [2, 4, 6]);
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use object_store::ObjectStore;

use crate::cluster;
use crate::config::{Explain, Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::flow::Flow;
use crate::metrics::{Metrics, Snapshot};

mod call;
mod checkpoints;
mod clock;
mod host;
mod news;
mod panics;
pub(crate) mod progress;
mod read;
mod signal;
mod work;
mod write;

pub use call::{AsyncOptions, Cause, Failed, MapAsync};
pub use read::Read;
pub use write::Write;

use checkpoints::Shelf;
use host::Fate;
use progress::{Outcome, Progress, Show};

/// What builds the dataflow of a job, on each worker.
pub(crate) trait Build: Fn(&Flow<'_>) -> Result<()> + Send + Sync + 'static {}
impl<F: Fn(&Flow<'_>) -> Result<()> + Send + Sync + 'static> Build for F {}

/// A program over streams that can be run.
#[derive(Debug)]
pub struct Job {
    name: String,
    settings: Settings,
    metrics: Metrics,
    objects: Option<Arc<dyn ObjectStore>>,
}

impl Job {
    /// A job with these settings.
    pub fn new(name: impl Into<String>, settings: Settings) -> Self {
        Self { name: name.into(), settings, metrics: Metrics::new(), objects: None }
    }

    /// A job with the settings that the program was started with.
    ///
    /// If they ask for help, or are not understood, or contradict each other, this prints the help
    /// or the reason and ends the process, as command-line programs do. A program with flags of its
    /// own flattens [`Settings`] into its parser and calls [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// If a setting cannot be used.
    pub fn from_args(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let settings = Settings::from_args(&name);
        settings.check()?;
        Ok(Self::new(name, settings))
    }

    /// The same job with its checkpoints in an object store that the program has opened, rather than
    /// at the place that the settings name.
    #[must_use]
    pub fn store(self, objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects: Some(objects), ..self }
    }

    /// The counters of the job, which can be read while it runs.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Builds and runs the job, and returns when it has ended: its input ended and everything was
    /// written, it was told to stop (`Ctrl-C`, `SIGTERM`), or it failed.
    ///
    /// With `--explain` it is printed instead, and nothing outside is touched.
    ///
    /// A job that is stopped works off what it has read and closes its outputs; windows that were
    /// still open do not fire.
    ///
    /// # Errors
    ///
    /// The first error of any worker: of building, of a source or sink, or a panic in a function
    /// of the user's, with the name of the operator. The outputs of a job that failed are not
    /// closed. In a job of several processes an error ends the process, so that the others notice.
    pub fn run(
        self,
        build: impl Fn(&Flow<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Snapshot> {
        self.settings.check()?;
        if let Some(explain) = self.settings.explain {
            let plan = work::plan(&self.name, &self.settings, &self.metrics, build)?;
            match explain {
                Explain::Text => print!("{plan}"),
                Explain::Dot => print!("{}", plan.dot()),
            }
            return Ok(self.metrics.snapshot());
        }
        let fate = Arc::new(Fate::default());
        let _signals = signal::stops(&fate);
        let _panics = panics::watch(self.settings.processes > 1);
        let progress =
            Progress::start(&self.name, &self.metrics, Show::on_stderr(self.settings.quiet));
        let shelf = Shelf::open(&self.name, &self.settings, self.objects);
        let ran = shelf.and_then(|shelf| {
            work::run(&self.name, &self.settings, &self.metrics, &fate, shelf, build)
        });
        let failure = fate.take_error().or(ran.err());
        let outcome = match &failure {
            Some(_) => Outcome::Failed,
            None if fate.stopping() => Outcome::Stopped,
            None => Outcome::Done,
        };
        progress.finish(outcome);
        match failure {
            Some(error) if self.settings.processes > 1 => cluster::leave(&self.name, &error),
            Some(error) => Err(error),
            None => Ok(self.metrics.snapshot()),
        }
    }
}

/// An error about a job that could not start or go on.
fn stopped(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Stopped, message)
}
