//! What an algorithm says of vertices, and how that changes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::collection::{Collection, Diff, Record};
use crate::stream::Stream;
use crate::time::Epoch;

/// What changed for a vertex in an epoch: `old` and `new` differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Update<V> {
    /// When.
    pub epoch: Epoch,
    /// For which vertex.
    pub vertex: u64,
    /// What it had at the end of the epoch before; nothing if it was not there.
    pub old: Option<V>,
    /// What it has at the end of this epoch; nothing if it is not there any more.
    pub new: Option<V>,
}

/// A value for each vertex of a graph, kept current.
pub struct Values<'scope, V> {
    pub(super) updates: Stream<'scope, Update<V>>,
}

impl<V> fmt::Debug for Values<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Values").field(&self.updates).finish()
    }
}

impl<'scope, V: Clone + 'static> Values<'scope, V> {
    /// What changes, epoch by epoch: a vertex once at most in each, in no particular order. A run that
    /// continues after epoch `e` gives the changes after `e`.
    pub fn updates(self) -> Stream<'scope, Update<V>> {
        self.updates.anew()
    }

    /// The vertices with their values, to be joined with other collections.
    pub fn collection(self) -> Collection<'scope, (u64, V)>
    where
        V: Record,
    {
        let changes = self.updates.flat_map(|update| {
            let Update { epoch, vertex, old, new } = update;
            let gone = old.map(|it| ((vertex, it), epoch, -1));
            gone.into_iter().chain(new.map(|it| ((vertex, it), epoch, 1 as Diff)))
        });
        changes.derived()
    }
}
