//! What a source and the assigner of event times on the same worker know of each other.
//!
//! The batches of a source are marked with the partition they were read from. Here stands what
//! those marks mean, which partitions have ended, and which are to pause because their event time
//! is too far ahead of the others.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use crate::time::Epoch;

/// The partitions that the sources of one stream read on one worker.
#[derive(Default)]
pub struct Partitions(RefCell<Vec<Partition>>);

#[derive(Clone, Debug)]
struct Partition {
    name: String,
    ended: Option<Epoch>,
    paused: bool,
}

impl Partitions {
    /// Adds a partition, and returns the mark of its batches. `name` is unique in the job and the
    /// same after a restart.
    ///
    /// All partitions of a worker are added while the flow is built.
    pub fn add(&self, name: impl Into<String>) -> u32 {
        let mut all = self.0.borrow_mut();
        all.push(Partition { name: name.into(), ended: None, paused: false });
        all.len() as u32 - 1
    }

    /// Says that the partition has no records after `epoch`.
    pub fn end(&self, partition: u32, epoch: Epoch) {
        self.0.borrow_mut()[partition as usize].ended = Some(epoch);
    }

    /// Whether the source should leave this partition unread for now.
    pub fn paused(&self, partition: u32) -> bool {
        self.0.borrow()[partition as usize].paused
    }

    pub(crate) fn pause(&self, partition: usize, paused: bool) {
        self.0.borrow_mut()[partition].paused = paused;
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.borrow().iter().map(|it| it.name.clone()).collect()
    }

    /// The first epoch within `epochs` in which a partition ended.
    pub(crate) fn first_end(&self, epochs: Range<Epoch>) -> Option<Epoch> {
        self.0.borrow().iter().filter_map(|it| it.ended).filter(|it| epochs.contains(it)).min()
    }

    pub(crate) fn ended(&self, partition: usize, epoch: Epoch) -> bool {
        self.0.borrow()[partition].ended.is_some_and(|ended| ended <= epoch)
    }
}

impl fmt::Debug for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.borrow().iter()).finish()
    }
}
