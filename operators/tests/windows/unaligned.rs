//! Windows that are counted, or never end.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn count_windows_take_records_as_they_come(
        run in disordered(4 * DELAY, true), count in 1..6usize,
    ) {
        let keys = arriving(&run).into_iter();
        let runs = keys.flat_map(|(key, records)| {
            let runs: Vec<_> = records.chunks_exact(count).map(|it| spanning(key, it)).collect();
            runs
        });
        let mut model: Vec<_> = runs.collect();
        model.sort();
        prop_assert_eq!(timeless(whole(&run, Count::tumbling(count as u64), 0)), model);
    }

    #[test]
    fn sliding_count_windows_keep_the_latest(
        run in disordered(4 * DELAY, true), kept in 1..6usize, every in 1..6usize,
    ) {
        let keys = arriving(&run).into_iter();
        let mut model: Vec<_> = keys.flat_map(|(key, records)| {
            let ends = (every..=records.len()).step_by(every);
            ends.map(move |end| spanning(key, &records[end.saturating_sub(kept)..end]))
        }).collect();
        model.sort();
        let given = run.go(move |stream, tap: &Tap<Given>| {
            let windows = Count::sliding(kept as u64, every as u64);
            watch(keyed(stream).window(windows).process(as_they_came), tap);
        });
        prop_assert_eq!(records(given), model);
    }

    #[test]
    fn the_global_window_fires_when_its_trigger_says(
        run in disordered(4 * DELAY, true), every in 1..6usize,
    ) {
        let keys = arriving(&run).into_iter();
        let mut model: Vec<_> = keys.flat_map(|(key, records)| {
            let ends = (every..=records.len()).step_by(every);
            ends.map(move |end| spanning(key, &records[..end]))
        }).collect();
        model.sort();
        let given = run.go(move |stream, tap: &Tap<Given>| {
            let windows = keyed(stream).window(Global).trigger(EveryRecords::new(every as u64));
            watch(windows.process(as_they_came), tap);
        });
        prop_assert_eq!(records(given), model);
    }

    #[test]
    fn the_global_window_can_fire_at_the_end_of_time(run in disordered(4 * DELAY, true)) {
        let model: Vec<_> = arriving(&run).iter().map(|(key, it)| spanning(*key, it)).collect();
        let given = run.go(move |stream, tap: &Tap<Given>| {
            let windows = keyed(stream).window(Global).trigger(AtWatermark);
            watch(windows.process(as_they_came), tap);
        });
        prop_assert_eq!(records(given), model);
    }
}
