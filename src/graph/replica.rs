//! A whole graph on one worker, or on all: for what cannot be found in parts.
//!
//! Each part tells what changed of its own; so every copy is the same.

use serde::{Deserialize, Serialize};

use super::answers::Answers;
use super::edge::Edge;
use super::part::{Direction, Part};
use crate::collection::Diff;
use crate::fixpoint::Owners;

/// What there is of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Piece {
    Vertex(u64),
    /// A way: an edge of an undirected graph is two.
    Way(u64, u64),
}

/// A piece that comes or goes.
pub(super) type News = (Piece, bool);

/// A graph, vertices by their place in the order of ids.
#[derive(Default)]
pub(super) struct Replica {
    pieces: Vec<Piece>,
    pub(super) ids: Vec<u64>,
    /// Where the ways from a vertex begin in `to`.
    start: Vec<usize>,
    to: Vec<u32>,
}

impl Replica {
    /// Where one can go from a vertex, in order.
    #[inline]
    pub(super) fn near(&self, vertex: u32) -> &[u32] {
        &self.to[self.range(vertex)]
    }

    /// The numbers of the ways from a vertex.
    #[inline]
    pub(super) fn range(&self, vertex: u32) -> std::ops::Range<usize> {
        self.start[vertex as usize]..self.start[vertex as usize + 1]
    }

    /// How many ways there are.
    pub(super) fn ways(&self) -> usize {
        self.to.len()
    }

    /// Takes what changed, all of an epoch.
    pub(super) fn apply(&mut self, news: Vec<News>) {
        let (come, gone): (Vec<News>, Vec<News>) = news.into_iter().partition(|it| it.1);
        let mut gone = Vec::from_iter(gone.into_iter().map(|it| it.0));
        gone.sort_unstable();
        self.pieces.retain(|it| gone.binary_search(it).is_err());
        self.pieces.extend(come.into_iter().map(|it| it.0));
        self.pieces.sort_unstable();
        self.ids.clear();
        self.to.clear();
        self.start.clear();
        // Vertices come before ways.
        for piece in &self.pieces {
            match *piece {
                Piece::Vertex(id) => self.ids.push(id),
                Piece::Way(from, to) => {
                    let from = place(&self.ids, from) as usize;
                    self.start.resize(self.start.len().max(from + 1), self.to.len());
                    self.to.push(place(&self.ids, to));
                }
            }
        }
        self.start.resize(self.ids.len() + 1, self.to.len());
    }
}

fn place(ids: &[u64], id: u64) -> u32 {
    let place = ids.binary_search(&id).expect("the part of a vertex says that it is there");
    u32::try_from(place).expect("a graph on one worker has fewer than 2^32 vertices")
}

/// A part of a graph that tells others of what changes, and has answers from them.
pub(super) struct Teller<V> {
    pub(super) part: Part<()>,
    pub(super) answers: Answers<V>,
    news: Vec<News>,
}

impl<V: Copy + Default + PartialEq + 'static> Teller<V> {
    pub(super) fn new(owners: Owners, direction: Direction) -> Self {
        Self { part: Part::new(owners, direction), answers: Answers::new(), news: Vec::new() }
    }

    /// Takes the changes of an epoch.
    pub(super) fn accept(&mut self, changes: &[(Edge, Diff)]) {
        let (mut touched, mut ways) = (Vec::new(), Vec::new());
        if self.part.is_empty() && changes.iter().all(|(_, diff)| *diff > 0) {
            self.part.load(changes);
            let vertices = &self.part.vertices;
            touched.extend((0..vertices.len() as u32).filter(|it| vertices.mine(*it)));
            for from in &touched {
                ways.extend(self.part.outgoing(*from).iter().map(|it| (*from, it.0, true)));
            }
        } else {
            let mut several = Vec::new();
            for (edge, diff) in changes {
                self.part.change(edge, *diff, &mut touched, &mut several);
            }
            touched.sort_unstable();
            touched.dedup();
            several.retain(|it| self.part.vertices.mine(it.from));
            ways.extend(several.into_iter().map(|it| (it.from, it.to, it.appeared)));
            // What comes and goes in an epoch does so in turns: only an odd number of times counts.
            ways.sort_unstable();
            let same = ways.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1));
            let odd = same.filter(|it| it.len() % 2 == 1).filter_map(|it| it.first().copied());
            let odd = Vec::from_iter(odd.map(|it| (it.0, it.1)));
            let now = odd.into_iter().map(|it| (it.0, it.1, self.part.leads(it.0, it.1, ())));
            ways = now.collect();
        }
        self.answers.grow(self.part.vertices.len());
        let vertices = &self.part.vertices;
        for slot in touched {
            self.answers.note(slot);
            let there = self.part.present(slot);
            if there != self.answers.was_there(slot) {
                self.news.push((Piece::Vertex(vertices.id(slot)), there));
            }
        }
        let ways = ways
            .into_iter()
            .map(|(from, to, appeared)| (Piece::Way(vertices.id(from), vertices.id(to)), appeared));
        self.news.extend(ways);
    }

    /// What there is to tell.
    pub(super) fn news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_follows_what_it_is_told() {
        let mut replica = Replica::default();
        let vertices = [9, 3, 5, u64::MAX].map(|it| (Piece::Vertex(it), true));
        let ways = [(3, 9), (3, 5), (u64::MAX, 3)].map(|(from, to)| (Piece::Way(from, to), true));
        replica.apply([vertices.as_slice(), &ways].concat());
        assert_eq!(replica.ids, [3, 5, 9, u64::MAX]);
        let near = |replica: &Replica| Vec::from_iter((0..4).map(|it| replica.near(it).to_vec()));
        assert_eq!(near(&replica), [vec![1, 2], vec![], vec![], vec![0]]);
        let news = [(Piece::Way(3, 5), false), (Piece::Way(9, 5), true)];
        replica.apply(news.to_vec());
        assert_eq!(near(&replica), [vec![2], vec![], vec![1], vec![0]]);
        let news =
            [(Piece::Vertex(9), false), (Piece::Way(3, 9), false), (Piece::Way(9, 5), false)];
        replica.apply(news.to_vec());
        assert_eq!((replica.ids.len(), replica.ways()), (3, 1));
        assert_eq!(replica.near(2), [0]);
    }
}
