//! What a program may restore, and what is refused by name.

mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::memory::InMemory;
use serde::{Deserialize, Serialize};
use tidemill::checkpoint::Store;
use tidemill::checkpoint::faults::{Fault, Faulty};
use tidemill::collection::Diff;
use tidemill::config::Checkpointing;
use tidemill::fixpoint::{Iteration, Start, Turn, Update};
use tidemill::key::hash;
use tidemill::metrics::Snapshot;
use tidemill::prelude::*;
use tidemill::{Error, ErrorKind, Result};

use runs::{JOB, Runs};

fn latest(settings: &mut Checkpointing) {
    settings.restore = Some(Restore::Latest);
}

fn refused(done: Result<Snapshot>, says: &[&str]) {
    let error = done.expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::State, "{error:#}");
    let text = format!("{error:#}");
    assert!(says.iter().all(|it| text.contains(it)), "{text} does not say {says:?}");
}

/// The number of records so far, by a named operator.
fn count(events: Events<'_, u64>, into: &tidemill::connect::Collected<u64>) -> Result<()> {
    let into = into.clone();
    events.key_by(|_| ()).aggregate(Count).map(|it| it.1).write(into)
}

#[test]
fn a_second_run_goes_on_with_what_the_first_had() {
    let (runs, seen) = (Runs::new(), collect::<u64>());
    for (limit, restore) in [(250, false), (250, true), (400, true)] {
        let into = seen.clone();
        let settings = |it: &mut Checkpointing| {
            if restore {
                latest(it);
            }
        };
        runs.run(limit, settings, move |events| count(events, &into)).expect("it runs");
    }
    assert_eq!(seen.sorted(), Vec::from_iter(1..=400));
}

#[test]
fn a_restart_on_as_many_workers_writes_what_changes_and_no_more() {
    let (runs, seen) = (Runs::new(), collect::<(u64, u64)>());
    let store = Store::over(Arc::clone(&runs.store), JOB).expect("it opens");
    // Where keyed state is after a run, and of how many bytes it consists.
    let run = |workers, limit, restore: Option<(Restore, bool)>| {
        let into = seen.clone();
        let count = move |events: Events<'_, u64>| {
            events.key_by(|it| it % 10_000).aggregate(Count).write(into.clone())
        };
        let settings = |it: &mut Checkpointing| {
            // The last checkpoint is the only one, however slow the machine is.
            it.interval_ms = 3_600_000.try_into().expect("not zero");
            if let Some((restore, rewrites)) = restore {
                (it.restore, it.rewrite_state) = (Some(restore), rewrites);
            }
        };
        runs.run_on(workers, limit, settings, count).expect("it runs");
        let newest = store.epochs().expect("it can be read")[0];
        let manifest = store.manifest(newest).expect("it is whole");
        let keyed = manifest.blocks().filter(|it| it.groups.is_some()).cloned();
        let places: BTreeMap<_, _> = keyed.map(|it| ((it.file, it.offset), it.length)).collect();
        let bytes: u64 = places.values().sum();
        (places, bytes)
    };
    let mut before = run(2, 20_000, None);
    let steps = [(2, false, true), (3, false, false), (3, false, true), (3, true, false)];
    for (limit, (workers, rewrites, stays)) in (20_200..).step_by(200).zip(steps) {
        let (places, bytes) = run(workers, limit, Some((Restore::Latest, rewrites)));
        let old = places.iter().filter(|(place, _)| before.0.contains_key(place));
        let old: u64 = old.map(|(_, length)| length).sum();
        if stays {
            assert!(old >= before.1 * 9 / 10, "{old} of {} bytes stay", before.1);
            assert!(bytes - old <= before.1 / 10, "{} bytes are written", bytes - old);
        } else {
            assert_eq!(old, 0, "all is written anew");
        }
        before = (places, bytes);
    }
    let expected = (0..20_800u64).map(|it| (it % 10_000, it / 10_000 + 1));
    let mut expected = Vec::from_iter(expected);
    expected.sort();
    assert_eq!(seen.sorted(), expected);
}

/// Counts the epochs in which its model has gone round.
struct Rounds;

impl Iteration<u64> for Rounds {
    type Data = ();
    type Model = u64;
    type Partial = ();
    type Measure = ();

    fn accept(&mut self, _: Vec<(u64, Diff)>) {}

    fn data(&mut self) {}

    fn start(&self) -> u64 {
        0
    }

    fn compute(&self, _: Turn, (): &mut (), _: &u64) {}

    fn combine(&self, (): &mut (), (): ()) {}

    fn update(&self, _: Turn, count: u64, (): ()) -> Update<u64, ()> {
        Update::converged(count + 1, ())
    }
}

#[test]
fn a_model_that_starts_warm_goes_on_from_that_of_the_run_before() {
    let (runs, seen) = (Runs::new(), collect::<u64>());
    let again = Some(Restore::Latest);
    for (workers, limit, restore) in [(2, 250, None), (1, 250, again.clone()), (3, 400, again)] {
        let into = seen.clone();
        let run = move |events: Events<'_, u64>| {
            let numbers = events.values().inserts();
            let (counts, _) = numbers.bulk("rounds".into(), Start::Warm, hash, |_| Rounds);
            counts.map(|it| it.model).write(into.clone())
        };
        runs.run_on(workers, limit, |it| it.restore = restore, run).expect("it runs");
    }
    let counts = seen.sorted();
    assert!(counts.len() > 1, "new numbers go round");
    assert_eq!(counts, Vec::from_iter(1..=counts.len() as u64));
}

#[test]
fn a_model_that_is_none_is_refused_by_name() {
    let runs = Runs::new();
    let windows = |events: Events<'_, u64>| {
        let windows = events.key_by(|_| ()).window(Tumbling::new(seconds(7)));
        windows.name("rounds").aggregate(Count).map(|it| it.value).write(collect())
    };
    runs.run(100, |_| (), windows).expect("the first run");
    let rounds = |events: Events<'_, u64>| {
        let numbers = events.values().inserts();
        let (counts, _) = numbers.bulk("rounds".into(), Start::Warm, hash, |_| Rounds);
        counts.map(|it| it.model).write(collect())
    };
    refused(runs.run(200, latest, rounds), &["`rounds`", "does not fit"]);
}

#[test]
fn a_run_that_would_forget_checkpoints_is_refused() {
    let runs = Runs::new();
    let run = |settings: fn(&mut Checkpointing)| {
        runs.run(100, settings, |events| count(events, &collect()))
    };
    run(|_| ()).expect("the first run");
    refused(run(|_| ()), &["--restore latest", "restore"]);
    refused(run(|it| it.restore = Some(Restore::Epoch(7))), &["7"]);
    run(latest).expect("it goes on");
}

#[test]
fn operators_that_came_or_went_are_refused_by_name_unless_allowed() {
    let runs = Runs::new();
    let one = |events: Events<'_, u64>| count(events, &collect());
    let two = |events: Events<'_, u64>| {
        let windows = events.clone().key_by(|_| ()).window(Tumbling::new(seconds(7)));
        windows.name("weeks").aggregate(Count).map(|it| it.value).write(collect())?;
        count(events, &collect())
    };
    runs.run(100, |_| (), one).expect("the first run");
    refused(runs.run(200, latest, two), &["`weeks`", "no state", "--allow-new-state"]);
    let new = |it: &mut Checkpointing| {
        latest(it);
        it.allow_new_state = true;
    };
    runs.run(200, new, two).expect("it may begin without state");
    refused(runs.run(300, latest, one), &["`weeks`", "--allow-dropped-state"]);
    let dropped = |it: &mut Checkpointing| {
        latest(it);
        it.allow_dropped_state = true;
    };
    runs.run(300, dropped, one).expect("its state may be dropped");
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Before {
    count: u32,
    old: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct After {
    #[serde(default)]
    new: Vec<u64>,
    count: u64,
}

#[test]
fn state_evolves_by_fields_and_what_does_not_fit_is_refused() {
    let runs = Runs::new();
    let before = |events: Events<'_, u64>| {
        let ones = events.map(|it| Before { count: 1, old: it.to_string() });
        let sums = ones
            .key_value(|it| (0u8, it))
            .reduce(|one, other| Before { count: one.count + other.count, old: other.old.clone() });
        sums.map(|it| it.1).write(collect())
    };
    runs.run(100, |_| (), before).expect("the first run");
    let other = |events: Events<'_, u64>| {
        let texts = events.map(|it| it.to_string()).key_value(|it| (0u8, it));
        texts.reduce(|one, _| one.clone()).map(|it| it.1).write(collect())
    };
    refused(runs.run(150, latest, other), &["`aggregate`", "does not fit", "Before"]);
    let seen = collect::<After>();
    let into = seen.clone();
    let after = move |events: Events<'_, u64>| {
        let ones = events.map(|it| After { new: vec![it], count: 1 });
        let sums = ones
            .key_value(|it| (0u8, it))
            .reduce(|one, other| After { new: other.new.clone(), count: one.count + other.count });
        sums.map(|it| it.1).write(into.clone())
    };
    runs.run(150, latest, after).expect("fields may come and go");
    let last = seen.sorted().into_iter().max_by_key(|it| it.count);
    assert_eq!(last, Some(After { new: vec![149], count: 150 }));
}

#[test]
fn a_store_that_fails_for_a_while_delays_checkpoints_and_nothing_else() {
    let faulty = Arc::new(Faulty::new(Arc::new(InMemory::new()), 1, Fault::Full(4)));
    let (runs, seen) = (Runs::over(faulty), collect::<u64>());
    let into = seen.clone();
    let often = |it: &mut Checkpointing| it.interval_ms = 1.try_into().expect("not zero");
    let counts = runs.run(20_000, often, move |events| count(events, &into)).expect("it runs");
    assert_eq!(counts.checkpoint_failures, 4);
    assert!(counts.checkpoints > 0);
    assert_eq!(seen.sorted(), Vec::from_iter(1..=20_000));
}

/// A sink whose disk is full.
struct Full;

impl tidemill::connect::Sink for Full {
    type Record = u64;

    fn open(
        &self,
        _worker: usize,
        _peers: usize,
    ) -> Result<Box<dyn tidemill::connect::Writer<Record = u64>>> {
        Ok(Box::new(Self))
    }

    fn name(&self) -> String {
        "full".to_owned()
    }
}

impl tidemill::connect::Writer for Full {
    type Record = u64;

    fn write(&mut self, _: &mut Vec<u64>) -> Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn prepare(&mut self) -> Result<Vec<u8>> {
        Err(Error::new(ErrorKind::Write, "no space is left"))
    }

    fn commit(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn abort(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_cannot_prepare_ends_the_job() {
    let done = Runs::new().run(1_000, |_| (), |events| events.values().write(Full));
    let error = done.expect_err("it cannot go on");
    assert!(format!("{error:#}").contains("no space is left"), "{error:#}");
}
