//! Windows in real dataflows against slow models: the same panes for any number of workers, batch
//! size, cut into epochs and restart.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::aggregate::{Collect, Count as Number, Max, Sum};
use tidemill_operators::event::Event;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::events::Events;
use tidemill_operators::keyed::Keyed;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, Span};
use tidemill_operators::window::trigger::{AtWatermark, EveryRecords};
use tidemill_operators::window::{
    Assign, Count, Cumulative, Global, Pane, Session, Sliding, Tumbling, evict,
};

use support::{Epochs, Run, Tap, at, by_epoch, histories, records, runs};

/// A moment, a key, and a number.
type Record = (i64, u8, i64);
/// What windows hold: a moment and a number.
type Held = (i64, i64);
/// A key, the first and the last moment of a window, and its records.
type Window = (u8, i64, i64, Vec<Held>);

/// What comes out of windows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Given {
    Pane(Window),
    Late(Record),
}

/// How far records may be out of order.
const DELAY: i64 = 10;

fn lasting(micros: i64) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

/// Histories whose partitions go on in time, with records that are up to `back` behind. The keys
/// of a partition are its own where the order in which they arrive matters.
fn disordered(back: i64, own: bool) -> impl Strategy<Value = Run<Record>> {
    let record = (0..6i64, 0..=back, 0..3u8, 0..9i64);
    let epochs = histories(record, 1..7, 0..10).prop_map(move |mut epochs| {
        let mut clocks = [-60, -55, -65, -60];
        let mut made: Epochs<Record> = Vec::new();
        for partitions in &mut epochs {
            let partitions = partitions.iter().enumerate().map(|(partition, records)| {
                let mut record = |&(step, late, key, value): &(i64, i64, u8, i64)| {
                    clocks[partition] += step;
                    let key = if own { key + 3 * partition as u8 } else { key };
                    (clocks[partition] - late, key, value)
                };
                records.iter().map(&mut record).collect()
            });
            made.push(partitions.collect());
        }
        made
    });
    runs(epochs)
}

fn keyed(stream: Stream<'_, Record>) -> Keyed<'_, u8, Held> {
    let events = stream.event_time(|it| at(it.0), Disorder::up_to(lasting(DELAY)));
    events.key_value(|(at, key, value)| (key, (at, value)))
}

fn watch(panes: Events<'_, Pane<u8, Vec<Held>>>, tap: &Tap<Given>) {
    tap.watch(panes.timed().map(|event| {
        let Pane { key, span, value } = event.value;
        assert_eq!(event.at, span.last(), "a pane travels at its last moment");
        Given::Pane((key, span.start().micros(), span.last().micros(), value))
    }));
}

fn watch_late(late: Stream<'_, Event<(u8, Held)>>, tap: &Tap<Given>) {
    tap.watch(late.map(|event| {
        let (key, (moment, number)) = event.value;
        assert_eq!(event.at, at(moment));
        Given::Late((moment, key, number))
    }));
}

/// The records of each window, folded as they come and given in order of time.
fn folded<A>(run: &Run<Record>, assign: A, lateness: i64) -> Vec<(Epoch, Given)>
where
    A: Assign<Held> + Clone + Send + Sync,
{
    by_epoch(run.go(move |stream, tap: &Tap<Given>| {
        let late = tap.clone();
        let windows = keyed(stream).window(assign.clone()).allow_lateness(lasting(lateness));
        let (panes, records) = windows.with_late().aggregate(Collect::of(|it: &Held| *it));
        watch_late(records, &late);
        watch(panes, tap);
    }))
}

/// All records of a window, as they came.
fn as_they_came(_: &u8, _: Span, records: &[Event<Held>]) -> [Vec<Held>; 1] {
    [records.iter().map(|it| it.value).collect()]
}

/// The records of each window in the order in which they came.
fn whole<A>(run: &Run<Record>, assign: A, lateness: i64) -> Vec<(Epoch, Given)>
where
    A: Assign<Held> + Clone + Send + Sync,
{
    by_epoch(run.go(move |stream, tap: &Tap<Given>| {
        let late = tap.clone();
        let windows = keyed(stream).window(assign.clone()).allow_lateness(lasting(lateness));
        let (panes, records) = windows.with_late().process(as_they_came);
        watch_late(records, &late);
        watch(panes, tap);
    }))
}

/// The outcome without its epochs.
fn timeless(given: Vec<(Epoch, Given)>) -> Vec<Given> {
    let mut given: Vec<_> = given.into_iter().map(|it| it.1).collect();
    given.sort();
    given
}

/// All records of a history.
fn all(run: &Run<Record>) -> impl Iterator<Item = Record> {
    run.epochs().iter().flatten().flatten().copied()
}

/// The records of each key, in the order in which they arrive: each key has one partition.
fn arriving(run: &Run<Record>) -> BTreeMap<u8, Vec<Held>> {
    let mut keys = BTreeMap::<u8, Vec<Held>>::new();
    all(run).for_each(|(at, key, value)| keys.entry(key).or_default().push((at, value)));
    keys
}

/// The panes of windows that are bounded by the clock, from the whole input.
fn grouped(run: &Run<Record>, windows: impl Fn(i64) -> Vec<(i64, i64)>) -> Vec<Given> {
    let mut held = BTreeMap::<(u8, i64, i64), Vec<Held>>::new();
    for (at, key, value) in all(run) {
        for (first, last) in windows(at) {
            held.entry((key, first, last)).or_default().push((at, value));
        }
    }
    let pane = |((key, first, last), mut records): (_, Vec<Held>)| {
        records.sort();
        Given::Pane((key, first, last, records))
    };
    held.into_iter().map(pane).collect()
}

/// The panes and late records of such windows, epoch by epoch and record by record.
fn followed(
    run: &Run<Record>,
    lateness: i64,
    windows: impl Fn(i64) -> Vec<(i64, i64)>,
) -> Vec<(Epoch, Given)> {
    let mut held = BTreeMap::<(u8, i64, i64), Vec<Held>>::new();
    let mut given = Vec::new();
    let mut before = i64::MIN;
    let watermarks = run.watermarks(|it| it.0, DELAY);
    for (epoch, (partitions, now)) in run.epochs().iter().zip(watermarks).enumerate() {
        let pane = |(key, first, last), records: &Vec<Held>| {
            (epoch as Epoch, Given::Pane((key, first, last, records.clone())))
        };
        for &(at, key, value) in partitions.iter().flatten() {
            let mut open = windows(at);
            open.retain(|it| it.1.saturating_add(lateness) > before);
            if open.is_empty() {
                given.push((epoch as Epoch, Given::Late((at, key, value))));
            }
            for (first, last) in open {
                let records = held.entry((key, first, last)).or_default();
                records.push((at, value));
                if last <= before {
                    given.push(pane((key, first, last), records));
                }
            }
        }
        let due = held.iter().filter(|((_, _, last), _)| before < *last && *last <= now);
        given.extend(due.map(|(window, records)| pane(*window, records)));
        held.retain(|window, _| window.2.saturating_add(lateness) > now);
        before = now;
    }
    given.sort();
    given
}

/// Sorts records and cuts them where one starts after every earlier one has ended.
fn cut(mut records: Vec<Held>, gap: &impl Fn(i64) -> i64) -> Vec<(i64, i64, Vec<Held>)> {
    records.sort();
    let mut sessions: Vec<(i64, i64, Vec<Held>)> = Vec::new();
    for (at, value) in records {
        let last = at + gap(value) - 1;
        match sessions.last_mut() {
            Some(session) if at <= session.1 + 1 => {
                session.1 = session.1.max(last);
                session.2.push((at, value));
            }
            _ => sessions.push((at, last, vec![(at, value)])),
        }
    }
    sessions
}

/// Sessions from the whole input.
fn sessions(run: &Run<Record>, gap: impl Fn(i64) -> i64) -> Vec<Given> {
    let keys = arriving(run).into_iter();
    let panes = keys.flat_map(|(key, records)| {
        cut(records, &gap).into_iter().map(move |(first, last, it)| (key, first, last, it))
    });
    panes.map(Given::Pane).collect()
}

/// Sessions epoch by epoch and record by record, cut anew each time.
fn followed_sessions(
    run: &Run<Record>,
    lateness: i64,
    gap: impl Fn(i64) -> i64,
) -> Vec<(Epoch, Given)> {
    let mut kept = BTreeMap::<u8, Vec<Held>>::new();
    let mut given = Vec::new();
    let mut before = i64::MIN;
    let watermarks = run.watermarks(|it| it.0, DELAY);
    for (epoch, (partitions, now)) in run.epochs().iter().zip(watermarks).enumerate() {
        let mut give = |it| given.push((epoch as Epoch, it));
        for &(at, key, value) in partitions.iter().flatten() {
            let records = kept.entry(key).or_default();
            records.push((at, value));
            let mut sessions = cut(records.clone(), &gap).into_iter();
            let ours = sessions.find(|it| it.2.contains(&(at, value)));
            let (first, last, session) = ours.expect("the record is in a session");
            if last.saturating_add(lateness) <= before {
                records.pop();
                give(Given::Late((at, key, value)));
            } else if last <= before {
                give(Given::Pane((key, first, last, session)));
            }
        }
        for (&key, records) in &mut kept {
            for (first, last, session) in cut(std::mem::take(records), &gap) {
                if before < last && last <= now {
                    give(Given::Pane((key, first, last, session.clone())));
                }
                if last.saturating_add(lateness) > now {
                    records.extend(session);
                }
            }
        }
        before = now;
    }
    given.sort();
    given
}

/// With the records of panes in order of time: sessions merge in an order of their own.
fn sorted(mut given: Vec<(Epoch, Given)>) -> Vec<(Epoch, Given)> {
    for (_, it) in &mut given {
        if let Given::Pane((.., records)) = it {
            records.sort();
        }
    }
    given.sort();
    given
}

/// The tumbling window of a moment.
fn tumbling(at: i64, size: i64, offset: i64) -> (i64, i64) {
    let first = at - (at - offset).rem_euclid(size);
    (first, first + size - 1)
}

/// The sliding windows of a moment: every one of those around it that holds it.
fn sliding(at: i64, size: i64, slide: i64, offset: i64) -> Vec<(i64, i64)> {
    let all = (at - size..=at).filter(|first| (first - offset).rem_euclid(slide) == 0);
    all.map(|first| (first, first + size - 1)).filter(|it| it.0 <= at && at <= it.1).collect()
}

/// The cumulative windows of a moment.
fn cumulative(at: i64, step: i64, steps: i64, offset: i64) -> Vec<(i64, i64)> {
    let (first, _) = tumbling(at, step * steps, offset);
    let all = (1..=steps).map(|it| (first, first + it * step - 1));
    all.filter(|it| at <= it.1).collect()
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
    fn cumulative_windows_grow_step_by_step(
        run in disordered(DELAY, false), step in 1..8i64, steps in 1..5i64, offset in 0..25i64,
    ) {
        let windows = Cumulative::new(lasting(step * steps), lasting(step));
        let model = grouped(&run, |at| cumulative(at, step, steps, offset));
        prop_assert_eq!(timeless(folded(&run, windows.offset(lasting(offset)), 0)), model);
    }

    #[test]
    fn sessions_end_with_silence(run in disordered(DELAY, true), gap in 1..15i64) {
        let given = timeless(folded(&run, Session::gap(lasting(gap)), 0));
        prop_assert_eq!(given, sessions(&run, |_| gap));
    }

    #[test]
    fn sessions_end_with_the_silence_that_each_record_grants(run in disordered(DELAY, true)) {
        let windows = Session::gap_by(|it: &Held| lasting(1 + 2 * it.1));
        let given = timeless(folded(&run, windows, 0));
        prop_assert_eq!(given, sessions(&run, |value| 1 + 2 * value));
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

    #[test]
    fn evictors_drop_records_before_the_function_sees_them(
        run in disordered(DELAY, true), size in 1..20i64, kept in 1..4usize, recent in 1..9i64,
    ) {
        let mut keys = BTreeMap::<(u8, i64, i64), Vec<Held>>::new();
        for (at, key, value) in all(&run) {
            let (first, last) = tumbling(at, size, 0);
            keys.entry((key, first, last)).or_default().push((at, value));
        }
        let mut newest = Vec::new();
        for ((key, first, last), records) in &keys {
            let records = &records[records.len().saturating_sub(kept)..];
            newest.push(Given::Pane((*key, *first, *last, records.to_vec())));
            let records = &keys[&(*key, *first, *last)];
            let latest = records.iter().map(|it| it.0).max().expect("a window has a record");
            let records = records.iter().copied().filter(|it| it.0 > latest - recent).collect();
            // Marked apart by a key of its own.
            newest.push(Given::Pane((*key + 100, *first, *last, records)));
        }
        newest.sort();
        let given = run.go(move |stream, tap: &Tap<Given>| {
            let windows = || Tumbling::new(lasting(size));
            let keyed = keyed(stream);
            let one = keyed.clone().window(windows()).evict(evict::count(kept));
            watch(one.process(as_they_came), tap);
            let other = keyed.window(windows()).name("recent").evict(evict::time(lasting(recent)));
            let panes = other.process(as_they_came);
            watch(panes.map(|it| Pane { key: it.key + 100, ..it }), tap);
        });
        prop_assert_eq!(records(given), newest);
    }

    #[test]
    fn every_verb_sees_the_same_records(run in disordered(DELAY, false), size in 1..20i64) {
        let model: Vec<_> = grouped(&run, |at| vec![tumbling(at, size, 0)])
            .into_iter()
            .map(|given| {
                let Given::Pane((key, first, last, records)) = given else { unreachable!() };
                let values: Vec<_> = records.iter().map(|it| it.1).collect();
                let sum: i64 = values.iter().sum();
                (key, first, last, values.len() as u64, sum, values.into_iter().max())
            })
            .collect();
        let model: Vec<_> = (0..3).flat_map(|verb| model.iter().map(move |it| (verb, *it))).collect();
        let given = run.go(move |stream, tap: &Tap<(u8, (u8, i64, i64, u64, i64, Option<i64>))>| {
            let all = || (Number, Sum::of(|it: &Held| it.1), Max::of(|it: &Held| it.1));
            let keyed = keyed(stream);
            let windows = |name: &str| keyed.clone().window(Tumbling::new(lasting(size))).name(name);
            let flat = |it: Pane<u8, (u64, i64, Option<i64>)>| {
                let (count, sum, max) = it.value;
                (it.key, it.span.start().micros(), it.span.last().micros(), count, sum, max)
            };
            tap.watch(windows("a").aggregate(all()).values().map(move |it| (0, flat(it))));
            let then = windows("b").aggregate_then(all(), |_, _, it| Some(it));
            tap.watch(then.values().map(move |it| (1, flat(it))));
            let counted = keyed.clone().map_values(|it| (1u64, it.1, it.1));
            let reduced = counted.window(Tumbling::new(lasting(size))).reduce(|all, it| {
                *all = (all.0 + it.0, all.1 + it.1, all.2.max(it.2));
            });
            let reduced = reduced.map(|it| {
                let (count, sum, max) = it.value;
                Pane { key: it.key, span: it.span, value: (count, sum, Some(max)) }
            });
            tap.watch(reduced.values().map(move |it| (2, flat(it))));
        });
        prop_assert_eq!(records(given), model);
    }
}

/// A pane of a window over all of time: it spans its records.
fn spanning(key: u8, records: &[Held]) -> Given {
    let moments = || records.iter().map(|it| it.0);
    let first = moments().min().expect("a window has a record");
    let last = moments().max().expect("a window has a record");
    Given::Pane((key, first, last, records.to_vec()))
}

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
