//! Vertices and edges that are chosen so that something holds of all.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill::graph::{Direction, Update};

use super::histories::{BOTH, Change, sparse, wild};
use super::model::{Bag, Values, Whole};
use super::support::{Run, Tap};
use tidemill::graph::Graph;

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

fn check_set(run: &Run<Change>) {
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
}
