//! Savepoints stand alone: they can be moved, outlive their checkpoints and are never overwritten.

use std::num::NonZeroUsize;

use tidemill::checkpoint::Store;
use tidemill::error::ErrorKind;

use crate::model::{GROUPS, Program, group, random_change};

fn local(folder: &std::path::Path, workers: usize) -> Program {
    Program::over(Store::open(folder.to_str().unwrap(), "job").unwrap(), workers, 1)
}

#[test]
fn a_savepoint_can_be_moved_and_outlives_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = local(folder.path(), 3);
    (1..4).for_each(|epoch| drop(program.save(epoch, random_change(epoch, 3))));
    let manifest = program.store.manifest(3).unwrap();
    let elsewhere = folder.path().join("a place/of its own");
    for to in [None, Some(elsewhere.to_str().unwrap())] {
        let place = program.store.savepoint(&manifest, to).unwrap();
        assert_eq!(program.store.savepoint(&manifest, to).unwrap(), place, "asked for again");
        let moved = folder.path().join("moved");
        std::fs::rename(&place, &moved).unwrap();
        let (store, copy) = Store::open_savepoint(moved.to_str().unwrap(), "job").unwrap();
        store.verify(&copy).unwrap();
        assert_eq!(copy.epoch, 3);
        assert_eq!(copy.stored_bytes(), manifest.stored_bytes());
        program.check_read(&store, &copy, 0..GROUPS, 0);
        program.check_read(&store, &copy, 20..90, 0);
        std::fs::rename(&moved, &place).unwrap();
    }
    // No checkpoint that the savepoint was made of is left, and it is none itself.
    let saved = local(folder.path(), 1);
    program.save(4, vec![]);
    for (worker, operator) in
        [0, 1, 2].into_iter().flat_map(|it| [(it, "windows"), (it, "sources")])
    {
        let change = (0..6).map(|id| (worker, operator, id, vec![group(1, b"new")]));
        program.save(10 + worker as u64 * 2 + u64::from(operator == "sources"), change.collect());
    }
    program.store.retain(NonZeroUsize::MIN).unwrap();
    assert!(program.store.verify(&manifest).is_err());
    assert_eq!(saved.store.epochs().unwrap().len(), 1);
    let place = folder.path().join("job/savepoints/3");
    let (store, copy) = Store::open_savepoint(place.to_str().unwrap(), "job").unwrap();
    store.verify(&copy).unwrap();
}

#[test]
fn a_savepoint_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = local(folder.path(), 1);
    let one = program.save(1, vec![(0, "windows", 0, vec![group(1, b"one")])]);
    let two = program.save(2, vec![(0, "windows", 0, vec![group(1, b"two")])]);
    let place = folder.path().join("savepoint");
    let place = place.to_str().unwrap();
    program.store.savepoint(&one, Some(place)).unwrap();
    let error = program.store.savepoint(&two, Some(place)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("another savepoint"), "{error}");
    let (store, copy) = Store::open_savepoint(place, "job").unwrap();
    assert_eq!(store.read(&copy, "windows", 0..GROUPS).unwrap(), [group(1, b"one")]);
}

#[test]
fn what_is_no_savepoint_of_this_job_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = local(folder.path(), 1);
    let manifest = program.save(1, vec![(0, "windows", 0, vec![group(1, b"one")])]);
    let place = program.store.savepoint(&manifest, None).unwrap();
    let fault = |place: &str, job| Store::open_savepoint(place, job).unwrap_err().to_string();
    assert!(fault(&place, "other").contains("holds job `job`, this is `other`"));
    let checkpoint = folder.path().join("job/epochs/1");
    assert!(fault(checkpoint.to_str().unwrap(), "job").contains("is not a savepoint"));
    assert!(fault(folder.path().to_str().unwrap(), "job").contains("is missing"));
    let nowhere = folder.path().join("nowhere");
    assert!(fault(nowhere.to_str().unwrap(), "job").contains("nowhere"));
    assert!(!nowhere.exists(), "looking for a savepoint leaves nothing behind");
}

#[test]
fn a_damaged_checkpoint_becomes_no_savepoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = local(folder.path(), 1);
    let manifest = program.save(1, vec![(0, "windows", 0, vec![group(1, b"one")])]);
    let part = folder.path().join("job/epochs/1/part-0-0000000000000001.tide");
    let mut bytes = std::fs::read(&part).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(part, bytes).unwrap();
    let error = program.store.savepoint(&manifest, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    let place = folder.path().join("job/savepoints/1");
    assert!(Store::open_savepoint(place.to_str().unwrap(), "job").is_err());
}
