//! What is prepared, committed, taken back and lost, and what a run that continues makes of it.

use super::*;

#[test]
fn what_was_prepared_is_committed_once_even_after_a_crash() {
    let folder = folder();
    let sink = to_csv(folder.path()).roll(Roll::rows(4)).folder_by(|row: &Row| row.key.clone());
    let mut writer = open(&sink);
    writer.write(&mut rows(0..20)).expect("write");
    let first = writer.prepare().expect("prepare");
    writer.write(&mut rows(20..30)).expect("write");
    let second = writer.prepare().expect("prepare");
    writer.write(&mut rows(30..40)).expect("write");
    writer.flush().expect("flush");
    assert!(visible(&folder).is_empty(), "nothing is committed");
    writer.commit(&first).expect("commit");
    let committed = visible(&folder);
    drop(writer);
    assert_eq!(visible(&folder), committed, "a crash shows nothing more");

    let mut writer = sink.open(1, 2).expect("open");
    for _ in 0..2 {
        writer.commit(&first).expect("commit again");
    }
    assert_eq!(visible(&folder), committed);
    for _ in 0..2 {
        writer.abort(&second).expect("abort");
    }
    drop(writer);

    let mut writer = open(&sink);
    writer.commit(&[]).expect("this run continues");
    writer.write(&mut rows(20..40)).expect("write");
    writer.close().expect("close");
    let mut read = read::<Row>(&folder);
    read.sort_by_key(|row| row.value);
    assert_eq!(read, rows(0..40), "each record once");
    assert_eq!(visible(&folder), files(folder.path(), true), "nothing hidden is left");
}

#[test]
fn a_crash_without_checkpoints_leaves_nothing_that_is_seen() {
    let folder = folder();
    let sink = to_csv(folder.path());
    let mut writer = open(&sink);
    writer.write(&mut rows(0..10)).expect("write");
    drop(writer);
    assert!(visible(&folder).is_empty());
    run(&sink, vec![rows(0..3)]);
    assert_eq!(read::<Row>(&folder), rows(0..3));
    assert_eq!(files(folder.path(), true).len(), 1, "the next run clears up");
}

#[test]
fn a_prepared_file_that_is_lost_is_an_error() {
    let folder = folder();
    let mut writer = open(&to_csv(folder.path()));
    writer.write(&mut rows(0..3)).expect("write");
    let prepared = writer.prepare().expect("prepare");
    for file in files(folder.path(), true).into_keys() {
        fs::remove_file(folder.path().join(file)).expect("removed");
    }
    refused(writer.commit(&prepared), ErrorKind::State, &["part-0-000000.csv", "put it back"]);
    refused(writer.commit(&[255; 3]), ErrorKind::State, &["cannot be understood"]);
}

#[test]
fn nothing_prepared_is_a_transaction_too() {
    let folder = folder();
    let mut writer = open(&to_csv::<Row>(folder.path()));
    let prepared = writer.prepare().expect("prepare");
    writer.commit(&prepared).expect("commit");
    writer.abort(&prepared).expect("abort");
    writer.close().expect("close");
    assert!(files(folder.path(), true).is_empty());
}

#[test]
fn a_file_in_the_way_is_not_written_over() {
    let folder = folder();
    let mut writer = open(&to_text(folder.path()));
    writer.write(&mut vec![1]).expect("write");
    fs::write(folder.path().join("part-0-000000.txt"), "other").expect("a file");
    refused(writer.close(), ErrorKind::Write, &["part-0-000000.txt", "already"]);
    refused(writer.close(), ErrorKind::Write, &["failed before"]);
    assert_eq!(visible(&folder)["part-0-000000.txt"], "other");
}

#[test]
fn a_single_file_goes_on_where_the_checkpoint_was() {
    let folder = folder();
    let path = folder.path().join("one.csv");
    let sink = to_csv::<Row>(&path).single_file().buffer(1);
    let mut writer = open(&sink);
    writer.write(&mut rows(0..5)).expect("write");
    let prepared = writer.prepare().expect("prepare");
    writer.commit(&prepared).expect("commit");
    writer.write(&mut rows(5..9)).expect("write");
    drop(writer);
    assert!(visible(&folder).is_empty(), "it appears when it is finished");

    // Also from a run that came to its end after the checkpoint.
    for end in [7, 8] {
        let mut writer = sink.reopen(0, 1).expect("reopen");
        writer.commit(&prepared).expect("commit again");
        writer.write(&mut rows(5..end)).expect("write");
        writer.close().expect("close");
        assert_eq!(read::<Row>(&folder), rows(0..end));
    }

    // On other workers: the file that nobody goes on with is finished.
    let mut writer = sink.reopen(0, 2).expect("reopen");
    writer.commit(&prepared).expect("commit again");
    assert_eq!(read::<Row>(&folder), rows(0..5));
}

#[test]
fn a_single_file_keeps_what_several_transactions_of_a_checkpoint_hold() {
    // A checkpoint holds the one before as well if its commit was not noted in time.
    for peers in [1, 2] {
        let folder = folder();
        let sink = to_csv::<Row>(folder.path().join("one.csv")).single_file().buffer(1);
        let mut writer = open(&sink);
        writer.write(&mut rows(0..5)).expect("write");
        let mut prepared = vec![writer.prepare().expect("prepare")];
        writer.write(&mut rows(5..8)).expect("write");
        prepared.push(writer.prepare().expect("prepare"));
        writer.write(&mut rows(8..9)).expect("write");
        drop(writer);

        let mut writer = sink.reopen(0, peers).expect("reopen");
        writer.resume(&prepared).expect("it takes note");
        prepared.iter().for_each(|it| writer.commit(it).expect("commit"));
        writer.write(&mut rows(8..12)).expect("write");
        writer.close().expect("close");
        let mut read = read::<Row>(&folder);
        read.sort_by_key(|row| row.value);
        assert_eq!(read, rows(0..12), "{peers} workers");
    }
}

#[test]
fn parts_of_more_workers_than_the_checkpoint_knows_are_taken_back() {
    let folder = folder();
    let sink = to_csv::<Row>(folder.path());
    let write = |worker, peers, from: &[Vec<u8>], commit: &[Vec<u8>], range| {
        let mut writer = sink.reopen(worker, peers).expect("reopen");
        writer.resume(from).expect("it takes note");
        commit.iter().for_each(|it| writer.commit(it).expect("commit"));
        writer.write(&mut rows(range)).expect("write");
        let prepared = writer.prepare().expect("prepare");
        writer.commit(&prepared).expect("commit");
        prepared
    };
    // Two workers, then one, whose checkpoint is gone back to later.
    let first = [write(0, 2, &[], &[], 0..3), write(1, 2, &[], &[], 3..6)];
    let second = [write(0, 1, &first, &first, 6..9)];
    // Three that are given up.
    write(0, 3, &second, &second, 20..22);
    write(1, 3, &second, &[], 22..24);
    write(2, 3, &second, &[], 24..26);
    assert_eq!(read::<Row>(&folder).len(), 15);
    write(0, 2, &second, &second, 9..12);
    write(1, 2, &second, &[], 12..14);
    let mut read = read::<Row>(&folder);
    read.sort_by_key(|row| row.value);
    assert_eq!(read, rows(0..14), "each record once");
}

#[test]
fn parts_from_after_the_checkpoint_are_taken_back() {
    let folder = folder();
    let sink = to_csv::<Row>(folder.path());
    let mut writer = open(&sink);
    writer.write(&mut rows(0..3)).expect("write");
    let first = writer.prepare().expect("prepare");
    writer.commit(&first).expect("commit");
    writer.write(&mut rows(3..6)).expect("write");
    let second = writer.prepare().expect("prepare");
    writer.commit(&second).expect("commit");
    drop(writer);
    assert_eq!(read::<Row>(&folder).len(), 6);

    let mut writer = sink.reopen(0, 1).expect("reopen");
    writer.commit(&first).expect("the checkpoint before is restored");
    writer.write(&mut rows(3..8)).expect("write");
    writer.close().expect("close");
    let mut read = read::<Row>(&folder);
    read.sort_by_key(|row| row.value);
    assert_eq!(read, rows(0..8), "each record once");
}
