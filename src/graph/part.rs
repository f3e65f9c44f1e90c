//! One worker's part of a graph: its vertices and all edges that begin or end at them.

use super::adjacency::{Adjacency, Times};
use super::edge::{Edge, Load};
use super::vertices::Vertices;
use crate::collection::Diff;
use crate::fixpoint::Owners;

/// Whether edges lead one way or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// An edge leads from its first vertex to its second.
    Directed,
    /// An edge leads from either of its vertices to the other.
    Undirected,
}

/// The edges of a part. Each worker that owns an end of an edge has it.
pub(super) struct Part<W> {
    pub(super) vertices: Vertices,
    direction: Direction,
    out: Adjacency<W>,
    /// Not used if edges lead both ways.
    into: Adjacency<W>,
    /// How often it is said that a vertex is there: by edges to itself.
    said: Vec<Diff>,
    /// How many entries speak of a vertex.
    uses: Vec<u32>,
    /// Vertices of which nothing spoke at some time since they were cleared away last.
    idle: Vec<u32>,
}

/// A way that appeared or vanished: something can flow from one vertex to the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<W> {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) weight: W,
    pub(super) appeared: bool,
}

impl<W: Load> Part<W> {
    pub(super) fn new(owners: Owners, direction: Direction) -> Self {
        Self {
            vertices: Vertices::new(owners),
            direction,
            out: Adjacency::new(),
            into: Adjacency::new(),
            said: Vec::new(),
            uses: Vec::new(),
            idle: Vec::new(),
        }
    }

    /// Where one can go from a vertex.
    #[inline]
    pub(super) fn outgoing(&self, slot: u32) -> &[(u32, W)] {
        self.out.of(slot)
    }

    /// From where one can come to a vertex.
    #[inline]
    pub(super) fn incoming(&self, slot: u32) -> &[(u32, W)] {
        match self.direction {
            Direction::Directed => self.into.of(slot),
            Direction::Undirected => self.out.of(slot),
        }
    }

    /// Whether a vertex of this part is in the graph.
    pub(super) fn present(&self, slot: u32) -> bool {
        let said = self.said.get(slot as usize).is_some_and(|it| *it > 0);
        said || !self.out.of(slot).is_empty() || !self.into.of(slot).is_empty()
    }

    /// Whether a way is there.
    pub(super) fn leads(&mut self, from: u32, to: u32, weight: W) -> bool {
        self.out.contains(from, to, weight)
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.vertices.len() == 0
    }

    /// Takes in many edges at once: only if the part is empty.
    pub(super) fn load(&mut self, edges: &[(Edge, Diff)]) {
        let greatest = edges.iter().map(|(it, _)| it.from.max(it.to)).max();
        greatest.into_iter().for_each(|id| self.vertices.make_room(id, edges.len() / 2));
        let (mut out, mut into) = (Vec::with_capacity(edges.len()), Vec::new());
        for (edge, times) in edges {
            let (from, to) = (self.vertices.slot(edge.from), self.vertices.slot(edge.to));
            self.grow();
            let weight = W::of(edge.weight);
            if from == to {
                self.said[from as usize] += times;
                continue;
            }
            for _ in 0..*times {
                if self.vertices.mine(from) {
                    out.push((from, to, weight));
                }
                if self.vertices.mine(to) {
                    match self.direction {
                        Direction::Directed => into.push((to, from, weight)),
                        Direction::Undirected => out.push((to, from, weight)),
                    }
                }
            }
        }
        let slots = self.vertices.len();
        self.out.load(slots, &out);
        self.into.load(slots, &into);
        for slot in 0..slots as u32 {
            for entries in [self.out.of(slot), self.into.of(slot)] {
                self.uses[slot as usize] += entries.len() as u32;
                entries.iter().for_each(|it| self.uses[it.0 as usize] += 1);
            }
        }
    }

    /// Changes how often an edge is there. Gives the vertices of this part that it touches, and the ways
    /// that come or go.
    pub(super) fn change(
        &mut self,
        edge: &Edge,
        diff: Diff,
        touched: &mut Vec<u32>,
        ways: &mut Vec<Way<W>>,
    ) {
        let (from, to) = (self.vertices.slot(edge.from), self.vertices.slot(edge.to));
        self.grow();
        let weight = W::of(edge.weight);
        touched.extend([from, to].into_iter().filter(|it| self.vertices.mine(*it)));
        if from == to {
            self.said[from as usize] += diff;
            self.idle.push(from);
            return;
        }
        let (mut times, both) = (None, self.direction == Direction::Undirected);
        if self.vertices.mine(from) {
            times = Some(self.out.change(from, to, weight, diff));
            times.iter().for_each(|it| self.count(from, to, *it));
        }
        if self.vertices.mine(to) {
            let list = if both { &mut self.out } else { &mut self.into };
            times = Some(list.change(to, from, weight, diff));
            times.iter().for_each(|it| self.count(from, to, *it));
        }
        // If both ends are here, both lists say the same.
        if let Some(times) = times.filter(|it| it.appeared() || it.vanished()) {
            let way = Way { from, to, weight, appeared: times.appeared() };
            ways.push(way);
            ways.extend(both.then_some(Way { from: to, to: from, ..way }));
        }
    }

    fn grow(&mut self) {
        let slots = self.vertices.len();
        if self.uses.len() < slots {
            self.uses.resize(slots, 0);
            self.said.resize(slots, 0);
        }
    }

    /// Notes that an entry came or went.
    fn count(&mut self, from: u32, to: u32, times: Times) {
        for slot in [from, to] {
            let uses = &mut self.uses[slot as usize];
            match (times.before != 0, times.after != 0) {
                (false, true) => *uses += 1,
                (true, false) => *uses -= 1,
                _ => {}
            }
            if *uses == 0 {
                self.idle.push(slot);
            }
        }
    }

    /// Forgets the vertices of which nothing speaks any more; gives them to `gone`.
    pub(super) fn clear(&mut self, mut gone: impl FnMut(u32)) {
        let mut idle = std::mem::take(&mut self.idle);
        idle.sort_unstable();
        idle.dedup();
        for slot in idle.drain(..) {
            if self.uses[slot as usize] == 0 && self.said[slot as usize] == 0 {
                self.out.forget(slot);
                self.into.forget(slot);
                self.vertices.forget(slot);
                gone(slot);
            }
        }
        self.idle = idle;
    }
}
