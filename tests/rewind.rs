//! Going back to a savepoint or an older checkpoint: what came after it is given up for good, whatever
//! happens next.

mod runs;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use object_store::memory::InMemory;
use tempfile::TempDir;
use tidemill::checkpoint::Store;
use tidemill::checkpoint::faults::{Fault, Faulty};
use tidemill::config::Checkpointing;
use tidemill::prelude::*;
use tidemill::{Error, ErrorKind, Result};

use runs::{JOB, Runs};

fn restoring(restore: Restore) -> impl FnOnce(&mut Checkpointing) {
    move |settings| {
        settings.restore = Some(restore);
        settings.keep = NonZeroUsize::MAX;
    }
}

/// Numbers each record among those of its key, in a folder that all workers write to.
fn number(events: Events<'_, u64>, folder: &Path) -> Result<()> {
    let numbered = events.key_value(|it| (it % 16, it)).aggregate(Count);
    numbered.map(|(key, number)| format!("{key} {number}")).write(to_text(folder))
}

/// What that writes of the records below a limit.
fn model(limit: u64) -> Vec<String> {
    let mut lines = Vec::from_iter((0..limit).map(|it| format!("{} {}", it % 16, it / 16 + 1)));
    lines.sort();
    lines
}

/// What readers of a folder see.
fn seen(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry").path());
    let visible =
        files.filter(|it| !it.file_name().expect("a name").to_string_lossy().starts_with('.'));
    let texts = visible.map(|it| fs::read_to_string(it).expect("text"));
    let mut lines: Vec<String> =
        texts.flat_map(|it| Vec::from_iter(it.lines().map(str::to_owned))).collect();
    lines.sort();
    lines
}

#[test]
fn what_was_committed_after_the_checkpoint_is_taken_back_on_any_number_of_workers() {
    for (before, given_up, after) in [
        (&[1][..], 4, 1),
        (&[1], 4, 2),
        (&[2], 3, 4),
        (&[4], 1, 4),
        // The parts of workers that there were once stay.
        (&[4, 1], 3, 2),
        (&[3, 2, 1], 4, 1),
    ] {
        let case = format!("{before:?}, {given_up} and {after} workers");
        let (runs, folder) = (Runs::new(), TempDir::new().expect("a folder"));
        let run = |workers, limit, restore: Option<Restore>| {
            let to = folder.path().to_owned();
            let settings = |it: &mut Checkpointing| {
                restore.into_iter().for_each(|restore| restoring(restore)(it));
            };
            runs.run_on(workers, limit, settings, move |events| number(events, &to)).expect(&case);
            assert_eq!(seen(folder.path()), model(limit), "{case}: {limit}");
        };
        let mut limit = 0;
        for (at, workers) in before.iter().enumerate() {
            limit += 500;
            run(*workers, limit, (at > 0).then_some(Restore::Latest));
        }
        let store = Store::over(Arc::clone(&runs.store), JOB).expect("a store");
        let checkpoint = store.epochs().expect("it can be read")[0];
        run(given_up, limit + 2_000, Some(Restore::Latest));
        run(after, limit + 700, Some(Restore::Epoch(checkpoint)));
        run(2, limit + 900, Some(Restore::Latest));
    }
}

/// A job that has counted to 300, and a savepoint from when it had counted to 100.
fn saved(runs: &Runs, folder: &TempDir) -> Restore {
    counted(runs, 100, None);
    let store = Store::over(Arc::clone(&runs.store), JOB).expect("a store");
    let (newest, _) = store.newest_whole().expect("it can be read");
    let place = folder.path().join("savepoint");
    let place = place.to_str().expect("a path of a test");
    store.savepoint(&newest.expect("the job has ended"), Some(place)).expect("it is made");
    counted(runs, 300, Some(Restore::Latest));
    Restore::Savepoint(place.to_owned())
}

/// Counts up to a limit and gives what was counted on the way.
fn counted(runs: &Runs, limit: u64, restore: Option<Restore>) -> Vec<u64> {
    let seen = collect::<u64>();
    let into = seen.clone();
    let settings =
        |it: &mut Checkpointing| restore.into_iter().for_each(|restore| restoring(restore)(it));
    let build = move |events: Events<'_, u64>| {
        events.key_by(|_| ()).aggregate(Count).map(|it| it.1).write(into.clone())
    };
    runs.run(limit, settings, build).expect("it runs");
    seen.sorted()
}

/// A run that goes back to a savepoint and fails before it has taken a checkpoint.
fn fails(runs: &Runs, savepoint: &Restore) {
    let fail = |_: Events<'_, u64>| Err(Error::new(ErrorKind::Stopped, "on purpose"));
    runs.run(400, restoring(savepoint.clone()), fail).expect_err("it fails");
}

#[test]
fn a_savepoint_is_the_newest_checkpoint_from_the_moment_it_is_restored() {
    let (runs, folder) = (Runs::new(), TempDir::new().expect("a folder"));
    let savepoint = saved(&runs, &folder);
    fails(&runs, &savepoint);
    assert_eq!(counted(&runs, 200, Some(Restore::Latest)), Vec::from_iter(101..=200));
    // Again, with checkpoints from before and after it.
    fails(&runs, &savepoint);
    assert_eq!(counted(&runs, 150, Some(Restore::Latest)), Vec::from_iter(101..=150));
    assert_eq!(counted(&runs, 160, Some(savepoint)), Vec::from_iter(101..=160));
}

#[test]
fn a_savepoint_restored_into_an_empty_place_is_not_forgotten() {
    let (runs, folder) = (Runs::new(), TempDir::new().expect("a folder"));
    let savepoint = saved(&runs, &folder);
    let elsewhere = Runs::new();
    fails(&elsewhere, &savepoint);
    assert_eq!(counted(&elsewhere, 150, Some(Restore::Latest)), Vec::from_iter(101..=150));
}

#[test]
fn a_crash_while_a_savepoint_is_restored_leaves_one_line_or_the_other() {
    let (mut old, mut new) = (0, 0);
    for fault in [Fault::Crash, Fault::CrashAfter, Fault::Tear] {
        for at in 0.. {
            let (memory, folder) = (Arc::new(InMemory::new()), TempDir::new().expect("a folder"));
            let runs = Runs::over(memory.clone());
            let savepoint = saved(&runs, &folder);
            let faulty = Arc::new(Faulty::new(memory, at, fault));
            fails(&Runs::over(faulty.clone()), &savepoint);
            let found = counted(&runs, 400, Some(Restore::Latest));
            match found.first() {
                Some(101) => new += 1,
                Some(301) => old += 1,
                other => panic!("{fault:?} at write {at}: it goes on with {other:?}"),
            }
            assert!(found.iter().is_sorted() && found.last() == Some(&400), "{found:?}");
            if faulty.writes() <= at {
                break;
            }
        }
    }
    assert!(old >= 6 && new >= 4, "{old} and {new}");
}
