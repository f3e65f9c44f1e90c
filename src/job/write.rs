//! The operator that hands records to a sink, whose writer has a thread of its own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::scheduling::SyncActivator;

use super::host::{Host, host_of, said};
use super::stopped;
use crate::connect::{Sink, Writer};
use crate::count::Counter;
use crate::drive::least;
use crate::error::Result;
use crate::events::Events;
use crate::flow::Reached;
use crate::plan::{Kind, Node, Routing};
use crate::stream::Stream;
use crate::time::Epoch;

/// Batches that wait for a writer before the operator keeps them itself.
const WAITING: usize = 64;

/// Writing out of a flow: a verb that streams gain in a job.
pub trait Write<D> {
    /// Writes the records to `sink`. Events are written without their times.
    ///
    /// The writer of each worker runs on a thread of its own; while it is behind, the sources of
    /// the job wait.
    ///
    /// # Errors
    ///
    /// If the sink cannot be opened, or the flow is not part of a [`Job`](crate::Job).
    fn write<S: Sink<Record = D>>(self, sink: S) -> Result<()>;
}

impl<D: Send + 'static> Write<D> for Events<'_, D> {
    fn write<S: Sink<Record = D>>(self, sink: S) -> Result<()> {
        self.values().write(sink)
    }
}

impl<D: Send + 'static> Write<D> for Stream<'_, D> {
    fn write<S: Sink<Record = D>>(self, sink: S) -> Result<()> {
        let flow = self.flow().clone();
        let host = host_of(&flow)?;
        let node = flow.add(Node::sink(sink.name()), [(self.node(), Routing::Local)]);
        let counts = flow.counts(node, Kind::Sink);
        let (name, scope, reached) = (flow.name_of(node), flow.scope(), flow.reached());

        let mut builder = OperatorBuilder::new(name, scope);
        let address = builder.operator_info().address;
        let mut input = builder.new_input(self.batches(), Pipeline);
        let mut outgoing = Outgoing::new(counts.rows_out);
        let started = outgoing.start(&host, &sink, scope.index(), scope.peers(), || {
            scope.worker().sync_activator_for(address.to_vec())
        });
        builder.build_reschedule(move |_capabilities| {
            move |frontiers| {
                input.for_each(|capability, batch| {
                    let epoch = *capability.least().expect("records travel with an epoch");
                    outgoing.push(epoch, std::mem::take(&mut batch.records));
                });
                outgoing.work(least(frontiers), &reached)
            }
        });
        // Only now: timely does not allow an operator to be given up once it is begun.
        started
    }
}

/// What goes to a writer's thread.
enum Message<D> {
    Rows(Vec<D>),
    /// Nothing more comes for now: what was written may be shown.
    Flush,
    /// Nothing more comes at all.
    Close,
}

/// The way from the operator to the writer's thread.
struct Outgoing<D> {
    to: Option<SyncSender<Message<D>>>,
    waiting: VecDeque<Message<D>>,
    /// The epochs of the batches that are not written, in order of sending, and how many batches
    /// had been sent by then.
    unwritten: VecDeque<(Epoch, u64)>,
    sent: u64,
    written: Arc<AtomicU64>,
    flushed: Epoch,
    rows: Counter,
}

impl<D: Send + 'static> Outgoing<D> {
    fn new(rows: Counter) -> Self {
        Self {
            to: None,
            waiting: VecDeque::new(),
            unwritten: VecDeque::new(),
            sent: 0,
            written: Arc::default(),
            flushed: 0,
            rows,
        }
    }

    /// Opens the writer and starts its thread, unless the job is only shown.
    fn start<S: Sink<Record = D>>(
        &mut self,
        host: &Rc<Host>,
        sink: &S,
        worker: usize,
        peers: usize,
        waker: impl FnOnce() -> SyncActivator,
    ) -> Result<()> {
        if host.shown {
            return Ok(());
        }
        let mut writer = sink.open(worker, peers)?;
        let (to, from) = sync_channel(WAITING);
        self.to = Some(to);
        let (fate, waker) = (Arc::clone(&host.fate), waker());
        let written = Arc::clone(&self.written);
        let name = sink.name();
        let thread = std::thread::Builder::new().name(format!("sink {name}"));
        let thread = thread.spawn(move || {
            let work = || write_all(&mut *writer, &from, &written, &waker);
            // A panic must end the job as an error does, not leave it without a writer.
            let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
                Err(stopped(format!("sink {name} panicked")).because(said(&*panic)))
            });
            if done.is_err() {
                // The worker must not wait for batches that will never be written, nor find the
                // channel full when it looks for the last time.
                drop(from);
                fate.stop();
                written.store(u64::MAX, Ordering::Release);
                let _ = waker.activate();
            }
            done
        });
        let thread = thread.map_err(|error| {
            let message = format!("cannot start a thread for the sink {}", sink.name());
            crate::Error::new(crate::ErrorKind::Write, message).because(error)
        })?;
        host.add_writer(thread);
        Ok(())
    }

    fn push(&mut self, epoch: Epoch, records: Vec<D>) {
        self.rows.add(records.len() as u64);
        self.sent += 1;
        self.unwritten.push_back((epoch, self.sent));
        self.waiting.push_back(Message::Rows(records));
    }

    /// Passes on what waits; returns whether the operator must be called again although its input
    /// has ended.
    fn work(&mut self, frontier: Epoch, reached: &Reached) -> bool {
        if frontier > self.flushed {
            self.flushed = frontier;
            let last = frontier == Epoch::MAX;
            self.waiting.push_back(if last { Message::Close } else { Message::Flush });
        }
        let Some(to) = &self.to else {
            // The job is only shown, or the writer is gone with an error.
            self.waiting.clear();
            reached.set(frontier);
            return false;
        };
        let mut gone = false;
        while let Some(message) = self.waiting.pop_front() {
            match to.try_send(message) {
                Ok(()) => {}
                Err(TrySendError::Full(message)) => {
                    self.waiting.push_front(message);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => {
                    gone = true;
                    break;
                }
            }
        }
        let written = self.written.load(Ordering::Acquire);
        while self.unwritten.front().is_some_and(|(_, count)| *count <= written) {
            self.unwritten.pop_front();
        }
        let first = self.unwritten.iter().map(|(epoch, _)| *epoch).min();
        reached.set(first.map_or(frontier, |epoch| epoch.min(frontier)));
        if gone {
            self.to = None;
            self.waiting.clear();
        }
        !self.waiting.is_empty()
    }
}

/// Writes what comes until the input is closed. If it just breaks off, nothing is closed: the job
/// failed, and what was not finished stays unseen.
fn write_all<D>(
    writer: &mut dyn Writer<Record = D>,
    from: &Receiver<Message<D>>,
    written: &AtomicU64,
    waker: &SyncActivator,
) -> Result<()> {
    let mut unshown = false;
    loop {
        let message = match from.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Empty) => {
                if std::mem::take(&mut unshown) {
                    writer.flush()?;
                }
                match from.recv() {
                    Ok(message) => message,
                    Err(_) => return Ok(()),
                }
            }
            Err(TryRecvError::Disconnected) => return Ok(()),
        };
        match message {
            Message::Rows(mut records) => {
                writer.write(&mut records)?;
                written.fetch_add(1, Ordering::AcqRel);
            }
            Message::Flush => unshown = true,
            Message::Close => return writer.close(),
        }
        // Whatever it was, there is room for the next. It fails only when the worker has ended, and
        // then nobody waits.
        let _ = waker.activate();
    }
}
