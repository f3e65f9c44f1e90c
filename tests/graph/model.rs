//! What algorithms give, computed slowly and obviously from all edges that are there.

use std::collections::{BTreeMap, BTreeSet};

use tidemill::collection::Diff;
use tidemill::graph::{Direction, Edge, Real};

/// How often each edge is there.
pub(crate) type Bag = BTreeMap<Edge, Diff>;

/// A value for each vertex.
pub(crate) type Values<V> = BTreeMap<u64, V>;

/// The graph that a bag of edges is: its vertices, and every way from one to another.
pub(crate) struct Whole {
    pub(crate) vertices: BTreeSet<u64>,
    pub(crate) ways: BTreeSet<Edge>,
}

impl Whole {
    /// The graph where edges with different weights are the same.
    pub(crate) fn merged(bag: &Bag, direction: Direction) -> Self {
        Self::of(bag, direction, |_| Real(1.0))
    }

    /// The graph where they are not.
    pub(crate) fn weighted(bag: &Bag, direction: Direction) -> Self {
        Self::of(bag, direction, |weight| weight)
    }

    fn of(bag: &Bag, direction: Direction, weight: impl Fn(Real) -> Real) -> Self {
        let mut ways = BTreeSet::new();
        let mut vertices = BTreeSet::new();
        let mut times = BTreeMap::<Edge, Diff>::new();
        for (edge, diff) in bag {
            let mut edge = *edge;
            if direction == Direction::Undirected && edge.from > edge.to {
                (edge.from, edge.to) = (edge.to, edge.from);
            }
            let loops = edge.from == edge.to;
            edge.weight = if loops { Real(1.0) } else { weight(edge.weight) };
            *times.entry(edge).or_default() += diff;
        }
        for (edge, _) in times.into_iter().filter(|it| it.1 > 0) {
            vertices.extend([edge.from, edge.to]);
            ways.insert(edge);
            if direction == Direction::Undirected {
                ways.insert(Edge { from: edge.to, to: edge.from, ..edge });
            }
        }
        ways.retain(|it| it.from != it.to);
        Self { vertices, ways }
    }

    /// Lowers values along ways until nothing changes.
    fn lowered(&self, mut values: Values<f64>, along: impl Fn(f64, f64) -> f64) -> Values<f64> {
        loop {
            let mut changed = false;
            for way in self.ways.iter().filter(|it| it.weight.0 >= 0.0) {
                let offer = along(values[&way.from], way.weight.0);
                if offer < values[&way.to] {
                    values.insert(way.to, offer);
                    changed = true;
                }
            }
            if !changed {
                return values;
            }
        }
    }

    fn spread_from(&self, source: u64, along: impl Fn(f64, f64) -> f64) -> Values<f64> {
        let start = |it: &u64| if *it == source { 0.0 } else { f64::INFINITY };
        self.lowered(self.vertices.iter().map(|it| (*it, start(it))).collect(), along)
    }

    pub(crate) fn bfs(&self, source: u64) -> Values<Option<u64>> {
        let steps = self.spread_from(source, |steps, _| steps + 1.0);
        let shown = |it: f64| it.is_finite().then_some(it as u64);
        steps.into_iter().map(|(vertex, it)| (vertex, shown(it))).collect()
    }

    pub(crate) fn sssp(&self, source: u64) -> Values<Real> {
        let lengths = self.spread_from(source, |length, weight| length + weight);
        lengths.into_iter().map(|(vertex, it)| (vertex, Real(it))).collect()
    }

    pub(crate) fn wcc(&self) -> Values<u64> {
        let mut least: Values<u64> = self.vertices.iter().map(|it| (*it, *it)).collect();
        loop {
            let before = least.clone();
            for way in &self.ways {
                let both = least[&way.from].min(least[&way.to]);
                least.insert(way.from, both);
                least.insert(way.to, both);
            }
            if least == before {
                return least;
            }
        }
    }

    /// Ranks after so many iterations.
    pub(crate) fn pagerank(&self, damping: f64, iterations: u32) -> Values<f64> {
        let all = self.vertices.len() as f64;
        let mut ranks: Values<f64> = self.vertices.iter().map(|it| (*it, 1.0 / all)).collect();
        let leads = self.leads();
        for _ in 0..iterations {
            let left = ranks.iter().filter(|it| !leads.contains_key(it.0)).map(|it| *it.1);
            let base = (1.0 - damping + damping * left.sum::<f64>()) / all;
            ranks = self.step(&ranks, &leads, damping, |_| base);
        }
        ranks
    }

    /// How often a walk comes to each vertex that begins once at each of some, and ends with a step that it
    /// does not make.
    pub(crate) fn visits(&self, begins: impl Fn(u64) -> bool, damping: f64) -> Values<f64> {
        let start = |it: u64| f64::from(u8::from(begins(it)));
        let mut visits: Values<f64> = self.vertices.iter().map(|it| (*it, start(*it))).collect();
        let leads = self.leads();
        for _ in 0..200 {
            visits = self.step(&visits, &leads, damping, start);
        }
        visits
    }

    /// How many ways lead on from each vertex.
    fn leads(&self) -> Values<u32> {
        let mut leads = Values::new();
        self.ways.iter().for_each(|way| *leads.entry(way.from).or_default() += 1);
        leads
    }

    fn step(
        &self,
        ranks: &Values<f64>,
        leads: &Values<u32>,
        damping: f64,
        base: impl Fn(u64) -> f64,
    ) -> Values<f64> {
        let mut next: Values<f64> = self.vertices.iter().map(|it| (*it, base(*it))).collect();
        for way in &self.ways {
            let share = damping * ranks[&way.from] / f64::from(leads[&way.from]);
            *next.entry(way.to).or_default() += share;
        }
        next
    }

    pub(crate) fn cdlp(&self, iterations: u32, direction: Direction) -> Values<u64> {
        let mut labels: Values<u64> = self.vertices.iter().map(|it| (*it, *it)).collect();
        for _ in 0..iterations {
            let mut votes = BTreeMap::<u64, BTreeMap<u64, usize>>::new();
            let mut vote = |of: u64, label: u64| {
                *votes.entry(of).or_default().entry(label).or_default() += 1;
            };
            for way in &self.ways {
                vote(way.from, labels[&way.to]);
                if direction == Direction::Directed {
                    vote(way.to, labels[&way.from]);
                }
            }
            for (vertex, votes) in votes {
                let most = votes.values().max().copied();
                let label = votes.into_iter().find(|it| Some(it.1) == most).map(|it| it.0);
                labels.extend(label.map(|it| (vertex, it)));
            }
        }
        labels
    }

    pub(crate) fn kcore(&self) -> Values<u64> {
        let mut cores: Values<u64> = self.vertices.iter().map(|it| (*it, 0)).collect();
        for core in 1.. {
            let mut left = self.vertices.clone();
            loop {
                let degree = |it: &u64| {
                    let ways = self.ways.iter().filter(|way| way.from == *it);
                    ways.filter(|way| left.contains(&way.to)).count() as u64
                };
                let next: BTreeSet<u64> =
                    left.iter().copied().filter(|it| degree(it) >= core).collect();
                if next == left {
                    break;
                }
                left = next;
            }
            if left.is_empty() {
                break;
            }
            cores.extend(left.into_iter().map(|it| (it, core)));
        }
        cores
    }

    fn reach(&self, from: u64) -> BTreeSet<u64> {
        let mut reached = BTreeSet::from([from]);
        loop {
            let next = self.ways.iter().filter(|way| reached.contains(&way.from));
            let more: BTreeSet<u64> =
                next.map(|way| way.to).chain(reached.iter().copied()).collect();
            if more == reached {
                return reached;
            }
            reached = more;
        }
    }

    pub(crate) fn scc(&self) -> Values<u64> {
        let reach: BTreeMap<u64, _> =
            self.vertices.iter().map(|it| (*it, self.reach(*it))).collect();
        let least = |it: &u64| reach[it].iter().copied().find(|other| reach[other].contains(it));
        self.vertices.iter().filter_map(|it| least(it).map(|least| (*it, least))).collect()
    }

    /// The neighbours of a vertex, and the pairs of them that a way leads from one to the other of.
    fn around(&self, vertex: u64) -> (usize, usize) {
        let near: BTreeSet<u64> = self
            .ways
            .iter()
            .filter_map(|way| match (way.from == vertex, way.to == vertex) {
                (true, _) => Some(way.to),
                (_, true) => Some(way.from),
                _ => None,
            })
            .collect();
        let inside = |way: &&Edge| near.contains(&way.from) && near.contains(&way.to);
        (near.len(), self.ways.iter().filter(inside).count())
    }

    pub(crate) fn lcc(&self) -> Values<Real> {
        let of = |vertex: &u64| {
            let (near, ways) = self.around(*vertex);
            let pairs = near * near.saturating_sub(1);
            (*vertex, Real(if pairs == 0 { 0.0 } else { ways as f64 / pairs as f64 }))
        };
        self.vertices.iter().map(of).collect()
    }

    pub(crate) fn triangles(&self) -> Values<u64> {
        self.vertices.iter().map(|it| (*it, self.around(*it).1 as u64 / 2)).collect()
    }
}
