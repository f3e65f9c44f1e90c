//! Which worker owns which key.

use std::rc::Rc;

use crate::key::Groups;

/// The owners of keys, as one worker sees them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Owners {
    groups: Groups,
    /// The owner of each group: a lookup is faster than the division that it stands for.
    of_group: Rc<[u32]>,
    index: usize,
    peers: usize,
}

impl Owners {
    /// The owners of key groups, seen by the worker `index`.
    pub fn new(groups: Groups, index: usize) -> Self {
        let of_group: Rc<[u32]> =
            (0..groups.count()).map(|group| groups.worker(group) as u32).collect();
        let peers = of_group.last().map_or(1, |last| *last as usize + 1).max(index + 1);
        Self { groups, of_group, index, peers }
    }

    /// The worker that owns a key with this [hash](crate::key::hash).
    #[inline]
    pub fn of(&self, hash: u64) -> usize {
        self.of_group[usize::from(self.groups.group(hash))] as usize
    }

    /// This worker.
    #[inline]
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many workers there are that own anything.
    #[inline]
    pub fn peers(&self) -> usize {
        self.peers
    }
}
