//! Histories of a graph that is large enough for what algorithms do only with many vertices and changes: every
//! maintained algorithm, compared at each epoch with another algorithm on the whole graph.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use tidemill::connect::Random;
use tidemill::graph::{DAMPING, Direction, Edge, Graph, Real, TOLERANCE, Update};

use super::arrays::Arrays;
use super::histories::{About, Change};
use super::model::{Bag, Values, Whole};
use super::support::{Run, Tap};

const SEED: u64 = 20_261_123;
const WORKERS: [usize; 2] = [2, 4];
/// How many edges are replaced or get another weight, epoch after epoch.
const SIZES: [usize; 20] = [
    1, 10, 1_000, 20_000, 1, 1, 10, 1, 1_000, 10, 20_000, 1, 20_000, 1_000, 10, 1, 1_000, 1, 10, 1,
];

/// A graph of so many vertices, at most, and edges, by [R-MAT](https://doi.org/10.1137/1.9781611972740.43).
struct Grown {
    random: Random,
    vertices: u64,
    edges: Vec<Edge>,
}

impl Grown {
    fn new(seed: u64, vertices: u64, edges: usize) -> Self {
        let mut grown = Self { random: Random::new(seed), vertices, edges: Vec::new() };
        grown.edges = (0..edges).map(|_| grown.edge()).collect();
        grown
    }

    fn weight(&mut self) -> f64 {
        self.random.below(16) as f64 / 4.0
    }

    /// One edge: a quarter of the table of all pairs, and of that a quarter, until one pair is left.
    fn edge(&mut self) -> Edge {
        loop {
            let (mut from, mut to) = (0, 0);
            for _ in 0..self.vertices.next_power_of_two().ilog2() {
                let quarter = match self.random.below(100) {
                    0..57 => (0, 0),
                    57..76 => (0, 1),
                    76..95 => (1, 0),
                    _ => (1, 1),
                };
                (from, to) = (2 * from + quarter.0, 2 * to + quarter.1);
            }
            if from.max(to) < self.vertices {
                return Edge::weighted(from, to, self.weight());
            }
        }
    }

    /// Some edges go and others come, or the same with another weight.
    fn change(&mut self, count: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        for _ in 0..count {
            let at = self.random.below(self.edges.len() as u64) as usize;
            let old = self.edges[at];
            let new = match self.random.below(3) {
                0 => Edge { weight: Real(self.weight()), ..old },
                _ => self.edge(),
            };
            changes.extend([(old, -1), (new, 1)]);
            self.edges[at] = new;
        }
        changes
    }

    /// A first graph and what changes, in four partitions.
    fn history(mut self, sizes: &[usize]) -> Vec<Vec<Vec<Change>>> {
        let first = Vec::from_iter(self.edges.iter().map(|it| (*it, 1)));
        let mut epochs = vec![first];
        epochs.extend(sizes.iter().map(|it| self.change(*it)));
        let dealt = |changes: Vec<Change>| {
            let part = |it| changes.iter().skip(it).step_by(4).copied().collect();
            (0..4).map(part).collect()
        };
        epochs.into_iter().map(dealt).collect()
    }
}

/// Follows an algorithm, and has its values at the end of each epoch compared with what a model computes.
fn follow<V, M>(
    direction: Direction,
    build: impl for<'s> Fn(&Graph<'s>) -> tidemill::graph::Values<'s, V> + Send + Sync + 'static,
    model: impl Fn(&Arrays) -> M,
    compare: impl Fn(&M, &Values<V>, &str),
) where
    V: Clone + Debug + Ord + Send + 'static,
{
    let history = Grown::new(SEED, 20_000, 100_000).history(&SIZES);
    let build = Arc::new(build);
    let mut told = WORKERS.map(|workers| {
        let (run, build) = (Run::new(history.clone()).workers(workers).flight(2), build.clone());
        let seen = run.go(move |stream, tap: &Tap<Update<V>>| {
            tap.watch(build(&Graph::new(stream.changelog(), direction)).updates());
        });
        let mut updates = Vec::from_iter(seen.into_iter().map(|it| it.record));
        updates.sort_by_key(|it| (it.epoch, it.vertex));
        (workers, updates.into_iter().peekable(), BTreeMap::new())
    });
    let mut bag = Bag::new();
    for (epoch, changes) in history.iter().enumerate() {
        for (edge, diff) in changes.iter().flatten() {
            *bag.entry(*edge).or_default() += diff;
        }
        bag.retain(|_, times| *times != 0);
        let expected = model(&Arrays::of(&bag, direction));
        for (workers, updates, values) in &mut told {
            while let Some(update) = updates.next_if(|it| it.epoch == epoch as u64) {
                let had = match update.new.clone() {
                    Some(new) => values.insert(update.vertex, new),
                    None => values.remove(&update.vertex),
                };
                assert_eq!(had, update.old, "{update:?} on {workers} workers");
                assert_ne!(update.old, update.new, "{update:?} on {workers} workers");
            }
            compare(&expected, values, &format!("epoch {epoch} on {workers} workers"));
        }
    }
    assert!(told.iter_mut().all(|it| it.1.next().is_none()), "nothing comes after the last epoch");
}

/// The same for an algorithm that has one answer.
fn check<V: Clone + Debug + Ord + Send + 'static>(
    direction: Direction,
    build: impl for<'s> Fn(&Graph<'s>) -> tidemill::graph::Values<'s, V> + Send + Sync + 'static,
    model: impl Fn(&Arrays) -> Values<V>,
) {
    follow(direction, build, model, |expected, values, at| {
        let wrong = values.iter().zip(expected).find(|(one, other)| one != other);
        assert_eq!(wrong.map(|it| it.0), wrong.map(|it| it.1), "{at}");
        assert_eq!(values.len(), expected.len(), "{at}");
    });
}

/// A vertex with many neighbours: at each place, the half with more edges.
const HUB: u64 = 0;

#[test]
fn distances_of_a_large_graph_follow_its_edges() {
    check(Direction::Directed, |graph| graph.bfs(HUB), |whole| whole.bfs(HUB));
}

#[test]
fn lengths_of_a_large_graph_follow_its_weights() {
    check(Direction::Directed, |graph| graph.sssp(HUB), |whole| whole.sssp(HUB));
}

#[test]
fn components_of_a_large_graph_follow_its_edges() {
    check(Direction::Undirected, |graph| graph.wcc(), Arrays::wcc);
}

#[test]
fn strong_components_of_a_large_graph_follow_its_edges() {
    check(Direction::Directed, |graph| graph.scc(), Arrays::scc);
}

/// Compares ranks with what they may be.
fn near(expected: &About, values: &Values<Real>, at: &str) {
    assert!(expected.are(values), "{at}");
}

/// The shares of visits, by vertex.
fn shares(whole: &Arrays, begins: impl Fn(u64) -> bool) -> Values<f64> {
    let visits = whole.visits(begins, DAMPING);
    let sum = visits.iter().sum::<f64>();
    whole.ids.iter().copied().zip(visits.iter().map(|it| it / sum)).collect()
}

/// What rounding adds to the bounds.
const ROUNDING: f64 = 1e-9;

#[test]
fn ranks_of_a_large_graph_follow_its_edges() {
    let model = |whole: &Arrays| About::each(shares(whole, |_| true), TOLERANCE + ROUNDING);
    follow(Direction::Directed, |graph| graph.pagerank(DAMPING, TOLERANCE), model, near);
}

#[test]
fn personal_ranks_of_a_large_graph_follow_its_edges() {
    let model =
        |whole: &Arrays| About::together(shares(whole, |it| it == HUB), TOLERANCE + ROUNDING);
    follow(Direction::Directed, |graph| graph.ppr(HUB, DAMPING, TOLERANCE), model, near);
}

#[test]
fn clustering_of_a_large_graph_follows_its_edges() {
    check(Direction::Directed, |graph| graph.lcc(), Arrays::lcc);
}

#[test]
fn triangles_of_a_large_graph_follow_its_edges() {
    check(Direction::Undirected, |graph| graph.triangles(), Arrays::triangles);
}

#[test]
fn cores_of_a_large_graph_follow_its_edges() {
    check(Direction::Undirected, |graph| graph.kcore(), Arrays::kcore);
}

#[test]
fn a_set_of_a_large_graph_follows_its_edges() {
    let model = |whole: &Arrays| {
        let near = |ways: &Vec<(usize, f64)>| Vec::from_iter(ways.iter().map(|it| it.0));
        (whole.ids.clone(), Vec::from_iter(whole.out.iter().map(near)))
    };
    follow(
        Direction::Undirected,
        |graph| graph.mis(),
        model,
        |(ids, near), values, at| {
            assert!(values.keys().eq(ids), "{at}");
            let chosen = Vec::from_iter(values.values().copied());
            for (vertex, near) in near.iter().enumerate() {
                // One that is in it has no neighbour there, and one that is not has.
                assert!(
                    chosen[vertex] != near.iter().any(|it| chosen[*it]),
                    "{}, {at}",
                    ids[vertex]
                );
            }
        },
    );
}

#[test]
fn forests_of_a_large_graph_follow_its_weights() {
    check(Direction::Undirected, |graph| graph.msf(), Arrays::msf);
}

#[test]
fn motifs_of_a_large_graph_follow_its_edges() {
    check(Direction::Undirected, |graph| graph.motifs(), Arrays::motifs);
}

/// What these tests compare with agrees with the slow models where those can be asked.
#[test]
fn both_models_agree_on_small_graphs() {
    for seed in 0..20 {
        let mut bag = Bag::new();
        for (edge, diff) in Grown::new(seed, 20, 40).history(&[9]).into_iter().flatten().flatten() {
            *bag.entry(edge).or_default() += diff;
        }
        for direction in super::histories::BOTH {
            let (arrays, whole) = (Arrays::of(&bag, direction), Whole::merged(&bag, direction));
            assert_eq!(arrays.bfs(HUB), whole.bfs(HUB));
            assert_eq!(arrays.sssp(HUB), Whole::weighted(&bag, direction).sssp(HUB));
            assert_eq!(arrays.wcc(), whole.wcc());
            assert_eq!(arrays.scc(), whole.scc());
            assert_eq!(arrays.lcc(), whole.lcc());
            let visits = whole.visits(|it| it == HUB, DAMPING);
            for (one, other) in arrays.visits(|it| it == HUB, DAMPING).iter().zip(visits.values()) {
                assert!((one - other).abs() < 1e-9, "{one} is not {other}");
            }
        }
        let arrays = Arrays::of(&bag, Direction::Undirected);
        let whole = Whole::merged(&bag, Direction::Undirected);
        assert_eq!(arrays.triangles(), whole.triangles());
        assert_eq!(arrays.kcore(), whole.kcore());
        assert_eq!(arrays.msf(), super::choices::forest(&bag));
        assert_eq!(arrays.motifs(), super::patterns::motifs(&bag));
    }
}
