//! Count windows and the global window.

use proptest::prelude::*;
use tidemill_operators::window::contents::Evicting;
use tidemill_operators::window::trigger::{AtWatermark, EveryRecords, Never};
use tidemill_operators::window::{Assign, Count, General, Global};

use crate::harness::Step::{Record, Watermark};
use crate::harness::{Given, Outcome, Records, Step, arrivals, check, lasting, run, scripts};

/// The records of each key with their steps.
fn by_key(script: &[Step]) -> Vec<(u8, Vec<(usize, (i64, i64))>)> {
    let records = |key| {
        let record = |(index, step): (usize, &Step)| match *step {
            Record(at, of, value) if of == key => Some((index, (at, value))),
            _ => None,
        };
        script.iter().enumerate().filter_map(record).collect()
    };
    (0..3).map(|key| (key, records(key))).collect()
}

/// The pane that spans exactly these records and is given at the last one's step.
fn spanning(key: u8, records: &[(usize, (i64, i64))]) -> Given<Records> {
    let times = || records.iter().map(|it| it.1.0);
    let (first, last) = (times().min().expect("some"), times().max().expect("some"));
    let step = records[records.len() - 1].0;
    (step, key, first, last, records.iter().map(|it| it.1).collect())
}

fn expected(mut panes: Vec<Given<Records>>) -> Outcome<Records> {
    panes.sort();
    Outcome { panes, late: Vec::new() }
}

proptest! {
    #[test]
    fn tumbling_count_windows_are_chunks(script in scripts(15, 0..9), count in 1..6u64) {
        let count_of = count as usize;
        let chunks = by_key(&script).into_iter().flat_map(|(key, records)| {
            let full = records.chunks_exact(count_of).map(|it| spanning(key, it));
            full.collect::<Vec<_>>()
        });
        let model = expected(chunks.collect());
        let make = || {
            let assign = Count::tumbling(count);
            let trigger = Assign::<i64>::trigger(&assign);
            General::new(assign, trigger, lasting(0), arrivals()).expect("it may be built")
        };
        check(make, &script, &model);
        let open = by_key(&script).iter().filter(|it| it.1.len() % count_of != 0).count();
        prop_assert_eq!(run(make, &script).1, open, "only incomplete runs are kept");
    }

    #[test]
    fn sliding_count_windows_are_the_latest_records(
        script in scripts(15, 0..9), count in 1..7usize, every in 1..6usize,
    ) {
        let latest = by_key(&script).into_iter().flat_map(|(key, records)| {
            let ends = (every..=records.len()).step_by(every);
            let latest = ends.map(|end| &records[end.saturating_sub(count)..end]);
            latest.map(|it| spanning(key, it)).collect::<Vec<_>>()
        });
        let model = expected(latest.collect());
        let make = || {
            let assign = Count::sliding(count as u64, every as u64);
            let newest = Assign::<i64>::keeps(&assign).expect("a number of records");
            let contents = Evicting(newest, arrivals());
            let trigger = Assign::<i64>::trigger(&assign);
            General::new(assign, trigger, lasting(0), contents).expect("it may be built")
        };
        check(make, &script, &model);
    }

    #[test]
    fn a_global_window_holds_all_records_so_far(script in scripts(15, 0..9), every in 1..6usize) {
        let so_far = by_key(&script).into_iter().flat_map(|(key, records)| {
            let ends = (every..=records.len()).step_by(every);
            ends.map(|end| spanning(key, &records[..end])).collect::<Vec<_>>()
        });
        let model = expected(so_far.collect());
        let make = || {
            let trigger = EveryRecords::new(every as u64);
            General::new(Global, trigger, lasting(0), arrivals()).expect("it may be built")
        };
        check(make, &script, &model);
    }
}

#[test]
fn a_global_window_without_a_trigger_gives_nothing() {
    let make = || General::new(Global, Never, lasting(0), arrivals()).expect("it may be built");
    let script = [Record(1, 0, 1), Watermark(i64::MAX)];
    assert_eq!(run(make, &script).0, Outcome { panes: vec![], late: vec![] });
}

#[test]
fn a_global_window_at_the_watermark_fires_at_the_end_of_the_stream() {
    let make =
        || General::new(Global, AtWatermark, lasting(0), arrivals()).expect("it may be built");
    let script = [Record(7, 0, 1), Record(-3, 0, 2), Watermark(50), Watermark(i64::MAX)];
    assert_eq!(run(make, &script).0.panes, [(3, 0, -3, 7, vec![(7, 1), (-3, 2)])]);
}

#[test]
fn no_record_is_late_for_a_count_window() {
    let assign = Count::tumbling(2);
    let trigger = Assign::<i64>::trigger(&assign);
    let make = || General::new(assign, trigger, lasting(0), arrivals()).expect("it may be built");
    let script = [Record(7, 0, 1), Watermark(50), Record(3, 0, 2)];
    let (outcome, left) = run(make, &script);
    assert_eq!(
        (outcome.panes, outcome.late, left),
        (vec![(2, 0, 3, 7, vec![(7, 1), (3, 2)])], vec![], 0)
    );
}
