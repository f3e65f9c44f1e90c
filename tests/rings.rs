//! The example `rings` against a slow model: after every epoch, who reaches whom among the transfers that
//! are not too old; and what a checkpoint would hold follows the window.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use std::ops::Range;
use std::sync::{Arc, Mutex};

use clap::Parser;
use tidemill::graph::Edge;
use tidemill::prelude::*;
use tidemill::time::Epoch;
use tidemill_operators::key::Group;
use tidemill_operators::state::{Keeper, Part, Section};

#[allow(dead_code)]
#[path = "../examples/rings.rs"]
mod rings;
#[path = "../operators/tests/support/mod.rs"]
mod support;

use rings::{News, Ring, Thing, Transfer};
use support::Tap;

const TRANSFERS: u64 = 2_200;
const EPOCH: usize = 50;
const LAST: i64 = 20 * 60 * 1_000_000;
const DELAY: i64 = 5_000_000;

/// The components with more than one account, and how many accounts there are.
fn components(edges: &BTreeSet<(u64, u64)>) -> (BTreeSet<Ring>, usize) {
    let accounts: BTreeSet<u64> = edges.iter().flat_map(|it| [it.0, it.1]).collect();
    // Who never got or never passed on anything is in no ring; struck off, others are not either.
    let mut left = edges.clone();
    loop {
        let from: BTreeSet<u64> = left.iter().map(|it| it.0).collect();
        let to: BTreeSet<u64> = left.iter().map(|it| it.1).collect();
        let before = left.len();
        left.retain(|(a, b)| to.contains(a) && from.contains(b));
        if left.len() == before {
            break;
        }
    }
    let reach = |start: u64| {
        let mut reached = BTreeSet::from([start]);
        loop {
            let next: Vec<u64> =
                left.iter().filter(|it| reached.contains(&it.0)).map(|it| it.1).collect();
            let before = reached.len();
            reached.extend(next);
            if reached.len() == before {
                return reached;
            }
        }
    };
    let reached: BTreeMap<u64, BTreeSet<u64>> =
        left.iter().flat_map(|it| [it.0, it.1]).map(|it| (it, reach(it))).collect();
    let both = |a: &u64| -> Ring {
        reached[a].iter().copied().filter(|b| reached[b].contains(a)).collect()
    };
    (reached.keys().map(both).filter(|it| it.len() > 1).collect(), accounts.len())
}

/// What is there at the end of each epoch: moment, how many transfers, accounts and which rings.
fn model() -> Vec<(i64, usize, usize, BTreeSet<Ring>)> {
    let transfers: Vec<Transfer> = rings::made_up(TRANSFERS).collect();
    let mut watermark = i64::MIN;
    (1..=transfers.len() / EPOCH)
        .map(|epochs| {
            let came = &transfers[..epochs * EPOCH];
            let latest = came.iter().map(|it| it.at.micros()).max().unwrap();
            watermark = watermark.max(latest - DELAY - 1);
            let there: Vec<&Transfer> =
                came.iter().filter(|it| it.at.micros() + LAST > watermark).collect();
            let edges = there.iter().map(|it| (it.from, it.to)).collect();
            let (rings, accounts) = components(&edges);
            (watermark, there.len(), accounts, rings)
        })
        .collect()
}

/// The news of each epoch with its transfers left out, and what the job has counted.
fn run(workers: usize) -> (Vec<Vec<News>>, tidemill::metrics::Snapshot) {
    let report = collect();
    let given = format!(
        "rings --quiet -w {workers} --transfers {TRANSFERS} --epoch-rows {EPOCH} --epoch-ms 60000 --last 20m"
    );
    let arguments = rings::Arguments::parse_from(given.split(' '));
    let sink = report.clone();
    let counted = rings::run(&arguments, move || sink.clone(), |news| vec![news]).unwrap();
    (report.take(), counted)
}

#[test]
fn rings_and_sizes_are_those_of_the_model_after_every_epoch() {
    let expected = model();
    let ever: BTreeSet<&Ring> = expected.iter().flat_map(|it| &it.3).collect();
    assert!(ever.len() > 3, "the transfers make few rings: {ever:?}");
    for workers in [1, 2, 4] {
        let (epochs, counted) = run(workers);
        let mut there = BTreeSet::new();
        let mut hour = 1;
        for (epoch, (watermark, transfers, accounts, rings)) in expected.iter().enumerate() {
            let news = &epochs[epoch];
            let mut sizes = BTreeMap::new();
            for it in news {
                match it {
                    News::Until(_) => {}
                    News::Appears(ring) => assert!(there.insert(ring.clone()), "{ring:?}"),
                    News::Vanishes(ring) => assert!(there.remove(ring), "{ring:?}"),
                    News::Holds(thing, count) => _ = sizes.insert(thing.clone(), *count as usize),
                }
            }
            assert_eq!(&there, rings, "{workers} workers, epoch {epoch}");
            // A window is complete at the watermark of its last moment.
            if hour * 3_600_000_000 - 1 <= *watermark {
                let rings = (!rings.is_empty()).then_some((Thing::Rings, rings.len()));
                let all = [(Thing::Transfers, *transfers), (Thing::Accounts, *accounts)];
                assert_eq!(sizes, all.into_iter().chain(rings).collect(), "after hour {hour}");
                hour += 1;
            } else {
                assert!(sizes.is_empty());
            }
        }
        // With the end of time everything is too old.
        let last: Vec<_> = epochs[expected.len()..].iter().flatten().collect();
        assert!(last.iter().all(|it| matches!(it, News::Vanishes(_))), "{last:?}");
        assert_eq!(last.len(), there.len());

        // Whatever came in went out again.
        let lasting = counted.operators.iter().find(|it| it.name == "lasting").unwrap();
        assert_eq!((lasting.rows_in, lasting.late), (TRANSFERS, 0));
        assert!(hour > 2, "the transfers take hours");
    }
}

/// The sizes of an operator's sections on a worker, by number.
type Sizes = BTreeMap<u64, usize>;

/// Weighs the state at the end of each epoch, as it would be written if it were written whole.
#[derive(Clone, Default)]
struct Scale(Arc<Mutex<BTreeMap<(String, usize), Vec<(Range<Epoch>, Sizes)>>>>);

impl Scale {
    /// All bytes at the end of an epoch.
    fn bytes(&self, epoch: Epoch) -> usize {
        let kept = self.0.lock().unwrap();
        let states = kept.values().flatten().filter(|it| it.0.contains(&epoch));
        states.flat_map(|it| it.1.values()).sum()
    }
}

impl Keeper for Scale {
    fn due(&self, _: &Range<Epoch>) -> bool {
        true
    }

    fn keep(&self, operator: &str, worker: usize, completed: Range<Epoch>, saved: Vec<Section>) {
        let mut kept = self.0.lock().unwrap();
        let states = kept.entry((operator.to_owned(), worker)).or_default();
        let last = states.last().map(|it| it.1.clone()).unwrap_or_default();
        let size = |it: Section| match it.parts {
            Some(parts) => (it.id, parts.iter().map(|it| it.bytes.len()).sum()),
            None => (it.id, last[&it.id]),
        };
        states.push((completed, saved.into_iter().map(size).collect()));
    }

    fn recall(
        &self,
        _: &str,
        _: &'static str,
        _: usize,
        _: Range<Group>,
        _: &mut dyn FnMut(Part, Option<u64>),
    ) {
    }

    fn refuse(&self, operator: &str, why: String) {
        panic!("{operator}: {why}");
    }

    fn resume(&self) -> Epoch {
        0
    }
}

#[test]
fn state_shrinks_as_transfers_expire() {
    let expected = model();
    let held = Vec::from_iter(expected.iter().map(|it| it.1));
    let epochs = held.len() as Epoch;
    for workers in [1, 2] {
        let scale = Scale::default();
        support::on_workers(
            workers,
            scale.clone(),
            |worker| if worker == 0 { vec!["all".to_owned()] } else { Vec::new() },
            |transfers, tap: &Tap<(Ring, isize)>| {
                let transfers =
                    transfers.event_time(|it: &Transfer| it.at, Disorder::up_to(seconds(5)));
                let edges = transfers.map(|it| Edge::new(it.from, it.to));
                let last = std::time::Duration::from_micros(LAST as u64);
                let (_, rings) = rings::components_and_rings(edges.lasting(last));
                tap.watch(rings.changes());
            },
            move |bench| {
                let transfers = Vec::from_iter(rings::made_up(TRANSFERS));
                for (epoch, transfers) in (0..).zip(transfers.chunks(EPOCH)) {
                    if bench.index() == 0 {
                        bench.send(epoch, 0, transfers.to_vec());
                    }
                    bench.advance(epoch + 1);
                    bench.settle(epoch);
                }
                bench.stop();
            },
        );
        let bytes = Vec::from_iter((0..epochs).map(|it| scale.bytes(it)));
        let at_most = held.iter().zip(&bytes).max().unwrap();
        let at_last = held.iter().zip(&bytes).next_back().unwrap();
        assert!(at_last.0 * 8 < *at_most.0, "business is slow: {at_last:?} after {at_most:?}");
        assert!(at_last.1 * 5 < *at_most.1, "{at_last:?} after {at_most:?} on {workers} workers");
        // It follows the window all along: so many bytes for each transfer, and a few besides.
        for (held, bytes) in held.iter().zip(&bytes) {
            let each = at_most.1 / at_most.0 + 1;
            assert!(
                *bytes <= 2 * each * held + 1_000,
                "{bytes} bytes for {held} on {workers} workers"
            );
        }
    }
}
