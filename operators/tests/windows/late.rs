//! Windows of records that come too late, against the history record by record.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sums_of_sliding_windows_lose_what_leaves_them(
        run in disordered(4 * DELAY, true), size in 1..20i64, slide in 1..20i64,
    ) {
        let sum = |(epoch, given)| {
            let Given::Pane((key, first, last, records)) = given else { return None };
            let sum: i64 = records.iter().map(|it: &Held| it.1).sum();
            Some((epoch, (key, first, last, records.len() as u64, sum)))
        };
        let model = followed(&run, 0, |at| sliding(at, size, slide, 0));
        let mut model: Vec<_> = model.into_iter().filter_map(sum).collect();
        model.sort();
        let given = run.go(move |stream, tap: &Tap<(u8, i64, i64, u64, i64)>| {
            let windows = keyed(stream).window(Sliding::new(lasting(size), lasting(slide)));
            let sums = windows.aggregate((Number, Sum::of(|it: &Held| it.1)));
            tap.watch(sums.values().map(|it| {
                let (first, last) = (it.span.start().micros(), it.span.last().micros());
                (it.key, first, last, it.value.0, it.value.1)
            }));
        });
        prop_assert_eq!(by_epoch(given), model);
    }

    #[test]
    fn tumbling_windows_with_late_records(
        run in disordered(4 * DELAY, true), size in 1..15i64, lateness in 0..20i64, strict: bool,
    ) {
        let lateness = if strict { 0 } else { lateness };
        let model = followed(&run, lateness, |at| vec![tumbling(at, size, 0)]);
        let windows = Tumbling::new(lasting(size));
        prop_assert_eq!(&whole(&run, windows, lateness), &model);
        prop_assert_eq!(folded(&run, windows, lateness), sorted(model));
    }

    #[test]
    fn sliding_windows_with_late_records(
        run in disordered(4 * DELAY, true), size in 1..15i64, slide in 1..18i64,
        lateness in 0..20i64, strict: bool,
    ) {
        let lateness = if strict { 0 } else { lateness };
        let model = followed(&run, lateness, |at| sliding(at, size, slide, 0));
        let windows = Sliding::new(lasting(size), lasting(slide));
        prop_assert_eq!(&whole(&run, windows, lateness), &model);
        prop_assert_eq!(folded(&run, windows, lateness), sorted(model));
    }

    #[test]
    fn cumulative_windows_with_late_records(
        run in disordered(4 * DELAY, true), step in 1..8i64, steps in 1..4i64,
        lateness in 0..20i64, strict: bool,
    ) {
        let lateness = if strict { 0 } else { lateness };
        let model = followed(&run, lateness, |at| cumulative(at, step, steps, 0));
        let windows = Cumulative::new(lasting(step * steps), lasting(step));
        prop_assert_eq!(&whole(&run, windows, lateness), &model);
        prop_assert_eq!(folded(&run, windows, lateness), sorted(model));
    }

    #[test]
    fn sessions_with_late_records(
        run in disordered(4 * DELAY, true), gap in 1..12i64, lateness in 0..20i64,
    ) {
        let model = followed_sessions(&run, lateness, |_| gap);
        let windows = Session::gap(lasting(gap));
        prop_assert_eq!(&sorted(whole(&run, windows, lateness)), &model);
        prop_assert_eq!(folded(&run, windows, lateness), model);
    }

    #[test]
    fn sessions_of_each_record_with_late_records(
        run in disordered(4 * DELAY, true), lateness in 0..20i64,
    ) {
        let model = followed_sessions(&run, lateness, |value| 1 + 2 * value);
        let windows = Session::gap_by(|it: &Held| lasting(1 + 2 * it.1));
        prop_assert_eq!(folded(&run, windows, lateness), model);
    }
}
