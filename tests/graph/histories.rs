//! Random histories of edges that come and go, compared at every epoch with the whole graph.

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::prelude::*;
use tidemill::collection::Diff;
use tidemill::graph::{DAMPING, Direction, Edge, Graph, Real, Update, Values};

use super::model::{self, Bag, Whole};
use super::support::{Run, Tap, histories, runs};

pub(crate) type Change = (Edge, Diff);

const SOURCE: u64 = 3;

/// Changes among few vertices, some of them edges to themselves, some at the ends of numbers.
fn changes(vertices: u64) -> impl Strategy<Value = Change> + Clone {
    let vertex = move || (0..vertices).prop_map(move |it| if it == 1 { u64::MAX } else { it });
    let weight = prop_oneof![Just(1.0), Just(0.0), Just(0.5), Just(2.25), Just(-1.0)];
    let diff = prop_oneof![4 => Just(1isize), 1 => Just(2), 3 => Just(-1), 1 => Just(-2)];
    let edge = (vertex(), vertex(), weight);
    (edge.prop_map(|(from, to, weight)| Edge::weighted(from, to, weight)), diff)
}

/// Short histories of wild changes.
pub(crate) fn wild() -> impl Strategy<Value = Run<Change>> {
    runs(histories(changes(9), 1..8, 0..12))
}

/// So many edges among vertices.
fn edges(vertices: u64, count: usize) -> impl Strategy<Value = Vec<(u64, u64, u8)>> {
    prop::collection::vec((0..vertices, 0..vertices, 0..4u8), count)
}

/// Edges from which some go and to which they return, and some get another weight: what is deleted was
/// there.
fn toggled(
    edges: impl Strategy<Value = Vec<(u64, u64, u8)>>,
    count: usize,
) -> impl Strategy<Value = Run<Change>> {
    let pick = (0..count, prop::option::weighted(0.3, 0..4u8));
    let picks = prop::collection::vec(prop::collection::vec(pick, 0..6), 1..8);
    let weighted = |(from, to, weight)| Edge::weighted(from, to, f64::from(weight) / 4.0);
    let epochs = (edges, picks).prop_map(move |(edges, picks)| {
        let mut edges = Vec::from_iter(edges.into_iter().map(weighted));
        let mut there = BTreeSet::from_iter(0..edges.len());
        let mut epochs = vec![vec![edges.iter().map(|it| (*it, 1)).collect::<Vec<_>>()]];
        for picked in picks {
            let mut changes = Vec::new();
            for (at, weight) in picked {
                if there.remove(&at) {
                    changes.push((edges[at], -1));
                    let Some(weight) = weight else { continue };
                    edges[at] = weighted((edges[at].from, edges[at].to, weight));
                }
                there.insert(at);
                changes.push((edges[at], 1));
            }
            epochs.push(vec![changes]);
        }
        epochs
    });
    runs(epochs)
}

/// A graph most of which is connected.
pub(crate) fn sparse() -> impl Strategy<Value = Run<Change>> {
    toggled(edges(40, 60), 60)
}

/// A graph whose vertices have ten neighbours or so.
pub(crate) fn dense() -> impl Strategy<Value = Run<Change>> {
    toggled(edges(22, 110), 110)
}

/// A graph in which one vertex has most others for neighbours.
pub(crate) fn hub() -> impl Strategy<Value = Run<Change>> {
    let all = edges(130, 40).prop_map(|mut edges| {
        edges.extend((1..130).map(|it| (0, it, 0)));
        edges
    });
    toggled(all, 169)
}

/// What changed from epoch to epoch, by a model.
pub(crate) fn expected<V: Clone + PartialEq + Ord>(
    run: &Run<Change>,
    whole: impl Fn(&Bag) -> model::Values<V>,
) -> Vec<Update<V>> {
    let (mut bag, mut before) = (Bag::new(), model::Values::new());
    let mut updates = Vec::new();
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        for (edge, diff) in partitions.iter().flatten() {
            *bag.entry(*edge).or_default() += diff;
        }
        let now = whole(&bag);
        let vertices: BTreeSet<u64> = before.keys().chain(now.keys()).copied().collect();
        for vertex in vertices {
            let (old, new) = (before.get(&vertex).cloned(), now.get(&vertex).cloned());
            if old != new {
                updates.push(Update { epoch: epoch as u64, vertex, old, new });
            }
        }
        before = now;
    }
    updates
}

#[track_caller]
pub(crate) fn compare<V: Clone + Debug + Ord + Send + 'static>(
    run: &Run<Change>,
    direction: Direction,
    build: impl for<'s> Fn(&Graph<'s>) -> Values<'s, V> + Send + Sync + 'static,
    whole: impl Fn(&Bag) -> model::Values<V>,
) {
    let seen = run.go(move |stream, tap: &Tap<Update<V>>| {
        tap.watch(build(&Graph::new(stream.changelog(), direction)).updates());
    });
    let mut seen: Vec<_> = seen.into_iter().map(|it| it.record).collect();
    seen.sort();
    let expected = expected(run, whole);
    if seen != expected {
        let wrong = seen.iter().zip(&expected).position(|(one, other)| one != other);
        let at = wrong.unwrap_or(seen.len().min(expected.len()));
        let (seen, expected) = (seen.get(at..), expected.get(at..));
        let few = |it: Option<&[Update<V>]>| format!("{:?}", it.map(|it| &it[..it.len().min(9)]));
        panic!("{direction:?}: gives {}, not {}; {run:?}", few(seen), few(expected));
    }
}

/// Compares what an algorithm that asks for no weights gives with what a model computes of the whole.
#[track_caller]
pub(crate) fn check<V: Clone + Debug + Ord + Send + 'static>(
    run: &Run<Change>,
    direction: Direction,
    build: impl for<'s> Fn(&Graph<'s>) -> Values<'s, V> + Send + Sync + 'static,
    whole: impl Fn(&Whole) -> model::Values<V>,
) {
    compare(run, direction, build, |bag| whole(&Whole::merged(bag, direction)));
}

/// The same for one that asks for them.
#[track_caller]
pub(crate) fn check_weighted<V: Clone + Debug + Ord + Send + 'static>(
    run: &Run<Change>,
    direction: Direction,
    build: impl for<'s> Fn(&Graph<'s>) -> Values<'s, V> + Send + Sync + 'static,
    whole: impl Fn(&Whole) -> model::Values<V>,
) {
    compare(run, direction, build, |bag| whole(&Whole::weighted(bag, direction)));
}

/// Numbers, and how far from them others may be.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    values: model::Values<f64>,
    /// Each, relative to itself.
    each: f64,
    /// All together: the sum of their differences.
    together: f64,
}

impl About {
    pub(crate) fn each(values: model::Values<f64>, each: f64) -> Self {
        Self { values, each, together: f64::INFINITY }
    }

    pub(crate) fn together(values: model::Values<f64>, together: f64) -> Self {
        Self { values, each: f64::INFINITY, together }
    }

    /// How far a value is off, unless it is more than it may be.
    fn off(&self, vertex: u64, found: Real) -> Option<f64> {
        let value = self.values.get(&vertex)?;
        let off = (found.0 - value).abs();
        let most = if self.each.is_finite() { self.each * value.abs() } else { self.together };
        (off <= most).then_some(off)
    }

    /// Whether these values are near enough.
    pub(crate) fn are(&self, found: &model::Values<Real>) -> bool {
        let off = found.iter().map(|(vertex, value)| self.off(*vertex, *value));
        let sum = off.sum::<Option<f64>>().is_some_and(|it| it <= self.together);
        sum && found.len() == self.values.len()
    }
}

/// Follows the values that updates make, and compares those of each epoch with a model's.
#[track_caller]
pub(crate) fn check_near(
    run: &Run<Change>,
    direction: Direction,
    build: impl for<'s> Fn(&Graph<'s>) -> Values<'s, Real> + Send + Sync + 'static,
    whole: impl Fn(&Whole) -> About,
) {
    let seen = run.go(move |stream, tap: &Tap<Update<Real>>| {
        tap.watch(build(&Graph::new(stream.changelog(), direction)).updates());
    });
    let mut seen: Vec<_> = seen.into_iter().map(|it| it.record).collect();
    seen.sort();
    let mut seen = seen.into_iter().peekable();
    let (mut bag, mut values) = (Bag::new(), model::Values::<Real>::new());
    let mut known = About::default();
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        for (edge, diff) in partitions.iter().flatten() {
            *bag.entry(*edge).or_default() += diff;
        }
        while let Some(update) = seen.next_if(|it| it.epoch == epoch as u64) {
            // A run that continues has computed what was before anew.
            let same = match (values.get(&update.vertex), update.old) {
                (Some(_), Some(old)) => known.off(update.vertex, old).is_some(),
                (one, other) => one.is_none() && other.is_none(),
            };
            assert!(same, "{update:?} in {run:?}");
            match update.new {
                Some(new) => _ = values.insert(update.vertex, new),
                None => _ = values.remove(&update.vertex),
            }
        }
        known = whole(&Whole::merged(&bag, direction));
        let same = known.are(&values);
        assert!(same, "{direction:?} at {epoch}: gives {values:?}, not {known:?}; {run:?}");
    }
    assert_eq!(seen.next(), None, "nothing comes after the last epoch");
}

fn check_swept(run: &Run<Change>) {
    for direction in BOTH {
        check(run, direction, |graph| graph.cdlp(4), |whole| whole.cdlp(4, direction));
        check(run, direction, |graph| graph.scc(), Whole::scc);
        check(run, direction, |graph| graph.lcc(), Whole::lcc);
        let undirected = |bag: &Bag| Whole::merged(bag, Direction::Undirected).triangles();
        compare(run, direction, |graph| graph.triangles(), undirected);
        let undirected = |bag: &Bag| Whole::merged(bag, Direction::Undirected).kcore();
        compare(run, direction, |graph| graph.kcore(), undirected);
    }
}

const TOLERANCE: f64 = 1e-6;

/// What rounding may add to a value, by itself and in the model.
const ROUNDING: f64 = 1e-12;

fn personal(whole: &Whole) -> About {
    let visits = whole.visits(|it| it == SOURCE, DAMPING);
    let sum = visits.values().sum::<f64>();
    let share = |it: f64| if sum > 0.0 { it / sum } else { 0.0 };
    let values = visits.into_iter().map(|(vertex, it)| (vertex, share(it)));
    About::together(values.collect(), TOLERANCE + ROUNDING)
}

fn check_ranks(run: &Run<Change>) {
    for direction in BOTH {
        check_near(
            run,
            direction,
            |graph| graph.pagerank(DAMPING, TOLERANCE),
            |whole| About::each(whole.pagerank(DAMPING, 200), TOLERANCE + ROUNDING),
        );
        check_near(
            run,
            direction,
            |graph| graph.pagerank_iterations(DAMPING, 7),
            |whole| About::each(whole.pagerank(DAMPING, 7), ROUNDING),
        );
        check_near(run, direction, |graph| graph.ppr(SOURCE, DAMPING, TOLERANCE), personal);
    }
}

pub(crate) const BOTH: [Direction; 2] = [Direction::Directed, Direction::Undirected];

fn check_all(run: &Run<Change>) {
    for direction in BOTH {
        check(run, direction, |graph| graph.bfs(SOURCE), |whole| whole.bfs(SOURCE));
        check_weighted(run, direction, |graph| graph.sssp(SOURCE), |whole| whole.sssp(SOURCE));
        let undirected = |bag: &Bag| Whole::merged(bag, Direction::Undirected).wcc();
        compare(run, direction, |graph| graph.wcc(), undirected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn answers_follow_wild_changes(run in wild()) {
        check_all(&run);
    }

    #[test]
    fn ranks_follow_wild_changes(run in wild()) {
        check_ranks(&run);
    }

    #[test]
    fn ranks_follow_edges_that_go_and_return(run in sparse()) {
        check_ranks(&run);
    }

    #[test]
    fn sweeps_follow_wild_changes(run in wild()) {
        check_swept(&run);
    }

    #[test]
    fn sweeps_follow_edges_that_go_and_return(run in sparse()) {
        check_swept(&run);
    }

    #[test]
    fn triangles_follow_a_hub(run in hub()) {
        for direction in BOTH {
            check(&run, direction, |graph| graph.lcc(), Whole::lcc);
        }
    }

    #[test]
    fn sweeps_follow_a_dense_graph(run in dense()) {
        check_swept(&run);
    }

    #[test]
    fn answers_follow_edges_that_go_and_return(run in sparse()) {
        check_all(&run);
    }
}
