//! Checkpoints on disk and in memory: what was saved is read, whatever happened in between.

mod damage;
mod faults;
mod model;
mod retention;
mod savepoints;

use std::num::NonZeroUsize;
use std::sync::{Arc, Barrier};

use tidemill::checkpoint::object_store::memory::InMemory;
use tidemill::checkpoint::{Ended, Store};
use tidemill::error::ErrorKind;
use tidemill::key::Groups;
use tidemill::state::{Owner, Part};

use crate::model::{GROUPS, Program, group, random_change};

#[test]
fn any_number_of_workers_reads_what_any_number_has_saved() {
    for seed in 0..40 {
        let mut program = Program::in_memory(1 + seed as usize % 4);
        for epoch in 1..5 {
            let change = random_change(seed * 10 + epoch, program.workers);
            let manifest = program.save(epoch, change);
            assert_eq!(program.store.manifest(epoch).unwrap(), manifest, "seed {seed}");
            program.store.verify(&manifest).unwrap();
            for peers in 1..6 {
                for worker in 0..peers {
                    let owned = Groups::new(GROUPS, peers).owned(worker);
                    program.check_read(&program.store, &manifest, owned, seed);
                }
            }
        }
        // Of what is for groups, all workers together have each part once.
        let manifest = program.store.manifest(4).unwrap();
        let all = |peers| {
            let groups = Groups::new(GROUPS, peers);
            let of_worker =
                |worker| program.store.read(&manifest, "windows", groups.owned(worker)).unwrap();
            let parts = (0..peers).flat_map(of_worker);
            let mut parts: Vec<Part> =
                parts.filter(|it| matches!(it.owner, Owner::Group(_))).collect();
            parts.sort_by(|one, other| (&one.owner, &one.bytes).cmp(&(&other.owner, &other.bytes)));
            parts
        };
        assert_eq!(all(1), all(5), "seed {seed}");
    }
}

#[test]
fn a_job_without_state_has_checkpoints() {
    let mut program = Program::in_memory(2);
    let manifest = program.save(3, vec![]);
    assert_eq!(program.store.newest_whole().unwrap().0, Some(manifest.clone()));
    assert_eq!(program.store.read(&manifest, "windows", 0..GROUPS).unwrap(), []);
    assert_eq!(program.objects(), ["job/epochs/3/manifest.json"], "no empty parts");
    // A section that became empty is one that is empty, not one that is as it was.
    program.save(4, vec![(0, "windows", 7, vec![group(1, b"x")])]);
    let manifest = program.save(5, vec![(0, "windows", 7, vec![])]);
    assert_eq!(program.store.read(&manifest, "windows", 0..GROUPS).unwrap(), []);
    assert_eq!(manifest.operators["windows"].pieces[0].sections.len(), 1);
}

#[test]
fn a_store_without_checkpoints_has_none() {
    let store = Store::open("memory://", "job").unwrap();
    assert_eq!(store.epochs().unwrap(), [0; 0]);
    assert!(matches!(store.newest_whole().unwrap(), (None, skipped) if skipped.is_empty()));
    let error = store.manifest(7).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(error.to_string().contains("epochs/7/manifest.json` is missing"), "{error}");
    assert_eq!(store.retain(NonZeroUsize::MIN).unwrap().kept, [0; 0]);
}

#[test]
fn thousands_of_small_parts_are_few_blocks_and_a_huge_one_is_one() {
    let mut program = Program::in_memory(1);
    let mut random = model::Random(5);
    let small = (0..GROUPS).flat_map(|it| (0..4).map(move |_| group(it, b"a few bytes each")));
    let huge: Vec<u8> = (0..3 << 20).map(|_| random.next() as u8).collect();
    let mut parts: Vec<Part> = small.collect();
    parts.insert(20, group(GROUPS / 2, &huge));
    let manifest = program.save(1, vec![(0, "windows", 0, parts)]);
    let blocks = &manifest.operators["windows"].pieces[0].sections[0].blocks;
    let lengths = Vec::from_iter(blocks.iter().map(|it| it.raw_length));
    assert_eq!(blocks.len(), 3, "{lengths:?}");
    assert_eq!(blocks[1].groups, Some((GROUPS / 2, GROUPS / 2)));
    assert_eq!(blocks[1].length, blocks[1].raw_length, "noise is stored as it is");
    assert!(blocks[0].length * 4 < blocks[0].raw_length, "repetition is compressed");
    program.check_read(&program.store, &manifest, 0..GROUPS, 0);
    program.check_read(&program.store, &manifest, GROUPS / 2..GROUPS / 2 + 1, 0);
}

#[test]
fn a_file_of_many_requests_comes_back() {
    let mut program = Program::in_memory(1);
    let mut random = model::Random(6);
    let parts = (0..GROUPS).map(|it| {
        let noise: Vec<u8> = (0..150_000).map(|_| random.next() as u8).collect();
        group(it, &noise)
    });
    let manifest = program.save(1, vec![(0, "windows", 0, parts.collect())]);
    assert!(manifest.stored_bytes() > 30_000_000, "more than one request holds");
    program.store.verify(&manifest).unwrap();
    program.check_read(&program.store, &manifest, 0..GROUPS, 0);
    program.check_read(&program.store, &manifest, 100..120, 0);
}

#[test]
fn only_blocks_that_can_matter_are_read() {
    let mut program = Program::in_memory(1);
    let sections = (0..4).map(|it| (0, "windows", u64::from(it), vec![group(it * 50, b"state")]));
    let manifest = program.save(1, sections.collect());
    let mut other = manifest.clone();
    for section in &mut other.operators.get_mut("windows").unwrap().pieces[0].sections[..3] {
        section.blocks[0].file = "epochs/1/gone".into();
    }
    assert_eq!(program.store.read(&other, "windows", 150..151).unwrap(), [group(150, b"state")]);
    assert!(program.store.read(&other, "windows", 100..151).is_err());
}

#[test]
fn of_two_runs_that_write_an_epoch_one_commits_it() {
    let folder = tempfile::tempdir().unwrap();
    for place in ["memory://", folder.path().to_str().unwrap()] {
        let store = Store::open(place, "job").unwrap();
        for epoch in 0..20 {
            let barrier = Barrier::new(2);
            let attempt = |run: u64| {
                let change = vec![(0, "windows", 0, vec![group(1, &run.to_le_bytes())])];
                let mut program = Program::over(store.clone(), 1, run);
                let manifest = program.write(epoch, change);
                barrier.wait();
                (store.commit(&manifest), manifest)
            };
            let (one, other) = std::thread::scope(|scope| {
                let other = scope.spawn(|| attempt(2));
                (attempt(1), other.join().unwrap())
            });
            let (won, lost) = if one.0.is_ok() { (one, other) } else { (other, one) };
            assert!(won.0.is_ok(), "one of them commits");
            let error = lost.0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::State);
            let winner = format!("committed already by run {:016x}", won.1.run);
            assert!(error.to_string().contains(&winner), "{error}");
            assert_eq!(store.manifest(epoch).unwrap(), won.1);
            store.commit(&won.1).unwrap();
        }
    }
}

#[test]
fn jobs_with_odd_names_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let names = ["clicks", "a/b", "a", "../up", "with space", "Zürich", "#1", "a#1", "%2F"];
    for name in names {
        let mut program = Program::of(Store::open(place, name).unwrap(), name);
        program.save(1, vec![(0, "windows", 0, vec![group(1, name.as_bytes())])]);
    }
    for name in names {
        let (newest, _) = Store::open(place, name).unwrap().newest_whole().unwrap();
        let store = Store::open(place, name).unwrap();
        let parts = store.read(&newest.unwrap(), "windows", 0..GROUPS).unwrap();
        assert_eq!(parts, [group(1, name.as_bytes())]);
    }
    assert_eq!(std::fs::read_dir(place).unwrap().count(), names.len());
}

#[test]
fn a_manifest_is_text_for_people() {
    let mut program = Program::in_memory(1);
    let noise = [3, 1, 4, 1, 5, 9, 2, 6];
    program.write(1, vec![(0, "windows", 0, vec![group(1, &noise)])]);
    let mut manifest = program.write(2, vec![(0, "windows", 9, vec![group(2, &noise)])]);
    manifest.ended = Some(Ended::Stopped);
    program.store.commit(&manifest).unwrap();
    let text = String::from_utf8(program.get("job/epochs/2/manifest.json")).unwrap();
    let expected = include_str!("manifest-v1.json");
    assert_eq!(text, expected, "the text of a manifest of version 1 has changed");
}

#[test]
fn what_the_first_version_has_written_can_be_read() {
    let objects = Arc::new(InMemory::new());
    let part = |group: u8| {
        let header = b"TIDEPART\x01\0\0\0\0\0\0\0";
        let record = [1, group, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3, 1, 4, 1, 5, 9, 2, 6];
        [header.as_slice(), &record].concat()
    };
    let manifest = include_bytes!("manifest-v1.json").to_vec();
    model::put(&*objects, "job/epochs/1/part-0-0000000000000001.tide", part(1));
    model::put(&*objects, "job/epochs/2/part-0-0000000000000001.tide", part(2));
    model::put(&*objects, "job/epochs/2/manifest.json", manifest);
    let store = Store::over(objects, "job").unwrap();
    let (newest, skipped) = store.newest_whole().unwrap();
    assert!(skipped.is_empty(), "{skipped:?}");
    let parts = store.read(&newest.unwrap(), "windows", 0..GROUPS).unwrap();
    let noise = [3, 1, 4, 1, 5, 9, 2, 6];
    assert_eq!(parts, [group(1, &noise), group(2, &noise)]);
}
