//! Histories of a graph that is large enough for what algorithms do only with many vertices and changes: every
//! maintained algorithm, compared at each epoch with another algorithm on the whole graph.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use tidemill::connect::Random;
use tidemill::graph::{DAMPING, Direction, Edge, Graph, Motifs, Real, TOLERANCE, Update};

use super::arrays::Arrays;
use super::histories::{About, Change};
use super::model::{Bag, Values, Whole};
use super::support::{Run, Tap};

const SEED: u64 = 20_261_123;
const WORKERS: [usize; 2] = [2, 4];

/// What changes in each epoch, in each of four partitions.
type History = Vec<Vec<Vec<Change>>>;

/// Which of four quarters of the table of all pairs the next edge is in: in a hundred, so many are in one of
/// the first, the first two, the first three.
type Skew = [u64; 3];

/// As [R-MAT](https://doi.org/10.1137/1.9781611972740.43) has it: few have many neighbours.
const FEW: Skew = [57, 76, 95];
const EVEN: Skew = [25, 50, 75];

/// A graph of so many vertices, at most, that changes.
struct Grown {
    random: Random,
    vertices: u64,
    skew: Skew,
    edges: Vec<Edge>,
    changes: Vec<Change>,
}

impl Grown {
    fn new(seed: u64, vertices: u64, skew: Skew) -> Self {
        let random = Random::new(seed);
        Self { random, vertices, skew, edges: Vec::new(), changes: Vec::new() }
    }

    fn weight(&mut self) -> f64 {
        self.random.below(16) as f64 / 4.0
    }

    /// One edge: in a quarter of the table of all pairs, and in a quarter of that, until one pair is left.
    fn edge(&mut self) -> Edge {
        loop {
            let (mut from, mut to) = (0, 0);
            for _ in 0..self.vertices.next_power_of_two().ilog2() {
                let place = self.random.below(100);
                let quarter = self.skew.iter().filter(|it| **it <= place).count() as u64;
                (from, to) = (2 * from + quarter / 2, 2 * to + quarter % 2);
            }
            if from.max(to) < self.vertices {
                return Edge::weighted(from, to, self.weight());
            }
        }
    }

    /// So many edges come.
    fn flow(&mut self, count: usize) {
        for _ in 0..count {
            let edge = self.edge();
            self.edges.push(edge);
            self.changes.push((edge, 1));
        }
    }

    /// So many edges go.
    fn ebb(&mut self, count: usize) {
        for _ in 0..count {
            let at = self.random.below(self.edges.len() as u64) as usize;
            self.changes.push((self.edges.swap_remove(at), -1));
        }
    }

    /// So many edges go and others come, or the same with another weight.
    fn change(&mut self, count: usize) {
        for _ in 0..count {
            let at = self.random.below(self.edges.len() as u64) as usize;
            let old = self.edges[at];
            let new = match self.random.below(3) {
                0 => Edge { weight: Real(self.weight()), ..old },
                _ => self.edge(),
            };
            self.changes.extend([(old, -1), (new, 1)]);
            self.edges[at] = new;
        }
    }

    /// An epoch of what changed since the last.
    fn epoch(&mut self) -> Vec<Vec<Change>> {
        let changes = std::mem::take(&mut self.changes);
        let part = |it| changes.iter().skip(it).step_by(4).copied().collect();
        (0..4).map(part).collect()
    }

    /// A graph of so many edges, of which some change, epoch by epoch.
    fn busy(mut self, edges: usize, sizes: &[usize]) -> History {
        self.flow(edges);
        let mut epochs = vec![self.epoch()];
        for size in sizes {
            self.change(*size);
            epochs.push(self.epoch());
        }
        epochs
    }
}

/// A few have many neighbours; as much as a fifth changes at once.
fn busy() -> History {
    let sizes = [1, 10, 1_000, 20_000, 1, 1, 10, 1, 1_000, 10];
    let more = [20_000, 1, 20_000, 1_000, 10, 1, 1_000, 1, 10, 1];
    Grown::new(SEED, 20_000, FEW).busy(100_000, &[sizes, more].concat())
}

/// All have a few neighbours; most edges go at once, and as many come.
fn tides() -> History {
    let mut grown = Grown::new(SEED, 50_000, EVEN);
    let mut epochs = Vec::new();
    for (ebb, flow, change) in [
        (0, 150_000, 0),
        (0, 0, 1_000),
        (130_000, 0, 0),
        (0, 120_000, 0),
        (0, 0, 1),
        (138_000, 9, 0),
        (0, 138_000, 10),
        (0, 0, 1_000),
    ] {
        grown.ebb(ebb);
        grown.flow(flow);
        grown.change(change);
        epochs.push(grown.epoch());
    }
    epochs
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
    let build = Arc::new(build);
    for history in [busy(), tides()] {
        follow_one(&history, direction, Arc::clone(&build), &model, &compare);
    }
}

fn follow_one<V, M>(
    history: &History,
    direction: Direction,
    build: Arc<
        impl for<'s> Fn(&Graph<'s>) -> tidemill::graph::Values<'s, V> + Send + Sync + 'static,
    >,
    model: impl Fn(&Arrays) -> M,
    compare: impl Fn(&M, &Values<V>, &str),
) where
    V: Clone + Debug + Ord + Send + 'static,
{
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
    follow(direction, build, model, same);
}

#[track_caller]
fn same<V: Debug + PartialEq>(expected: &Values<V>, values: &Values<V>, at: &str) {
    let wrong = values.iter().zip(expected).find(|(one, other)| one != other);
    assert_eq!(wrong.map(|it| it.0), wrong.map(|it| it.1), "{at}");
    assert_eq!(values.len(), expected.len(), "{at}");
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
    let share = |it: &f64| if sum > 0.0 { it / sum } else { 0.0 };
    whole.ids.iter().copied().zip(visits.iter().map(share)).collect()
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

/// There are many around vertices with many neighbours, and each is looked at: so fewer edges.
#[test]
fn motifs_of_a_large_graph_follow_its_edges() {
    fn motifs<'s>(graph: &Graph<'s>) -> tidemill::graph::Values<'s, Motifs> {
        graph.motifs()
    }

    let busy = Grown::new(SEED, 20_000, FEW).busy(50_000, &[1, 10, 1_000, 1, 10_000, 1, 10]);
    for history in [busy, tides()] {
        let build = Arc::new(motifs);
        follow_one(&history, Direction::Undirected, build, Arrays::motifs, same);
    }
}

/// What these tests compare with agrees with the slow models where those can be asked.
#[test]
fn both_models_agree_on_small_graphs() {
    for seed in 0..20 {
        let mut bag = Bag::new();
        for (edge, diff) in Grown::new(seed, 20, FEW).busy(40, &[9]).into_iter().flatten().flatten()
        {
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
