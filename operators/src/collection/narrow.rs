//! Verbs that look at one change at a time and leave it on its worker. They hold no state.

use std::rc::Rc;

use timely::progress::Timestamp;

use super::{Collection, Diff};
use crate::plan::{Node, Routing};

impl<'scope, D: Clone + 'static, T: Timestamp> Collection<'scope, D, T> {
    /// Applies `change` to each record.
    #[must_use]
    pub fn map<E: Clone + 'static>(
        self,
        change: impl FnMut(D) -> E + 'static,
    ) -> Collection<'scope, E, T> {
        let (node, _) = self.followed_by(Node::operator("map"), Routing::Local);
        Collection { site: self.site, node, inner: self.inner.map(change) }
    }

    /// Keeps the records that `keep` holds for.
    #[must_use]
    pub fn filter(self, keep: impl FnMut(&D) -> bool + 'static) -> Self {
        let (node, _) = self.followed_by(Node::operator("filter"), Routing::Local);
        Self { site: self.site, node, inner: self.inner.filter(keep) }
    }

    /// Puts in the place of each record what `expand` makes of it.
    #[must_use]
    pub fn flat_map<I: IntoIterator<Item: Clone + 'static>>(
        self,
        expand: impl FnMut(D) -> I + 'static,
    ) -> Collection<'scope, I::Item, T> {
        let (node, _) = self.followed_by(Node::operator("flat_map"), Routing::Local);
        Collection { site: self.site, node, inner: self.inner.flat_map(expand) }
    }

    /// The records of both: one that is in each of them once is twice in the result.
    #[must_use]
    pub fn concat(self, other: Self) -> Self {
        let inputs = [(self.node, Routing::Local), (other.node, Routing::Local)];
        let node = self.site.add(Node::operator("concat"), inputs);
        Self { site: self.site, node, inner: self.inner.concat(other.inner) }
    }

    /// The same records, each as often missing as it was there: `concat` it to take them away.
    #[must_use]
    pub fn negate(self) -> Self {
        let (node, _) = self.followed_by(Node::operator("negate"), Routing::Local);
        Self { site: self.site, node, inner: self.inner.negate() }
    }

    /// Shows each change to `look` as it passes: the record, when, and by how much.
    ///
    /// Changes of one record may come in any order and cancel each other. After a restart they begin with
    /// the contents as they were.
    #[must_use]
    pub fn inspect(self, mut look: impl FnMut(&D, &T, Diff) + 'static) -> Self {
        let (node, _) = self.followed_by(Node::operator("inspect"), Routing::Local);
        let inner = self.inner.inspect(move |(record, time, diff)| look(record, time, *diff));
        Self { site: Rc::clone(&self.site), node, inner }
    }
}
