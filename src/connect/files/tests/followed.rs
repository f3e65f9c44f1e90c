//! Files that grow, are rotated or cut off while they are read.

use super::*;
use crate::connect::Reader;
use std::sync::mpsc;
use std::time::Duration;

struct Following {
    reader: Box<dyn Reader<Record = String>>,
}

impl Following {
    fn of(path: &str) -> Self {
        Self::from(path, None)
    }

    fn from(path: &str, position: Option<&[u8]>) -> Self {
        let source = text(path).follow_every(Duration::from_secs(3600));
        assert!(!source.bounded());
        assert_eq!(source.partitions(3).unwrap(), [path]);
        Self { reader: source.open(path, position, Arc::new(|| ())).unwrap() }
    }

    /// What there is to read now.
    fn now(&mut self) -> Result<Vec<String>> {
        let mut records = Vec::new();
        for _ in 0..100 {
            if self.reader.poll(10, &mut records)? == Polled::Pending {
                return Ok(records);
            }
        }
        panic!("a followed file never says that it has nothing now");
    }
}

fn append(path: &str, bytes: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes.as_bytes()).unwrap();
}

#[test]
fn lines_are_read_when_they_are_whole() {
    let folder = folder();
    let path = file(folder.path(), "log", "a\nb");
    let mut following = Following::of(&path);
    assert_eq!(following.now().unwrap(), ["a"]);
    append(&path, "c");
    assert!(following.now().unwrap().is_empty());
    append(&path, "\nd\n");
    assert_eq!(following.now().unwrap(), ["bc", "d"]);
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let folder = folder();
    let path = folder.path().join("log");
    let mut following = Following::of(path.to_str().unwrap());
    assert!(following.now().unwrap().is_empty());
    file(folder.path(), "log", "a\n");
    assert_eq!(following.now().unwrap(), ["a"]);
}

#[test]
fn a_header_that_is_not_there_yet_is_waited_for() {
    let folder = folder();
    let path = file(folder.path(), "t.csv", "at,sym");
    let source = csv::<Trade>(&path).follow();
    let mut reader = source.open(&path, None, Arc::new(|| ())).unwrap();
    let mut records = Vec::new();
    assert_eq!(reader.poll(10, &mut records).unwrap(), Polled::Pending);
    append(&path, "bol,price\n1,a,1\n");
    while reader.poll(10, &mut records).unwrap() != Polled::Pending {}
    assert_eq!(records, [trade(1, "a", 1.0)]);
}

#[test]
fn a_rotated_file_is_read_to_its_end_and_then_the_new_one() {
    let folder = folder();
    let path = file(folder.path(), "log", "a\n");
    let old = format!("{path}.1");
    let mut following = Following::of(&path);
    assert_eq!(following.now().unwrap(), ["a"]);
    fs::rename(&path, &old).unwrap();
    assert!(following.now().unwrap().is_empty());
    append(&old, "b\nc");
    file(folder.path(), "log", "d\ne");
    assert_eq!(following.now().unwrap(), ["b", "c", "d"]);
    append(&path, "\n");
    assert_eq!(following.now().unwrap(), ["e"]);
}

#[test]
fn a_file_that_was_cut_off_is_an_error() {
    let folder = folder();
    let path = file(folder.path(), "log", "a\nb\n");
    let mut following = Following::of(&path);
    following.now().unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(1).unwrap();
    let error = error(following.now());
    assert!(error.to_string().contains("was cut off: it has 1 bytes, and 4"), "{error}");
}

#[test]
fn a_restart_goes_on_in_the_same_file_and_refuses_another() {
    let folder = folder();
    let path = file(folder.path(), "log", "a\nb\nc");
    let mut following = Following::of(&path);
    following.now().unwrap();
    let position = following.reader.position();
    append(&path, "\n");
    assert_eq!(Following::from(&path, Some(&position)).now().unwrap(), ["c"]);
    fs::rename(&path, format!("{path}.1")).unwrap();
    file(folder.path(), "log", "x\n");
    let source = text(&path).follow();
    let error = error(source.open(&path, Some(&position), Arc::new(|| ())));
    assert_eq!(error.kind(), ErrorKind::State);
}

#[test]
fn a_long_line_is_dropped_while_it_is_still_being_written() {
    let folder = folder();
    let path = file(folder.path(), "log", "a\n0123456789");
    let source = text(&path).longest_line(5).on_malformed(OnMalformed::Skip).follow();
    let mut following = Following { reader: source.open(&path, None, Arc::new(|| ())).unwrap() };
    assert_eq!(following.now().unwrap(), ["a"]);
    append(&path, "more\nb\n");
    assert_eq!(following.now().unwrap(), ["b"]);
    assert_eq!(following.reader.malformed(), 1);
}

#[test]
fn the_worker_is_woken_when_the_file_has_grown() {
    let folder = folder();
    let path = file(folder.path(), "log", "a\n");
    let (ring, rung) = mpsc::channel();
    let source = text(&path).follow_every(Duration::from_millis(1));
    let wake = Arc::new(move || ring.send(()).unwrap_or_default());
    let mut reader = source.open(&path, None, wake).unwrap();
    let mut records = Vec::new();
    for line in ["a", "b", "c"] {
        while records.last().map(String::as_str) != Some(line) {
            if reader.poll(9, &mut records).unwrap() == Polled::Pending {
                rung.recv_timeout(Duration::from_secs(10)).expect("a wake comes");
            }
        }
        append(&path, if line == "a" { "b\n" } else { "c\n" });
    }
}
