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
    /// How many entries speak of a vertex: of one of ours, its own; of another, those of ours.
    uses: Vec<u32>,
    /// Edges of a graph that is being loaded.
    staged: Vec<(u32, u32, W)>,
    /// Whether that is over.
    settled: bool,
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
            staged: Vec::new(),
            settled: false,
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
        if !self.stage(edges) {
            let (mut touched, mut ways) = (Vec::new(), Vec::new());
            edges.iter().for_each(|(it, diff)| self.change(it, *diff, &mut touched, &mut ways));
        }
        self.settle();
    }

    /// Takes edges to be laid out when all of a first graph are there. Not if they are not insertions, or
    /// if there is a graph already.
    pub(super) fn stage(&mut self, edges: &[(Edge, Diff)]) -> bool {
        let few = 1..=Self::OFTEN;
        if self.settled || !edges.iter().all(|(_, diff)| few.contains(diff)) {
            return false;
        }
        let greatest = edges.iter().map(|(it, _)| it.from.max(it.to)).max();
        let all = self.staged.len() + edges.len();
        greatest.into_iter().for_each(|id| self.vertices.make_room(id, all / 2));
        for (edge, times) in edges {
            let (from, to) = (self.vertices.slot(edge.from), self.vertices.slot(edge.to));
            if from == to {
                self.grow();
                self.said[from as usize] += times;
            } else {
                let staged = (from, to, W::of(edge.weight));
                self.staged.extend((0..*times).map(|_| staged));
            }
        }
        true
    }

    /// Lays out what was staged, its slots numbered anew. Gives whether there was anything.
    pub(super) fn settle(&mut self) -> bool {
        if std::mem::replace(&mut self.settled, true) || self.is_empty() {
            return false;
        }
        self.grow();
        let mut staged = std::mem::take(&mut self.staged);
        let new = self.vertices.sort();
        let mut said = vec![0; new.len()];
        new.iter().zip(&self.said).for_each(|(slot, times)| said[*slot as usize] = *times);
        self.said = said;
        for (from, to, _) in &mut staged {
            (*from, *to) = (new[*from as usize], new[*to as usize]);
        }
        self.lay_out(staged);
        true
    }

    /// Makes the lists of edges, going through them in the order of one end, then of the other: near to each
    /// other in memory is fast.
    fn lay_out(&mut self, mut edges: Vec<(u32, u32, W)>) {
        let slots = self.vertices.len();
        let vertices = &self.vertices;
        let mine = |slot: u32| vertices.mine(slot);
        let there = |it: &(u32, u32, W)| mine(it.0).then_some(*it);
        let back = |it: &(u32, u32, W)| mine(it.1).then_some((it.1, it.0, it.2));
        gather(&mut edges, slots, |it| it.0);
        self.out.count(slots, edges.iter().filter_map(there));
        match self.direction {
            Direction::Directed => {
                self.out.lay_out();
                self.out.fill(edges.iter().filter_map(there));
                gather(&mut edges, slots, |it| it.1);
                self.into.count(slots, edges.iter().filter_map(back));
                self.into.lay_out();
                self.into.fill(edges.iter().filter_map(back));
            }
            Direction::Undirected => {
                gather(&mut edges, slots, |it| it.1);
                self.out.count(slots, edges.iter().filter_map(back));
                self.out.lay_out();
                self.out.fill(edges.iter().filter_map(back));
                gather(&mut edges, slots, |it| it.0);
                self.out.fill(edges.iter().filter_map(there));
            }
        }
        for lists in [&mut self.out, &mut self.into] {
            lists.unite_all();
            for slot in 0..slots as u32 {
                let entries = lists.of(slot);
                self.uses[slot as usize] += entries.len() as u32;
                let others = entries.iter().filter(|it| !mine(it.0));
                others.for_each(|it| self.uses[it.0 as usize] += 1);
            }
        }
    }

    /// How often an edge may come at once that is staged.
    const OFTEN: Diff = 8;

    /// Changes how often an edge is there. Gives the vertices of this part that it touches, and the ways
    /// that come or go.
    pub(super) fn change(
        &mut self,
        edge: &Edge,
        diff: Diff,
        touched: &mut Vec<u32>,
        ways: &mut Vec<Way<W>>,
    ) {
        self.settled = true;
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
            times.iter().for_each(|it| self.count(to, from, *it));
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

    /// Notes that an entry of `from` came or went.
    fn count(&mut self, from: u32, to: u32, times: Times) {
        let to = Some(to).filter(|it| !self.vertices.mine(*it));
        for slot in [Some(from), to].into_iter().flatten() {
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

/// Puts edges in the order of one end, roughly: those of a few thousand slots stay together. In place, by
/// the exchanges of an American flag sort (McIlroy, Bostic and McIlroy: Engineering Radix Sort, 1993).
fn gather<E>(edges: &mut [E], slots: usize, end: impl Fn(&E) -> u32) {
    const PLACES: u32 = 8;
    let bits = slots.next_power_of_two().trailing_zeros();
    let shift = bits.saturating_sub(PLACES).max(12);
    let place = |edge: &E| (end(edge) >> shift) as usize;
    let mut starts = vec![0; (slots >> shift) + 2];
    edges.iter().for_each(|it| starts[place(it) + 1] += 1);
    (1..starts.len()).for_each(|it| starts[it] += starts[it - 1]);
    let mut next = starts.clone();
    for here in 0..starts.len() - 1 {
        while next[here] < starts[here + 1] {
            let there = place(&edges[next[here]]);
            edges.swap(next[here], next[there]);
            next[there] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_gathered_by_one_end() {
        for slots in [1usize, 5, 4_097, 3_000_000] {
            let ends = (0..50_000u64).map(|it| (it * 7_919 * 7_919 % slots as u64) as u32);
            let all = Vec::from_iter(ends.zip(0u32..));
            let mut gathered = all.clone();
            gather(&mut gathered, slots, |it| it.0);
            let shift = if slots > 1 << 20 { 14 } else { 12 };
            assert!(gathered.is_sorted_by_key(|it| it.0 >> shift), "of {slots} slots");
            gathered.sort_unstable_by_key(|it| it.1);
            assert_eq!(gathered, all);
        }
    }
}
