//! Patterns of vertices that are next to each other.

use proptest::prelude::*;
use tidemill::graph::{Direction, Motifs};

use super::histories::{BOTH, Change, compare, sparse, wild};
use super::model::{Bag, Values, Whole};
use super::support::Run;

/// All ways to choose vertices, one after the other, each next to the one before.
fn walks(whole: &Whole, length: usize) -> Vec<Vec<u64>> {
    let mut walks = Vec::from_iter(whole.vertices.iter().map(|it| vec![*it]));
    for _ in 1..length {
        let longer = walks.iter().flat_map(|walk| {
            let next = whole.ways.iter().filter(|way| Some(&way.from) == walk.last());
            let new = next.map(|way| way.to).filter(|it| !walk.contains(it));
            new.map(|it| [walk.as_slice(), &[it]].concat())
        });
        walks = longer.collect();
    }
    walks
}

fn motifs(bag: &Bag) -> Values<Motifs> {
    let whole = Whole::merged(bag, Direction::Undirected);
    let near = |one: u64, other: u64| whole.ways.iter().any(|it| (it.from, it.to) == (one, other));
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

fn check(run: &Run<Change>) {
    for direction in BOTH {
        compare(run, direction, |graph| graph.motifs(), motifs);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn motifs_follow_wild_changes(run in wild()) {
        check(&run);
    }

    #[test]
    fn motifs_follow_edges_that_go_and_return(run in sparse()) {
        check(&run);
    }
}
