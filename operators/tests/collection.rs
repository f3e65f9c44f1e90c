//! Collections against models that compute each epoch's answer from the whole contents.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use differential_dataflow::lattice::Lattice;
use proptest::prelude::*;
use tidemill_operators::collection::{Collection, Diff, Record};
use tidemill_operators::key::Group;
use tidemill_operators::state::{Keeper, Memory, Part, Section};
use tidemill_operators::stream::Stream;
use tidemill_operators::time::Epoch;
use timely::progress::Timestamp;

use support::{Cut, Epochs, Run, Tap, by_epoch, histories, on_workers, runs};

/// To which side a pair is added, and how often.
type Change = (bool, (u8, u8), Diff);
/// How often each record is there; none is there no times.
type Bag<D> = BTreeMap<D, Diff>;
type Pairs<'s> = Collection<'s, (u8, u8)>;

fn changes(least: u8, most: u8) -> impl Strategy<Value = Change> + Clone {
    let diff = prop_oneof![Just(1isize), Just(1), Just(2), Just(-1), Just(-2)];
    (any::<bool>(), (least..most, least..most), diff)
}

fn some(from: u8) -> impl Strategy<Value = Run<Change>> {
    runs(histories(changes(from, from + 5), 1..7, 0..10))
}

fn add<D: Ord>(bag: &mut Bag<D>, record: D, diff: Diff) {
    let times = bag.remove(&record).unwrap_or(0) + diff;
    if times != 0 {
        bag.insert(record, times);
    }
}

fn bag<D: Ord>(changes: impl IntoIterator<Item = (D, Diff)>) -> Bag<D> {
    let mut bag = Bag::new();
    changes.into_iter().for_each(|(record, diff)| add(&mut bag, record, diff));
    bag
}

/// The two sides of a stream of changes.
fn sides(stream: Stream<'_, Change>) -> (Pairs<'_>, Pairs<'_>) {
    let left = stream.clone().filter(|it| it.0).map(|it| (it.1, it.2)).changelog();
    let right = stream.filter(|it| !it.0).map(|it| (it.1, it.2)).changelog();
    (left, right)
}

/// Runs what `build` makes of the two sides, and compares its changes, epoch by epoch, with those of
/// what `whole` computes of their contents.
#[track_caller]
fn check<O: Record + Send>(
    run: &Run<Change>,
    build: impl for<'s> Fn(Pairs<'s>, Pairs<'s>) -> Collection<'s, O> + Send + Sync + 'static,
    whole: impl Fn(&Bag<(u8, u8)>, &Bag<(u8, u8)>) -> Bag<O>,
) {
    let seen = run.go(move |stream, tap: &Tap<(O, Diff)>| {
        let (left, right) = sides(stream);
        tap.watch(build(left, right).changes());
    });
    let (mut left, mut right, mut before) = (Bag::new(), Bag::new(), Bag::new());
    let mut expected = Vec::new();
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        for (is_left, pair, diff) in partitions.iter().flatten() {
            add(if *is_left { &mut left } else { &mut right }, *pair, *diff);
        }
        let now = whole(&left, &right);
        let gone = before.into_iter().map(|(record, times)| (record, -times));
        let changed = bag(now.clone().into_iter().chain(gone));
        expected.extend(changed.into_iter().map(|change| (epoch as Epoch, change)));
        before = now;
    }
    assert_eq!(by_epoch(seen), expected, "{run:?}");
}

/// The pairs that are there, as edges in both directions.
fn edges(pairs: &Bag<(u8, u8)>) -> BTreeSet<(u8, u8)> {
    let there = pairs.iter().filter(|(_, times)| **times > 0);
    there.flat_map(|(&(from, to), _)| [(from, to), (to, from)]).collect()
}

/// What can be reached from the first of each edge, itself included.
fn closure(edges: &BTreeSet<(u8, u8)>) -> BTreeSet<(u8, u8)> {
    let mut all: BTreeSet<_> = edges.iter().flat_map(|it| [(it.0, it.0), (it.1, it.1)]).collect();
    loop {
        let further = all.iter().flat_map(|&(from, via)| {
            edges.iter().filter(move |it| it.0 == via).map(move |it| (from, it.1))
        });
        let more: BTreeSet<_> = further.chain(all.iter().copied()).collect();
        if more == all {
            return all;
        }
        all = more;
    }
}

/// The least label that reaches each node along edges.
fn least<'s, T: Timestamp + Lattice>(
    labels: Collection<'s, (u8, u8), T>,
    edges: Collection<'s, (u8, u8), T>,
) -> Collection<'s, (u8, u8), T> {
    let start = labels.clone();
    labels.iterate(|labels| {
        let (edges, start) = (edges.enter(&labels), start.enter(&labels));
        let passed_on = labels.join(edges).map(|(_, (label, to))| (to, label));
        passed_on.concat(start).reduce(|_, labels, least| least.push((*labels[0].0, 1)))
    })
}

fn components<'s>(left: Pairs<'s>, _: Pairs<'s>) -> Pairs<'s> {
    let edges = left.distinct().flat_map(|(from, to)| [(from, to), (to, from)]);
    let labels = edges.clone().map(|it| (it.0, it.0)).distinct();
    least(labels, edges)
}

fn components_model(left: &Bag<(u8, u8)>, _: &Bag<(u8, u8)>) -> Bag<(u8, u8)> {
    let mut found = BTreeMap::new();
    for (node, other) in closure(&edges(left)) {
        let least = found.entry(node).or_insert(other);
        *least = other.min(*least);
    }
    found.into_iter().map(|it| (it, 1)).collect()
}

/// Keeps the edges whose ends have the same least label along `cycle`, turned round.
fn trim<'s, T: Timestamp + Lattice>(
    cycle: Collection<'s, (u8, u8), T>,
    edges: Collection<'s, (u8, u8), T>,
) -> Collection<'s, (u8, u8), T> {
    let labels = least(edges.clone().map(|it| (it.1, it.1)).distinct(), cycle);
    let from = edges.join(labels.clone()).map(|(from, (to, label))| (to, (from, label)));
    let both = from.join(labels).filter(|(_, ((_, one), other))| one == other);
    both.map(|(to, ((from, _), _))| (to, from))
}

/// Edges within strongly connected components: a loop around two loops.
fn strong<'s>(left: Pairs<'s>, _: Pairs<'s>) -> Pairs<'s> {
    let graph = left.distinct();
    graph.clone().iterate(|inner| {
        let edges = graph.enter(&inner);
        let turned = edges.clone().map(|(from, to)| (to, from));
        trim(trim(inner, edges), turned)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn verbs_of_single_records_follow_every_change(run in some(0)) {
        check(
            &run,
            |left, right| {
                let twice = left.clone().map(|(key, value)| (value, key)).concat(right);
                let less = twice.concat(left.filter(|it| it.0 > 1).negate());
                less.flat_map(|(key, value)| (0..value % 3).map(move |it| (key, it)))
            },
            |left, right| {
                let swapped = left.iter().map(|(it, times)| ((it.1, it.0), *times));
                let right = right.iter().map(|(it, times)| (*it, *times));
                let less = left.iter().filter(|it| it.0.0 > 1).map(|(it, times)| (*it, -times));
                let all = swapped.chain(right).chain(less);
                bag(all.flat_map(|((key, value), times)| {
                    (0..value % 3).map(move |it| ((key, it), times))
                }))
            },
        );
    }

    #[test]
    fn a_join_has_every_pair_that_matches(run in some(0)) {
        check(
            &run,
            |left, right| left.join(right),
            |left, right| {
                let pairs = left.iter().flat_map(|(one, times)| {
                    let matches = right.iter().filter(move |(other, _)| other.0 == one.0);
                    matches.map(move |(other, more)| ((one.0, (one.1, other.1)), times * more))
                });
                bag(pairs)
            },
        );
    }

    #[test]
    fn a_reduce_sees_all_values_of_a_key(run in some(0)) {
        check(
            &run,
            |left, _| {
                left.reduce(|_, values, told| {
                    assert!(values.is_sorted(), "values come in order");
                    told.push((values.iter().map(|(_, times)| *times).sum(), 2));
                    told.push((Diff::from(*values[0].0), 1));
                })
            },
            |left, _| {
                let keys: BTreeSet<u8> = left.keys().map(|it| it.0).collect();
                let told = keys.into_iter().flat_map(|key| {
                    let of_key = left.iter().filter(move |(it, _)| it.0 == key);
                    let sum = of_key.clone().map(|(_, times)| *times).sum();
                    let first = of_key.map(|(it, _)| Diff::from(it.1)).min();
                    [((key, sum), 2), ((key, first.expect("the key has a value")), 1)]
                });
                bag(told)
            },
        );
    }

    #[test]
    fn counts_and_distinct_records_are_those_of_the_contents(run in some(0)) {
        check(
            &run,
            |left, right| {
                let distinct = right.distinct().map(|it| (it, 0));
                left.count().concat(distinct).consolidate()
            },
            |left, right| {
                let counts = left.iter().map(|(it, times)| ((*it, *times), 1));
                let there = right.iter().filter(|(_, times)| **times > 0);
                bag(counts.chain(there.map(|(it, _)| ((*it, 0), 1))))
            },
        );
    }

    #[test]
    fn a_fixed_point_is_that_of_the_contents(run in some(250)) {
        check(&run, components, components_model);
    }

    #[test]
    fn loops_within_a_loop_come_to_their_fixed_points(
        run in runs(histories(changes(0, 5), 1..5, 0..6)),
    ) {
        check(&run, strong, |left, _| {
            let there = left.iter().filter(|(_, times)| **times > 0).map(|(edge, _)| *edge);
            let edges: BTreeSet<_> = there.collect();
            let reached = closure(&edges);
            bag(edges.iter().filter(|it| reached.contains(&(it.1, it.0))).map(|it| (*it, 1)))
        });
    }

    #[test]
    fn a_value_replaces_the_one_before(epochs in histories(changes(0, 4), 1..7, 0..10)) {
        upserted(epochs);
    }
}

/// Lets each partition have keys of its own, and compares the latest values.
fn upserted(mut epochs: Epochs<Change>) {
    for partitions in &mut epochs {
        for (number, records) in partitions.iter_mut().enumerate() {
            records.iter_mut().for_each(|it| it.1.0 += 10 * number as u8);
        }
    }
    let run = Run::new(epochs).batch(3).flight(2);
    let last = run.epochs().len() as Epoch - 1;
    for run in [run.clone(), run.clone().workers(4), run.workers(2).restart(last / 2, 4)] {
        let seen = run.go(|stream, tap: &Tap<((u8, u8), Diff)>| {
            let values = stream.map(|(is, (key, value), _)| (key, is.then_some(value)));
            tap.watch(values.upserts().changes());
        });
        let (mut values, mut expected) = (BTreeMap::new(), Vec::new());
        for (epoch, partitions) in run.epochs().iter().enumerate() {
            let before = values.clone();
            for &(is, (key, value), _) in partitions.iter().flatten() {
                match is {
                    true => _ = values.insert(key, value),
                    false => _ = values.remove(&key),
                }
            }
            let gone = before.into_iter().map(|it| (it, -1));
            let changed = bag(values.clone().into_iter().map(|it| (it, 1)).chain(gone));
            expected.extend(changed.into_iter().map(|change| (epoch as Epoch, change)));
        }
        assert_eq!(by_epoch(seen), expected, "{run:?}");
    }
}

/// A ring that is cut and closed again, epoch by epoch, in two partitions.
fn ring() -> Epochs<Change> {
    let edge = |it: u8| (true, (it % 8, (it + 1) % 8), 1);
    let cut = |it: u8| (true, (it % 8, (it + 1) % 8), -1);
    let first = vec![(0..4).map(edge).collect(), (4..8).map(edge).collect()];
    let later = (0..7u8).map(|epoch| match epoch % 3 {
        2 => vec![vec![edge(epoch - 1)], vec![edge(epoch + 2)]],
        _ => vec![vec![cut(epoch)], vec![cut(epoch + 3)]],
    });
    [first].into_iter().chain(later).collect()
}

#[test]
fn a_collection_is_rebuilt_on_any_number_of_workers() {
    let run = Run::new(ring()).restart(1, 2).restart(3, 4).restart(5, 1);
    check(&run, components, components_model);
    check(&run.clone().workers(4).flight(3).batch(1), components, components_model);
    check(&Run::new(ring()).restart(2, 4).restart(3, 2).restart(4, 1), strong, |left, _| {
        let edges: BTreeSet<_> = left.keys().copied().collect();
        let reached = closure(&edges);
        bag(edges.iter().filter(|it| reached.contains(&(it.1, it.0))).map(|it| (*it, 1)))
    });
}

#[test]
fn records_that_came_early_are_not_in_the_contents_of_the_epoch_before() {
    for cut in [0, 3, 7] {
        check(&Run::new(ring()).flight(8).restart(cut, 2), components, components_model);
    }
}

#[test]
fn a_collection_without_records_passes() {
    let empty: Epochs<Change> = vec![vec![vec![]; 3]; 20];
    check(&Run::new(empty).workers(2).restart(11, 4), components, components_model);
    check(&Run::new(vec![]).workers(2), components, components_model);
}

#[test]
fn derived_collections_may_enter_again_as_streams() {
    let run = Run::new(ring()).workers(2).restart(2, 1).restart(5, 4);
    check(&run, |left, right| components(left, right).changes().changelog(), components_model);
}

/// A memory that notes how many bytes each save takes, or that says that it keeps nothing.
#[derive(Clone)]
struct Scales {
    keeper: Cut,
    keeps: bool,
    weighed: Arc<Mutex<Vec<usize>>>,
}

impl Keeper for Scales {
    fn due(&self, completed: &Range<Epoch>) -> bool {
        self.keeps && self.keeper.due(completed)
    }

    fn keep(&self, operator: &str, worker: usize, completed: Range<Epoch>, saved: Vec<Section>) {
        let parts = saved.iter().filter_map(|it| it.parts.as_ref()).flatten();
        let bytes = parts.map(|it| it.bytes.len()).sum();
        if operator == "changelog" {
            self.weighed.lock().expect("no test panics with it").push(bytes);
        }
        self.keeper.keep(operator, worker, completed, saved);
    }

    fn recall(
        &self,
        operator: &str,
        entries: &'static str,
        worker: usize,
        groups: Range<Group>,
        each: &mut dyn FnMut(Part, Option<u64>),
    ) {
        assert!(self.keeps, "`{operator}` asks a keeper that keeps nothing");
        self.keeper.recall(operator, entries, worker, groups, each);
    }

    fn refuse(&self, operator: &str, why: String) {
        self.keeper.refuse(operator, why);
    }

    fn keeps(&self) -> bool {
        self.keeps
    }
}

fn scales(keeps: bool) -> Scales {
    let keeper = Cut { memory: Memory::every(1), at: Some(Epoch::MAX - 1) };
    Scales { keeper, keeps, weighed: Arc::default() }
}

#[test]
fn what_is_saved_follows_what_changed() {
    let scales = scales(true);
    on_workers(
        1,
        scales.clone(),
        |_| vec!["0".into()],
        |stream: Stream<'_, (u32, Diff)>, tap: &Tap<(u32, Diff)>| {
            tap.watch(stream.changelog().changes());
        },
        |bench| {
            bench.send(0, 0, (0..10_000).map(|it| (it, 1)).collect());
            for epoch in 1..50 {
                bench.advance(epoch);
                bench.settle(epoch - 1);
                let epoch32 = epoch as u32;
                let records = vec![(epoch32, -1), (epoch32 + 20_000, 1), (0, 1), (0, -1)];
                bench.send(epoch, 0, records);
            }
            bench.finish();
        },
    );
    let weighed = scales.weighed.lock().expect("no test panics with it");
    let (all, rest) = weighed.split_first().expect("it was saved");
    assert!(*all > 10_000 * 3, "{all} bytes for all of it");
    assert_eq!(rest.len(), 49);
    let later: usize = rest.iter().sum();
    // Three records an epoch, each written again when the sections that it is in are merged.
    assert!(later < 49 * 3 * 6 * 16, "{later} bytes for 49 times three records");
}

#[test]
fn without_checkpoints_an_entry_moves_and_holds_nothing() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let told = Arc::clone(&seen);
    on_workers(
        2,
        scales(false),
        |_| vec!["0".into()],
        move |stream: Stream<'_, u32>, tap: &Tap<(u32, Diff)>| {
            let (told, worker) = (Arc::clone(&told), stream.flow().scope().index());
            let entered = stream.inserts().inspect(move |record, _, _| {
                told.lock().expect("no test panics with it").insert((worker, *record));
            });
            tap.watch(entered.changes());
        },
        |bench| {
            let worker = bench.index() as u32;
            bench.send(0, 0, (0..100).map(|it| 2 * it + worker).collect());
            bench.finish();
        },
    );
    let seen = seen.lock().expect("no test panics with it");
    assert_eq!(seen.len(), 200);
    assert!(seen.iter().all(|(worker, record)| *worker == *record as usize % 2));
}

#[test]
fn sources_wait_for_a_loop_that_is_not_through() {
    on_workers(
        1,
        scales(false),
        |_| vec!["0".into()],
        |stream: Stream<'_, u32>, tap: &Tap<u32>| {
            let counting = stream.clone().inserts().iterate(|it| it.map(|it| (it + 1).min(300)));
            _ = counting.changes();
            tap.watch(stream.filter(|_| false));
        },
        |bench| {
            bench.send(0, 0, vec![0]);
            bench.advance(1);
            (0..50).for_each(|_| bench.step());
            assert_eq!(bench.reached(), 0, "the exit has not seen the end of the loop");
            bench.settle(0);
            bench.finish();
        },
    );
}
