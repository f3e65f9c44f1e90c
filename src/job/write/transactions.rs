//! The transactions of one writer: prepared with a checkpoint, committed when that is.

use std::ops::Range;
use std::rc::Rc;

use super::thread::{Answer, Message};
use crate::job::checkpoints::Keeping;
use crate::state::{Keeper, Owner, Part, Section, decode, encode};
use crate::time::Epoch;

/// What a checkpoint holds of a sink.
pub(super) struct Continued {
    /// What all its writers had prepared.
    pub(super) all: Vec<Vec<u8>>,
    /// Which of it this writer commits, by the places in `all`.
    pub(super) mine: Vec<usize>,
}

/// What a writer has prepared and not committed.
pub(super) struct Transactions {
    keeping: Rc<Keeping>,
    name: String,
    worker: usize,
    /// What an earlier run had prepared, if there was one.
    continued: Option<Continued>,
    prepared: Vec<(Epoch, Vec<u8>)>,
    /// The checkpoint whose transactions the writer was told to commit.
    told: Option<Epoch>,
    /// Whether the last transaction is prepared.
    last: bool,
    closed: bool,
}

impl Transactions {
    /// The transactions of a writer, with those that an earlier run had prepared.
    pub(super) fn recall(keeping: Rc<Keeping>, name: String, worker: usize, peers: usize) -> Self {
        let (mut all, mut mine, mut saved) = (Vec::new(), Vec::new(), Vec::new());
        keeping.recall(&name, "transactions", worker, 0..0, &mut |it, _| saved.push(it));
        for Part { owner, bytes } in saved {
            let Owner::Partition(writer) = owner else { continue };
            match (writer.parse::<usize>(), decode::<Vec<Vec<u8>>>(&bytes)) {
                (Ok(writer), Ok(mut prepared)) => {
                    if writer % peers == worker {
                        mine.extend(all.len()..all.len() + prepared.len());
                    }
                    all.append(&mut prepared);
                }
                (Err(why), _) => keeping.refuse(&name, why.to_string()),
                (_, Err(why)) => keeping.refuse(&name, why),
            }
        }
        let continued = keeping.continues().then_some(Continued { all, mine });
        Self {
            keeping,
            name,
            worker,
            continued,
            prepared: Vec::new(),
            told: None,
            last: false,
            closed: false,
        }
    }

    /// What an earlier run had prepared, if there was one.
    pub(super) fn continued(&mut self) -> Option<Continued> {
        self.continued.take()
    }

    /// Whether there is nothing more to do.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// The first epoch of this run.
    pub(super) fn begin(&self) -> Epoch {
        self.keeping.resume()
    }

    /// Whether a checkpoint is at one of these epochs.
    pub(super) fn due(&self, completed: &Range<Epoch>) -> bool {
        self.keeping.due(completed)
    }

    /// Takes the writer's answer.
    pub(super) fn hear(&mut self, answer: Answer) {
        match answer {
            Answer::Prepared(first, end, prepared) => {
                self.prepared.push((first, prepared));
                self.last = end == Epoch::MAX;
                self.keep(first..end);
            }
            Answer::Committed(epoch) => self.prepared.retain(|(first, _)| *first > epoch),
        }
    }

    /// What to tell the writer because of what is committed.
    pub(super) fn news<D>(&mut self) -> Option<Message<D>> {
        let committed = self.keeping.committed();
        if committed > self.told {
            self.told = committed;
            let epoch = committed?;
            let ready = self.prepared.iter().filter(|(first, _)| *first <= epoch);
            let ready: Vec<_> = ready.map(|(_, prepared)| prepared.clone()).collect();
            return (!ready.is_empty()).then_some(Message::Commit(epoch, ready));
        }
        if self.last && self.prepared.is_empty() && !self.closed {
            self.closed = true;
            return Some(Message::Close);
        }
        None
    }

    /// Hands over what is prepared: it is as good as written once the checkpoint is committed.
    fn keep(&self, completed: Range<Epoch>) {
        let prepared: Vec<&Vec<u8>> = self.prepared.iter().map(|(_, it)| it).collect();
        let owner = Owner::Partition(self.worker.to_string());
        let parts = vec![Part { owner, bytes: encode(&prepared) }];
        let saved = vec![Section { id: 0, parts: Some(parts) }];
        self.keeping.keep(&self.name, self.worker, completed, saved);
    }
}
