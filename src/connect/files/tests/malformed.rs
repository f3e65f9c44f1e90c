//! What cannot be understood: stopped at, skipped or put aside, and never lost.

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
        let path = file(folder.path(), "t", format!("a\n{}\n{long}\nb\n{long}{end}", &long[1..]));
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
