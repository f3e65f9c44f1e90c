//! Named cases: what is easily forgotten, or once went wrong.

use super::*;

fn one(records: &[Record]) -> Run<Record> {
    Run::new(vec![vec![records.to_vec()]]).ending()
}

#[test]
fn empty_input_has_no_windows() {
    for epochs in [vec![], vec![vec![vec![]; 3]; 4]] {
        let run = Run::new(epochs).workers(2);
        assert_eq!(folded(&run, Tumbling::new(lasting(5)), 0), []);
        assert_eq!(folded(&run, Session::gap(lasting(5)), 0), []);
    }
}

#[test]
fn windows_at_both_ends_of_time_fire() {
    let (first, last) = (i64::MIN, i64::MAX);
    let run = one(&[(first, 0, 1), (last, 0, 2)]).workers(2);
    // Nothing is late in an epoch of its own, however far behind.
    let pane = |(from, to), record| (0, Given::Pane((0, from, to, vec![record])));
    let expected = [pane((first, first + 7), (first, 1)), pane((last - 7, last), (last, 2))];
    assert_eq!(folded(&run, Tumbling::new(lasting(8)), 0), expected);
    assert_eq!(folded(&run, Tumbling::new(lasting(8)), 9), expected);
    assert_eq!(folded(&run, Sliding::new(lasting(8), lasting(8)), 0), expected);
}

#[test]
fn windows_around_the_beginning_of_1970_survive_a_restart() {
    let epochs =
        vec![vec![vec![(-2, 0, 1), (-1, 0, 2), (0, 0, 3), (1, 0, 4)]], vec![vec![(2, 0, 5)]]];
    let run = Run::new(epochs).ending().restart(0, 1);
    let given = folded(&run, Tumbling::new(lasting(1)), 0);
    let panes = (-2..3).map(|at| Given::Pane((0, at, at, vec![(at, at + 3)])));
    assert_eq!(timeless(given), panes.collect::<Vec<_>>());
}

#[test]
fn a_record_can_miss_one_sliding_window_and_count_in_another() {
    // After the first epoch the watermark is 8, so the window that ends at 5 is gone.
    let epochs = vec![vec![vec![(19, 0, 1)]], vec![vec![(2, 0, 2), (-4, 0, 3), (4, 0, 4)]]];
    let run = Run::new(epochs).ending();
    let given = folded(&run, Sliding::new(lasting(10), lasting(5)), 0);
    let pane = |first, last, records: &[Held]| (1, Given::Pane((0, first, last, records.to_vec())));
    let late = |record| (1, Given::Late(record));
    let expected = [
        pane(0, 9, &[(2, 2), (4, 4)]),
        pane(10, 19, &[(19, 1)]),
        pane(15, 24, &[(19, 1)]),
        late((-4, 0, 3)),
    ];
    assert_eq!(given, expected);
}

#[test]
fn a_window_fires_when_the_watermark_reaches_its_last_moment_and_not_before() {
    let epochs = vec![
        vec![vec![(3, 0, 1)]],
        vec![vec![(19, 1, 2)]],
        vec![vec![(20, 1, 3)]],
        vec![vec![(9, 0, 4), (21, 1, 5)]],
    ];
    let given = folded(&Run::new(epochs).ending().workers(4), Tumbling::new(lasting(10)), 0);
    let expected = [
        (2, Given::Pane((0, 0, 9, vec![(3, 1)]))),
        (3, Given::Pane((1, 10, 19, vec![(19, 2)]))),
        (3, Given::Pane((1, 20, 29, vec![(20, 3), (21, 5)]))),
        (3, Given::Late((9, 0, 4))),
    ];
    assert_eq!(given, expected);
}
