//! Verbs that look into shared arrangements do what those that arrange for themselves do.

use proptest::prelude::*;
use tidemill_operators::collection::{Collection, Diff};

use crate::history::{Bag, Pairs, bag, check, some};

type Row = (u8, (Option<u8>, Option<u8>));

/// The rows of joins as one type, told apart by a number.
fn rows<'s, D: Clone + 'static>(
    number: u8,
    joined: Collection<'s, D>,
    form: fn(D) -> Row,
) -> Collection<'s, (u8, Row)> {
    joined.map(move |it| (number, form(it)))
}

/// Every join of two arrangements.
fn of_arrangements<'s>(left: Pairs<'s>, right: Pairs<'s>) -> Collection<'s, (u8, Row)> {
    let (left, right) = (left.arrange("left"), right.arrange("right"));
    let all = [
        rows(0, left.join(&right), |(key, (one, two))| (key, (Some(one), Some(two)))),
        rows(1, left.left_join(&right), |(key, (one, two))| (key, (Some(one), two))),
        rows(2, left.right_join(&right), |(key, (one, two))| (key, (one, Some(two)))),
        rows(3, left.full_join(&right), |row| row),
        rows(4, left.semi_join(&right), |(key, one)| (key, (Some(one), None))),
        rows(5, left.anti_join(&right), |(key, one)| (key, (Some(one), None))),
        rows(6, left.join(&left.clone()), |(key, (one, two))| (key, (Some(one), Some(two)))),
        rows(7, right.records(), |(key, one)| (key, (Some(one), None))),
    ];
    all.into_iter().reduce(Collection::concat).expect("there are some")
}

/// The same of collections.
fn of_collections<'s>(left: Pairs<'s>, right: Pairs<'s>) -> Collection<'s, (u8, Row)> {
    let both = || (left.clone(), right.clone());
    let (keys, [one, two, three, four, five, six]) =
        (right.clone().map(|it| it.0), std::array::from_fn(|_| both()));
    let all = [
        rows(0, one.0.join(one.1), |(key, (one, two))| (key, (Some(one), Some(two)))),
        rows(1, two.0.left_join(two.1), |(key, (one, two))| (key, (Some(one), two))),
        rows(2, three.0.right_join(three.1), |(key, (one, two))| (key, (one, Some(two)))),
        rows(3, four.0.full_join(four.1), |row| row),
        rows(4, five.0.semi_join(keys.clone()), |(key, one)| (key, (Some(one), None))),
        rows(5, six.0.anti_join(keys), |(key, one)| (key, (Some(one), None))),
        rows(6, left.clone().join(left), |(key, (one, two))| (key, (Some(one), Some(two)))),
        rows(7, right, |(key, one)| (key, (Some(one), None))),
    ];
    all.into_iter().reduce(Collection::concat).expect("there are some")
}

/// Which of the right values can be reached along the pairs of the left side.
fn reached<'s>(left: Pairs<'s>, right: Pairs<'s>) -> Collection<'s, u8> {
    let edges = left.arrange("edges");
    let start = right.map(|it| it.1).distinct();
    start.clone().iterate(|nodes| {
        let edges = edges.enter(&nodes);
        let there = nodes.clone().map(|it| (it, ())).arrange("nodes");
        let next = there.join(&edges).map(|(_, ((), to))| to);
        next.concat(start.enter(&nodes)).distinct()
    })
}

fn reached_model(left: &Bag<(u8, u8)>, right: &Bag<(u8, u8)>) -> Bag<u8> {
    let edges = bag(left.iter().map(|(it, times)| (*it, *times)));
    let mut there: Vec<u8> = Vec::new();
    let starts = bag(right.iter().map(|(it, times)| (it.1, *times)));
    let mut next: Vec<u8> = starts.iter().filter(|it| *it.1 > 0).map(|it| *it.0).collect();
    while let Some(node) = next.pop() {
        if there.contains(&node) {
            continue;
        }
        there.push(node);
        next.extend(edges.keys().filter(|it| it.0 == node).map(|it| it.1));
    }
    bag(there.into_iter().map(|it| (it, 1 as Diff)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn shared_arrangements_answer_as_own_ones_do(run in some()) {
        check(
            &run,
            |left, right| {
                let less = of_collections(left.clone(), right.clone()).negate();
                of_arrangements(left, right).concat(less)
            },
            |_, _| Bag::new(),
        );
    }

    #[test]
    fn an_arrangement_by_a_key_holds_whole_records(run in some()) {
        check(
            &run,
            |left, _| {
                let odd = left.arrange_by("odd", |it| it.1 % 2);
                odd.reduce(|_, rows, sums| sums.push((rows.iter().map(|it| it.1).sum(), 1)))
            },
            |left, _| {
                let of = |odd| left.iter().filter(move |(it, _)| it.1 % 2 == odd);
                let there = (0..2).filter(|odd| of(*odd).next().is_some());
                bag(there.map(|odd| ((odd, of(odd).map(|it| *it.1).sum::<Diff>()), 1)))
            },
        );
    }

    #[test]
    fn an_arrangement_is_the_same_in_every_round_of_a_loop(run in some()) {
        // Edges that are there a negative number of times are no edges.
        check(
            &run,
            |left, right| reached(left.distinct(), right),
            |left, right| {
                let there = left.iter().filter(|(_, times)| **times > 0);
                reached_model(&bag(there.map(|(it, _)| (*it, 1))), right)
            },
        );
    }
}
