//! The way from the operator of a sink to the thread of its writer.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TrySendError;

use timely::scheduling::SyncActivator;

use super::thread::{Message, Way, start};
use super::transactions::Transactions;
use crate::connect::Sink;
use crate::count::Counter;
use crate::error::Result;
use crate::flow::Reached;
use crate::job::checkpoints::boundary;
use crate::job::host::Host;
use crate::time::Epoch;

/// What is on its way to a writer.
pub(super) struct Outgoing<D> {
    way: Option<Way<D>>,
    waiting: VecDeque<Message<D>>,
    /// The epochs of the batches that are not written, in order of sending, and how many batches
    /// had been sent by then.
    unwritten: VecDeque<(Epoch, u64)>,
    sent: u64,
    rows: Counter,
    /// All epochs before this one are complete, and the writer was told so.
    told: Epoch,
    transactions: Option<Transactions>,
    /// Batches of epochs beyond the next checkpoint: not part of the transaction at hand.
    early: Vec<(Epoch, Vec<D>)>,
}

impl<D: Send + 'static> Outgoing<D> {
    pub(super) fn new(rows: Counter, transactions: Option<Transactions>) -> Self {
        Self {
            way: None,
            waiting: VecDeque::new(),
            unwritten: VecDeque::new(),
            sent: 0,
            rows,
            told: transactions.as_ref().map_or(0, Transactions::begin),
            transactions,
            early: Vec::new(),
        }
    }

    /// Opens the writer and starts its thread, unless the job is only shown.
    pub(super) fn start<S: Sink<Record = D>>(
        &mut self,
        host: &Rc<Host>,
        sink: &S,
        worker: usize,
        peers: usize,
        waker: impl FnOnce() -> SyncActivator,
    ) -> Result<()> {
        if !host.shown {
            let continued = self.transactions.as_mut().and_then(Transactions::continued);
            let writer = match &continued {
                Some(_) => sink.reopen(worker, peers)?,
                None => sink.open(worker, peers)?,
            };
            self.way = Some(start(host, sink.name(), writer, continued, waker())?);
        }
        Ok(())
    }

    pub(super) fn push(&mut self, epoch: Epoch, records: Vec<D>) {
        self.rows.add(records.len() as u64);
        if self.transactions.is_some() && epoch > boundary(self.told) {
            self.early.push((epoch, records));
        } else {
            self.send(epoch, records);
        }
    }

    fn send(&mut self, epoch: Epoch, records: Vec<D>) {
        self.sent += 1;
        self.unwritten.push_back((epoch, self.sent));
        self.waiting.push_back(Message::Rows(records));
    }

    /// Passes on what waits; returns whether the operator must be called again although its input
    /// has ended.
    pub(super) fn work(&mut self, frontier: Epoch, reached: &Reached) -> bool {
        self.complete(frontier);
        if let (Some(way), Some(transactions)) = (&self.way, &mut self.transactions) {
            way.answers.try_iter().for_each(|answer| transactions.hear(answer));
            self.waiting.extend(transactions.news());
        }
        let Some(way) = &self.way else {
            // The job is only shown, or the writer is gone with an error.
            self.waiting.clear();
            reached.set(frontier);
            return false;
        };
        let mut gone = false;
        while let Some(message) = self.waiting.pop_front() {
            match way.to.try_send(message) {
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
        let written = way.written.load(Ordering::Acquire);
        while self.unwritten.front().is_some_and(|(_, count)| *count <= written) {
            self.unwritten.pop_front();
        }
        let first = self.unwritten.iter().map(|(epoch, _)| *epoch).min();
        reached.set(first.map_or(frontier, |epoch| epoch.min(frontier)));
        if gone {
            self.way = None;
            self.waiting.clear();
            return false;
        }
        !self.waiting.is_empty() || self.transactions.as_ref().is_some_and(|it| !it.closed())
    }

    /// Tells the writer that all epochs before `frontier` are complete.
    fn complete(&mut self, frontier: Epoch) {
        if self.transactions.is_none() && frontier > self.told {
            self.told = frontier;
            let last = frontier == Epoch::MAX;
            self.waiting.push_back(if last { Message::Close } else { Message::Flush });
        }
        while let Some(transactions) = self.transactions.as_ref().filter(|_| self.told < frontier) {
            let limit = boundary(self.told);
            // A transaction ends with the checkpoint if there is something to come after it.
            let end = if self.early.is_empty() { frontier } else { frontier.min(limit + 1) };
            let completed = self.told..end;
            let message = match transactions.due(&completed) {
                true => Message::Prepare(completed.start, completed.end),
                false => Message::Flush,
            };
            self.waiting.push_back(message);
            self.told = end;
            let limit = boundary(end);
            let due = |it: &mut (Epoch, Vec<D>)| it.0 <= limit;
            let due: Vec<_> = self.early.extract_if(.., due).collect();
            due.into_iter().for_each(|(epoch, records)| self.send(epoch, records));
        }
    }
}
