//! Histories of epochs, and the ways to feed them.

use std::sync::Arc;

use proptest::prelude::*;
use tidemill_operators::state::Memory;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::Epoch;

use super::{Bench, Cut, Seen, Tap, at, on_workers};

/// What each partition brings in each epoch: `epochs[epoch][partition]`.
pub(crate) type Epochs<D> = Vec<Vec<Vec<D>>>;

/// A history and how it is fed.
#[derive(Clone, Debug)]
pub(crate) struct Run<D> {
    epochs: Arc<Epochs<D>>,
    workers: usize,
    batch: usize,
    flight: usize,
    ends: bool,
    clock: Option<Vec<i64>>,
    restarts: Vec<(Epoch, usize)>,
}

/// A part of a run, between two restarts.
#[derive(Clone, Copy)]
struct Stage {
    number: usize,
    from: Epoch,
    until: Option<Epoch>,
}

impl<D: Clone + Send + Sync + 'static> Run<D> {
    /// Feeds the history to one worker, each partition and epoch as a batch.
    pub(crate) fn new(epochs: Epochs<D>) -> Self {
        let epochs = Arc::new(epochs);
        Self {
            epochs,
            workers: 1,
            batch: usize::MAX,
            flight: 1,
            ends: false,
            clock: None,
            restarts: Vec::new(),
        }
    }

    /// Spreads the partitions over so many workers.
    pub(crate) fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// Cuts what a partition brings into batches of at most so many records.
    pub(crate) fn batch(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// Sends so many epochs mixed, the later ones first; then all of them complete at once.
    pub(crate) fn flight(self, flight: usize) -> Self {
        Self { flight, ..self }
    }

    /// Says of each partition, with its last record, that it has ended.
    pub(crate) fn ending(self) -> Self {
        Self { ends: true, ..self }
    }

    /// Puts all clocks to these moments, epoch by epoch; each epoch is complete before the next.
    pub(crate) fn clock(self, micros: Vec<i64>) -> Self {
        Self { clock: Some(micros), ..self }
    }

    /// Crashes after epoch `epoch` was kept, while later ones are on their way, and goes on from
    /// there on so many workers.
    pub(crate) fn restart(mut self, epoch: Epoch, workers: usize) -> Self {
        self.restarts.push((epoch, workers));
        self
    }

    /// Runs the flow that `build` makes, and gives what it tapped.
    pub(crate) fn go<O: Send + 'static>(
        &self,
        build: impl for<'s> Fn(Stream<'s, D>, &Tap<O>) + Send + Sync + 'static,
    ) -> Vec<Seen<O>> {
        let build = Arc::new(build);
        let mut memory = Memory::every(2);
        let (mut workers, mut from) = (self.workers, 0);
        let mut all = Vec::new();
        let ends = self.restarts.iter().map(|it| (Some(it.0), it.1)).chain([(None, 0)]);
        for (number, (until, next)) in ends.enumerate() {
            let stage = Stage { number, from, until };
            let build = Arc::clone(&build);
            let (run, partitions) = (self.clone(), self.epochs.first().map_or(0, Vec::len));
            let mine = move |worker| stage.partitions(partitions, worker, workers);
            let names = move |worker| mine(worker).iter().map(ToString::to_string).collect();
            let mut seen = on_workers(
                workers,
                Cut { memory: memory.clone(), at: until },
                names,
                move |stream: Stream<'_, D>, tap: &Tap<O>| build(stream, tap),
                move |bench| run.feed(bench, stage),
            );
            // What a crash kept from being delivered comes again.
            seen.retain(|it| until.is_none_or(|until| it.epoch <= until));
            all.append(&mut seen);
            if let Some(until) = until {
                memory = memory.restored(until);
                (workers, from) = (next, until + 1);
            }
        }
        all
    }

    fn feed(&self, bench: &mut Bench<'_, D>, stage: Stage) {
        let len = self.epochs.len() as Epoch;
        // Epochs that are on their way when the run is cut short.
        let last = stage.until.map_or(len, |it| len.min(it + 3)).max(stage.from);
        let mine = self.epochs.first().map_or(0, Vec::len);
        let mine = stage.partitions(mine, bench.index(), bench.peers());
        let mut from = stage.from;
        while from < last {
            let to = last.min(from + self.flight as Epoch);
            if let Some(now) = self.clock.as_ref().map(|it| it[from as usize]) {
                bench.clock.set(at(now));
            }
            for (count, piece) in self.pieces(from, to, &mine).into_iter().enumerate() {
                let (epoch, mark, records) = piece;
                bench.send(epoch, mark, records);
                if count % 3 == 0 {
                    bench.step();
                }
            }
            for epoch in from..to {
                self.end(bench, epoch, stage.from, &mine);
            }
            bench.advance(to);
            bench.step();
            if self.clock.is_some() {
                bench.settle(to - 1);
            }
            from = to;
        }
        match stage.until {
            Some(until) => {
                // Beyond the history an epoch may be cut that has no records.
                bench.advance(last.max(until + 1));
                bench.settle(until);
                bench.stop();
            }
            None => bench.finish(),
        }
    }

    /// The batches of some epochs, the later ones first, in turn from each partition.
    fn pieces(&self, from: Epoch, to: Epoch, mine: &[usize]) -> Vec<(Epoch, u32, Vec<D>)> {
        let mut pieces = Vec::new();
        for epoch in (from..to).rev() {
            for (mark, &partition) in mine.iter().enumerate() {
                let records = &self.epochs[epoch as usize][partition];
                let chunks = records.chunks(self.batch).enumerate();
                pieces.extend(chunks.map(|(turn, it)| (turn, (epoch, mark as u32, it.to_vec()))));
            }
        }
        pieces.sort_by_key(|(turn, _)| *turn);
        pieces.into_iter().map(|(_, piece)| piece).collect()
    }

    /// Says which partitions end with `epoch`.
    fn end(&self, bench: &Bench<'_, D>, epoch: Epoch, from: Epoch, mine: &[usize]) {
        for (mark, &partition) in mine.iter().enumerate() {
            if self.ends && epoch == self.end_of(partition).max(from) {
                bench.partitions.end(mark as u32, epoch);
            }
        }
    }

    /// The epoch of a partition's last record.
    fn end_of(&self, partition: usize) -> Epoch {
        let last = self.epochs.iter().rposition(|it| !it[partition].is_empty());
        last.unwrap_or(0) as Epoch
    }

    /// The watermark at the end of each epoch, in microseconds, from the whole history: the least,
    /// over the partitions that have not ended, of the greatest time so far, less the delay and a
    /// microsecond.
    pub(crate) fn watermarks(&self, time: impl Fn(&D) -> i64, delay: i64) -> Vec<i64> {
        let partitions = self.epochs.first().map_or(0, Vec::len);
        let of_partition = |epoch: usize, it: usize| {
            if self.ended(it, epoch as Epoch) {
                return i64::MAX;
            }
            let latest = self.epochs[..=epoch].iter().flat_map(|epoch| &epoch[it]).map(&time).max();
            latest.map_or(i64::MIN, |latest| latest.saturating_sub(delay).saturating_sub(1))
        };
        let after = |epoch| (0..partitions).map(|it| of_partition(epoch, it)).min();
        (0..self.epochs.len()).map(|epoch| after(epoch).unwrap_or(i64::MIN)).collect()
    }

    /// Whether a partition holds nothing back any more at the end of an epoch.
    pub(crate) fn ended(&self, partition: usize, epoch: Epoch) -> bool {
        self.ends && epoch >= self.end_of(partition)
    }

    /// How many workers there are in an epoch.
    pub(crate) fn workers_at(&self, epoch: Epoch) -> usize {
        let last = self.restarts.iter().rfind(|it| it.0 < epoch);
        last.map_or(self.workers, |it| it.1)
    }

    /// The same run without restarts.
    pub(crate) fn never_restarting(self) -> Self {
        Self { restarts: Vec::new(), ..self }
    }

    /// The history.
    pub(crate) fn epochs(&self) -> &Epochs<D> {
        &self.epochs
    }
}

impl Stage {
    /// The partitions of a worker; after a restart they move on even if no worker came or went.
    fn partitions(self, count: usize, worker: usize, peers: usize) -> Vec<usize> {
        (0..count).filter(|it| (it + self.number) % peers == worker).collect()
    }
}

/// A history and a way to feed it: workers, batch size, epochs in flight, perhaps a restart.
pub(crate) fn runs<D: Clone + Send + Sync + std::fmt::Debug + 'static>(
    epochs: impl Strategy<Value = Epochs<D>>,
) -> impl Strategy<Value = Run<D>> {
    let workers = || prop_oneof![Just(1usize), Just(2), Just(4)];
    let restart = proptest::option::of((any::<prop::sample::Index>(), workers()));
    (epochs, workers(), 1..9usize, 1..4usize, restart).prop_map(
        |(epochs, workers, batch, flight, restart)| {
            let length = epochs.len();
            let run = Run::new(epochs).workers(workers).batch(batch).flight(flight).ending();
            match restart.filter(|_| length > 0) {
                Some((at, workers)) => run.restart(at.index(length) as Epoch, workers),
                None => run,
            }
        },
    )
}

/// Histories of records in so many epochs and partitions.
pub(crate) fn histories<D: Clone + std::fmt::Debug>(
    record: impl Strategy<Value = D> + Clone,
    epochs: std::ops::Range<usize>,
    records: std::ops::Range<usize>,
) -> impl Strategy<Value = Epochs<D>> {
    (1..5usize).prop_flat_map(move |partitions| {
        let of_partition = prop::collection::vec(record.clone(), records.clone());
        prop::collection::vec(prop::collection::vec(of_partition, partitions), epochs.clone())
    })
}
