//! Large files cut into lanes: each line once, and none lost by a restart.

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
fn restarts(source: &Files<crate::connect::TextInput>, name: &str, all: &[String], most: usize) {
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
