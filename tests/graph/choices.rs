//! Vertices and edges that are chosen so that something holds of all.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tidemill::graph::{Branch, Direction, Edge, Graph, Real, Update};

use super::histories::{BOTH, Change, compare, dense, sparse, wild};
use super::model::{Bag, Values, Whole};
use super::support::{Run, Tap};

/// The values at the end of each epoch.
fn each_epoch<V: Clone + Ord + Send + 'static>(
    run: &Run<Change>,
    build: impl for<'s> Fn(&Graph<'s>) -> tidemill::graph::Values<'s, V> + Send + Sync + 'static,
    direction: Direction,
) -> Vec<(Bag, Values<V>)> {
    let seen = run.go(move |stream, tap: &Tap<Update<V>>| {
        tap.watch(build(&Graph::new(stream.changelog(), direction)).updates());
    });
    let mut seen: Vec<_> = seen.into_iter().map(|it| it.record).collect();
    seen.sort();
    let mut seen = seen.into_iter().peekable();
    let (mut bag, mut values) = (Bag::new(), BTreeMap::new());
    let states = run.epochs().iter().enumerate().map(|(epoch, partitions)| {
        for (edge, diff) in partitions.iter().flatten() {
            *bag.entry(*edge).or_default() += diff;
        }
        while let Some(update) = seen.next_if(|it| it.epoch == epoch as u64) {
            let was = match update.new {
                Some(new) => values.insert(update.vertex, new),
                None => values.remove(&update.vertex),
            };
            assert!(was == update.old, "what a vertex had is what it was given before");
        }
        (bag.clone(), values.clone())
    });
    states.collect()
}

pub(crate) fn check_set(run: &Run<Change>) {
    // What a set is for a graph, whatever the history that led there: it has to be the same.
    let mut known = BTreeMap::<Vec<(u64, u64)>, Values<bool>>::new();
    for direction in BOTH {
        for (bag, chosen) in each_epoch(run, |graph| graph.mis(), direction) {
            let whole = Whole::merged(&bag, Direction::Undirected);
            assert!(chosen.keys().eq(&whole.vertices), "{run:?}");
            let ways = Vec::from_iter(whole.ways.iter().map(|it| (it.from, it.to)));
            let clash = ways.iter().find(|it| chosen[&it.0] && chosen[&it.1]);
            assert_eq!(clash, None, "two next to each other are in it; {run:?}");
            let covered =
                |it: &u64| chosen[it] || ways.iter().any(|way| way.0 == *it && chosen[&way.1]);
            assert!(whole.vertices.iter().all(covered), "one more could be in it; {run:?}");
            let all = whole.vertices.iter().map(|it| (*it, *it)).chain(ways).collect();
            let same = known.entry(all).or_insert_with(|| chosen.clone());
            assert_eq!(*same, chosen, "one graph has one set; {run:?}");
        }
    }
}

/// The vertices that edges connect with one.
fn connected(edges: &[Edge], from: u64) -> BTreeSet<u64> {
    let mut found = BTreeSet::from([from]);
    loop {
        let before = found.len();
        for edge in edges {
            if found.contains(&edge.from) || found.contains(&edge.to) {
                found.extend([edge.from, edge.to]);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

pub(crate) fn forest(bag: &Bag) -> Values<Branch> {
    let whole = Whole::weighted(bag, Direction::Undirected);
    let mut edges = Vec::from_iter(whole.ways.iter().copied().filter(|it| it.from < it.to));
    edges.sort_by_key(|it| (it.weight, it.from, it.to));
    // An edge is in it unless edges before it connect its ends.
    let closes = |at: &usize| connected(&edges[..*at], edges[*at].from).contains(&edges[*at].to);
    let kept = Vec::from_iter((0..edges.len()).filter(|it| !closes(it)).map(|it| edges[it]));
    let branch = |vertex: u64| {
        let root = connected(&kept, vertex).first().copied();
        let own = Branch { parent: vertex, weight: Real(0.0) };
        let near = kept.iter().filter(|it| {
            vertex != root.unwrap_or(vertex) && (it.from == vertex || it.to == vertex)
        });
        // The edge without which the root is out of reach.
        let leads = |edge: &&Edge| {
            let others = Vec::from_iter(kept.iter().copied().filter(|it| it != *edge));
            !root.is_some_and(|root| connected(&others, vertex).contains(&root))
        };
        let edge = { near }.find(leads);
        edge.map_or(own, |it| Branch { parent: it.from ^ it.to ^ vertex, weight: it.weight })
    };
    whole.vertices.iter().map(|it| (*it, branch(*it))).collect()
}

fn check_forest(run: &Run<Change>) {
    for direction in BOTH {
        compare(run, direction, |graph| graph.msf(), forest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sets_follow_wild_changes(run in wild()) {
        check_set(&run);
    }

    #[test]
    fn sets_follow_edges_that_go_and_return(run in sparse()) {
        check_set(&run);
    }

    #[test]
    fn sets_follow_a_dense_graph(run in dense()) {
        check_set(&run);
    }

    #[test]
    fn forests_follow_wild_changes(run in wild()) {
        check_forest(&run);
    }

    #[test]
    fn forests_follow_edges_that_go_and_return(run in sparse()) {
        check_forest(&run);
    }
}
