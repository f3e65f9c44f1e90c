//! Files read through the public traits.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde::Deserialize;

use super::Files;
use crate::connect::{InputFormat, OnMalformed, Polled, Source, csv, jsonl, text};
use crate::error::{Error, ErrorKind, Result};

/// Reads a partition from a position, at most `most` records at a time, to its end.
fn drain<F: InputFormat>(
    source: &Files<F>,
    partition: &str,
    from: Option<&[u8]>,
    most: usize,
) -> Result<(Vec<F::Record>, u64)> {
    let mut reader = source.open(partition, from, Arc::new(|| ()))?;
    let mut records = Vec::new();
    for _ in 0..100_000 {
        let before = records.len();
        let polled = reader.poll(most, &mut records)?;
        assert!(records.len() - before <= most, "more records than asked for");
        if polled == Polled::Ended {
            return Ok((records, reader.malformed()));
        }
    }
    panic!("{partition} does not end");
}

fn read<F: InputFormat>(source: &Files<F>, lanes: usize) -> Result<(Vec<F::Record>, u64)> {
    let (mut records, mut malformed) = (Vec::new(), 0);
    for partition in source.partitions(lanes)? {
        let (more, skipped) = drain(source, &partition, None, 1000)?;
        records.extend(more);
        malformed += skipped;
    }
    Ok((records, malformed))
}

fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn error<T>(result: Result<T>) -> Error {
    result.err().expect("this cannot be read")
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Trade {
    at: i64,
    symbol: String,
    price: f64,
}

/// What a CSV file of trades gives: records, and how many are malformed or why it is refused.
fn trades(bytes: impl AsRef<[u8]>) -> Result<(Vec<Trade>, u64)> {
    let folder = folder();
    let path = file(folder.path(), "trades.csv", bytes);
    read(&csv::<Trade>(&path).on_malformed(OnMalformed::Skip), 1)
}

fn stopped(bytes: impl AsRef<[u8]>) -> String {
    let folder = folder();
    let path = file(folder.path(), "trades.csv", bytes);
    let error = error(read(&csv::<Trade>(&path), 1));
    assert_eq!(error.kind(), ErrorKind::Malformed);
    error.to_string().replace(&path, "trades.csv")
}

fn trade(at: i64, symbol: &str, price: f64) -> Trade {
    Trade { at, symbol: symbol.to_owned(), price }
}

mod lanes {
    use super::*;

    fn lines_of(bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn check(bytes: &[u8], lanes: usize, stride: u64, chunk: usize, most: usize) {
        let folder = folder();
        let path = file(folder.path(), "lines", bytes);
        let source = text(&path).stride(stride).chunk(chunk);
        let mut found = Vec::new();
        for partition in &source.partitions(lanes).unwrap() {
            let (all, _) = drain(&source, partition, None, most).unwrap();
            restarts(&source, partition, &all, most);
            found.extend(all);
        }
        let mut expected = lines_of(bytes);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    /// Restarting after each poll neither loses nor repeats a record.
    fn restarts(
        source: &Files<crate::connect::TextInput>,
        name: &str,
        all: &[String],
        most: usize,
    ) {
        let mut reader = source.open(name, None, Arc::new(|| ())).unwrap();
        let mut before = Vec::new();
        loop {
            let position = reader.position();
            let (after, _) = drain(source, name, Some(&position), most).unwrap();
            assert_eq!([before.clone(), after].concat(), all, "{name}");
            if reader.poll(most, &mut before).unwrap() == Polled::Ended {
                return;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn each_line_is_in_one_lane_once_and_a_restart_loses_none(
            lines in prop::collection::vec("[a-z]{0,12}|[a-z]{30}", 0..30),
            carriage_return: bool,
            last_ends: bool,
            lanes in 1..=5_usize,
            stride in 1..40_u64,
            chunk in 1..40_usize,
            most in 1..8_usize,
        ) {
            let end = if carriage_return { "\r\n" } else { "\n" };
            let mut text = lines.join(end);
            if last_ends && !lines.is_empty() {
                text.push_str(end);
            }
            check(text.as_bytes(), lanes, stride, chunk, most);
        }

        #[test]
        fn rows_cut_into_lanes_are_the_rows_of_the_file(
            count in 0..60_i64,
            lanes in 1..=5_usize,
            stride in 1..60_u64,
            mark: bool,
        ) {
            let mut bytes = if mark { "\u{feff}".to_owned() } else { String::new() };
            bytes.push_str("price,symbol,at\n");
            for at in 0..count {
                bytes.push_str(&format!("{}.5,s{at},{at}\r\n", at * 7919 % 1000));
            }
            let folder = folder();
            let path = file(folder.path(), "trades.csv", bytes);
            let (mut found, _) = read(&csv::<Trade>(&path).stride(stride).chunk(7), lanes).unwrap();
            found.sort_by_key(|trade| trade.at);
            let expected: Vec<_> = (0..count)
                .map(|at| trade(at, &format!("s{at}"), (at * 7919 % 1000) as f64 + 0.5))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_large_file_is_cut_into_lanes_that_advance_together() {
        let folder = folder();
        let path = file(folder.path(), "lines", "0\n1\n2\n3\n4\n5\n6\n7\n");
        let source = text(&path).stride(4);
        let names = source.partitions(2).unwrap();
        assert_eq!(names, [format!("{path}#1/2@4"), format!("{path}#2/2@4")]);
        assert_eq!(drain(&source, &names[0], None, 9).unwrap().0, ["0", "1", "4", "5"]);
        assert_eq!(drain(&source, &names[1], None, 9).unwrap().0, ["2", "3", "6", "7"]);
    }

    #[test]
    fn a_lane_can_be_opened_by_another_number_of_workers() {
        let folder = folder();
        let path = file(folder.path(), "lines", "0\n1\n2\n3\n4\n5\n6\n7\n");
        let source = text(&path);
        assert_eq!(drain(&source, &format!("{path}#2/2@4"), None, 9).unwrap().0[1], "3");
    }
}

mod choosing {
    use super::*;

    #[test]
    fn a_folder_is_its_files_sorted_without_hidden_ones() {
        let folder = folder();
        for name in ["b", "a", ".hidden"] {
            file(folder.path(), name, format!("{name}\n"));
        }
        fs::create_dir(folder.path().join("below")).unwrap();
        file(&folder.path().join("below"), "c", "c\n");
        assert_eq!(read(&text(folder.path()), 2).unwrap().0, ["a", "b"]);
        let deep = format!("{}/**/[a-z]*", folder.path().display());
        assert_eq!(read(&text(deep), 2).unwrap().0, ["a", "b", "c"]);
    }

    #[test]
    fn a_file_named_twice_is_read_once() {
        let folder = folder();
        let path = file(folder.path(), "a", "a\n");
        let all = format!("{}/*", folder.path().display());
        assert_eq!(read(&text(vec![path, all]), 1).unwrap().0, ["a"]);
    }

    #[test]
    fn what_leads_to_no_file_is_an_error_that_names_it() {
        let folder = folder();
        let base = folder.path().display().to_string();
        let check = |path: &str, words: &str| {
            let error = error(text(path).partitions(1));
            assert_eq!(error.kind(), ErrorKind::Read);
            assert!(error.to_string().contains(path), "{error}");
            assert!(format!("{error:#}").contains(words), "{error:#}");
        };
        check(&base, "there is no file in the folder");
        check(&format!("{base}/*.csv"), "no file matches");
        check(&format!("{base}/missing.csv"), "No such file");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_permission_is_an_error_that_names_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder();
        let path = file(folder.path(), "secret.csv", "a\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::File::open(&path).is_ok() {
            println!("skipped: this user may read everything");
            return;
        }
        let error = error(text(&path).partitions(1));
        assert!(error.to_string().contains("secret.csv"), "{error}");
        assert!(format!("{error:#}").to_lowercase().contains("permission denied"));
    }

    #[test]
    fn contradictory_settings_are_refused_by_name() {
        let check = |source: Files<crate::connect::CsvInput<Trade>>, word: &str| {
            let error = error(source.partitions(1));
            assert_eq!(error.kind(), ErrorKind::Setting);
            assert!(error.to_string().contains(word), "{error}");
        };
        check(csv("x").delimiter(b'"'), "delimiter and quote");
        check(csv("x").delimiter(b'\n'), "delimiter");
        check(csv("x").multiline().no_quotes(), "multiline");
        check(csv("x").stride(0), "stride");
        check(csv("x").longest_line(0), "longest line");
        check(csv("x.gz").follow(), "x.gz");
    }
}

mod compressed {
    use super::*;
    use flate2::write::GzEncoder;

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compressed_files_are_read_like_plain_ones_and_reopened_at_each_position() {
        let plain = b"at,symbol,price\n1,a,1.5\n2,b,2.5\n3,c,3.5\n";
        let two_members = [gzipped(&plain[..20]), gzipped(&plain[20..])].concat();
        let zst = zstd::encode_all(&plain[..], 1).unwrap();
        let folder = folder();
        let expected = [trade(1, "a", 1.5), trade(2, "b", 2.5), trade(3, "c", 3.5)];
        for (name, bytes) in [("t.csv.gz", two_members), ("t.csv.zst", zst)] {
            let path = file(folder.path(), name, bytes);
            let source = csv::<Trade>(&path).stride(1);
            assert_eq!(source.partitions(4).unwrap(), std::slice::from_ref(&path));
            let mut reader = source.open(&path, None, Arc::new(|| ())).unwrap();
            let mut before = Vec::new();
            loop {
                let position = reader.position();
                let (after, _) = drain(&source, &path, Some(&position), 1).unwrap();
                assert_eq!([before.clone(), after].concat(), expected);
                if reader.poll(1, &mut before).unwrap() == Polled::Ended {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let folder = folder();
        let mut bytes = gzipped(&b"at,symbol,price\n1,a,1.5\n".repeat(1000));
        bytes.truncate(bytes.len() / 2);
        let path = file(folder.path(), "t.gz", bytes);
        let error = error(read(&text(&path), 1));
        assert_eq!(error.kind(), ErrorKind::Read);
        assert!(error.to_string().contains("t.gz after byte"), "{error}");
    }
}

mod malformed {
    use super::*;

    const HEADER: &str = "at,symbol,price\n";

    #[test]
    fn empty_files_have_no_records() {
        for bytes in ["", "\u{feff}", HEADER, "at,symbol,price"] {
            assert_eq!(trades(bytes).unwrap(), (vec![], 0), "{bytes:?}");
        }
        let folder = folder();
        let path = file(folder.path(), "empty", "");
        assert!(read(&text(&path), 3).unwrap().0.is_empty());
        assert!(read(&jsonl::<i64>(&path), 3).unwrap().0.is_empty());
    }

    #[test]
    fn line_ends_marks_and_blank_lines_make_no_difference() {
        let expected = (vec![trade(1, "a", 1.0), trade(2, "b", 2.0)], 0);
        for bytes in [
            "at,symbol,price\n1,a,1\n2,b,2\n",
            "at,symbol,price\n1,a,1\n2,b,2",
            "at,symbol,price\r\n1,a,1\r\n2,b,2\r\n",
            "at,symbol,price\r\n1,a,1\r\n2,b,2\r",
            "\u{feff}at,symbol,price\n1,a,1\n2,b,2\n",
            "at,symbol,price\n\n1,a,1\n\r\n2,b,2\n\n",
            "at,symbol,price\n1,\"a\",1\n\n2,\"b\",\"2\"\r\n",
            "\"price\",symbol,at,more\r\n1,\"a\",1,x\n2,b,2,y",
        ] {
            assert_eq!(trades(bytes).unwrap(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_malformed_row_stops_with_file_line_byte_and_reason() {
        let check = |row: &str, reason: &str| {
            let found = stopped(format!("{HEADER}1,a,1\n{row}\n2,b,2\n"));
            assert_eq!(found, format!("trades.csv, line 3, byte 22: {reason}"));
        };
        check("1,a", "the row has 2 columns instead of 3");
        check("1,a,1,1", "the row has 4 columns instead of 3");
        check("x,a,1", "column `at`: `x` is not an integer");
        check("1,a,", "column `price`: an empty field is not a number");
        check("NaN,a,1", "column `at`: `NaN` is not an integer");
        check("1,a,one", "column `price`: `one` is not a number");
        check(
            "1,\"a,1",
            "a quoted field does not end on its line: if it goes on on the next, set multiline",
        );
    }

    #[test]
    fn malformed_rows_are_skipped_and_counted() {
        let rows = format!("{HEADER}x\n1,a,1\n1,\"a,1\n2,b,2\n,,\n");
        assert_eq!(trades(rows).unwrap(), (vec![trade(1, "a", 1.0), trade(2, "b", 2.0)], 3));
    }

    #[test]
    fn nan_is_a_price() {
        let (found, malformed) = trades(format!("{HEADER}1,a,NaN\n2,b,-inf\n")).unwrap();
        assert!(found[0].price.is_nan());
        assert_eq!((found[1].price, malformed), (f64::NEG_INFINITY, 0));
    }

    #[test]
    fn invalid_text_is_malformed() {
        let rows = [HEADER.as_bytes(), b"1,a\xff,1\n2,b,2\n"].concat();
        assert_eq!(trades(&rows).unwrap(), (vec![trade(2, "b", 2.0)], 1));
        assert!(stopped(&rows).contains("line 2, byte 16: column `symbol`:"));
        let folder = folder();
        let path = file(folder.path(), "t", b"ok\nabc\xff\nok\n");
        let found = read(&text(&path).on_malformed(OnMalformed::Skip), 1).unwrap();
        assert_eq!(found, (vec!["ok".to_owned(), "ok".to_owned()], 1));
        let error = error(read(&text(&path), 1)).to_string();
        assert!(error.ends_with("line 2, byte 3: invalid UTF-8 at byte 3 of the line"), "{error}");
    }

    #[test]
    fn a_line_may_have_the_longest_length_and_no_more() {
        let folder = folder();
        for end in ["", "\n"] {
            let long = "x".repeat(101);
            let path =
                file(folder.path(), "t", format!("a\n{}\n{long}\nb\n{long}{end}", &long[1..]));
            for (chunk, lanes) in [(7, 1), (64, 2), (1000, 3)] {
                let source = text(&path).longest_line(100).chunk(chunk).stride(20);
                let skipping = source.clone().on_malformed(OnMalformed::Skip);
                let (mut found, malformed) = read(&skipping, lanes).unwrap();
                found.sort();
                assert_eq!(found, ["a", "b", &long[1..]], "{chunk} {lanes}");
                assert_eq!(malformed, 2);
                let error = error(read(&source, 1)).to_string();
                assert!(error.contains("line 3, byte 103: a line is longer than 100"), "{error}");
            }
        }
    }

    #[test]
    fn a_header_may_have_the_longest_length_and_no_more() {
        let folder = folder();
        let path = file(folder.path(), "t.csv", format!("\u{feff}{HEADER}1,a,1\n"));
        assert_eq!(read(&csv::<Trade>(&path).longest_line(15), 1).unwrap().0.len(), 1);
        let error = error(read(&csv::<Trade>(&path).longest_line(5), 1));
        assert!(format!("{error:#}").contains("t.csv: the first line is longer than 5 bytes"));
    }

    #[test]
    fn a_restart_while_a_long_line_is_dropped_loses_and_repeats_none() {
        let folder = folder();
        let path = file(folder.path(), "t", format!("a\n{}\nb\nc\n", "x".repeat(60)));
        for chunk in 1..12 {
            let source = text(&path).longest_line(10).chunk(chunk);
            let source = source.on_malformed(OnMalformed::Skip);
            let mut reader = source.open(&path, None, Arc::new(|| ())).unwrap();
            let mut before = Vec::new();
            loop {
                let (after, _) = drain(&source, &path, Some(&reader.position()), 1).unwrap();
                assert_eq!([before.clone(), after].concat(), ["a", "b", "c"], "{chunk}");
                if reader.poll(1, &mut before).unwrap() == Polled::Ended {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_bad_header_is_an_error_whatever_the_policy() {
        let check = |bytes: &str, words: &str| {
            let error = error(trades(bytes));
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert!(error.to_string().contains("trades.csv"), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        };
        check("at,price\n1,2\n", "has no column `symbol`; its columns are at, price");
        check("at,symbol,at,price\n1,a,1,1\n", "the header has the column `at` twice");
        check("\nat,symbol,price\n", "the header is an empty line");
        check("at,\"symbol\n", "a quoted name in the header does not end");
    }

    #[test]
    fn a_dead_letter_keeps_the_raw_line_and_the_reason() {
        let folder = folder();
        let dead = folder.path().join("dead.jsonl");
        let bytes = [HEADER.as_bytes(), b"1,a,1\n1,\"a\r\nx,\xff,1\n2,b,2\n"].concat();
        let path = file(folder.path(), "t.csv", bytes);
        let source = csv::<Trade>(&path).on_malformed(OnMalformed::DeadLetter(dead.clone()));
        let (found, malformed) = read(&source, 1).unwrap();
        assert_eq!((found.len(), malformed), (2, 2));
        let letters = fs::read_to_string(&dead).unwrap();
        let letters: Vec<serde_json::Value> =
            letters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(letters.len(), 2);
        assert_eq!(letters[0]["file"], path.as_str());
        assert_eq!(letters[0]["byte"], 22);
        assert_eq!(letters[0]["raw"], "1,\"a");
        assert!(letters[0]["reason"].as_str().unwrap().contains("quoted field"));
        assert_eq!(letters[1]["bytes"], serde_json::json!(b"x,\xff,1"));
    }

    #[test]
    fn a_dead_letter_file_that_cannot_be_written_is_an_error_and_the_row_is_kept() {
        let folder = folder();
        let path = file(folder.path(), "t.csv", format!("{HEADER}1,a,1\nx\n"));
        let dead = folder.path().join("no/such/folder");
        let source = csv::<Trade>(&path).on_malformed(OnMalformed::DeadLetter(dead));
        let mut reader = source.open(&path, None, Arc::new(|| ())).unwrap();
        let mut records = Vec::new();
        for _ in 0..2 {
            let error = loop {
                match reader.poll(9, &mut records) {
                    Ok(Polled::Ended) => panic!("the malformed row vanished"),
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::Write);
        }
        assert_eq!(records.len(), 1);
    }

    #[test]
    fn malformed_json_says_where() {
        let folder = folder();
        let path = file(folder.path(), "t", "{\"a\":1}\n{\"a\":}\n\n[NaN]\n{} x\n7\n");
        let error = error(read(&jsonl::<serde_json::Value>(&path), 1)).to_string();
        assert!(error.ends_with("line 2, byte 8: expected value at column 6"), "{error}");
        let source = jsonl::<serde_json::Value>(&path).on_malformed(OnMalformed::Skip);
        let (found, malformed) = read(&source, 1).unwrap();
        assert_eq!((found.len(), malformed), (2, 3));
    }

    #[test]
    fn a_saved_position_that_is_none_is_refused() {
        let folder = folder();
        let path = file(folder.path(), "t", "a\n");
        let error = error(text(&path).open(&path, Some(&[7, 7]), Arc::new(|| ())));
        assert_eq!(error.kind(), ErrorKind::State);
    }
}

mod records {
    use super::*;
    use std::collections::BTreeMap;

    fn check<T>(
        source: impl FnOnce(&str) -> Files<crate::connect::CsvInput<T>>,
        bytes: &str,
        to: &[T],
    ) where
        T: serde::de::DeserializeOwned + PartialEq + std::fmt::Debug + 'static,
    {
        let folder = folder();
        let path = file(folder.path(), "t.csv", bytes);
        let (found, _) = read(&source(&path), 1).unwrap();
        assert_eq!(found, to, "{bytes:?}");
    }

    #[test]
    fn settings_change_what_a_row_is() {
        type Pair = (i64, String);
        let pair = |a, b: &str| (a, b.to_owned());
        check::<Pair>(|p| csv(p), "x,y\n1,a\n", &[pair(1, "a")]);
        check::<Pair>(|p| csv(p).no_header(), "1,a\n2,b\n", &[pair(1, "a"), pair(2, "b")]);
        check::<Pair>(|p| csv(p).delimiter(b'\t'), "x\ty\n1\ta,\n", &[pair(1, "a,")]);
        check::<Pair>(|p| csv(p).quote(b'\''), "x,y\n1,'a,''\"'\n", &[pair(1, "a,'\"")]);
        check::<Pair>(|p| csv(p).no_quotes(), "x,y\n1,\"a\n", &[pair(1, "\"a")]);
        check::<Pair>(|p| csv(p).trim(), " x , y \n 1 ,\ta \n", &[pair(1, "a")]);
        check::<String>(|p| csv(p), "x\na\n", &["a".to_owned()]);
        check::<Vec<u8>>(|p| csv(p).no_header(), "1,2\n3,4\n", &[vec![1, 2], vec![3, 4]]);
    }

    #[test]
    fn fields_are_found_by_name_and_absent_ones_are_none() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Row {
            b: Option<i64>,
            a: u8,
            c: Option<String>,
        }
        let row = |b, a| Row { b, a, c: None };
        check(
            |p| csv(p).absent("NA"),
            "a,b\n1,2\n3,\n4,NA\n",
            &[row(Some(2), 1), row(None, 3), row(None, 4)],
        );
        check(|p| csv(p).no_header(), "2,1,\n", &[row(Some(2), 1)]);
    }

    #[test]
    fn aliases_defaults_and_flattened_fields_are_found_by_name() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Row {
            #[serde(alias = "first", alias = "zeroth")]
            a: u8,
            #[serde(default)]
            b: u8,
            #[serde(skip)]
            unread: u8,
            c: u8,
        }
        let row = |a, b, c| Row { a, b, unread: 0, c };
        check(|p| csv(p), "c,first\n1,2\n3,4\n", &[row(2, 0, 1), row(4, 0, 3)]);
        check(|p| csv(p), "c,a,b\n1,2,3\n", &[row(2, 3, 1)]);
        #[derive(Debug, PartialEq, Deserialize)]
        struct Optional {
            #[serde(alias = "x")]
            a: Option<u8>,
            b: Option<u8>,
        }
        check(|p| csv(p), "x,b\n1,2\n", &[Optional { a: Some(1), b: Some(2) }]);
        #[derive(Debug, PartialEq, Deserialize)]
        struct Flat {
            a: u8,
            #[serde(flatten)]
            rest: BTreeMap<String, String>,
        }
        let rest = BTreeMap::from([("b".to_owned(), "x".to_owned())]);
        check(|p| csv(p), "a,b\n1,x\n", &[Flat { a: 1, rest: rest.clone() }]);
        check(|p| csv(p), "b\nx\n", &[rest]);
    }

    #[test]
    fn a_struct_without_aliases_is_read_in_order_from_a_shuffled_header() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Row {
            a: i64,
            b: i64,
            c: i64,
        }
        check(
            |p| csv(p),
            "c,x,a,b\n3,0,1,2\n6,0,4,5\n",
            &[Row { a: 1, b: 2, c: 3 }, Row { a: 4, b: 5, c: 6 }],
        );
    }

    #[test]
    fn quoted_fields_may_span_lines_if_said_so() {
        let bytes = "x,y\n1,\"a\n\nb\"\n2,c\n\n3,\"\"\"\r\n\"\r\n4,d";
        let expected =
            [(1, "a\n\nb"), (2, "c"), (3, "\"\r\n"), (4, "d")].map(|(x, y)| (x, y.to_owned()));
        let folder = folder();
        let path = file(folder.path(), "t.csv", bytes);
        for chunk in (1..40).chain([1000]) {
            let source = csv::<(i64, String)>(&path).multiline().chunk(chunk).stride(1);
            assert_eq!(source.partitions(3).unwrap().len(), 1);
            assert_eq!(drain(&source, &path, None, 100).unwrap().0, expected, "{chunk}");
            let mut reader = source.open(&path, None, Arc::new(|| ())).unwrap();
            let mut before = Vec::new();
            loop {
                let position = reader.position();
                let (after, _) = drain(&source, &path, Some(&position), 1).unwrap();
                assert_eq!([before.clone(), after].concat(), expected, "{chunk}");
                if reader.poll(1, &mut before).unwrap() == Polled::Ended {
                    break;
                }
            }
        }
        let path = file(folder.path(), "u.csv", "x,y\n1,\"a\n2,b\n");
        let source = csv::<(i64, String)>(&path).multiline().on_malformed(OnMalformed::Skip);
        assert_eq!(read(&source, 1).unwrap(), (vec![(2, "b".to_owned())], 1));
    }
}

mod followed {
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
        let mut following =
            Following { reader: source.open(&path, None, Arc::new(|| ())).unwrap() };
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
}

mod real {
    use super::*;

    /// The path of a shared data file, unless it is not there.
    fn shared(name: &str) -> Option<String> {
        let path = format!("{}/../shared/data/events/{name}", env!("CARGO_MANIFEST_DIR"));
        let there = Path::new(&path).exists();
        if !there {
            println!("skipped: {name} is not here");
        }
        there.then_some(path)
    }

    #[test]
    fn a_year_of_new_york_departures_is_read() {
        #[derive(Deserialize)]
        struct Flight {
            dep_delay: Option<i32>,
            origin: String,
        }
        let Some(path) = shared("nycflights13/flights.csv.gz") else { return };
        let (flights, _) = read(&csv::<Flight>(&path).absent("NA"), 2).unwrap();
        assert_eq!(flights.len(), 336_776);
        assert_eq!(flights.iter().filter(|flight| flight.dep_delay.is_none()).count(), 8_255);
        assert_eq!(flights.iter().filter(|flight| flight.origin == "JFK").count(), 111_279);
    }

    #[test]
    fn three_million_flights_are_read() {
        #[derive(Deserialize)]
        struct Flight {
            distance: u32,
        }
        let Some(path) = shared("us-flights-3m.csv.zst") else { return };
        let (flights, _) = read(&csv::<Flight>(&path), 2).unwrap();
        assert_eq!(flights.len(), 3_000_000);
        assert!(flights.iter().all(|flight| flight.distance < 10_000));
    }

    #[test]
    fn an_hour_of_events_is_read() {
        let Some(path) = shared("gharchive-2015-01-01-0.json.gz") else { return };
        let (events, _) = read(&jsonl::<serde_json::Value>(&path), 2).unwrap();
        assert_eq!(events.len(), 7_702);
    }
}
