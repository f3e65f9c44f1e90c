//! Watermarks in running dataflows against the whole history, epoch by epoch.

mod support;

use std::convert::Infallible;
use std::time::Duration;

use proptest::prelude::*;
use tidemill_operators::aggregate::Count;
use tidemill_operators::event::Event;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::events::Events;
use tidemill_operators::plan::Node;
use tidemill_operators::rule::{Advance, Outbox, Rule, Snapshot};
use tidemill_operators::state::Memory;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, EventTime};
use tidemill_operators::window::Tumbling;

use support::{Bench, Cut, Epochs, Run, Seen, Tap, at, by_epoch, histories, on_workers, runs};

/// A moment, and another.
type Record = (i64, i64);

fn lasting(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// Says each watermark that it is told.
struct Mirror(EventTime);

impl Rule<Event<(u8, ())>> for Mirror {
    type Output = Event<i64>;
    type Side = Infallible;
    type Saved = ();

    fn accept(&mut self, _: Event<(u8, ())>, _: &mut Outbox<Event<i64>, Infallible>) {}

    fn advance(&mut self, at: EventTime, out: &mut Outbox<Event<i64>, Infallible>) -> Advance {
        assert!(at >= self.0, "the watermark went back");
        self.0 = at;
        out.main.push(Event::new(at, at.micros()));
        Advance::Done
    }

    fn save(&mut self, _: &mut dyn Snapshot<()>) {}

    fn restore(&mut self, (): ()) {}

    fn resume(&mut self, watermark: EventTime) {
        self.0 = watermark;
    }
}

/// Lets every worker say the watermarks of a stream.
fn mirror<D: Send + 'static>(events: Events<'_, D>, tap: &Tap<i64>) {
    let keyed = events.key_value(|_| (0u8, ()));
    tap.watch(keyed.rule(Node::operator("mirror"), Mirror(EventTime::MIN)).0.values());
}

/// Checks that every worker heard exactly these watermarks, each at the end of its epoch.
#[track_caller]
fn check_said(run: &Run<Record>, said: &[Seen<i64>], model: &[i64]) {
    let end = model.len();
    for it in said.iter().filter(|it| (it.epoch as usize) < end) {
        assert_eq!(it.record, model[it.epoch as usize], "after epoch {} of {run:?}", it.epoch);
    }
    for (epoch, now) in model.iter().enumerate() {
        if epoch.checked_sub(1).map_or(i64::MIN, |it| model[it]) == *now {
            continue;
        }
        for worker in 0..run.workers_at(epoch as Epoch) {
            let heard = |it: &&Seen<i64>| it.worker == worker && it.epoch == epoch as Epoch;
            assert!(said.iter().any(|it| heard(&it)), "worker {worker}, epoch {epoch}: {run:?}");
        }
    }
}

#[track_caller]
fn check(
    run: &Run<Record>,
    disorder: impl Fn() -> Disorder<Record> + Send + Sync + 'static,
    model: &[i64],
) {
    let said = run.go(move |stream: Stream<'_, Record>, tap| {
        mirror(stream.event_time(|it| at(it.0), disorder()), tap);
    });
    check_said(run, &said, model);
}

fn any_run() -> impl Strategy<Value = Run<Record>> {
    runs(histories((-40..40i64, -40..40i64), 1..8, 0..6))
}

/// The least over partitions that are neither ended nor silent for `idle_after`; it never goes
/// back, and stays where it was while all are silent.
fn with_silence(run: &Run<Record>, clock: &[i64], idle_after: i64) -> Vec<i64> {
    let partitions = run.epochs()[0].len();
    let (mut latest, mut heard) = (vec![i64::MIN; partitions], vec![0; partitions]);
    let mut current = i64::MIN;
    let mut model = Vec::new();
    for (epoch, brought) in run.epochs().iter().enumerate() {
        for (partition, records) in brought.iter().enumerate() {
            let times = records.iter().map(|it| it.0 - 1);
            latest[partition] =
                times.max().map_or(latest[partition], |it| it.max(latest[partition]));
            if !records.is_empty() {
                heard[partition] = clock[epoch];
            }
        }
        let live = (0..partitions).filter(|it| !run.ended(*it, epoch as Epoch));
        let loud = live.clone().filter(|it| clock[epoch] - heard[*it] < idle_after);
        let least = match live.count() {
            0 => Some(i64::MAX),
            _ => loud.map(|it| latest[it]).min(),
        };
        current = least.map_or(current, |it| it.max(current));
        model.push(current);
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn bounded_disorder(run in any_run(), delay in 0..20u64) {
        let model = run.watermarks(|it| it.0, delay as i64);
        check(&run, move || Disorder::up_to(lasting(delay)), &model);
    }

    #[test]
    fn ascending_times(run in any_run()) {
        check(&run, Disorder::ascending, &run.watermarks(|it| it.0, 0));
    }

    #[test]
    fn punctuated_by_some_records(run in any_run()) {
        // The model's watermark is a microsecond before the time of a record.
        let marked = |it: &Record| if it.1 % 2 == 0 { it.1 + 1 } else { i64::MIN };
        let model = run.watermarks(marked, 0);
        let mark = |_, it: &Record| (it.1 % 2 == 0).then(|| at(it.1));
        check(&run, move || Disorder::punctuated(mark), &model);
    }

    #[test]
    fn unbounded_until_all_partitions_have_ended(run in any_run()) {
        check(&run, Disorder::unbounded, &run.watermarks(|_| i64::MIN, 0));
    }

    #[test]
    fn the_watermark_of_a_union_is_the_lesser(run in any_run()) {
        let (one, other) = (run.watermarks(|it| it.0, 3), run.watermarks(|it| it.1, 7));
        let model: Vec<_> = one.into_iter().zip(other).map(|(a, b)| a.min(b)).collect();
        let said = run.go(|stream: Stream<'_, Record>, tap| {
            let other = stream.clone().event_time(|it| at(it.1), Disorder::up_to(lasting(7)));
            mirror(stream.event_time(|it| at(it.0), Disorder::up_to(lasting(3))).union(other), tap);
        });
        check_said(&run, &said, &model);
    }

    #[test]
    fn silent_partitions_step_aside(
        run in any_run(), steps in prop::collection::vec(0..8i64, 8), idle_after in 1..20i64,
    ) {
        let clock = steps.iter().scan(0, |now, step| {
            *now += step;
            Some(*now)
        });
        let clock: Vec<_> = clock.collect();
        // A restart hears everybody anew.
        let run = run.never_restarting().flight(1).clock(clock.clone());
        let model = with_silence(&run, &clock, idle_after);
        let after = lasting(idle_after as u64);
        check(&run, move || Disorder::ascending().idle_after(after), &model);
    }
}

#[test]
fn an_idle_partition_beside_ended_ones_is_not_the_end_of_time() {
    // The first partition ends at once, the second is silent for a while.
    let epochs = vec![
        vec![vec![(10, 0)], vec![(5, 0)]],
        vec![vec![], vec![]],
        vec![vec![], vec![]],
        vec![vec![], vec![(20, 0)]],
        vec![vec![], vec![(30, 0)]],
    ];
    let clock = vec![0, 50, 100, 150, 200];
    for workers in [1, 2, 4] {
        let run = Run::new(epochs.clone()).workers(workers).ending().clock(clock.clone());
        let model = [4, 4, 4, 19, i64::MAX];
        assert_eq!(with_silence(&run, &clock, 40), model);
        check(&run, || Disorder::ascending().idle_after(lasting(40)), &model);
    }
}

#[test]
fn an_ended_partition_holds_nothing_back() {
    let mut epochs: Epochs<Record> = (0..6).map(|it| vec![vec![(it * 10, 0)], vec![]]).collect();
    epochs[1][1].push((3, 0));
    for workers in [1, 2, 4] {
        let run = Run::new(epochs.clone()).workers(workers).ending();
        check(&run, Disorder::ascending, &[i64::MIN, 9, 19, 29, 39, i64::MAX]);
    }
}

#[test]
fn an_end_without_records_counts_at_its_epoch_however_many_complete_at_once() {
    for _ in 0..20 {
        let said = on_workers(
            2,
            Cut { memory: Memory::every(1), at: None },
            |worker| vec![worker.to_string()],
            |stream: Stream<'_, Record>, tap| {
                mirror(stream.event_time(|it| at(it.0), Disorder::ascending()), tap);
            },
            |bench| {
                if bench.index() == 0 {
                    bench.send(0, 0, vec![(5, 0)]);
                    bench.partitions.end(0, 3);
                    bench.advance(7);
                } else {
                    (0..7).for_each(|it| bench.send(it, 0, vec![(it as i64 * 100 + 100, 0)]));
                    bench.advance(7);
                }
                bench.settle(6);
                bench.finish();
            },
        );
        let said = by_epoch(said);
        let heard = |epoch, reached| said.contains(&(epoch, reached));
        assert!(heard(0, 4) && heard(2, 4) && heard(3, 399) && heard(6, 699), "{said:?}");
    }
}

#[test]
fn a_worker_without_partitions_holds_nothing_back() {
    let epochs: Epochs<Record> = (0..6).map(|it| vec![vec![(it * 10, 0)]]).collect();
    for flight in [1, 6] {
        let run = Run::new(epochs.clone()).workers(4).flight(flight);
        check(&run, Disorder::ascending, &[-1, 9, 19, 29, 39]);
    }
}

#[test]
fn partitions_take_their_watermarks_along_to_other_workers() {
    // The second partition is far behind, and silent after the restart.
    let mut epochs: Epochs<Record> =
        (0..8).map(|it| vec![vec![(it * 10, 0)], vec![], vec![(it * 10 + 5, 0)]]).collect();
    epochs[0][1].push((-30, 0));
    epochs[6][1].push((41, 0));
    epochs[7][1].push((42, 0));
    for (before, after) in [(1, 2), (2, 4), (4, 1), (2, 2)] {
        for flight in [1, 4] {
            let run = Run::new(epochs.clone()).workers(before).flight(flight).restart(2, after);
            let (run, model) = (run.ending(), [-31, -31, -31, -31, -31, -31, 40, i64::MAX]);
            check(&run, Disorder::ascending, &model);
        }
    }
}

#[test]
fn a_watermark_is_kept_as_it_was_at_its_epoch() {
    // Several epochs complete at once, and the kept one is not the last.
    let mut epochs: Epochs<Record> = (0..4).map(|it| vec![vec![(it * 10, 0)], vec![]]).collect();
    epochs[0][1].push((15, 0));
    epochs[3][1].push((40, 0));
    for cut in 0..3 {
        for workers in [1, 2] {
            let run = Run::new(epochs.clone()).flight(4).restart(cut, workers).ending();
            check(&run, Disorder::ascending, &[-1, 9, 14, i64::MAX]);
        }
    }
}

#[test]
fn mixed_records_count_as_one_partition_of_their_worker() {
    let epochs =
        vec![vec![vec![(5, 0)], vec![(20, 0)]], vec![vec![(6, 0)], vec![]], vec![vec![]; 2]];
    let run = Run::new(epochs);
    let said = run.go(|stream: Stream<'_, Record>, tap| {
        mirror(stream.rebalance().event_time(|it| at(it.0), Disorder::ascending()), tap);
    });
    check_said(&run, &said, &[19]);
}

#[test]
fn records_of_a_partition_that_rejoins_behind_the_watermark_are_late() {
    let epochs = vec![
        vec![vec![(1, 0)], vec![(2, 0)]],
        vec![vec![(35, 0)], vec![]],
        vec![vec![], vec![(3, 0), (36, 0)]],
        vec![vec![(60, 0)], vec![(60, 0)]],
    ];
    for workers in [1, 2, 4] {
        let run = Run::new(epochs.clone()).workers(workers).clock(vec![0, 100, 110, 120]);
        let given = run.go(|stream: Stream<'_, Record>, tap: &Tap<(i64, u64)>| {
            let late = tap.clone();
            let disorder = Disorder::ascending().idle_after(lasting(50));
            let events = stream.event_time(|it| at(it.0), disorder).key_value(|it| (0u8, it));
            let windows = events.window(Tumbling::new(lasting(10)));
            let (panes, too_late) = windows.with_late().aggregate(Count);
            late.watch(too_late.map(|it| (it.at.micros(), 0)));
            tap.watch(panes.values().map(|it| (it.span.start().micros(), it.value)));
        });
        let given: Vec<_> = by_epoch(given).into_iter().filter(|it| it.1.0 < 60).collect();
        assert_eq!(given, [(1, (0, 2)), (2, (3, 0)), (3, (30, 2))], "{workers} workers");
    }
}

#[test]
fn a_partition_too_far_ahead_pauses_until_the_others_come() {
    for workers in [1, 2, 4] {
        let said = on_workers(
            workers,
            Cut { memory: Memory::every(1), at: None },
            move |worker| {
                (0..2).filter(|it| it % workers == worker).map(|it| it.to_string()).collect()
            },
            |stream: Stream<'_, Record>, tap| {
                let disorder = Disorder::ascending().aligned(lasting(DRIFT as u64));
                mirror(stream.event_time(|it| at(it.0), disorder), tap);
            },
            |bench| {
                let pauses = read_unless_paused(bench);
                assert!(bench.index() != 0 || pauses > 20, "the fast one paused {pauses} times");
            },
        );
        assert_eq!(said.iter().map(|it| it.record).max(), Some(i64::MAX));
    }
}

const DRIFT: i64 = 30;

/// Reads two records of each partition in each epoch: of a fast one, whose times go in steps of
/// ten, and a slow one that goes in steps of one. Gives how often the fast one paused.
fn read_unless_paused(bench: &mut Bench<'_, Record>) -> usize {
    let (index, peers) = (bench.index(), bench.peers());
    let mut mine: Vec<_> = [10, 1].into_iter().enumerate().collect();
    mine.retain(|(partition, _)| partition % peers == index);
    let mut read = vec![0; mine.len()];
    let mut pauses = 0;
    for epoch in 0..120 {
        for (mark, (_, step)) in mine.iter().enumerate() {
            let from = read[mark];
            if from == 100 {
                continue;
            }
            if bench.partitions.paused(mark as u32) {
                // Before a watermark is known, the slow one waits, too.
                assert!(*step == 10 || epoch < 5, "the slow one is not ahead");
                pauses += usize::from(*step == 10);
                continue;
            }
            let (ahead, slow) = ((from - 1) * step, epoch as i64 * 2);
            assert!(slow > 90 || ahead <= slow + DRIFT, "epoch {epoch}: read up to {ahead}");
            bench.send(epoch, mark as u32, (from..from + 2).map(|it| (it * step, 0)).collect());
            read[mark] += 2;
            if read[mark] == 100 {
                bench.partitions.end(mark as u32, epoch);
            }
        }
        bench.advance(epoch + 1);
        bench.settle(epoch);
    }
    assert!(read.iter().all(|it| *it == 100), "a partition was never released");
    bench.finish();
    pauses
}

#[test]
fn windows_of_processing_time_fire_when_the_clock_passes() {
    let epochs: Epochs<Record> = vec![
        vec![vec![(0, 0), (0, 1)], vec![(0, 0)]],
        vec![vec![(0, 0)], vec![]],
        vec![vec![], vec![]],
        vec![vec![], vec![(0, 1)]],
        vec![vec![], vec![]],
        vec![vec![], vec![]],
    ];
    for workers in [1, 2, 4] {
        let run = Run::new(epochs.clone()).workers(workers).clock(vec![1, 9, 10, 14, 19, 20]);
        let panes = run.go(|stream: Stream<'_, Record>, tap| {
            let keyed = stream.processing_time().key_by(|it| it.1);
            let panes = keyed.window(Tumbling::new(lasting(10))).aggregate(Count);
            tap.watch(panes.values().map(|it| (it.key, it.span.start().micros(), it.value)));
        });
        let expected = [(2, (0, 0, 3)), (2, (1, 0, 1)), (5, (1, 10, 1))];
        assert_eq!(by_epoch(panes), expected, "{workers} workers");
    }
}

#[test]
fn records_stamped_early_for_a_later_epoch_are_not_late() {
    let given = on_workers(
        1,
        Cut { memory: Memory::every(1), at: None },
        |_| vec!["0".into()],
        |stream: Stream<'_, Record>, tap: &Tap<(i64, u64)>| {
            let late = tap.clone();
            let keyed = stream.processing_time().key_by(|it| it.1);
            let windows = keyed.window(Tumbling::new(lasting(10)));
            let (panes, too_late) = windows.with_late().aggregate(Count);
            late.watch(too_late.map(|it| (it.at.micros(), 0)));
            tap.watch(panes.values().map(|it| (it.span.start().micros(), it.value)));
        },
        |bench| {
            bench.clock.set(at(5));
            bench.send(1, 0, vec![(0, 0)]);
            (0..5).for_each(|_| bench.step());
            bench.clock.set(at(25));
            bench.send(0, 0, vec![(0, 0)]);
            bench.advance(1);
            bench.settle(0);
            bench.advance(2);
            bench.settle(1);
            bench.clock.set(at(30));
            bench.advance(3);
            bench.settle(2);
            bench.finish();
        },
    );
    assert_eq!(by_epoch(given), [(1, (0, 1)), (2, (20, 1))]);
}
