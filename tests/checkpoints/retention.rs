//! What is no longer needed goes; what is needed, under way or a savepoint stays.

use std::num::NonZeroUsize;

use tidemill::checkpoint::Store;
use tidemill::error::ErrorKind;

use crate::model::{GROUPS, Program, group, put, random_change};

fn keep(checkpoints: usize) -> NonZeroUsize {
    NonZeroUsize::new(checkpoints).unwrap()
}

#[test]
fn kept_checkpoints_stay_whole_however_old_their_parts_are() {
    for seed in 0..20 {
        let mut program = Program::in_memory(3);
        for epoch in 1..30 {
            program.save(epoch, random_change(seed * 100 + epoch, 3));
            let retained = program.store.retain(keep(2)).unwrap();
            let expected = Vec::from_iter((epoch.saturating_sub(1).max(1)..=epoch).rev());
            assert_eq!(retained.kept, expected, "seed {seed}");
            assert_eq!(program.store.epochs().unwrap(), expected, "seed {seed}");
            let mut needed = std::collections::BTreeSet::new();
            for epoch in expected {
                let manifest = program.store.manifest(epoch).unwrap();
                program.store.verify(&manifest).unwrap();
                needed.insert(format!("job/epochs/{epoch}/manifest.json"));
                needed.extend(manifest.blocks().map(|it| format!("job/{}", it.file)));
            }
            assert_eq!(program.objects(), Vec::from_iter(needed), "nothing else is left, {seed}");
        }
        let newest = program.store.manifest(29).unwrap();
        program.check_read(&program.store, &newest, 0..GROUPS, seed);
    }
}

#[test]
fn what_was_deleted_is_counted() {
    let mut program = Program::in_memory(1);
    for epoch in 1..5 {
        program.save(epoch, vec![(0, "windows", 0, vec![group(1, b"state")])]);
    }
    let before: usize = program.objects().iter().map(|it| program.get(it).len()).sum();
    let retained = program.store.retain(keep(1)).unwrap();
    let after: usize = program.objects().iter().map(|it| program.get(it).len()).sum();
    assert_eq!((retained.kept, retained.deleted), (vec![4], vec![3, 2, 1]));
    assert_eq!((retained.files, retained.bytes), (6, (before - after) as u64));
}

#[test]
fn failed_attempts_go_and_the_one_under_way_stays() {
    let mut program = Program::in_memory(1);
    let change = || vec![(0, "windows", 0, vec![group(1, b"state")])];
    program.write(1, change());
    Program::over(program.store.clone(), 1, 0xdead).write(2, change());
    program.save(2, change());
    program.write(3, change());
    put(&*program.memory, "job/epochs/1/notes.txt", b"not ours".to_vec());
    program.store.retain(keep(5)).unwrap();
    let left = [
        "job/epochs/1/notes.txt",
        "job/epochs/2/manifest.json",
        "job/epochs/2/part-0-0000000000000001.tide",
        "job/epochs/3/part-0-0000000000000001.tide",
    ];
    assert_eq!(program.objects(), left);
}

#[test]
fn nothing_is_deleted_while_a_manifest_to_keep_is_damaged() {
    let mut program = Program::in_memory(1);
    let change = || vec![(0, "windows", 0, vec![group(1, b"state")])];
    (1..4).for_each(|epoch| drop(program.save(epoch, change())));
    put(&*program.memory, "job/epochs/3/manifest.json", b"{".to_vec());
    let before = program.objects();
    let error = program.store.retain(keep(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert_eq!(program.objects(), before);
    program.save(4, change());
    program.store.retain(keep(1)).unwrap();
    assert_eq!(program.store.epochs().unwrap(), [4]);
}

#[test]
fn a_job_that_goes_back_may_commit_the_later_epochs_again() {
    let mut program = Program::in_memory(1);
    let change = |text: &[u8]| vec![(0, "windows", 0, vec![group(1, text)])];
    (1..5).for_each(|epoch| drop(program.save(epoch, change(b"first time"))));
    assert!(program.store.rewind(Some(7)).is_err(), "there is no such checkpoint");
    assert_eq!(program.store.rewind(Some(2)).unwrap(), [4, 3]);
    let mut again = Program::over(program.store.clone(), 1, 2);
    let manifest = again.save(3, change(b"second time"));
    assert_eq!(again.store.newest_whole().unwrap().0, Some(manifest));
    again.save(5, change(b"third time"));
    again.store.retain(keep(1)).unwrap();
    assert_eq!(program.objects().len(), 2, "{:?}", program.objects());
}

#[test]
fn a_local_folder_is_left_clean() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), "job").unwrap();
    let mut program = Program::over(store, 1, 1);
    let change = || vec![(0, "windows", 0, vec![group(1, b"state")])];
    (1..4).for_each(|epoch| drop(program.save(epoch, change())));
    let epochs = folder.path().join("job/epochs");
    // What a process leaves that is killed while it writes.
    std::fs::write(epochs.join("2/part-1-0000000000000001.tide#7"), "half").unwrap();
    std::fs::write(epochs.join("3/manifest.json#1"), "half").unwrap();
    std::fs::write(epochs.join("3/other#1"), "not ours").unwrap();
    program.store.retain(keep(1)).unwrap();
    let names = |folder| {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(epochs.clone()), ["3"]);
    let part = "part-0-0000000000000001.tide";
    assert_eq!(names(epochs.join("3")), ["manifest.json", "other#1", part]);
}
