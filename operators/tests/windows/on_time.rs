//! Windows of records that come within the declared disorder, against the whole input.

use super::*;

/// Sessions are those of the whole input. Only if a record comes right at the end of one that the
/// watermark has just ended, they are those of the history record by record.
#[track_caller]
fn check(run: &Run<Record>, given: Vec<(Epoch, Given)>, gap: impl Fn(i64) -> i64) {
    let given = timeless(given);
    if given == sessions(run, &gap) {
        return;
    }
    let records = Vec::from_iter(all(run));
    let at_an_end = records.iter().any(|&(at, key, value)| {
        records.iter().any(|other| other.1 == key && other.0 == at + gap(value))
    });
    assert!(at_an_end, "{given:?} in {run:?}");
    assert_eq!(given, timeless(sorted(followed_sessions(run, 0, gap))), "{run:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn tumbling_windows_hold_each_record_once(
        run in disordered(DELAY, false), size in 1..20i64, offset in 0..25i64, early: bool,
    ) {
        let windows = Tumbling::new(lasting(size));
        let (windows, offset) = match early {
            true => (windows.offset_earlier(lasting(offset)), -offset),
            false => (windows.offset(lasting(offset)), offset),
        };
        let model = grouped(&run, |at| vec![tumbling(at, size, offset)]);
        prop_assert_eq!(timeless(folded(&run, windows, 0)), model);
    }

    #[test]
    fn sliding_windows_hold_each_record_in_each_window(
        run in disordered(DELAY, false), size in 1..20i64, slide in 1..20i64, offset in 0..25i64,
    ) {
        // With gaps between them, records leave by the side; that is followed below.
        let slide = slide.min(size);
        let windows = Sliding::new(lasting(size), lasting(slide)).offset(lasting(offset));
        let model = grouped(&run, |at| sliding(at, size, slide, offset));
        prop_assert_eq!(timeless(folded(&run, windows, 0)), model);
    }

    #[test]
    fn cumulative_windows_grow_step_by_step(
        run in disordered(DELAY, false), step in 1..8i64, steps in 1..5i64, offset in 0..25i64,
    ) {
        let windows = Cumulative::new(lasting(step * steps), lasting(step));
        let model = grouped(&run, |at| cumulative(at, step, steps, offset));
        prop_assert_eq!(timeless(folded(&run, windows.offset(lasting(offset)), 0)), model);
    }

    #[test]
    fn sessions_end_with_silence(run in disordered(DELAY, true), gap in 1..15i64) {
        check(&run, folded(&run, Session::gap(lasting(gap)), 0), |_| gap);
    }

    #[test]
    fn sessions_end_with_the_silence_that_each_record_grants(run in disordered(DELAY, true)) {
        let windows = Session::gap_by(|it: &Held| lasting(1 + 2 * it.1));
        check(&run, folded(&run, windows, 0), |value| 1 + 2 * value);
    }
}
