//! Jobs that run in this process, one after the other, over a source that goes on from run to run.

// Each test file that uses this room uses another part of it.
#![allow(dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::ObjectStore;
use object_store::memory::InMemory;
use tidemill::Result;
use tidemill::config::Checkpointing;
use tidemill::connect::{Polled, Reader, Source, Wake};
use tidemill::metrics::Snapshot;
use tidemill::prelude::*;

/// What the job is called.
pub(crate) const JOB: &str = "restore";

/// The numbers from 0 up to a limit that may grow between two runs.
#[derive(Clone)]
struct Numbers(Arc<AtomicU64>);

impl Source for Numbers {
    type Record = u64;

    fn partitions(&self, _lanes: usize) -> Result<Vec<String>> {
        Ok(vec!["all".to_owned()])
    }

    fn open(
        &self,
        _partition: &str,
        position: Option<&[u8]>,
        _wake: Wake,
    ) -> Result<Box<dyn Reader<Record = u64>>> {
        let saved = position.map(|it| u64::from_le_bytes(it.try_into().expect("eight bytes")));
        Ok(Box::new(Counting { next: saved.unwrap_or(0), limit: Arc::clone(&self.0) }))
    }

    fn bounded(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        "numbers".to_owned()
    }
}

struct Counting {
    next: u64,
    limit: Arc<AtomicU64>,
}

impl Reader for Counting {
    type Record = u64;

    fn poll(&mut self, most: usize, records: &mut Vec<u64>) -> Result<Polled> {
        let end = self.limit.load(Ordering::SeqCst).min(self.next + most as u64);
        records.extend(self.next..end);
        self.next = end;
        Ok(if end == self.limit.load(Ordering::SeqCst) { Polled::Ended } else { Polled::Ready })
    }

    fn position(&self) -> Vec<u8> {
        self.next.to_le_bytes().to_vec()
    }

    fn bytes(&self) -> u64 {
        8 * self.next
    }
}

/// A job that is run several times over the same store and source.
pub(crate) struct Runs {
    pub(crate) store: Arc<dyn ObjectStore>,
    numbers: Numbers,
}

impl Runs {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    pub(crate) fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, numbers: Numbers(Arc::default()) }
    }

    /// Runs the job on two workers until the source is at `limit`.
    pub(crate) fn run(
        &self,
        limit: u64,
        settings: impl FnOnce(&mut Checkpointing),
        build: impl Fn(Events<'_, u64>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Snapshot> {
        self.run_on(2, limit, settings, build)
    }

    /// Runs the job on so many workers until the source is at `limit`.
    pub(crate) fn run_on(
        &self,
        workers: usize,
        limit: u64,
        settings: impl FnOnce(&mut Checkpointing),
        build: impl Fn(Events<'_, u64>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Snapshot> {
        let mut all = Settings::default().workers(workers);
        settings(&mut all.checkpoints);
        self.run_with(all, limit, build)
    }

    /// Runs the job with these settings until the source is at `limit`.
    pub(crate) fn run_with(
        &self,
        settings: Settings,
        limit: u64,
        build: impl Fn(Events<'_, u64>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Snapshot> {
        self.numbers.0.store(limit, Ordering::SeqCst);
        let all = settings.epoch_rows(100).quiet();
        let numbers = self.numbers.clone();
        let job = Job::new(JOB, all).store(Arc::clone(&self.store));
        job.run(move |flow| {
            let at = |number: &u64| EventTime::from_secs(*number as i64);
            build(flow.read(numbers.clone())?.event_time(at, Disorder::ascending()))
        })
    }
}
