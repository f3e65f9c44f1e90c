//! Patterns of vertices that are next to each other.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidemill::graph::{Direction, Edge, Motifs};

use super::histories::{BOTH, Change, compare, dense, hub, sparse, wild};
use super::model::{Bag, Values, Whole};
use super::support::Run;

/// All ways to choose vertices, one after the other, each next to the one before.
fn walks(whole: &Whole, length: usize) -> Vec<Vec<u64>> {
    let mut walks = Vec::from_iter(whole.vertices.iter().map(|it| vec![*it]));
    for _ in 1..length {
        let longer = walks.iter().flat_map(|walk| {
            let from = walk.last().copied().unwrap_or_default();
            let next = whole.ways.range(Edge::new(from, 0)..).take_while(move |it| it.from == from);
            let new = next.map(|way| way.to).filter(|it| !walk.contains(it));
            new.map(|it| [walk.as_slice(), &[it]].concat())
        });
        walks = longer.collect();
    }
    walks
}

pub(crate) fn motifs(bag: &Bag) -> Values<Motifs> {
    let whole = Whole::merged(bag, Direction::Undirected);
    let near = |one: u64, other: u64| whole.ways.contains(&Edge::new(one, other));
    let mut motifs: Values<Motifs> =
        whole.vertices.iter().map(|it| (*it, Motifs::default())).collect();
    for walk in walks(&whole, 3) {
        let closes = near(walk[0], walk[2]);
        motifs.entry(walk[0]).or_default().triangles += u64::from(closes);
    }
    for walk in walks(&whole, 4) {
        let count = motifs.entry(walk[0]).or_default();
        let closes = near(walk[0], walk[3]);
        count.cycles += u64::from(closes);
        let crossed = near(walk[0], walk[2]) && near(walk[1], walk[3]);
        count.cliques += u64::from(closes && crossed);
    }
    for count in motifs.values_mut() {
        // Each in both directions; a clique in each order of the others.
        count.triangles /= 2;
        count.cycles /= 2;
        count.cliques /= 6;
    }
    motifs
}

fn trusses(bag: &Bag) -> Values<u64> {
    let whole = Whole::merged(bag, Direction::Undirected);
    let mut left = BTreeSet::from_iter(whole.ways.iter().map(|it| (it.from, it.to)));
    let mut trusses: Values<u64> = whole.vertices.iter().map(|it| (*it, 0)).collect();
    for k in 2.. {
        loop {
            let triangles = |(one, other): &(u64, u64)| {
                let third = whole.vertices.iter();
                third
                    .filter(|it| left.contains(&(*one, **it)) && left.contains(&(*other, **it)))
                    .count()
            };
            let few = Vec::from_iter(left.iter().copied().filter(|it| triangles(it) + 2 < k));
            if few.is_empty() {
                break;
            }
            left.retain(|it| !few.contains(it));
        }
        if left.is_empty() {
            break;
        }
        trusses.extend(left.iter().map(|it| (it.0, k as u64)));
    }
    trusses
}

fn check(run: &Run<Change>) {
    for direction in BOTH {
        compare(run, direction, |graph| graph.motifs(), motifs);
        compare(run, direction, |graph| graph.ktruss(), trusses);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn patterns_follow_wild_changes(run in wild()) {
        check(&run);
    }

    #[test]
    fn patterns_follow_a_dense_graph(run in dense()) {
        check(&run);
    }

    #[test]
    fn patterns_follow_edges_that_go_and_return(run in sparse()) {
        check(&run);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn patterns_follow_a_hub(run in hub()) {
        compare(&run, Direction::Undirected, |graph| graph.motifs(), motifs);
    }
}
