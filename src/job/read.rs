//! The operator that reads a source.

use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::container::NoopBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::scheduling::Activator;

use super::host::{Host, host_of};
use crate::batch::Batch;
use crate::connect::{Polled, Reader, Source, Wake};
use crate::count::Counts;
use crate::error::{Error, ErrorKind, Result};
use crate::flow::Flow;
use crate::partitions::Partitions;
use crate::plan::{Kind, Node};
use crate::state::{Keeper, Owner, Part, Section, decode, encode};
use crate::stream::Stream;
use crate::time::Epoch;

/// Rows that are read from a partition before the next one has its turn.
const TURN: usize = 4096;

/// How long a source waits at first before it looks again at a partition that has nothing new. It
/// waits twice as long each time, unless the reader wakes it.
const REST: Duration = Duration::from_millis(5);

/// The longest that it waits.
const LONGEST_REST: Duration = Duration::from_millis(50);

/// Reading into a flow: a verb that [`Flow`] gains in a job.
pub trait Read<'scope> {
    /// Reads `source`: each worker reads its share of the partitions.
    ///
    /// # Errors
    ///
    /// If the source cannot be read, or the flow is not part of a [`Job`](crate::Job).
    fn read<S: Source>(&self, source: S) -> Result<Stream<'scope, S::Record>>;
}

impl<'scope> Read<'scope> for Flow<'scope> {
    fn read<S: Source>(&self, source: S) -> Result<Stream<'scope, S::Record>> {
        let host = host_of(self)?;
        let node = self.add(Node::source(source.name()), []);
        let name = self.name_of(node);
        let scope = self.scope();
        let mut builder = OperatorBuilder::new(name.clone(), scope);
        let info = builder.operator_info();
        let (output, stream) = builder.new_output();
        let mut output = OutputBuilder::<Epoch, NoopBuilder<Batch<S::Record>>>::from(output);

        let partitions = Rc::new(Partitions::default());
        let mut intake = Intake {
            activator: scope.activator_for(Rc::clone(&info.address)),
            counts: self.counts(node, Kind::Source),
            keeper: self.keeper(),
            epoch: self.keeper().resume(),
            worker: scope.index(),
            lanes: scope.peers(),
            readers: Vec::new(),
            partitions: Rc::clone(&partitions),
            batch: Batch::default(),
            host: Rc::clone(&host),
            look: None,
            rest: REST,
            name,
        };
        let opened = if host.shown {
            Ok(())
        } else {
            let wake = waking(scope.worker().sync_activator_for(info.address.to_vec()));
            intake.open(&source, scope.peers(), &wake)
        };
        host.add_source(scope.activator_for(info.address));
        builder.build(move |mut capabilities| {
            let mut held = capabilities.pop();
            // A run that continues begins with a later epoch than the engine does.
            held.iter_mut().for_each(|it| it.downgrade(&intake.epoch));
            move |_frontiers| {
                let Some(capability) = held.as_mut() else { return };
                let mut output = output.activate();
                intake.enter(capability);
                let open = intake.take_turns(|batch| {
                    output.session_with_builder(&*capability).give_container(batch);
                });
                if !open || intake.host.fate.stopping() {
                    intake.leave();
                    held = None;
                }
            }
        });
        // Only now: timely does not allow an operator to be given up once it is begun.
        opened.map(|()| Stream::from_source(self, node, stream, partitions))
    }
}

fn waking(activator: timely::scheduling::SyncActivator) -> Wake {
    // The sending half of a channel is not `Sync` in every version of timely; a lock makes it so.
    let activator = std::sync::Mutex::new(activator);
    Arc::new(move || {
        if let Ok(activator) = activator.lock() {
            // It fails only when the worker has ended, and then nobody waits.
            let _ = activator.activate();
        }
    })
}

/// The partitions that one worker reads, in turn.
struct Intake<D> {
    name: String,
    worker: usize,
    /// How many workers there were when the source was cut into partitions.
    lanes: usize,
    readers: Vec<Turn<D>>,
    partitions: Rc<Partitions>,
    batch: Batch<D>,
    epoch: Epoch,
    host: Rc<Host>,
    keeper: Rc<dyn Keeper>,
    counts: Counts,
    activator: Activator,
    /// When the operator is called again although nothing wakes it, if it is.
    look: Option<Instant>,
    rest: Duration,
}

struct Turn<D> {
    mark: u32,
    name: String,
    reader: Box<dyn Reader<Record = D>>,
    ended: bool,
    bytes: u64,
    malformed: u64,
}

impl<D: 'static> Intake<D> {
    /// Opens this worker's share of the partitions where they were left.
    fn open<S: Source<Record = D>>(&mut self, source: &S, peers: usize, wake: &Wake) -> Result<()> {
        let mut saved = Vec::new();
        self.keeper.recall(&self.name, "position", self.worker, 0..0, &mut |it, _| saved.push(it));
        if let Some(lanes) = saved.iter().find(|it| it.owner == Owner::Everyone) {
            self.lanes = decode(&lanes.bytes).map_err(|why| {
                let message = format!("cannot restore {}: {why}", self.name);
                Error::new(ErrorKind::State, message)
            })?;
        }
        // Partitions that were being read stay, also if the source would not name them today.
        let mut names = source.partitions(self.lanes)?;
        names.extend(saved.iter().filter_map(|it| match &it.owner {
            Owner::Partition(name) => Some(name.clone()),
            _ => None,
        }));
        let mut known = HashSet::new();
        names.retain(|name| known.insert(name.clone()));
        let mine = |at: &usize| at % peers == self.worker;
        for (_, name) in names.into_iter().enumerate().filter(|(at, _)| mine(at)) {
            let owner = Owner::Partition(name.clone());
            let position = saved.iter().find(|part| part.owner == owner);
            let position = position.map(|part| part.bytes.as_slice());
            let reader = source.open(&name, position, Arc::clone(wake))?;
            let mark = self.partitions.add(format!("{}/{name}", self.name));
            self.readers.push(Turn { mark, name, reader, ended: false, bytes: 0, malformed: 0 });
        }
        Ok(())
    }

    /// Moves to the epoch that the clock shows; what was read until now belongs to those before.
    fn enter(&mut self, capability: &mut Capability<Epoch>) {
        let epoch = self.host.clock.epoch();
        if epoch <= self.epoch {
            return;
        }
        self.keep(self.epoch..epoch);
        self.epoch = epoch;
        capability.downgrade(&epoch);
    }

    /// Notes where reading has come to, when no more will be read.
    fn leave(&mut self) {
        if !self.host.fate.failed() {
            self.keep(self.epoch..Epoch::MAX);
        }
    }

    fn keep(&self, completed: Range<Epoch>) {
        if !self.keeper.due(&completed) {
            return;
        }
        let part = |turn: &Turn<D>| Part {
            owner: Owner::Partition(turn.name.clone()),
            bytes: turn.reader.position(),
        };
        let mut parts: Vec<Part> = self.readers.iter().map(part).collect();
        parts.push(Part { owner: Owner::Everyone, bytes: encode(&self.lanes) });
        let saved = vec![Section { id: 0, parts: Some(parts) }];
        self.keeper.keep(&self.name, self.worker, completed, saved);
    }

    /// Gives each partition its turn; says whether any of them is still open.
    fn take_turns(&mut self, mut send: impl FnMut(&mut Batch<D>)) -> bool {
        let (mut ready, mut waiting) = (false, false);
        for at in 0..self.readers.len() {
            let turn = &self.readers[at];
            if turn.ended {
                continue;
            }
            let room = self.host.clock.room();
            if room == 0 {
                // The worker wakes its sources when there is room again.
                waiting = true;
                break;
            }
            if self.partitions.paused(turn.mark) {
                waiting = true;
                self.look_again_after(Duration::from_millis(1));
                continue;
            }
            match self.poll(at, room, &mut send) {
                Ok(Polled::Ready) => ready = true,
                Ok(Polled::Pending) => waiting = true,
                Ok(Polled::Ended) => {}
                Err(error) => {
                    self.host.fate.fail(error);
                    return false;
                }
            }
        }
        if ready {
            self.rest = REST;
            self.activator.activate();
        } else if waiting {
            self.look_again_after(self.rest);
        }
        ready || waiting
    }

    /// Has the operator called again at the latest after a while. Each call that it gets for another
    /// reason would otherwise begin a series of calls of its own.
    fn look_again_after(&mut self, rest: Duration) {
        let now = Instant::now();
        if self.look.is_none_or(|at| at <= now || at > now + rest) {
            self.look = Some(now + rest);
            self.rest = (2 * self.rest).min(LONGEST_REST);
            self.activator.activate_after(rest);
        }
    }

    fn poll(
        &mut self,
        at: usize,
        room: u64,
        send: &mut impl FnMut(&mut Batch<D>),
    ) -> Result<Polled> {
        let turn = &mut self.readers[at];
        let most = usize::try_from(room).unwrap_or(usize::MAX).min(TURN);
        self.batch.partition = turn.mark;
        let polled = turn.reader.poll(most, &mut self.batch.records);
        let rows = self.batch.records.len() as u64;
        let bytes = turn.reader.bytes() - turn.bytes;
        let malformed = turn.reader.malformed() - turn.malformed;
        turn.bytes += bytes;
        turn.malformed += malformed;
        self.counts.rows_in.add(rows);
        self.counts.bytes.add(bytes);
        self.counts.malformed.add(malformed);
        // Sources without bytes still hold memory.
        let held = bytes.max(rows * size_of::<D>() as u64);
        self.host.clock.read(rows, held, matches!(polled, Ok(Polled::Ready)));
        send(&mut self.batch);
        self.batch.records.clear();
        let polled = polled?;
        if polled == Polled::Ended {
            turn.ended = true;
            self.partitions.end(turn.mark, self.epoch);
        }
        Ok(polled)
    }
}
