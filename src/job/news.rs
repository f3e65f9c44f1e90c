//! What the workers of a job tell each other, through a small dataflow of its own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::InputHandle;
use timely::dataflow::channels::pact::ExchangeCore;
use timely::dataflow::operators::generic::operator::Operator;
use timely::scheduling::SyncActivator;
use timely::worker::Worker;

use super::checkpoints::Places;
use crate::checkpoint::Manifest;
use crate::time::Epoch;

/// One piece of news.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// The checkpoint that the run continues from; nothing if it begins anew.
    Continue(#[serde(with = "described")] Option<Box<Manifest>>),
    /// An epoch that a worker has entered, or that all are to enter now.
    Epoch(Epoch),
    /// The job is to stop.
    Stop,
    /// Where a worker's operators were written, for the checkpoints in these epochs.
    Written {
        worker: usize,
        epochs: Range<Epoch>,
        #[serde(with = "described")]
        places: Vec<Places>,
    },
    /// A checkpoint is committed; whether it is the last.
    Committed { epoch: Epoch, last: bool },
}

type Addressed = (u64, Word);

/// What leaves fields out where there is nothing to say cannot travel in the engine's own form: it
/// travels in that of saved state.
mod described {
    use serde::de::{DeserializeOwned, Error};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::state::{decode, encode};

    pub(super) fn serialize<T: Serialize, S: Serializer>(it: &T, to: S) -> Result<S::Ok, S::Error> {
        encode(it).serialize(to)
    }

    pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        decode(&Vec::<u8>::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// One worker's end of it.
pub(super) struct News {
    telling: Option<InputHandle<Epoch, CapacityContainerBuilder<Vec<Addressed>>>>,
    round: Epoch,
    peers: u64,
    heard: Rc<RefCell<VecDeque<Word>>>,
    dataflow: usize,
}

impl News {
    pub(super) fn new(worker: &mut Worker) -> Self {
        let mut telling = InputHandle::new();
        let heard = Rc::new(RefCell::new(VecDeque::new()));
        let hear = Rc::clone(&heard);
        let dataflow = worker.next_dataflow_index();
        worker.dataflow_named("news", |scope| {
            let told = telling.to_stream(scope).container::<Vec<Addressed>>();
            let to = ExchangeCore::new(|(to, _): &Addressed| *to);
            told.sink(to, "hear", move |(input, _frontier)| {
                input.for_each(|_capability, told| {
                    hear.borrow_mut().extend(told.drain(..).map(|(_, word)| word));
                });
            });
        });
        let peers = worker.peers() as u64;
        Self { telling: Some(telling), round: 0, peers, heard, dataflow }
    }

    /// Tells all workers, this one too.
    pub(super) fn tell_all(&mut self, word: &Word) {
        for peer in 0..self.peers {
            self.send(peer, word.clone());
        }
        self.ship();
    }

    /// Tells the first worker.
    pub(super) fn tell_first(&mut self, word: Word) {
        self.send(0, word);
        self.ship();
    }

    fn send(&mut self, to: u64, word: Word) {
        if let Some(telling) = &mut self.telling {
            telling.send((to, word));
        }
    }

    fn ship(&mut self) {
        self.round += 1;
        if let Some(telling) = &mut self.telling {
            telling.advance_to(self.round);
        }
    }

    /// The next word that was heard, in the order of each who tells.
    pub(super) fn hear(&self) -> Option<Word> {
        self.heard.borrow_mut().pop_front()
    }

    /// What the run continues from, once the first worker has said so. Other news waits.
    pub(super) fn chosen(&self) -> Option<Option<Box<Manifest>>> {
        let mut heard = self.heard.borrow_mut();
        let at = heard.iter().position(|word| matches!(word, Word::Continue(_)))?;
        match heard.remove(at) {
            Some(Word::Continue(chosen)) => Some(chosen),
            _ => None,
        }
    }

    /// What wakes this worker from another thread.
    pub(super) fn waker(&self, worker: &Worker) -> SyncActivator {
        worker.sync_activator_for(vec![self.dataflow])
    }

    /// Says that this worker has nothing more to tell.
    pub(super) fn close(&mut self) {
        self.telling = None;
    }
}
