//! Shortest ways that lead through a vertex.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill::graph::{Direction, Graph, Sources};

use super::histories::{About, BOTH, Change, check_near, sparse, wild};
use super::model::{Values, Whole};
use super::support::Run;

/// How many steps it takes from a vertex to others, and how many shortest ways there are.
fn ways(whole: &Whole, from: u64) -> BTreeMap<u64, (u64, f64)> {
    let mut found = BTreeMap::from([(from, (0, 1.0))]);
    for step in 1.. {
        let mut next = BTreeMap::<u64, f64>::new();
        for way in &whole.ways {
            let before = found.get(&way.from).filter(|it| it.0 == step - 1);
            if let Some((_, ways)) = before.filter(|_| !found.contains_key(&way.to)) {
                *next.entry(way.to).or_default() += ways;
            }
        }
        if next.is_empty() {
            break;
        }
        found.extend(next.into_iter().map(|(vertex, ways)| (vertex, (step, ways))));
    }
    found
}

/// Over all pairs of which the first is one of some, in a graph that leads one way.
fn between(whole: &Whole, sources: impl Fn(u64) -> bool) -> Values<f64> {
    let all: BTreeMap<u64, _> = whole.vertices.iter().map(|it| (*it, ways(whole, *it))).collect();
    let mut sums: Values<f64> = whole.vertices.iter().map(|it| (*it, 0.0)).collect();
    for (from, reached) in all.iter().filter(|it| sources(*it.0)) {
        for (to, (steps, ways)) in reached {
            for (vertex, sum) in sums.iter_mut().filter(|it| it.0 != from && it.0 != to) {
                let (Some(first), Some(second)) = (reached.get(vertex), all[vertex].get(to)) else {
                    continue;
                };
                if first.0 + second.0 == *steps {
                    *sum += first.1 * second.1 / ways;
                }
            }
        }
    }
    sums
}

fn check(run: &Run<Change>) {
    for direction in BOTH {
        let share = if direction == Direction::Undirected { 0.5 } else { 1.0 };
        let scaled = move |mut sums: Values<f64>| {
            sums.values_mut().for_each(|it| *it *= share);
            About::each(sums, 1e-9)
        };
        let all = move |whole: &Whole| scaled(between(whole, |_| true));
        check_near(run, direction, |graph| graph.betweenness(Sources::All), all);
        let many = || Sources::Sample { count: 99, seed: 4 };
        check_near(run, direction, move |graph| graph.betweenness(many()), all);
        let some = || Sources::Given(vec![5, 2, 999, 2]);
        let given = move |whole: &Whole| scaled(between(whole, |it| it == 5 || it == 2));
        check_near(run, direction, move |graph| graph.betweenness(some()), given);
    }
}

/// The vertices of a star and two more, in one graph.
#[test]
fn a_sample_is_the_same_for_all_workers_and_scaled() {
    use tidemill::graph::{Edge, Real, Update};

    let edges = Vec::from_iter((1..=60).map(|it| (Edge::new(0, it), 1isize)));
    let mut answers = [1, 2, 4].map(|workers| {
        let run = Run::new(vec![vec![edges.clone()]]).workers(workers);
        let seen = run.go(|stream, tap: &super::support::Tap<Update<Real>>| {
            let sample = Sources::Sample { count: 10, seed: 7 };
            tap.watch(Graph::undirected(stream.changelog()).betweenness(sample).updates());
        });
        let mut values = Vec::from_iter(seen.into_iter().map(|it| it.record));
        values.sort();
        values
    });
    assert!(answers.iter().all(|it| *it == answers[0]));
    // Each of ten leaves reaches the 59 others through the centre; or nine, and it is the tenth itself.
    let centre = answers[0].remove(0).new.map_or(0.0, |it| it.0);
    let of = |leaves: f64| leaves * 59.0 * 61.0 / 10.0 / 2.0;
    assert!([of(10.0), of(9.0)].iter().any(|it| (it - centre).abs() < 1e-9), "{centre}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn betweenness_follows_wild_changes(run in wild()) {
        check(&run);
    }

    #[test]
    fn betweenness_follows_edges_that_go_and_return(run in sparse()) {
        check(&run);
    }
}
