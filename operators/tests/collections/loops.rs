//! Fixed points of several collections, limits, and what is reported of them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidemill_operators::collection::{Collection, Convergence, Diff, Loop};
use tidemill_operators::time::Epoch;

use crate::history::{Bag, Change, Pairs, bag, check, contents, difference, sides, some};
use crate::support::{Run, Tap, by_epoch};

/// What can be reached from a start by an even and by an odd number of steps.
fn parity<'s>(left: Pairs<'s>, right: Pairs<'s>) -> Collection<'s, (u8, bool)> {
    let (edges, start) = (left.distinct(), right.map(|it| it.1).distinct());
    let none = start.clone().filter(|_| false);
    let (even, odd) = start.clone().fixpoint(Loop::named("parity").at_most(12), |inside, even| {
        let odd = inside.variable(none);
        let (edges, start) = (inside.enter(&edges), inside.enter(&start));
        let [even_now, odd_now] = [&even, &odd].map(|it| it.now().map(|it| (it, ())));
        let from_odd = odd_now.join(edges.clone()).map(|(_, ((), to))| to);
        let from_even = even_now.join(edges).map(|(_, ((), to))| to);
        (even.set(from_odd.concat(start).distinct()), odd.set(from_even.distinct()))
    });
    even.map(|it| (it, true)).concat(odd.map(|it| (it, false)))
}

fn there(side: &Bag<(u8, u8)>) -> BTreeSet<(u8, u8)> {
    side.iter().filter(|(_, times)| **times > 0).map(|(it, _)| *it).collect()
}

/// The right values whose sum is positive.
fn starts(right: &Bag<(u8, u8)>) -> BTreeSet<u8> {
    let values = bag(right.iter().map(|(it, times)| (it.1, *times)));
    values.into_iter().filter(|it| it.1 > 0).map(|it| it.0).collect()
}

fn once<D: Ord>(records: impl IntoIterator<Item = D>) -> Bag<D> {
    bag(records.into_iter().map(|it| (it, 1 as Diff)))
}

/// One step of a search, which keeps what was reached before.
fn search<'s>(left: Pairs<'s>, right: Pairs<'s>, settings: Loop) -> Collection<'s, u8> {
    let (edges, start) = (left.distinct(), right.map(|it| it.1).distinct());
    start.iterate_in(settings, |nodes| {
        let next = nodes.clone().map(|it| (it, ())).join(edges.enter(&nodes));
        next.map(|(_, ((), to))| to).concat(nodes).distinct()
    })
}

/// What so many steps of a search reach.
fn within(left: &Bag<(u8, u8)>, right: &Bag<(u8, u8)>, steps: usize) -> BTreeSet<u8> {
    let (edges, mut reached) = (there(left), starts(right));
    for _ in 0..steps {
        let next = edges.iter().filter(|it| reached.contains(&it.0)).map(|it| it.1);
        reached = next.chain(reached.iter().copied()).collect();
    }
    reached
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn collections_may_define_each_other(run in some()) {
        check(&run, parity, |left, right| {
            let edges = there(left);
            let mut reached: BTreeSet<_> = starts(right).into_iter().map(|it| (it, true)).collect();
            for _ in 0..12 {
                let next = edges.iter().flat_map(|(from, to)| {
                    [true, false].map(|even| reached.contains(&(*from, even)).then_some((*to, !even)))
                });
                reached = next.flatten().chain(reached.iter().copied()).collect();
            }
            once(reached)
        });
    }

    #[test]
    fn a_loop_takes_exactly_its_rounds(run in some(), steps in 1..4u64) {
        check(
            &run,
            move |left, right| search(left, right, Loop::named("steps").exactly(steps)),
            |left, right| once(within(left, right, steps as usize)),
        );
    }

    #[test]
    fn a_loop_within_its_limit_comes_to_its_end(run in some()) {
        check(
            &run,
            |left, right| search(left, right, Loop::named("search").at_most(5)),
            |left, right| once(within(left, right, 5)),
        );
    }

    #[test]
    fn a_cycle_that_cancels_ends(run in some()) {
        check(
            &run,
            |left, right| {
                left.fixpoint(Loop::named("cancels").at_most(3), |inside, it| {
                    // As much comes in as goes out, for ever, were the two not brought together.
                    let next = it.now().concat(it.now().negate()).concat(inside.enter(&right));
                    it.set(next)
                })
            },
            |_, right| right.clone(),
        );
    }

    #[test]
    fn loops_may_stand_in_loops_with_limits_of_their_own(run in some()) {
        // From each node what can be reached, one round outside for each start.
        check(
            &run,
            |left, right| {
                let (edges, start) = (left.distinct(), right.map(|it| it.1).distinct());
                start.iterate_in(Loop::named("outer").at_most(6), |nodes| {
                    let edges = edges.enter(&nodes);
                    nodes.iterate_in(Loop::named("inner").exactly(1), |nodes| {
                        let next = nodes.clone().map(|it| (it, ())).join(edges.enter(&nodes));
                        next.map(|(_, ((), to))| to).concat(nodes).distinct()
                    })
                })
            },
            |left, right| once(within(left, right, 5)),
        );
    }

    #[test]
    fn the_report_says_how_many_rounds_an_epoch_took(run in some()) {
        reported(&run);
    }
}

/// Compares what is reported of each epoch and round with what it is against the round before and the
/// epoch before: how many records a search has there that are not explained by those two.
#[track_caller]
fn reported(run: &Run<Change>) {
    let seen = run.go(|stream, tap: &Tap<Convergence>| {
        let (left, right) = sides(stream);
        let (edges, start) = (left.distinct(), right.map(|it| it.1).distinct());
        let (_, report) = start.iterate_reporting(Loop::named("search").at_most(9), |nodes| {
            let next = nodes.clone().map(|it| (it, ())).join(edges.enter(&nodes));
            next.map(|(_, ((), to))| to).concat(nodes).distinct()
        });
        tap.watch(report);
    });
    let mut expected = Vec::new();
    let mut epoch_before = vec![Bag::new(); 9];
    for (epoch, (left, right)) in contents(run).iter().enumerate() {
        let rounds: Vec<_> = (1..10).map(|steps| once(within(left, right, steps))).collect();
        let mut explained = Bag::new();
        for (round, now) in (0..).zip(&rounds) {
            let against = difference(&epoch_before[round as usize], now);
            let changes = difference(&explained, &against).len() as u64;
            if changes > 0 {
                expected.push((epoch as Epoch, Convergence { round, changes }));
            }
            explained = against;
        }
        epoch_before = rounds;
    }
    assert_eq!(by_epoch(seen), expected, "{run:?}");
}

fn endless(settings: Loop) {
    let run = Run::new(vec![vec![vec![(true, (1, 1), 1)]]; 2]).workers(2);
    run.go(move |stream, tap: &Tap<((u8, u8), Diff)>| {
        let (left, _) = sides(stream);
        let settings = settings.clone();
        let turning = left.iterate_in(settings, |it| it.map(|(one, two)| (one ^ 1, two)));
        tap.watch(turning.changes());
    });
}

#[test]
#[should_panic(expected = "`turning` cannot go on: the loop still changes after 50 rounds at 0")]
fn a_loop_that_goes_on_is_stopped_by_name() {
    endless(Loop::named("turning").at_most(50));
}

#[test]
#[should_panic(expected = "`inner` cannot go on: the loop still changes after 4 rounds at (0, 0)")]
fn a_loop_in_a_loop_that_goes_on_is_stopped_by_its_own_name() {
    let run = Run::new(vec![vec![vec![(true, (1, 1), 1)]]; 2]).workers(2);
    run.go(|stream, tap: &Tap<((u8, u8), Diff)>| {
        let (left, _) = sides(stream);
        let turning = left.iterate_in(Loop::named("outer").at_most(50), |outer| {
            outer.iterate_in(Loop::named("inner").at_most(4), |inner| {
                inner.map(|(one, two)| (one ^ 1, two))
            })
        });
        tap.watch(turning.changes());
    });
}

#[test]
#[should_panic(expected = "`outer` cannot go on: the loop still changes after 5 rounds at 0")]
fn a_loop_that_goes_on_around_one_that_ends_is_stopped_by_its_own_name() {
    let run = Run::new(vec![vec![vec![(true, (1, 1), 1)]]; 2]).workers(2);
    run.go(|stream, tap: &Tap<((u8, u8), Diff)>| {
        let (left, _) = sides(stream);
        let turning = left.iterate_in(Loop::named("outer").at_most(5), |outer| {
            outer.iterate_in(Loop::named("inner").exactly(3), |inner| {
                inner.map(|(one, two)| (one ^ 1, two))
            })
        });
        tap.watch(turning.changes());
    });
}

#[test]
#[should_panic(expected = "the most rounds of the loop `never` must be at least one")]
fn a_loop_without_rounds_is_refused() {
    _ = Loop::named("never").at_most(0);
}

#[test]
fn a_loop_that_goes_on_ends_after_the_rounds_it_is_given() {
    endless(Loop::named("turning").exactly(51));
}

#[test]
#[should_panic(expected = "a variable of the loop `forgetful` is not set")]
fn a_variable_that_is_not_set_is_refused() {
    let run = Run::new(vec![vec![vec![(true, (1, 1), 1)]]]);
    run.go(|stream, tap: &Tap<((u8, u8), Diff)>| {
        let (left, right) = sides(stream);
        let set = left.fixpoint(Loop::named("forgetful"), |inside, it| {
            _ = inside.variable(right);
            let now = it.now();
            it.set(now)
        });
        tap.watch(set.changes());
    });
}
