//! Checkpoints of a running job.
//!
//! # How a checkpoint comes about
//!
//! 1. When it is time, the first worker tells all to go on to the first epoch of a new
//!    [cycle](lineup::CYCLE). The last epoch of the cycle before is the checkpoint.
//! 2. Each operator hands its state over when it has completed that epoch ([`Keeping`]), a sink
//!    when its writer has prepared what it wrote. Nothing waits for anything.
//! 3. When all operators of a worker have, the process's [`Scribe`] writes what changed, and the
//!    worker tells the first where it is.
//! 4. When all workers have, the scribe of the first commits the manifest, and all are told. Now the
//!    writers of sinks commit what they had prepared.
//!
//! The end of the input is a checkpoint, too: an operator that has ended hands over its last state
//! for all epochs to come, and writers close after they have committed the last transaction.
//! One checkpoint is under way at a time.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use timely::scheduling::SyncActivator;
use timely::worker::Worker;

use super::news::{News, Word};
use crate::checkpoint::{Ended, Manifest, OperatorState, Piece};
use crate::state::Keeper;
use crate::time::Epoch;

mod begin;
mod keeping;
mod lineup;
mod scribe;
mod wanted;

pub(crate) use begin::{Course, Shelf};
pub(crate) use keeping::{Keeping, Places};
pub(crate) use scribe::Scribe;

pub(super) use lineup::boundary;

use lineup::{CYCLE, Lineup};
use scribe::{Done, Request, Tell};
use wanted::Wanted;

/// One worker's part in checkpoints.
pub(super) struct Checkpoints {
    worker: usize,
    keeping: Rc<Keeping>,
    scribe: Scribe,
    tell: Sender<Done>,
    done: Receiver<Done>,
    waker: SyncActivator,
    /// Whether the scribe writes for this worker.
    writing: bool,
    first: Option<First>,
    /// Whether the last checkpoint is committed.
    over: bool,
}

/// What the first worker does for all.
struct First {
    interval: Duration,
    job: String,
    run: u64,
    max_parallelism: u32,
    lineup: Lineup<Vec<Places>>,
    /// Whether a checkpoint has been begun and is not committed, and when.
    begun: Option<Instant>,
    /// When the last one was begun.
    last: Instant,
    wanted: Wanted,
}

impl Checkpoints {
    pub(super) fn new(
        worker: &Worker,
        course: &Course,
        scribe: Scribe,
        waker: SyncActivator,
    ) -> Self {
        let (tell, done) = channel();
        let (worker, peers) = (worker.index(), worker.peers());
        let from = course.keeping.resume();
        let first = (worker == 0).then(|| First {
            interval: course.interval,
            job: course.job.clone(),
            run: course.run,
            max_parallelism: course.max_parallelism,
            lineup: Lineup::new(peers, from),
            begun: None,
            last: Instant::now(),
            wanted: course.wanted.clone(),
        });
        let keeping = Rc::clone(&course.keeping);
        Self { worker, keeping, scribe, tell, done, waker, writing: false, first, over: false }
    }

    /// Whether the last checkpoint of this run is committed.
    pub(super) fn over(&self) -> bool {
        self.over
    }

    /// How long until it must be called again although nothing happens.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        let first = self.first.as_ref().filter(|it| it.begun.is_none());
        first.map_or(Duration::MAX, |it| {
            it.interval.saturating_sub(now.saturating_duration_since(it.last))
        })
    }

    /// Takes note of a piece of news.
    pub(super) fn hear(&mut self, word: Word) {
        match word {
            Word::Written { worker, epochs, places } => {
                if let Some(first) = &mut self.first {
                    first.lineup.hand_over(worker, epochs, places);
                }
            }
            Word::Committed { epoch, last } => {
                self.keeping.commit(epoch);
                self.over |= last;
            }
            Word::Continue(_) | Word::Epoch(_) | Word::Stop => {}
        }
    }

    /// Does what is to be done now. `epoch` is the furthest of any worker.
    pub(super) fn work(&mut self, epoch: Epoch, stopping: bool, news: &mut News) {
        while let Ok(done) = self.done.try_recv() {
            match done {
                Done::Written { epochs, sections, places } => {
                    self.writing = false;
                    let places = self.keeping.written(&sections, places);
                    news.tell_first(Word::Written { worker: self.worker, epochs, places });
                }
                Done::Committed(manifest) => {
                    let last = manifest.ended.is_some();
                    news.tell_all(&Word::Committed { epoch: manifest.epoch, last });
                    if let Some(first) = &mut self.first {
                        first.begun = None;
                    }
                }
            }
        }
        if !self.writing
            && let Some(hand_over) = self.keeping.take()
        {
            self.writing = true;
            let worker = self.worker;
            self.scribe.ask(Request::Write { worker, hand_over, tell: self.tell() });
        }
        if let Some(manifest) = self.first.as_mut().and_then(|it| it.complete(stopping)) {
            self.scribe.ask(Request::Commit { manifest: Box::new(manifest), tell: self.tell() });
        }
        if let Some(first) = &mut self.first
            && first.begun.is_none()
            && (first.wanted.begins() || first.last.elapsed() >= first.interval)
        {
            first.last = Instant::now();
            first.begun = Some(first.last);
            news.tell_all(&Word::Epoch((epoch / CYCLE + 1) * CYCLE));
        }
    }

    fn tell(&self) -> Tell {
        Tell { to: self.tell.clone(), waker: self.waker.clone() }
    }
}

impl First {
    /// The next checkpoint, if all workers have written theirs.
    fn complete(&mut self, stopping: bool) -> Option<Manifest> {
        let (epochs, places) = self.lineup.take(Clone::clone)?;
        self.begun.get_or_insert_with(Instant::now);
        let workers = places.len();
        let mut operators = BTreeMap::<String, OperatorState>::new();
        for (worker, places) in places.into_iter().enumerate() {
            for (operator, type_name, sections) in places {
                let state = operators.entry(operator).or_default();
                state.type_name = type_name;
                state.pieces.push(Piece { worker, sections });
            }
        }
        let end = if stopping { Ended::Stopped } else { Ended::Finished };
        Some(Manifest {
            job: self.job.clone(),
            epoch: epochs.start,
            run: self.run,
            created: Timestamp::now(),
            max_parallelism: self.max_parallelism,
            workers,
            ended: (epochs.end == Epoch::MAX).then_some(end),
            operators,
        })
    }
}
