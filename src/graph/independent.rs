//! A maximal independent set: who comes first is in it, and keeps its neighbours out.
//!
//! Vertices have a rank by a fixed scrambling of their ids. A vertex is in the set unless a neighbour with a
//! lesser rank is: so there is one answer, whatever was before. It is that of
//! [Luby's algorithm](https://doi.org/10.1137/0215074) with these numbers for random ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::edge::Edge;
use super::mirror::Mirror;
use super::together::Together;
use super::update::{Update, Values};
use super::{Graph, ends};
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::time::Epoch;

/// The rank of a vertex: no two have the same ([SplitMix64](https://doi.org/10.1145/2714064.2660195)).
pub(super) fn rank(id: u64) -> u64 {
    let id = id.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    id ^ (id >> 31)
}

/// Which of a part's vertices are in the set.
struct Choosing {
    chosen: Mirror<bool>,
    /// Vertices to be looked at, by rank.
    queue: BinaryHeap<Reverse<(u64, u32)>>,
    ways: Vec<(u32, u32)>,
}

impl Choosing {
    fn new(owners: Owners) -> Self {
        Self { chosen: Mirror::new(owners), queue: BinaryHeap::new(), ways: Vec::new() }
    }

    fn rank(&self, slot: u32) -> u64 {
        rank(self.chosen.part.vertices.id(slot))
    }

    /// Lets those of our vertices wait that a vertex can keep out.
    fn look_behind(&mut self, slot: u32) {
        let rank = self.rank(slot);
        for at in 0..self.chosen.near(slot).len() {
            let (other, ()) = self.chosen.near(slot)[at];
            let its = self.rank(other);
            if its > rank && self.chosen.part.vertices.mine(other) {
                self.queue.push(Reverse((its, other)));
            }
        }
    }

    fn choose(&mut self, post: &mut Post<(u64, bool)>) {
        let mut last = None;
        while let Some(Reverse((rank, slot))) = self.queue.pop() {
            // Who waits several times is looked at once.
            if last.replace(slot) == Some(slot) {
                continue;
            }
            let mut before = self.chosen.near(slot).iter().filter(|it| self.rank(it.0) < rank);
            let kept_out = before.any(|it| self.chosen.value(it.0));
            if self.chosen.value(slot) == kept_out {
                self.chosen.set(slot, !kept_out);
                self.chosen.tell(slot, |_| true, |to, id| post.to(to, (id, !kept_out)));
                self.look_behind(slot);
            }
        }
    }
}

impl Rounds<Edge> for Choosing {
    type Message = (u64, bool);
    type Output = Update<bool>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        let changed = self.chosen.accept(&changes);
        self.ways = changed.ways;
        let touched = changed.touched.into_iter().map(|it| Reverse((self.rank(it), it)));
        let touched = Vec::from_iter(touched);
        self.queue.extend(touched);
    }

    fn round(
        &mut self,
        _: Round,
        mail: Vec<(u64, bool)>,
        post: &mut Post<(u64, bool)>,
    ) -> Option<Round> {
        let ways = std::mem::take(&mut self.ways);
        self.chosen.introduce(&ways, |to, id, chosen| post.to(to, (id, chosen)));
        for (id, chosen) in mail {
            if let Some(slot) = self.chosen.hear(id, chosen) {
                self.look_behind(slot);
            }
        }
        self.choose(post);
        None
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<bool>>) {
        self.chosen.finish(epoch, |it| it, out);
    }
}

impl<'scope> Graph<'scope> {
    /// A maximal independent set: no two vertices of it are next to each other, whichever way edges lead, and
    /// every other vertex is next to one of it. Whether each vertex is in it.
    ///
    /// There are many such sets; this is the one that comes of taking vertices in the order of a fixed
    /// scrambling of their ids, each unless a neighbour was taken before.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly that set of the graph as it is then: it does not depend on
    /// workers or on what was before.
    ///
    /// # Cost
    ///
    /// Maintained. An edge that comes or goes costs the neighbours of those vertices that come in or go
    /// out of the set for it: [one on average](https://arxiv.org/abs/1507.04330), however large the graph is.
    ///
    /// State: two words for each vertex; each edge twice in four bytes, and once more between workers.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill::flow::Flow;
    /// use tidemill::graph::{Edge, Graph};
    /// use tidemill::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let chosen = timely::example(|scope| {
    ///     let edges = [(1, 2), (2, 3), (1, 3)].map(|(from, to)| Edge::new(from, to));
    ///     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
    ///     let chosen = Graph::undirected(edges).mis().collection().filter(|it| it.1);
    ///     chosen.changes().inner().capture()
    /// });
    /// assert_eq!(chosen.extract().remove(0).1.len(), 1, "one of a triangle");
    /// ```
    pub fn mis(&self) -> Values<'scope, bool> {
        let rule = |owners| Together::new(Choosing::new(owners));
        Values { updates: self.edges.clone().rounds("mis", ends, rule) }
    }
}
