//! The thread of a process that writes checkpoints, so that no worker waits for a disk.
//!
//! A store that fails is tried again, ever less often, until it works: meanwhile no further
//! checkpoint is begun, and the job goes on. Each failure is counted and said.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use timely::scheduling::SyncActivator;

use super::begin::Shelf;
use super::keeping::HandOver;
use super::wanted::Wanted;
use crate::checkpoint::{Manifest, SectionRef, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::job::host::{Fate, said};
use crate::metrics::Metrics;
use crate::time::Epoch;

/// How long it rests after the first failure; twice as long after each further one.
const REST: Duration = Duration::from_millis(100);

/// The longest that it rests.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// How often it looks for requests from outside.
const LOOK: Duration = Duration::from_millis(500);

/// How long the last checkpoint of a job is tried for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the scribe is asked for.
pub(super) enum Request {
    /// To write what a worker hands over.
    Write { worker: usize, hand_over: HandOver, tell: Tell },
    /// To make a checkpoint one; then to remove what is no longer needed.
    Commit { manifest: Box<Manifest>, tell: Tell },
}

/// What it did.
pub(super) enum Done {
    /// Wrote what a worker handed over, there.
    Written {
        epochs: Range<Epoch>,
        sections: Vec<Vec<u64>>,
        places: Vec<(String, Vec<SectionRef>)>,
    },
    Committed(Box<Manifest>),
}

/// The way back to a worker.
pub(super) struct Tell {
    pub(super) to: Sender<Done>,
    pub(super) waker: SyncActivator,
}

impl Tell {
    fn done(self, done: Done) {
        // Both fail only when the worker has ended, and then nobody waits.
        let _ = self.to.send(done);
        let _ = self.waker.activate();
    }
}

/// The scribe of a process. When the last clone is gone its thread ends.
#[derive(Clone)]
pub(crate) struct Scribe {
    requests: Sender<Request>,
}

impl Scribe {
    /// Starts the thread. It ends early if the job fails.
    pub(crate) fn start(
        shelf: &Shelf,
        fate: &Arc<Fate>,
        metrics: &Metrics,
    ) -> Result<(Self, JoinHandle<()>)> {
        let (requests, asked) = channel();
        let desk = Desk {
            store: shelf.store.clone(),
            run: shelf.run,
            keep: shelf.settings.keep,
            fate: Arc::clone(fate),
            metrics: metrics.clone(),
            wanted: shelf.wanted.clone(),
            leads: shelf.leads,
        };
        let thread = Builder::new().name("checkpoints".into()).spawn(move || {
            // Without it no checkpoint would come, and a job with checkpoints ends with one.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| desk.work(&asked))) {
                let message = "the thread that writes checkpoints panicked";
                desk.fate.fail(Error::new(ErrorKind::Stopped, message).because(said(&*panic)));
            }
        });
        let thread = thread.map_err(|error| {
            let message = "cannot start the thread that writes checkpoints";
            Error::new(ErrorKind::Stopped, message).because(error)
        })?;
        Ok((Self { requests }, thread))
    }

    pub(super) fn ask(&self, request: Request) {
        // The thread ends early only when the job fails.
        let _ = self.requests.send(request);
    }
}

struct Desk {
    store: Store,
    run: u64,
    keep: NonZeroUsize,
    fate: Arc<Fate>,
    metrics: Metrics,
    wanted: Wanted,
    /// Whether this is the process whose first worker leads.
    leads: bool,
}

impl Desk {
    fn work(&self, asked: &Receiver<Request>) {
        loop {
            let request = match asked.recv_timeout(LOOK) {
                Ok(request) => request,
                Err(RecvTimeoutError::Timeout) => {
                    self.look();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            match request {
                Request::Write { worker, hand_over, tell } => {
                    let HandOver { epochs, operators } = hand_over;
                    let last = epochs.end == Epoch::MAX;
                    let what = format!("write checkpoint {}", epochs.start);
                    let write =
                        || self.store.write_part(epochs.start, worker, self.run, &operators);
                    let Some(places) = self.insist(&what, last, write) else { return };
                    let ids = operators.iter().map(|(_, it)| it.iter().map(|it| it.id).collect());
                    tell.done(Done::Written { epochs, sections: ids.collect(), places });
                }
                Request::Commit { manifest, tell } => {
                    let what = format!("commit checkpoint {}", manifest.epoch);
                    let last = manifest.ended.is_some();
                    if self.insist(&what, last, || self.store.commit(&manifest)).is_none() {
                        return;
                    }
                    self.count(&manifest);
                    self.save(&manifest);
                    tell.done(Done::Committed(manifest));
                    if let Err(error) = self.store.retain(self.keep) {
                        self.failed("remove old checkpoints", &error, None);
                    }
                }
            }
        }
    }

    /// Looks whether somebody wants a savepoint: then a checkpoint is due.
    fn look(&self) {
        if self.leads {
            match self.store.requests() {
                Ok(requests) if requests.is_empty() => {}
                Ok(_) => self.wanted.want(),
                Err(error) => self.failed("look for requests", &error, Some(LOOK)),
            }
        }
    }

    /// Makes the savepoints that were wanted when the checkpoint was taken.
    fn save(&self, manifest: &Manifest) {
        if self.wanted.signalled() {
            match self.store.savepoint(manifest, None) {
                Ok(place) => eprintln!("{}: savepoint {place}", self.store.job()),
                Err(error) => self.failed("make a savepoint", &error, None),
            }
        }
        let requests = self.store.requests().unwrap_or_else(|error| {
            self.failed("look for requests", &error, Some(LOOK));
            Vec::new()
        });
        for request in requests {
            let made = self.store.savepoint(manifest, request.to.as_deref());
            if let Err(error) = self.store.answer(&request, &made) {
                self.failed("answer a request for a savepoint", &error, None);
            }
        }
    }

    /// Does something until it succeeds; nothing if the job has failed, or fails because of this.
    fn insist<T>(&self, what: &str, last: bool, act: impl Fn() -> Result<T>) -> Option<T> {
        let (began, mut rest) = (Instant::now(), REST);
        loop {
            match act() {
                Ok(done) => return Some(done),
                // Another run of the job is at work, and this one must give way.
                Err(error) if error.kind() == ErrorKind::State => {
                    self.fate.fail(error);
                    return None;
                }
                Err(error) if last && began.elapsed() > PATIENCE => {
                    let message = format!("cannot {what}, the last of this run");
                    self.fate.fail(Error::new(ErrorKind::State, message).because(error));
                    return None;
                }
                Err(error) => self.failed(what, &error, Some(rest)),
            }
            let until = Instant::now() + rest;
            while Instant::now() < until {
                if self.fate.failed() {
                    return None;
                }
                std::thread::sleep(REST.min(until.saturating_duration_since(Instant::now())));
            }
            rest = (2 * rest).min(LONGEST_REST);
        }
    }

    fn count(&self, manifest: &Manifest) {
        let counts = self.metrics.checkpoints();
        counts.committed.add(1);
        counts.epoch.set(i64::try_from(manifest.epoch).unwrap_or(i64::MAX));
        counts.bytes.set(i64::try_from(manifest.stored_bytes()).unwrap_or(i64::MAX));
    }

    fn failed(&self, what: &str, error: &Error, again: Option<Duration>) {
        self.metrics.checkpoints().failures.add(1);
        let again = again.map_or(String::new(), |rest| format!("; trying again in {rest:?}"));
        eprintln!("cannot {what}: {error:#}{again}");
    }
}
