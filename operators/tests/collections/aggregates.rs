//! Aggregates by differences, and the least and greatest by tournament.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill_operators::aggregate::{Count, Mean, Sum, Variance};
use tidemill_operators::collection::{Collection, Diff};

use crate::history::{Bag, Pairs, bag, check, some};

/// Counts, sums, mean and both variances, the last three in millionths.
type Figures = (Diff, i64, i64, i64, (i64, i64));

/// Each value that is there, one to three times.
fn repeated(side: Pairs<'_>) -> Pairs<'_> {
    let there = side.distinct();
    there.flat_map(|it| std::iter::repeat_n(it, usize::from(it.1 % 3) + 1))
}

fn millionths(number: f64) -> i64 {
    (number * 1e6).round() as i64
}

fn figures(side: Pairs<'_>) -> Collection<'_, (u8, Figures)> {
    let quarter = |value: &u8| f64::from(*value) / 4.0;
    let whole = Sum::of(|value: &u8| i64::from(*value) - 2);
    let spread = (Mean::of(quarter), Variance::population(quarter), Variance::sample(quarter));
    let sums = repeated(side).aggregate((Count, whole, Sum::of(quarter), spread));
    sums.map(|(key, (count, whole, sum, (mean, all, sample)))| {
        // That of a sample of one is no number, which counts as zero here.
        let variances = (millionths(*all), millionths(*sample));
        (key, (count, whole, millionths(*sum), millionths(*mean), variances))
    })
}

fn figures_model(side: &Bag<(u8, u8)>) -> Bag<(u8, Figures)> {
    let mut keys = BTreeMap::<u8, Vec<i64>>::new();
    for ((key, value), _) in side.iter().filter(|(_, times)| **times > 0) {
        let values = std::iter::repeat_n(i64::from(*value), usize::from(*value % 3) + 1);
        keys.entry(*key).or_default().extend(values);
    }
    let figures = keys.into_iter().map(|(key, values)| {
        let count = values.len() as i64;
        let sum: i64 = values.iter().sum();
        let squares: i64 = values.iter().map(|it| it * it).sum();
        let quarters = sum as f64 / 4.0;
        let spread = (count * squares - sum * sum) as f64 / (16 * count) as f64;
        let variances =
            (millionths(spread / count as f64), millionths(spread / (count - 1) as f64));
        let mean = millionths(quarters / count as f64);
        let whole = sum - 2 * count;
        let figures = (count as Diff, whole, millionths(quarters), mean, variances);
        ((key, figures), 1)
    });
    bag(figures)
}

/// Forty values for each, so that keys have hundreds and some are there several times.
fn many(value: u8) -> impl Iterator<Item = u32> {
    (0..40).map(move |it| u32::from(value) * 13 + it)
}

fn many_of(side: Pairs<'_>) -> Collection<'_, (u8, u32)> {
    side.flat_map(|(key, value)| many(value).map(move |it| (key, it)))
}

/// The first so many values of each key that are there, from one end or the other.
fn first(side: &Bag<(u8, u8)>, places: Diff, backwards: bool) -> Bag<(u8, u32)> {
    let all = side
        .iter()
        .flat_map(|((key, value), times)| many(*value).map(move |it| ((*key, it), *times)));
    let mut rows: Vec<_> = bag(all).into_iter().filter(|it| it.1 > 0).collect();
    if backwards {
        rows.reverse();
    }
    let mut left = BTreeMap::<u8, Diff>::new();
    let taken = rows.into_iter().map(|((key, value), times)| {
        let left = left.entry(key).or_insert(places);
        let taken = times.min(*left);
        *left -= taken;
        ((key, value), taken)
    });
    bag(taken)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn sums_follow_every_change(run in some()) {
        check(&run, |left, _| figures(left), |left, _| figures_model(left));
    }

    #[test]
    fn the_best_win_the_tournament(run in some()) {
        check(
            &run,
            |left, right| many_of(left).top(3).concat(many_of(right).bottom(50)),
            |left, right| {
                let (top, bottom) = (first(left, 3, true), first(right, 50, false));
                bag(top.into_iter().chain(bottom))
            },
        );
    }

    #[test]
    fn the_least_and_the_greatest_are_given_once(run in some()) {
        check(
            &run,
            |left, right| many_of(left).min().concat(many_of(right).max()),
            |left, right| {
                let (min, max) = (first(left, 1, false), first(right, 1, true));
                bag(min.into_iter().chain(max))
            },
        );
    }

    #[test]
    fn of_records_alike_the_least_is_kept(run in some()) {
        check(
            &run,
            |left, _| left.deduplicate(|it| it.1 % 2),
            |left, _| {
                let there = left.iter().filter(|(_, times)| **times > 0).map(|(it, _)| *it);
                let of = |rest| there.clone().filter(move |it| it.1 % 2 == rest).min();
                bag([of(0), of(1)].into_iter().flatten().map(|it| (it, 1)))
            },
        );
    }

    #[test]
    fn tournaments_are_held_in_loops_too(run in some()) {
        // Labels go along the pairs, and each node keeps the least.
        check(
            &run,
            |left, _| {
                let edges = left.distinct();
                let labels = edges.clone().flat_map(|(from, to)| [(from, from), (to, to)]).distinct();
                labels.clone().iterate(|nodes| {
                    let (edges, labels) = (edges.enter(&nodes), labels.enter(&nodes));
                    let passed_on = nodes.join(edges).map(|(_, (label, to))| (to, label));
                    passed_on.concat(labels).min()
                })
            },
            |left, _| {
                let there = left.iter().filter(|(_, times)| **times > 0).map(|(it, _)| *it);
                let nodes = there.clone().flat_map(|(from, to)| [(from, from), (to, to)]);
                let mut least: BTreeMap<u8, u8> = nodes.collect();
                for _ in 0..least.len() {
                    for (from, to) in there.clone() {
                        least.insert(to, least[&to].min(least[&from]));
                    }
                }
                bag(least.into_iter().map(|it| (it, 1)))
            },
        );
    }
}
