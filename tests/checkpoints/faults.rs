//! A store that crashes, tears, forgets to answer or fills up at each write in turn.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tidemill::Result;
use tidemill::checkpoint::Store;
use tidemill::checkpoint::faults::{Fault, Faulty};
use tidemill::checkpoint::object_store::memory::InMemory;
use tidemill::error::ErrorKind;
use tidemill::state::Part;

use crate::model::{Change, GROUPS, Program, group, objects};

const EPOCHS: u64 = 5;
const KEEP: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// What two workers have changed at an epoch: all at the first one, then all but one section.
fn change(epoch: u64) -> Change {
    let mut change = everything(epoch);
    change.truncate(if epoch == 1 { 3 } else { 2 });
    change
}

/// All that two workers have at an epoch.
fn everything(epoch: u64) -> Change {
    let text = format!("as of {epoch}");
    vec![
        (0, "windows", 0, vec![group(3, text.as_bytes())]),
        (1, "windows", 0, vec![group(150, text.as_bytes())]),
        (1, "windows", 1, vec![group(151, b"once")]),
    ]
}

/// Saves epoch after epoch. Says which was committed last before the first error.
fn run(store: &Store) -> (u64, Result<()>) {
    let mut program = Program::over(store.clone(), 2, 1);
    let mut committed = 0;
    let mut all = || {
        for epoch in 1..=EPOCHS {
            let manifest = program.try_write(epoch, change(epoch))?;
            store.commit(&manifest)?;
            committed = epoch;
            store.retain(KEEP)?;
            if epoch == 3 {
                store.savepoint(&manifest, None)?;
            }
        }
        Ok(())
    };
    let outcome = all();
    (committed, outcome)
}

/// The newest whole checkpoint holds what was saved at its epoch.
fn check_newest(store: &Store, at: u64) -> u64 {
    let (newest, _) = store.newest_whole().unwrap();
    let Some(newest) = newest else { return 0 };
    let expected: Vec<Part> = everything(newest.epoch).into_iter().flat_map(|it| it.3).collect();
    let read = store.read(&newest, "windows", 0..GROUPS).unwrap();
    assert_eq!(read, expected, "with a fault at write {at}");
    newest.epoch
}

/// A run that meets a fault at one of its writes.
struct Attempt {
    at: u64,
    memory: Arc<InMemory>,
    faulty: Arc<Faulty>,
    /// The store with the fault.
    store: Store,
    /// The same store, as the next process finds it.
    next: Store,
}

/// Lets a run meet the fault at each of its writes in turn.
fn at_every_write(fault: Fault, check: impl Fn(&Attempt)) {
    for at in 0.. {
        let memory = Arc::new(InMemory::new());
        let faulty = Arc::new(Faulty::new(memory.clone(), at, fault));
        let store = Store::over(faulty.clone(), "job").unwrap();
        let next = Store::over(memory.clone(), "job").unwrap();
        let attempt = Attempt { at, memory, faulty, store, next };
        check(&attempt);
        if attempt.faulty.writes() <= at {
            assert!(at > 20, "a run has a good many writes, not {at}");
            return;
        }
    }
}

#[test]
fn a_crash_at_any_write_leaves_the_last_commit_whole() {
    for fault in [Fault::Crash, Fault::CrashAfter, Fault::Tear] {
        at_every_write(fault, |Attempt { at, memory, faulty, store, next }| {
            let (committed, outcome) = run(store);
            assert_eq!(outcome.is_err(), faulty.crashed(), "{fault:?} at {at}");
            let newest = check_newest(next, *at);
            let one_more = committed..=committed + 1;
            assert!(one_more.contains(&newest), "{fault:?} at {at}: {newest}, {committed}");
            let (_, skipped) = next.newest_whole().unwrap();
            assert!(skipped.is_empty() || fault == Fault::Tear, "{fault:?} at {at}: {skipped:?}");
            // The next run goes on, and in the end nothing of the crash is left.
            next.rewind(Some(newest).filter(|it| *it > 0)).unwrap();
            let mut program = Program::over(next.clone(), 2, 2);
            program.save(newest + 1, everything(newest + 1));
            program.save(newest + 2, change(newest + 2));
            next.retain(KEEP).unwrap();
            assert_eq!(check_newest(next, *at), newest + 2);
            let mut left = objects(&**memory);
            left.retain(|it| it.contains("epochs/") && it.ends_with("-0000000000000001.tide"));
            assert_eq!(left, [""; 0], "{fault:?} at {at}");
        });
    }
}

#[test]
fn an_answer_that_is_lost_is_an_error_but_for_a_commit_that_is_there() {
    at_every_write(Fault::LoseAnswer, |Attempt { at, faulty, store, next, .. }| {
        let mut program = Program::over(store.clone(), 2, 1);
        for epoch in 1..=EPOCHS {
            // A part is written again, under the same name.
            let written = program.try_write(epoch, change(epoch));
            let manifest =
                written.or_else(|_| program.try_write(epoch, change(epoch))).expect("one fault");
            store.commit(&manifest).unwrap();
            store.retain(KEEP).or_else(|_| store.retain(KEEP)).unwrap();
            store.savepoint(&manifest, None).or_else(|_| store.savepoint(&manifest, None)).unwrap();
        }
        assert!(!faulty.crashed());
        assert_eq!(check_newest(next, *at), EPOCHS);
    });
}

#[test]
fn a_full_store_delays_checkpoints_and_spoils_none() {
    at_every_write(Fault::Full(3), |Attempt { at, store, next, .. }| {
        let mut program = Program::over(store.clone(), 2, 1);
        let mut failed = 0;
        for epoch in 1..=EPOCHS {
            // What changed is lost with a failed checkpoint, so it is saved again.
            let attempt = program.try_write(epoch, everything(epoch)).and_then(|manifest| {
                store.commit(&manifest)?;
                store.retain(KEEP).map(drop)
            });
            if let Err(error) = attempt {
                assert!([ErrorKind::Write, ErrorKind::InDoubt].contains(&error.kind()), "{error}");
                failed += 1;
            }
            let (_, skipped) = next.newest_whole().unwrap();
            assert!(skipped.is_empty(), "full at {at}: {skipped:?}");
            check_newest(next, *at);
        }
        assert!(failed <= 3, "full at {at}: {failed} failed");
        assert!(check_newest(next, *at) >= EPOCHS - 3, "full at {at}");
    });
}

#[test]
fn a_large_file_that_fails_on_the_way_is_not_there() {
    // The first and the last of seven requests, and the end of the upload.
    for at in [0, 6, 7] {
        for fault in [Fault::Full(1), Fault::Crash] {
            let memory = Arc::new(InMemory::new());
            let faulty = Arc::new(Faulty::new(memory.clone(), at, fault));
            let store = Store::over(faulty.clone(), "job").unwrap();
            let mut random = crate::model::Random(1);
            let noise: Vec<u8> = (0..50 << 20).map(|_| random.next() as u8).collect();
            let mut program = Program::over(store, 1, 1);
            let parts = vec![(0, "windows", 0, vec![group(1, &noise)])];
            let error = program.try_write(1, parts).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Write);
            assert!(error.to_string().contains("part-0-0000000000000001.tide"), "{error}");
            assert_eq!(objects(&*memory), [""; 0], "{fault:?} at {at}");
        }
    }
}

#[test]
fn a_commit_that_may_have_happened_says_so() {
    for fault in [Fault::Crash, Fault::CrashAfter, Fault::Full(1)] {
        let memory = Arc::new(InMemory::new());
        let faulty = Arc::new(Faulty::new(memory.clone(), 2, fault));
        let store = Store::over(faulty.clone(), "job").unwrap();
        let mut program = Program::over(store.clone(), 2, 1);
        let manifest = program.write(1, change(1));
        let error = store.commit(&manifest).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InDoubt, "{fault:?}");
        assert!(error.to_string().contains("commit it again"), "{error}");
        let next = Store::over(memory, "job").unwrap();
        let there = next.epochs().unwrap() == [1];
        assert_eq!(there, fault == Fault::CrashAfter);
        next.commit(&manifest).unwrap();
        assert_eq!(next.manifest(1).unwrap(), manifest);
    }
}
