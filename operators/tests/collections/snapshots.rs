//! Snapshots on request.

use proptest::prelude::*;
use tidemill_operators::collection::Diff;
use tidemill_operators::state::Memory;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::Epoch;

use crate::history::{Change, contents, sides, some};
use crate::support::{Cut, Run, Tap, by_epoch, on_workers};

/// What a request is told.
type Told = (u8, (u8, u8), Diff);

/// Asks for what the left side holds by every record of the right side.
fn asked(run: &Run<Change>) {
    let seen = run.go(|stream, tap: &Tap<Told>| {
        let requests = stream.clone().filter(|it| !it.0).map(|it| it.1.0);
        let (left, _) = sides(stream);
        tap.watch(left.snapshot(requests).map(|it| (it.request, it.record, it.times)));
    });
    let mut expected: Vec<(Epoch, Told)> = Vec::new();
    for (epoch, (left, _)) in contents(run).into_iter().enumerate() {
        for (is_left, (request, _), _) in run.epochs()[epoch].iter().flatten() {
            if !is_left {
                let told = left.iter().map(|(pair, times)| (*request, *pair, *times));
                expected.extend(told.map(|it| (epoch as Epoch, it)));
            }
        }
    }
    expected.sort();
    assert_eq!(by_epoch(seen), expected, "{run:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_snapshot_is_the_contents_at_the_end_of_its_epoch(run in some()) {
        asked(&run);
    }
}

#[test]
fn a_large_snapshot_is_given_in_pieces_and_is_not_mixed_with_later_changes() {
    const MANY: u32 = 200_000;
    let seen = on_workers(
        2,
        Cut { memory: Memory::every(1), at: None },
        |_| vec!["0".into()],
        |stream: Stream<'_, (u32, Diff)>, tap: &Tap<(u32, Diff)>| {
            let requests = stream.clone().filter(|it| it.0 == u32::MAX).map(|it| it.1);
            let rows = stream.filter(|it| it.0 < u32::MAX).changelog();
            tap.watch(rows.snapshot(requests).map(|it| (it.record, it.times)));
        },
        |bench| {
            if bench.index() == 0 {
                bench.send(0, 0, (0..MANY).map(|it| (it, 1)).collect());
                bench.send(0, 0, vec![(u32::MAX, 7)]);
                bench.send(1, 0, (0..MANY).map(|it| (it, -1)).collect());
            }
            bench.finish();
        },
    );
    let expected: Vec<_> = (0..MANY).map(|it| (0 as Epoch, (it, 1))).collect();
    assert!(by_epoch(seen) == expected);
}
