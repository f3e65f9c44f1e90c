//! The `windows` example, as its users run it, against a slow model of what it promises.

mod child;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tidemill::connect::Random;

use child::{Ended, example, run};

/// A row of input; times in microseconds.
#[derive(Clone, Debug)]
struct Event {
    at: i64,
    key: String,
    /// In quarters, and whether it is written as a decimal.
    value: (i64, bool),
    line: String,
}

/// Windows, with times in microseconds.
#[derive(Clone, Copy, Debug)]
enum Windows {
    /// Tumbling windows are those that slide by their size.
    Sliding {
        size: i64,
        slide: i64,
        offset: i64,
    },
    Cumulative {
        size: i64,
        step: i64,
        offset: i64,
    },
    Session {
        gap: i64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Case {
    windows: Windows,
    disorder: i64,
    lateness: i64,
}

const HEADER: &str = "id,at,key,value";

/// One window of one key in the model: `[start, end)`.
#[derive(Clone, Debug)]
struct Open {
    start: i64,
    end: i64,
    values: Vec<(i64, bool)>,
    fired: bool,
}

/// What comes out: rows of windows and late lines, both sorted.
type Answer = (Vec<String>, Vec<String>);

/// The definition, record by record, each an epoch of its own.
fn model(case: Case, events: &[Event]) -> Answer {
    let mut open = BTreeMap::<String, Vec<Open>>::new();
    let (mut rows, mut late) = (Vec::new(), Vec::new());
    let (mut watermark, mut greatest) = (i64::MIN, i64::MIN);
    for event in events {
        let of_key = open.entry(event.key.clone()).or_default();
        let mut taken = false;
        for (start, end) in windows_of(case.windows, event.at) {
            taken |= take(case, watermark, of_key, event, (start, end), &mut rows);
        }
        if !taken {
            late.push(event.line.clone());
        }
        greatest = greatest.max(event.at);
        watermark = watermark.max(greatest - case.disorder - 1);
        advance(case, watermark, &mut open, &mut rows);
    }
    advance(case, i64::MAX, &mut open, &mut rows);
    rows.sort();
    late.sort();
    (rows, late)
}

fn windows_of(windows: Windows, at: i64) -> Vec<(i64, i64)> {
    match windows {
        Windows::Sliding { size, slide, offset } => {
            let last = at - (at - offset).rem_euclid(slide);
            let starts = (0..).map(|n| last - n * slide).take_while(|start| at - start < size);
            starts.map(|start| (start, start + size)).collect()
        }
        Windows::Cumulative { size, step, offset } => {
            let start = at - (at - offset).rem_euclid(size);
            let ends = (1..=size / step).map(|n| start + n * step);
            ends.filter(|end| at < *end).map(|end| (start, end)).collect()
        }
        Windows::Session { gap } => vec![(at, at + gap)],
    }
}

/// Puts an event into a window, unless it is too late for that.
fn take(
    case: Case,
    watermark: i64,
    open: &mut Vec<Open>,
    event: &Event,
    (mut start, mut end): (i64, i64),
    rows: &mut Vec<String>,
) -> bool {
    let session = matches!(case.windows, Windows::Session { .. });
    let (joined, rest) = std::mem::take(open).into_iter().partition::<Vec<_>, _>(|it| {
        let touches = it.start <= end && start <= it.end;
        if session { touches } else { (it.start, it.end) == (start, end) }
    });
    *open = rest;
    for it in &joined {
        (start, end) = (start.min(it.start), end.max(it.end));
    }
    if end - 1 + case.lateness <= watermark {
        open.extend(joined);
        return false;
    }
    let mut values: Vec<_> = joined.into_iter().flat_map(|it| it.values).collect();
    values.push(event.value);
    let fired = end - 1 <= watermark;
    let window = Open { start, end, values, fired };
    if fired {
        rows.push(row(&event.key, &window));
    }
    open.push(window);
    true
}

fn advance(
    case: Case,
    watermark: i64,
    open: &mut BTreeMap<String, Vec<Open>>,
    rows: &mut Vec<String>,
) {
    for (key, windows) in open {
        for window in windows.iter_mut().filter(|it| !it.fired && it.end - 1 <= watermark) {
            window.fired = true;
            rows.push(row(key, window));
        }
        windows.retain(|it| it.end - 1 + case.lateness > watermark);
    }
}

fn row(key: &str, window: &Open) -> String {
    let key = if key.contains(['"', ',']) {
        format!("\"{}\"", key.replace('"', "\"\""))
    } else {
        key.into()
    };
    let sum = window.values.iter().fold((0, false), |sum, it| (sum.0 + it.0, sum.1 | it.1));
    let least = window.values.iter().min().expect("a window has a record");
    let greatest = window.values.iter().max().expect("a window has a record");
    let (start, end) = (window.start.div_euclid(1_000), window.end.div_euclid(1_000));
    let [sum, least, greatest] = [&sum, least, greatest].map(number);
    format!("{key},{start},{end},{},{sum},{least},{greatest}", window.values.len())
}

fn number((quarters, decimal): &(i64, bool)) -> String {
    if *decimal { format!("{:?}", *quarters as f64 / 4.0) } else { (quarters / 4).to_string() }
}

/// Events in rough order, around 1970.
fn events(random: &mut Random, count: u64, spread: i64) -> Vec<Event> {
    let keys = ["a", "b", "", "x,y", "\"", "Zürich", "a key that is longer than most of them are"];
    let event = |id: u64| {
        let at = (id as i64 - count as i64 / 2) * 500 - random.below(spread as u64) as i64;
        // Many at full seconds, so that windows and gaps are met exactly.
        let at = if random.below(2) == 0 { at.div_euclid(1_000) * 1_000 } else { at };
        let key = keys[random.below(keys.len() as u64) as usize];
        let decimal = random.below(4) == 0;
        let whole = random.below(2_000) as i64 - 1_000;
        let value = (if decimal { whole } else { 4 * whole }, decimal);
        let line = format!("{id},{at},\"{}\",{}", key.replace('"', "\"\""), number(&value));
        Event { at: at * 1_000, key: key.to_owned(), value, line }
    };
    (0..count).map(event).collect()
}

fn input(folder: &Path, lines: &[String]) -> std::path::PathBuf {
    let path = folder.join("input.csv");
    fs::write(&path, lines.join("\n")).expect("written");
    path
}

fn tool(input: &Path, output: &Path) -> Command {
    let mut tool = example("windows");
    tool.arg("--input").arg(input).arg("--output").arg(output);
    tool.args(["--at", "at", "--key", "key", "--value", "value"]);
    tool
}

fn flags(case: Case) -> Vec<String> {
    let time = |flag: &str, micros: i64| format!("--{flag}={}ms", micros / 1_000);
    let mut flags = match case.windows {
        Windows::Sliding { size, slide, offset } if size == slide => {
            vec!["--window=tumbling".into(), time("size", size), time("offset", offset)]
        }
        Windows::Sliding { size, slide, offset } => vec![
            "--window=sliding".into(),
            time("size", size),
            time("slide", slide),
            time("offset", offset),
        ],
        Windows::Cumulative { size, step, offset } => vec![
            "--window=cumulative".into(),
            time("size", size),
            time("step", step),
            time("offset", offset),
        ],
        Windows::Session { gap } => vec!["--window=session".into(), time("gap", gap)],
    };
    flags.extend([time("disorder", case.disorder), time("lateness", case.lateness)]);
    flags
}

/// The rows below the header of a file.
fn rows(file: &Path, header: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|cause| panic!("{file:?}: {cause}"));
    let mut lines = text.lines().map(str::to_owned);
    assert_eq!(lines.next().as_deref(), Some(header), "{file:?}");
    let mut rows: Vec<_> = lines.collect();
    rows.sort();
    rows
}

fn answer(output: &Path) -> Answer {
    let panes = rows(&output.join("windows.csv"), "key,start_ms,end_ms,count,sum,min,max");
    (panes, rows(&output.join("late.csv"), HEADER))
}

/// Runs the tool over events and compares what it writes with the model.
fn check(case: Case, events: &[Event], more: &[&str], context: &str) -> Answer {
    let folder = TempDir::new().expect("a folder");
    let mut lines = vec![HEADER.to_owned()];
    lines.extend(events.iter().map(|it| it.line.clone()));
    let (input, output) = (input(folder.path(), &lines), folder.path().join("out"));
    run(tool(&input, &output).args(flags(case)).args(more)).well();
    let expected = model(case, events);
    assert_eq!(answer(&output), expected, "{case:?} {more:?} {context}");
    expected
}

fn cases(random: &mut Random) -> [Case; 5] {
    let ms = |random: &mut Random, most: u64| 1_000 * (1 + random.below(most) as i64);
    let offset = 1_000 * (random.below(20_000) as i64 - 10_000);
    let (size, slide) = (ms(random, 10) * 1_000, ms(random, 10) * 1_000);
    let (step, steps) = (ms(random, 5_000), 1 + random.below(4) as i64);
    let windows = [
        Windows::Sliding { size, slide: size, offset },
        Windows::Sliding { size, slide, offset },
        Windows::Sliding { size: 3 * slide, slide, offset },
        Windows::Cumulative { size: steps * step, step, offset },
        Windows::Session { gap: ms(random, 8) * 500 },
    ];
    let disorder = 1_000 * random.below(3_000) as i64;
    let lateness = if random.below(2) == 0 { 0 } else { ms(random, 6_000) };
    windows.map(|windows| Case { windows, disorder, lateness })
}

#[test]
fn record_by_record_it_agrees_with_the_definition() {
    let mut seen = (0, 0);
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let events = events(&mut random, 80, 8_000);
        for case in cases(&mut random) {
            let workers = ["1", "2"][seed as usize % 2];
            let more = ["--epoch-rows", "1", "-w", workers];
            let (rows, late) = check(case, &events, &more, &format!("seed {seed}"));
            seen = (seen.0 + rows.len(), seen.1 + late.len());
        }
    }
    assert!(seen.0 > 1_000 && seen.1 > 200, "the cases say little: {seen:?}");
}

#[test]
fn nothing_is_late_within_the_disorder_however_many_workers_and_epochs() {
    for seed in 100..106 {
        let mut random = Random::new(seed);
        let events = events(&mut random, 500, 30_000);
        for case in cases(&mut random) {
            let case = Case { disorder: 40_000_000, ..case };
            let workers = ["1", "2", "4"][seed as usize % 3];
            let rows = ["1000", "1", "7"][seed as usize / 2 % 3];
            let more = ["--epoch-rows", rows, "-w", workers];
            check(case, &events, &more, &format!("seed {seed}"));
        }
    }
}

/// Runs the tool over `text`.
fn over(text: &[u8], more: &[&str]) -> (Ended, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("input.csv");
    fs::write(&path, text).expect("written");
    let windows = if more.iter().any(|it| it.starts_with("--window")) {
        vec![]
    } else {
        vec!["--window=tumbling", "--size=10s"]
    };
    let ended = run(tool(&path, &folder.path().join("out")).args(windows).args(more));
    (ended, folder)
}

/// What the tool writes for `text`.
fn written(text: &str, more: &[&str]) -> Vec<String> {
    let (ended, folder) = over(text.as_bytes(), more);
    ended.well();
    rows(&folder.path().join("out/windows.csv"), "key,start_ms,end_ms,count,sum,min,max")
}

#[test]
fn empty_results_still_have_a_header() {
    for text in ["", "at,key,value", "at,key,value\n", "\u{feff}at,key,value\r\n"] {
        assert_eq!(written(text, &[]), [""; 0]);
    }
}

#[test]
fn integers_are_summed_exactly_and_decimals_are_floats() {
    let most = i64::MAX;
    let text = format!("key,value,at\na,{most},0\na,{most},1\nb,-0.5,2\nb,1e3,3\nc,-7,4\n");
    let sum = 2 * i128::from(most);
    let expected = [
        format!("a,0,10000,2,{sum},{most},{most}"),
        "b,0,10000,2,999.5,-0.5,1000.0".to_owned(),
        "c,0,10000,1,-7,-7,-7".to_owned(),
    ];
    assert_eq!(written(&text, &[]), expected);
}

#[test]
fn times_are_understood_in_every_unit() {
    let rows =
        |at: &str, unit| written(&format!("at,key,value\n{at},a,1\n"), &["--time-unit", unit]);
    assert_eq!(rows("-1", "s"), ["a,-10000,0,1,1,1,1"]);
    assert_eq!(rows("-10001", "ms"), ["a,-20000,-10000,1,1,1,1"]);
    assert_eq!(rows("9999999", "us"), ["a,0,10000,1,1,1,1"]);
    assert_eq!(rows("1970-01-01T00:00:10Z", "rfc3339"), ["a,10000,20000,1,1,1,1"]);
    assert_eq!(rows("1969-12-31T23:59:59.9999999Z", "rfc3339"), ["a,-10000,0,1,1,1,1"]);
    assert_eq!(rows("1970-01-01T08:00:09.5+08:00", "rfc3339"), ["a,0,10000,1,1,1,1"]);
}

#[test]
fn offsets_move_windows_either_way() {
    let day = ["--window=tumbling", "--size=1day"];
    let rows = |offset| written("at,key,value\n0,a,1\n", &[day[0], day[1], "--offset", offset]);
    assert_eq!(rows("-8h"), ["a,-28800000,57600000,1,1,1,1"]);
    assert_eq!(rows("8h"), ["a,-57600000,28800000,1,1,1,1"]);
    assert_eq!(rows("0s"), ["a,0,86400000,1,1,1,1"]);
}

#[test]
fn sessions_a_gap_apart_are_one() {
    let session = ["--window=session", "--gap=3s"];
    let text = "at,key,value\n0,a,1\n3000,a,2\n6001,a,4\n12000,a,8\n9000,a,16\n";
    let expected = ["a,0,6000,2,3,1,2", "a,6001,15000,3,28,4,16"];
    assert_eq!(written(text, &session), expected);
}

#[test]
fn malformed_rows_follow_the_policy() {
    let text = "at,key,value\n0,a,1\n5,a,x\n,a,1\n7,a\n8,a,\n9,a,NaN\n1e3,a,1\n6,\"a,1\n\n4,a,2";
    let reasons = [
        ("5,a,x", "column `value` is `x`, not a number"),
        (",a,1", "column `at` is empty"),
        ("7,a", "the row has 2 columns instead of 3"),
        ("8,a,", "column `value` is empty"),
        ("9,a,NaN", "column `value` is `NaN`, not a finite number"),
        ("1e3,a,1", "column `at` is `1e3`, not a whole number of milliseconds that fits"),
        ("6,\"a,1", "a quoted field does not end on its line"),
    ];
    let said = over(text.as_bytes(), &[]).0.badly();
    assert!(said.contains(&format!("input.csv, line 3, byte 19: {}", reasons[0].1)), "{said}");

    let (ended, folder) = over(text.as_bytes(), &["--on-malformed=skip"]);
    assert!(ended.well().err.contains("7 malformed"));
    let file = folder.path().join("out/windows.csv");
    assert!(fs::read_to_string(file).expect("text").ends_with("a,0,10000,2,3,1,2\n"));

    let (ended, folder) = over(text.as_bytes(), &["--on-malformed=dead-letter"]);
    assert!(ended.well().err.contains("7 malformed"));
    let letters = fs::read_to_string(folder.path().join("out/dead-letter.jsonl")).expect("text");
    let letters = letters.lines().map(|it| serde_json::from_str(it).expect("JSON"));
    let letters: Vec<serde_json::Value> = letters.collect();
    assert_eq!(letters.len(), reasons.len());
    for (letter, (raw, reason)) in letters.iter().zip(reasons) {
        assert_eq!((letter["raw"].as_str(), letter["reason"].as_str()), (Some(raw), Some(reason)));
    }
}

#[test]
fn bytes_that_are_not_text_matter_in_the_key_alone() {
    let text = b"at,key,value,note\n0,a,1,\xff\n0,\xff,1,b\n";
    let (ended, folder) = over(text, &["--on-malformed=dead-letter", "--offset=1ms"]);
    ended.well();
    let letters = fs::read_to_string(folder.path().join("out/dead-letter.jsonl")).expect("text");
    assert!(letters.contains("not UTF-8") && letters.lines().count() == 1, "{letters}");
}

#[test]
fn late_records_come_out_byte_for_byte() {
    let text = b"\xef\xbb\xbfat,\"key\",value\r\n99000,a,1\r\n1,\"a\",+1\r\n99000,a,1";
    let (ended, folder) = over(text, &["--epoch-rows=1"]);
    assert!(ended.well().err.contains("1 late"));
    let late = fs::read(folder.path().join("out/late.csv")).expect("late records");
    assert_eq!(late, b"at,\"key\",value\n1,\"a\",+1\n");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let text = b"at,key,value\n0,a,1\n";
    for (more, name) in [
        (&["--window=tumbling"][..], "--size"),
        (&["--window=tumbling", "--size=1s", "--gap=1s"], "--gap"),
        (&["--window=tumbling", "--size=1s", "--slide=1s"], "--slide"),
        (&["--window=tumbling", "--size=0s"], "size of a tumbling window"),
        (&["--window=tumbling", "--size=1"], "--size"),
        (&["--window=tumbling", "--size=1us"], "milliseconds"),
        (&["--window=sliding", "--size=1s"], "--slide"),
        (&["--window=session", "--size=1s"], "--size"),
        (&["--window=session", "--gap=1s", "--offset=1s"], "--offset"),
        (&["--window=session"], "--gap"),
        (&["--window=cumulative", "--size=10s", "--step=3s"], "multiple of its step"),
        (&["--window=hopping"], "hopping"),
        (&["--at=when"], "--at"),
        (&["-w", "0"], "-w/--threads"),
        (&["-n", "2", "-p", "2"], "-p/--process"),
    ] {
        let (ended, folder) = over(text, more);
        let said = ended.badly();
        assert!(said.contains(name), "{more:?}: {said}");
        assert!(!folder.path().join("out/windows.csv").exists());
    }
}

#[test]
fn a_column_that_is_not_there_is_named_with_those_that_are() {
    for (header, complaint) in [
        ("at,value", "has no column `key`; its columns are at, value"),
        ("key,at,value,key", "has twice the column `key`; its columns are key, at, value, key"),
    ] {
        let said = over(header.as_bytes(), &[]).0.badly();
        assert!(said.contains("input.csv") && said.contains(complaint), "{said}");
    }
}

#[test]
fn several_files_are_one_input_if_their_headers_agree() {
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path
    };
    let one = file("one.csv", "at,key,value\n0,a,1\n");
    let (two, other) =
        (file("two.csv", "at,key,value\r\n5,a,2"), file("other.csv", "key,at,value\n"));
    let output = folder.path().join("out");
    let sized = ["--window=tumbling", "--size=10s", "-w=2"];
    run(tool(&one, &output).arg("--input").arg(&two).args(sized)).well();
    assert_eq!(answer_of(&output), ["a,0,10000,2,3,1,2"]);
    let said = run(tool(&one, &output).arg("--input").arg(&other).args(sized)).badly();
    assert!(said.contains("another header than"), "{said}");
    // What a run before it wrote is still there.
    assert_eq!(answer_of(&output), ["a,0,10000,2,3,1,2"]);
}

fn answer_of(output: &Path) -> Vec<String> {
    rows(&output.join("windows.csv"), "key,start_ms,end_ms,count,sum,min,max")
}

#[test]
fn explaining_touches_nothing() {
    let folder = TempDir::new().expect("a folder");
    let (missing, output) = (folder.path().join("missing.csv"), folder.path().join("out"));
    let explain = |more: &[&str]| {
        let sized = ["--window=session", "--gap=10s", "--explain"];
        run(tool(&missing, &output).args(sized).args(more)).well().out
    };
    assert!(explain(&[]).contains("windows.csv"));
    assert!(explain(&["dot"]).starts_with("digraph"));
    assert!(!output.exists());
}
