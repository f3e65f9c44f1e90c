//! What sinks promise: whole files, at the right time, under the right names, nothing lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tidemill::connect::{Roll, Sink, Writer, to_csv, to_jsonl, to_text};
use tidemill::{Error, ErrorKind};

mod transactions;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    key: String,
    value: Option<i64>,
}

fn row(key: &str, value: i64) -> Row {
    Row { key: key.to_owned(), value: Some(value) }
}

fn rows(range: std::ops::Range<i64>) -> Vec<Row> {
    range.map(|value| row(["a", "b", "c"][value as usize % 3], value)).collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn open<S: Sink>(sink: &S) -> Box<dyn Writer<Record = S::Record>> {
    sink.open(0, 1).expect("open")
}

/// Opens, writes batches, closes.
fn run<S: Sink>(sink: &S, batches: Vec<Vec<S::Record>>) {
    let mut writer = open(sink);
    for mut batch in batches {
        writer.write(&mut batch).expect("write");
        assert!(batch.is_empty());
    }
    writer.close().expect("close");
}

/// All files below a folder with their text, by their path in it; hidden ones only if asked for.
fn files(folder: &Path, hidden: bool) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_str().expect("text").to_owned();
        if path.is_dir() {
            let below = files(&path, hidden).into_iter();
            found.extend(below.map(|(file, text)| (format!("{name}/{file}"), text)));
        } else if hidden || !name.starts_with('.') {
            found.insert(name, fs::read_to_string(path).expect("text"));
        }
    }
    found
}

fn visible(folder: &TempDir) -> BTreeMap<String, String> {
    files(folder.path(), false)
}

fn names(folder: &TempDir) -> Vec<String> {
    visible(folder).into_keys().collect()
}

/// Every visible row, read by the csv crate, in order of the files' names.
fn read<T: DeserializeOwned>(folder: &TempDir) -> Vec<T> {
    let texts = visible(folder).into_values();
    texts
        .flat_map(|text| {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            reader.deserialize().map(|row| row.expect("a row")).collect::<Vec<T>>()
        })
        .collect()
}

fn refused<A>(result: Result<A, Error>, kind: ErrorKind, says: &[&str]) {
    let error = result.err().expect("an error");
    let text = format!("{error:#}");
    assert_eq!(error.kind(), kind, "{text}");
    assert!(says.iter().all(|part| text.contains(part)), "{text} should say {says:?}");
}

#[test]
fn what_is_written_is_read_back() {
    let folder = folder();
    let texts = ["", "a,b", "\"", "x\ny", "x\r\ny", "\r", "Zürich 東京 🚀", " spaces ", "a;b\tc"];
    let mut written: Vec<Row> = texts.iter().map(|text| row(text, 1)).collect();
    written.push(Row { key: "none".to_owned(), value: None });
    run(&to_csv(folder.path()), vec![written.clone(), rows(0..100)]);
    assert_eq!(names(&folder), ["part-0-000000.csv"]);
    written.extend(rows(0..100));
    assert_eq!(read::<Row>(&folder), written);
}

#[test]
fn settings_of_csv_show_in_the_file() {
    let folder = folder();
    let sink = to_csv::<(u8, u8)>(folder.path()).name("rates").delimiter(b';').columns(["x", "y"]);
    run(&sink, vec![vec![(1, 2)]]);
    assert_eq!(visible(&folder)["rates-0-000000.csv"], "x;y\n1;2\n");
    run(&to_csv::<Row>(folder.path()).no_header(), vec![vec![row("a", 1)]]);
    assert_eq!(visible(&folder)["part-0-000000.csv"], "a,1\n");
}

#[test]
fn json_and_text_are_one_line_a_record() {
    let folder = folder();
    run(&to_jsonl(folder.path()), vec![vec![row("x\ny", 1), row("b", 2)]]);
    run(&to_text(folder.path()), vec![vec!["one", "two"]]);
    let files = visible(&folder);
    let lines = "{\"key\":\"x\\ny\",\"value\":1}\n{\"key\":\"b\",\"value\":2}\n";
    assert_eq!(files["part-0-000000.jsonl"], lines);
    assert_eq!(files["part-0-000000.txt"], "one\ntwo\n");
}

#[test]
fn a_file_is_seen_only_when_it_is_whole() {
    let folder = folder();
    let mut writer = open(&to_csv(folder.path()).roll(Roll::rows(10)).buffer(1));
    writer.write(&mut rows(0..25)).expect("write");
    assert!(visible(&folder).is_empty());
    writer.flush().expect("flush");
    assert_eq!(read::<Row>(&folder), rows(0..20));
    writer.close().expect("close");
    assert_eq!(read::<Row>(&folder), rows(0..25));
    assert_eq!(names(&folder), [0, 1, 2].map(|number| format!("part-0-{number:06}.csv")));
    assert_eq!(files(folder.path(), true).len(), 3, "nothing hidden is left");
}

#[test]
fn a_file_ends_with_the_record_that_fills_it() {
    let folder = folder();
    let sink = to_text(folder.path()).roll(Roll::bytes(10)).roll(Roll::rows(4));
    run(&sink, vec![vec!["12345", "6", "7", "rest", "1", "2", "3", "4", "5"]]);
    let texts: Vec<String> = visible(&folder).into_values().collect();
    assert_eq!(texts, ["12345\n6\n7\n", "rest\n1\n2\n3\n", "4\n5\n"]);
}

#[test]
fn a_file_rolls_by_its_age_at_a_flush() {
    let folder = folder();
    let mut writer = open(&to_text(folder.path()).roll(Roll::every(Duration::from_nanos(1))));
    writer.write(&mut vec![1]).expect("write");
    writer.flush().expect("flush");
    assert_eq!(visible(&folder)["part-0-000000.txt"], "1\n");
    writer.close().expect("close");

    let mut writer = open(&to_text(folder.path()).append().roll(Roll::every(Duration::MAX)));
    writer.write(&mut vec![2]).expect("write");
    writer.flush().expect("flush");
    assert_eq!(visible(&folder).len(), 1);
}

#[test]
fn records_go_to_the_folders_of_their_values() {
    for open_files in [1, 2, 64] {
        let folder = folder();
        let sink = to_csv(folder.path()).folder_by(|row: &Row| row.key.clone());
        run(&sink.open_files(open_files).buffer(16), vec![rows(0..50), rows(50..100)]);
        assert_eq!(visible(&folder).len(), 3, "a file that was closed meanwhile goes on");
        for (file, text) in visible(&folder) {
            let key = file.split('/').next().expect("a folder");
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let read: Vec<Row> = reader.deserialize().map(|row| row.expect("a row")).collect();
            let expected: Vec<Row> =
                rows(0..100).into_iter().filter(|row| row.key == key).collect();
            assert_eq!(read, expected);
        }
    }
}

#[test]
fn no_value_leads_out_of_the_folder() {
    let outside = folder();
    let inside = outside.path().join("inside");
    let sink = to_text(&inside).folder_by(|value: &String| value.clone());
    let values = ["..", "../up", "/etc", "", ".", "a/../..", "a\0b"];
    run(&sink, vec![values.iter().map(|value| (*value).to_owned()).collect()]);
    let files = visible(&outside);
    assert_eq!(files.len(), values.len());
    assert!(files.keys().all(|file| file.starts_with("inside/") && file.matches('/').count() == 2));
}

#[test]
fn without_records_there_are_no_parts_but_a_single_file() {
    let folder = folder();
    run(&to_csv::<Row>(folder.path()), vec![vec![]]);
    assert!(visible(&folder).is_empty());
    let path = folder.path().join("rates.csv");
    run(&to_csv::<Row>(&path).single_file(), vec![]);
    assert_eq!(fs::read_to_string(&path).expect("a file"), "");
    let sink = to_csv::<Row>(&path).single_file().overwrite().columns(["key", "value"]);
    run(&sink, vec![vec![]]);
    assert_eq!(fs::read_to_string(&path).expect("a file"), "key,value\n");
}

#[test]
fn a_single_file_appears_when_it_is_closed() {
    let folder = folder();
    let path = folder.path().join("new/rates.csv");
    let mut writer = open(&to_csv(&path).single_file().buffer(1));
    writer.write(&mut rows(0..10)).expect("write");
    writer.flush().expect("flush");
    assert!(visible(&folder).is_empty());
    writer.close().expect("close");
    assert_eq!(read::<Row>(&folder), rows(0..10));
    assert_eq!(files(folder.path(), true).len(), 1);

    let again = to_csv::<Row>(&path).single_file();
    refused(again.open(0, 1), ErrorKind::Write, &["rates.csv", "already", "overwrite"]);
    run(&again.overwrite(), vec![rows(0..3)]);
    assert_eq!(read::<Row>(&folder), rows(0..3));
}

#[test]
fn several_workers_each_write_their_own_files() {
    let folder = folder();
    let parts = to_text(folder.path());
    let single = to_text(folder.path().join("all.txt")).single_file();
    for sink in [&parts, &single] {
        for worker in 0..3 {
            let mut writer = sink.open(worker, 3).expect("open");
            writer.write(&mut vec![worker]).expect("write");
            writer.close().expect("close");
        }
    }
    let expected: Vec<(String, String)> = (0..3)
        .flat_map(|it| [(format!("all-{it}.txt"), it), (format!("part-{it}-000000.txt"), it)])
        .map(|(file, worker)| (file, format!("{worker}\n")))
        .collect();
    assert_eq!(visible(&folder), expected.into_iter().collect());
}

#[test]
fn output_of_an_earlier_run_is_refused_replaced_or_kept() {
    let folder = folder();
    fs::write(folder.path().join("notes.csv"), "mine").expect("a file");
    let sink = || to_text(folder.path());
    for worker in 0..3 {
        let mut writer = sink().open(worker, 3).expect("open");
        writer.write(&mut vec!["old"]).expect("write");
        writer.close().expect("close");
    }
    let says = ["3 files", "part-0-000000.txt", "overwrite", "append"];
    refused(open(&sink()).write(&mut vec!["new"]), ErrorKind::Write, &says);
    refused(open(&sink()).flush(), ErrorKind::Write, &says);
    refused(open(&sink()).close(), ErrorKind::Write, &says);
    assert_eq!(visible(&folder).len(), 4);

    run(&sink().append(), vec![vec!["more"]]);
    assert_eq!(visible(&folder).len(), 5);
    assert_eq!(visible(&folder)["part-0-000001.txt"], "more\n");

    run(&sink().overwrite(), vec![vec!["new"]]);
    assert_eq!(names(&folder), ["notes.csv", "part-0-000000.txt"]);
    assert_eq!(visible(&folder)["part-0-000000.txt"], "new\n");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    refused(to_text::<u8>(&file).open(0, 1), ErrorKind::Write, &["file", "single_file"]);
    let below = file.join("below");
    refused(to_text::<u8>(&below).open(0, 1), ErrorKind::Write, &["below", "another folder"]);
    let single = to_text::<u8>(folder.path()).single_file();
    refused(single.open(0, 1), ErrorKind::Write, &["is a folder"]);
    let single = to_text::<u8>(file.join("below")).single_file();
    refused(single.open(0, 1), ErrorKind::Write, &["file"]);
}

#[test]
fn a_folder_that_vanishes_is_an_error() {
    let folder = folder();
    let place = folder.path().join("out");
    let mut writer = open(&to_text(&place));
    writer.write(&mut vec![1]).expect("write");
    fs::remove_dir_all(&place).expect("removed");
    refused(writer.close(), ErrorKind::Write, &["part-0-000000.txt"]);
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).expect("set");
    if fs::write(folder.path().join("probe"), "").is_ok() {
        return; // The administrator may write everywhere.
    }
    let says = ["below", "allow this user"];
    refused(to_text::<u8>(folder.path().join("below")).open(0, 1), ErrorKind::Write, &says);
    let mut writer = open(&to_text(folder.path()));
    let says = ["part-0-000000.txt", "allow this user"];
    refused(writer.write(&mut vec![1]), ErrorKind::Write, &says);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_never_passed_over() {
    let says = ["/dev/full", "free some space"];
    let sink = to_csv("/dev/full").single_file();
    refused(open(&sink).write(&mut rows(0..100_000)), ErrorKind::Write, &says);
    let mut writer = open(&sink);
    writer.write(&mut rows(0..3)).expect("still in memory");
    refused(writer.flush(), ErrorKind::Write, &says);
    refused(writer.close(), ErrorKind::Write, &["failed before"]);
    let mut writer = open(&sink);
    writer.write(&mut rows(0..3)).expect("still in memory");
    refused(writer.close(), ErrorKind::Write, &says);
    refused(sink.open(0, 2), ErrorKind::Write, &["/dev/full", "several workers"]);

    // A part that is led to a full disk.
    let folder = folder();
    let mut writer = open(&to_csv(folder.path()));
    writer.flush().expect("the folder is ours");
    let part = folder.path().join(".part-0-000000.csv.open");
    std::os::unix::fs::symlink("/dev/full", part).expect("a link");
    writer.write(&mut rows(0..3)).expect("still in memory");
    refused(writer.close(), ErrorKind::Write, &["part-0-000000.csv", "free some space"]);
    assert!(visible(&folder).is_empty());
}

#[test]
fn a_record_that_cannot_be_written_stops_the_output() {
    let folder = folder();
    let mut writer = open(&to_csv(folder.path()));
    refused(writer.write(&mut vec![vec![1, 2], vec![3]]), ErrorKind::Malformed, &["1 columns"]);
    refused(writer.close(), ErrorKind::Write, &["failed before"]);
    assert!(visible(&folder).is_empty());
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let sink = || to_csv::<Row>("never");
    let single = || sink().single_file();
    for (sink, says) in [
        (sink().delimiter(b'1'), "delimiter"),
        (sink().roll(Roll::rows(0)), "roll"),
        (sink().name("a/b"), "name"),
        (sink().open_files(0), "open_files"),
        (single().roll(Roll::rows(1)), "roll"),
        (single().folder_by(|row| row.key.clone()), "folder_by"),
        (single().append(), "append"),
    ] {
        refused(sink.open(0, 1), ErrorKind::Setting, &[says]);
    }
    assert!(!Path::new("never").exists());
}
