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

/// Edges from which some go and to which they return: what is deleted was there.
fn toggled(
    edges: impl Strategy<Value = Vec<(u64, u64, u8)>>,
    count: usize,
) -> impl Strategy<Value = Run<Change>> {
    let picks = prop::collection::vec(prop::collection::vec(0..count, 0..6), 1..8);
    let epochs = (edges, picks).prop_map(|(edges, picks)| {
        let edges = Vec::from_iter(
            edges
                .into_iter()
                .map(|(from, to, weight)| Edge::weighted(from, to, f64::from(weight) / 4.0)),
        );
        let mut there = BTreeSet::from_iter(0..edges.len());
        let mut epochs = vec![vec![edges.iter().map(|it| (*it, 1)).collect::<Vec<_>>()]];
        for picked in picks {
            let toggled = picked.into_iter().map(|at| {
                let gone = there.remove(&at);
                if !gone {
                    there.insert(at);
                }
                (edges[at], if gone { -1 } else { 1 })
            });
            epochs.push(vec![toggled.collect()]);
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

/// Follows the values that updates make, and compares those of each epoch with a model's.
#[track_caller]
pub(crate) fn check_near(
    run: &Run<Change>,
    direction: Direction,
    build: impl for<'s> Fn(&Graph<'s>) -> Values<'s, Real> + Send + Sync + 'static,
    whole: impl Fn(&Whole) -> model::Values<f64>,
    near: impl Fn(f64, f64) -> bool,
) {
    let seen = run.go(move |stream, tap: &Tap<Update<Real>>| {
        tap.watch(build(&Graph::new(stream.changelog(), direction)).updates());
    });
    let mut seen: Vec<_> = seen.into_iter().map(|it| it.record).collect();
    seen.sort();
    let mut seen = seen.into_iter().peekable();
    let (mut bag, mut values) = (Bag::new(), model::Values::<Real>::new());
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        for (edge, diff) in partitions.iter().flatten() {
            *bag.entry(*edge).or_default() += diff;
        }
        while let Some(update) = seen.next_if(|it| it.epoch == epoch as u64) {
            // A run that continues has computed what was before anew.
            let same = match (values.get(&update.vertex), update.old) {
                (Some(one), Some(other)) => near(one.0, other.0),
                (one, other) => one.is_none() && other.is_none(),
            };
            assert!(same, "{update:?} in {run:?}");
            match update.new {
                Some(new) => _ = values.insert(update.vertex, new),
                None => _ = values.remove(&update.vertex),
            }
        }
        let expected = whole(&Whole::merged(&bag, direction));
        let same = values.len() == expected.len()
            && expected
                .iter()
                .all(|(it, value)| values.get(it).is_some_and(|found| near(found.0, *value)));
        assert!(same, "{direction:?} at {epoch}: gives {values:?}, not {expected:?}; {run:?}");
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

fn check_ranks(run: &Run<Change>) {
    let within = |far: f64| move |one: f64, other: f64| (one - other).abs() <= far * other.abs();
    for direction in BOTH {
        check_near(
            run,
            direction,
            |graph| graph.pagerank(DAMPING, TOLERANCE),
            |whole| whole.pagerank(None, DAMPING, 120),
            within(2.0 * TOLERANCE),
        );
        check_near(
            run,
            direction,
            |graph| graph.pagerank_iterations(DAMPING, 7),
            |whole| whole.pagerank(None, DAMPING, 7),
            within(1e-12),
        );
        check_near(
            run,
            direction,
            |graph| graph.ppr(SOURCE, DAMPING, TOLERANCE),
            |whole| whole.pagerank(Some(SOURCE), DAMPING, 120),
            |one, other| (one - other).abs() <= TOLERANCE * other.abs() + 200.0 * TOLERANCE,
        );
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
