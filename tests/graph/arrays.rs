//! What algorithms give, for graphs too large for the slow models: by other algorithms, each for itself and
//! on one thread. Tests hold them to the slow models.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tidemill::graph::{Branch, Direction, Motifs, Real};

use super::model::{Bag, Values};

/// A graph as lists of neighbours, by the places of vertices in the order of their ids.
pub(crate) struct Arrays {
    pub(crate) ids: Vec<u64>,
    /// Where ways lead, each once by its least weight.
    pub(crate) out: Vec<Vec<(usize, f64)>>,
}

const NOBODY: usize = usize::MAX;

impl Arrays {
    pub(crate) fn of(bag: &Bag, direction: Direction) -> Self {
        let there = || bag.iter().filter(|it| *it.1 > 0).map(|it| it.0);
        let mut ids = Vec::from_iter(there().flat_map(|it| [it.from, it.to]));
        ids.sort_unstable();
        ids.dedup();
        let place = |id: u64| ids.binary_search(&id).expect("an end of an edge");
        let mut out = vec![Vec::new(); ids.len()];
        for edge in there().filter(|it| it.from != it.to) {
            let (from, to) = (place(edge.from), place(edge.to));
            out[from].push((to, edge.weight.0));
            if direction == Direction::Undirected {
                out[to].push((from, edge.weight.0));
            }
        }
        for ways in &mut out {
            ways.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
            ways.dedup_by_key(|it| it.0);
        }
        Self { ids, out }
    }

    fn named<V>(&self, values: impl IntoIterator<Item = V>) -> Values<V> {
        self.ids.iter().copied().zip(values).collect()
    }

    /// Dijkstra's algorithm.
    pub(crate) fn sssp(&self, source: u64) -> Values<Real> {
        self.named(self.lengths(source, |weight| weight).into_iter().map(Real))
    }

    pub(crate) fn bfs(&self, source: u64) -> Values<Option<u64>> {
        let steps = self.lengths(source, |_| 1.0).into_iter();
        self.named(steps.map(|it| it.is_finite().then_some(it as u64)))
    }

    fn lengths(&self, source: u64, length: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut lengths = vec![f64::INFINITY; self.ids.len()];
        let mut queue = BinaryHeap::new();
        if let Ok(place) = self.ids.binary_search(&source) {
            lengths[place] = 0.0;
            queue.push(Reverse((Real(0.0), place)));
        }
        while let Some(Reverse((so_far, place))) = queue.pop() {
            if so_far.0 > lengths[place] {
                continue;
            }
            for (to, weight) in &self.out[place] {
                let offer = so_far.0 + length(*weight);
                if offer < lengths[*to] {
                    lengths[*to] = offer;
                    queue.push(Reverse((Real(offer), *to)));
                }
            }
        }
        lengths
    }

    /// By sets that are united.
    pub(crate) fn wcc(&self) -> Values<u64> {
        let mut sets = Sets::new(self.ids.len());
        for (from, ways) in self.out.iter().enumerate() {
            ways.iter().for_each(|it| _ = sets.unite(from, it.0));
        }
        let least = Vec::from_iter((0..self.ids.len()).map(|it| self.ids[sets.least(it)]));
        self.named(least)
    }

    /// Tarjan's algorithm, with a stack of its own.
    pub(crate) fn scc(&self) -> Values<u64> {
        let all = self.ids.len();
        let (mut found, mut low, mut least) = (vec![NOBODY; all], vec![0; all], vec![NOBODY; all]);
        let (mut count, mut open, mut walk) = (0, Vec::new(), Vec::new());
        for start in 0..all {
            if found[start] == NOBODY {
                walk.push((start, 0));
            }
            while let Some((at, way)) = walk.pop() {
                if way == 0 {
                    (found[at], low[at]) = (count, count);
                    count += 1;
                    open.push(at);
                }
                let Some((to, _)) = self.out[at].get(way) else {
                    if low[at] == found[at] {
                        let from = open.iter().rposition(|it| *it == at).expect("it is open");
                        let component = open.split_off(from);
                        let first = *component.iter().min().expect("one of them");
                        component.iter().for_each(|it| least[*it] = first);
                    }
                    if let Some((before, _)) = walk.last() {
                        low[*before] = low[*before].min(low[at]);
                    }
                    continue;
                };
                walk.push((at, way + 1));
                if found[*to] == NOBODY {
                    walk.push((*to, 0));
                } else if least[*to] == NOBODY {
                    low[at] = low[at].min(found[*to]);
                }
            }
        }
        self.named(least.into_iter().map(|it| self.ids[it]))
    }

    /// How often a walk comes to each vertex that begins once at each of some.
    pub(crate) fn visits(&self, begins: impl Fn(u64) -> bool, damping: f64) -> Vec<f64> {
        let start = Vec::from_iter(self.ids.iter().map(|it| f64::from(u8::from(begins(*it)))));
        let mut visits = start.clone();
        for _ in 0..200 {
            let mut next = start.clone();
            for (from, ways) in self.out.iter().enumerate() {
                let share = damping * visits[from] / ways.len().max(1) as f64;
                ways.iter().for_each(|it| next[it.0] += share);
            }
            visits = next;
        }
        visits
    }

    /// The neighbours of each vertex, and how many ways lead between the two.
    fn near(&self) -> Vec<Vec<(usize, u64)>> {
        let mut near = vec![Vec::<(usize, u64)>::new(); self.ids.len()];
        for (from, ways) in self.out.iter().enumerate() {
            for (to, _) in ways {
                near[from].push((*to, 1));
                near[*to].push((from, 1));
            }
        }
        for all in &mut near {
            all.sort_unstable();
            all.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                kept.1 += if same { next.1 } else { 0 };
                same
            });
        }
        near
    }

    /// Ways between neighbours of each vertex, each direction of them once.
    fn around(&self, near: &[Vec<(usize, u64)>]) -> Vec<u64> {
        let mut around = vec![0; near.len()];
        let mut mark = vec![0; near.len()];
        for (vertex, neighbours) in near.iter().enumerate() {
            neighbours.iter().for_each(|it| mark[it.0] = 1);
            for (other, _) in neighbours {
                let ways = self.out[*other].iter().map(|it| mark[it.0]);
                around[vertex] += ways.sum::<u64>();
            }
            neighbours.iter().for_each(|it| mark[it.0] = 0);
        }
        around
    }

    pub(crate) fn lcc(&self) -> Values<Real> {
        let near = self.near();
        let shares = self.around(&near).into_iter().zip(&near).map(|(ways, near)| {
            let pairs = near.len() * near.len().saturating_sub(1);
            Real(if pairs == 0 { 0.0 } else { ways as f64 / pairs as f64 })
        });
        self.named(Vec::from_iter(shares))
    }

    /// Of an undirected graph.
    pub(crate) fn triangles(&self) -> Values<u64> {
        self.named(self.around(&self.near()).into_iter().map(|it| it / 2))
    }

    /// Matula and Beck's algorithm, of an undirected graph.
    pub(crate) fn kcore(&self) -> Values<u64> {
        let mut degrees = Vec::from_iter(self.out.iter().map(Vec::len));
        let mut queue =
            BinaryHeap::from_iter(degrees.iter().enumerate().map(|it| Reverse((*it.1, it.0))));
        let (mut cores, mut core) = (vec![NOBODY; degrees.len()], 0);
        while let Some(Reverse((degree, vertex))) = queue.pop() {
            if cores[vertex] != NOBODY || degree != degrees[vertex] {
                continue;
            }
            core = core.max(degree);
            cores[vertex] = core;
            for (to, _) in &self.out[vertex] {
                if cores[*to] == NOBODY {
                    degrees[*to] -= 1;
                    queue.push(Reverse((degrees[*to], *to)));
                }
            }
        }
        self.named(cores.into_iter().map(|it| it as u64))
    }

    /// Kruskal's algorithm, of an undirected graph.
    pub(crate) fn msf(&self) -> Values<Branch> {
        let mut edges = Vec::new();
        for (from, ways) in self.out.iter().enumerate() {
            edges.extend(ways.iter().filter(|it| from < it.0).map(|it| (Real(it.1), from, it.0)));
        }
        edges.sort_unstable();
        let (mut sets, mut tree) = (Sets::new(self.ids.len()), vec![Vec::new(); self.ids.len()]);
        for (weight, one, other) in edges {
            if sets.unite(one, other) {
                tree[one].push((other, weight));
                tree[other].push((one, weight));
            }
        }
        let mut branches: Vec<Option<Branch>> = vec![None; self.ids.len()];
        for root in 0..self.ids.len() {
            if branches[root].is_some() {
                continue;
            }
            branches[root] = Some(Branch { parent: self.ids[root], weight: Real(0.0) });
            let mut walk = vec![root];
            while let Some(at) = walk.pop() {
                for (to, weight) in &tree[at] {
                    if branches[*to].is_none() {
                        branches[*to] = Some(Branch { parent: self.ids[at], weight: *weight });
                        walk.push(*to);
                    }
                }
            }
        }
        self.named(branches.into_iter().flatten())
    }

    /// By the ends of paths of two steps, and by what three vertices have in common; of an undirected graph.
    pub(crate) fn motifs(&self) -> Values<Motifs> {
        let all = self.ids.len();
        let mut motifs = vec![Motifs::default(); all];
        let mut ends = vec![0u64; all];
        for (vertex, count) in motifs.iter_mut().enumerate() {
            let two = || self.out[vertex].iter().flat_map(|it| &self.out[it.0]).map(|it| it.0);
            two().filter(|it| *it != vertex).for_each(|it| ends[it] += 1);
            for end in two() {
                let ways = std::mem::take(&mut ends[end]);
                count.cycles += ways * ways.saturating_sub(1) / 2;
            }
        }
        let less = |it: usize| (self.out[it].len(), it);
        let more = Vec::from_iter((0..all).map(|from| {
            let ways = self.out[from].iter().map(|it| it.0);
            Vec::from_iter(ways.filter(|to| less(*to) > less(from)))
        }));
        let common = |one: &[usize], other: &[usize]| {
            Vec::from_iter(one.iter().copied().filter(|it| other.binary_search(it).is_ok()))
        };
        for (first, after) in more.iter().enumerate() {
            for &second in after {
                let both = common(&more[second], after);
                for &third in &both {
                    for it in [first, second, third] {
                        motifs[it].triangles += 1;
                    }
                    for fourth in common(&more[third], &both) {
                        for it in [first, second, third, fourth] {
                            motifs[it].cliques += 1;
                        }
                    }
                }
            }
        }
        self.named(motifs)
    }
}

/// Sets of numbers that are united; each is known by its least.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn least(&mut self, mut of: usize) -> usize {
        while self.0[of] != of {
            self.0[of] = self.0[self.0[of]];
            of = self.0[of];
        }
        of
    }

    /// Whether they were not one.
    fn unite(&mut self, one: usize, other: usize) -> bool {
        let (one, other) = (self.least(one), self.least(other));
        self.0[one.max(other)] = one.min(other);
        one != other
    }
}
