//! Whatever is changed, cut off or taken away is noticed, and the checkpoint before it is used.

use tidemill::checkpoint::{Manifest, Store};
use tidemill::error::ErrorKind;
use tidemill::state::{Owner, Part};

use crate::model::{GROUPS, Program, delete, group, put};

/// Two checkpoints that share nothing; the newer one has blocks of all kinds.
fn program() -> (Program, Manifest, Manifest) {
    let mut program = Program::in_memory(2);
    let older = program.save(1, vec![(0, "windows", 0, vec![group(3, b"older")])]);
    let same = vec![7; 300];
    let change = vec![
        (0, "windows", 0, vec![group(3, b"newer"), group(4, &same), group(9, b"")]),
        (1, "windows", 1, vec![group(150, b"other worker")]),
        (1, "sources", 0, vec![Part { owner: Owner::Partition("a.csv".into()), bytes: vec![1] }]),
    ];
    let newer = program.save(2, change);
    (program, older, newer)
}

/// The newest checkpoint is refused with a message that says `what`, and the one before it used.
#[track_caller]
fn check_skipped(program: &Program, older: &Manifest, what: &str) {
    let (used, skipped) = program.store.newest_whole().unwrap();
    assert_eq!(used.as_ref(), Some(older), "the damage was not noticed");
    let [(2, error)] = skipped.as_slice() else { panic!("skipped {skipped:?}") };
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains(what), "{error} should say {what}");
    assert!(error.to_string().contains("epochs/2/"), "{error} should name the file");
}

fn newer_files(program: &Program) -> Vec<String> {
    let files = program.objects().into_iter().filter(|it| it.contains("epochs/2/"));
    let files: Vec<String> = files.collect();
    assert_eq!(files.len(), 3);
    files
}

#[test]
fn every_changed_byte_is_noticed() {
    let (program, older, newer) = program();
    for file in newer_files(&program) {
        let whole = program.get(&file);
        for place in 0..whole.len() {
            for change in [1 << (place % 8), 0xff] {
                let mut changed = whole.clone();
                changed[place] ^= change;
                put(&*program.memory, &file, changed);
                check_skipped(&program, &older, "`");
            }
        }
        put(&*program.memory, &file, whole);
    }
    assert_eq!(program.store.newest_whole().unwrap().0, Some(newer));
}

#[test]
fn every_missing_end_is_noticed() {
    let (program, older, _) = program();
    for file in newer_files(&program) {
        let whole = program.get(&file);
        for length in 0..whole.len() {
            put(&*program.memory, &file, whole[..length].to_vec());
            let part = file.ends_with(".tide");
            check_skipped(&program, &older, if part { "is truncated" } else { "is damaged" });
        }
        put(&*program.memory, &file, whole);
    }
}

#[test]
fn every_missing_part_is_noticed() {
    let (program, older, _) = program();
    for file in newer_files(&program).into_iter().filter(|it| it.ends_with(".tide")) {
        let whole = program.get(&file);
        delete(&*program.memory, &file);
        check_skipped(&program, &older, "is missing");
        put(&*program.memory, &file, whole);
    }
}

#[test]
fn reading_notices_damage_that_nobody_looked_for() {
    let (program, _, newer) = program();
    for file in newer_files(&program).into_iter().filter(|it| it.ends_with(".tide")) {
        let whole = program.get(&file);
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 0x10;
            put(&*program.memory, &file, changed);
            let read = |operator| program.store.read(&newer, operator, 0..GROUPS);
            let error = read("windows").and_then(|_| read("sources")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State);
        }
        put(&*program.memory, &file, whole);
    }
}

#[test]
fn files_of_a_newer_program_are_named_as_such() {
    let (program, older, _) = program();
    let newer = "written by a newer one";
    let manifest = "job/epochs/2/manifest.json";
    let text = program.get(manifest);
    let later =
        String::from_utf8(text.clone()).unwrap().replace("\"version\": 1", "\"version\": 2");
    put(&*program.memory, manifest, later.into_bytes());
    check_skipped(&program, &older, newer);
    // Of a later format nothing needs to be as it was, except that it says so.
    put(&*program.memory, manifest, b"{\"sealed\": true, \"version\": 99}".to_vec());
    check_skipped(&program, &older, newer);
    put(&*program.memory, manifest, text);

    let part = newer_files(&program).into_iter().find(|it| it.ends_with(".tide")).unwrap();
    let mut later = program.get(&part);
    later[8] = 2;
    put(&*program.memory, &part, later);
    check_skipped(&program, &older, newer);
}

#[test]
fn the_state_of_another_job_or_epoch_is_refused() {
    let (program, older, _) = program();
    let manifest = program.get("job/epochs/1/manifest.json");
    put(&*program.memory, "job/epochs/2/manifest.json", manifest.clone());
    check_skipped(&program, &older, "is the manifest of epoch 1");

    put(&*program.memory, "other/epochs/1/manifest.json", manifest);
    let other = Store::over(program.memory.clone(), "other").unwrap();
    let error = other.manifest(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("holds job `job`, this is `other`"), "{error}");
    let error = other.commit(&older).unwrap_err();
    assert!(error.to_string().contains("`job`"), "{error}");
}

#[test]
fn with_nothing_whole_there_is_nothing_to_restore() {
    let (program, ..) = program();
    for file in program.objects().into_iter().filter(|it| it.ends_with(".tide")) {
        delete(&*program.memory, &file);
    }
    let (used, skipped) = program.store.newest_whole().unwrap();
    assert_eq!(used, None);
    assert_eq!(Vec::from_iter(skipped.into_iter().map(|(epoch, _)| epoch)), [2, 1]);
}

#[test]
fn a_list_says_what_is_whole_and_what_is_damaged() {
    let (program, ..) = program();
    let listed = program.store.list().unwrap();
    let lines = Vec::from_iter(listed.iter().map(ToString::to_string));
    // The shared section of the first worker changed, so nothing of epoch 1 is left in epoch 2.
    let [two, one] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(two.starts_with("epoch 2: 2026-01-02 03:04:05 UTC, "), "{two}");
    assert!(two.ends_with(" of 2 operators on 2 workers"), "{two}");
    assert!(one.contains("16 bytes (16 its own) of 1 operators"), "{one}");
    put(&*program.memory, "job/epochs/2/manifest.json", vec![]);
    let lines = Vec::from_iter(program.store.list().unwrap().iter().map(ToString::to_string));
    assert!(lines[0].starts_with("epoch 2: not usable: `"), "{lines:?}");
    assert_eq!(&lines[1], one);
}
