//! Joins of every kind, cross and cogroup.

use proptest::prelude::*;
use tidemill_operators::collection::Diff;

use crate::history::{Bag, bag, check, joined, of_key, some};

type Side = Bag<(u8, u8)>;
type Row = (u8, (Option<u8>, Option<u8>));

/// The outer join that keeps the sides that are asked for.
fn outer(left: &Side, right: &Side, keep_left: bool, keep_right: bool) -> Bag<Row> {
    let pairs = joined(left, right)
        .into_iter()
        .map(|((key, (one, two)), times)| ((key, (Some(one), Some(two))), times));
    let lonely = |pair: &(u8, u8), side: &Side, keep: bool| keep && of_key(side, pair.0) <= 0;
    let of_left = left.iter().filter(|(it, _)| lonely(it, right, keep_left));
    let of_right = right.iter().filter(|(it, _)| lonely(it, left, keep_right));
    let of_left = of_left.map(|(it, times)| ((it.0, (Some(it.1), None)), *times));
    let of_right = of_right.map(|(it, times)| ((it.0, (None, Some(it.1))), *times));
    bag(pairs.chain(of_left).chain(of_right))
}

/// The records whose key is among the first parts of `keys`, or is not.
fn matched(side: &Side, keys: &Side, wanted: bool) -> Side {
    let matched = side.iter().filter(|(it, _)| (of_key(keys, it.0) > 0) == wanted);
    bag(matched.map(|(it, times)| (*it, *times)))
}

fn sum(values: &[(&u8, Diff)]) -> Diff {
    values.iter().map(|(value, times)| Diff::from(**value) * times).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn a_left_join_keeps_what_is_alone_on_the_left(run in some()) {
        check(
            &run,
            |left, right| left.left_join(right).map(|(key, (one, two))| (key, (Some(one), two))),
            |left, right| outer(left, right, true, false),
        );
    }

    #[test]
    fn a_right_join_keeps_what_is_alone_on_the_right(run in some()) {
        check(
            &run,
            |left, right| left.right_join(right).map(|(key, (one, two))| (key, (one, Some(two)))),
            |left, right| outer(left, right, false, true),
        );
    }

    #[test]
    fn a_full_join_keeps_what_is_alone_on_either_side(run in some()) {
        check(
            &run,
            |left, right| left.full_join(right),
            |left, right| outer(left, right, true, true),
        );
    }

    #[test]
    fn semi_and_anti_joins_part_the_records(run in some()) {
        check(
            &run,
            |left, right| {
                let keys = right.map(|it| it.0);
                let with = left.clone().semi_join(keys.clone()).map(|it| (it, true));
                with.concat(left.anti_join(keys).map(|it| (it, false)))
            },
            |left, right| {
                let with = matched(left, right, true).into_iter().map(|(it, n)| ((it, true), n));
                let less = matched(left, right, false).into_iter().map(|(it, n)| ((it, false), n));
                bag(with.chain(less))
            },
        );
    }

    #[test]
    fn a_cross_has_every_pair(run in some()) {
        check(
            &run,
            |left, right| left.cross(right),
            |left, right| {
                let pairs = left.iter().flat_map(|(one, times)| {
                    right.iter().map(move |(two, more)| ((*one, *two), times * more))
                });
                bag(pairs)
            },
        );
    }

    #[test]
    fn a_cogroup_sees_both_sides_of_a_key(run in some()) {
        check(
            &run,
            |left, right| {
                left.cogroup(right, |_, here, there, told| {
                    assert!(here.is_sorted() && there.is_sorted(), "values come in order");
                    told.push(((sum(here), sum(there)), 1));
                })
            },
            |left, right| {
                let has = |side: &Side, key| side.keys().any(|it| it.0 == key);
                let of = |side: &Side, key| {
                    let of_key = side.iter().filter(|(it, _)| it.0 == key);
                    of_key.map(|(it, times)| Diff::from(it.1) * times).sum::<Diff>()
                };
                let keys = (0..5).filter(|key| has(left, *key) || has(right, *key));
                bag(keys.map(|key| ((key, (of(left, key), of(right, key))), 1)))
            },
        );
    }
}
