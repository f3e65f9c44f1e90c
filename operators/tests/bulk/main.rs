//! Models that go round, against a model that computes each epoch from the whole contents.

#[path = "../support/mod.rs"]
mod support;

mod flight;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tidemill_operators::collection::{Diff, Loop};
use tidemill_operators::fixpoint::{
    Contents, End, Iteration, Outcome, Owners, Report, Start, Turn, Update,
};
use tidemill_operators::flow::{Flow, Surroundings};
use tidemill_operators::key::hash;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::Epoch;
use timely::dataflow::InputHandleVec;
use timely::dataflow::operators::{Capture, Input, capture::Extract};

use support::{Alarms, Epochs, Run, Seen, Tap, by_epoch, histories, runs};

type Change = (u8, Diff);

/// Two means, and how far they move in a round.
type Pair = [i64; 2];

/// Rounds after which the means stand still: with records that are there less than no times they
/// might turn in a circle.
const ROUNDS: u64 = 12;

const FIRST: Pair = [0, 20];

/// The two means of whole numbers, rounded down.
#[derive(Default)]
struct Means {
    numbers: Contents<u8>,
    /// Whether a version was in use when changes came.
    copied: Option<Arc<Mutex<bool>>>,
}

impl Iteration<u8> for Means {
    type Data = Rc<Vec<(u8, Diff)>>;
    type Model = Pair;
    type Partial = [(i64, i64); 2];
    type Measure = i64;

    fn accept(&mut self, changes: Vec<Change>) {
        assert!(!changes.is_empty(), "an epoch without changes changes nothing");
        assert!(changes.windows(2).all(|pair| pair[0].0 < pair[1].0), "changes are in order");
        if let Some(copied) = &self.copied {
            // The version itself, that of the contents, and perhaps that of an epoch.
            *copied.lock().unwrap() |= Rc::strong_count(&self.numbers.version()) > 2;
        }
        self.numbers.accept(changes);
    }

    fn data(&mut self) -> Self::Data {
        self.numbers.version()
    }

    fn start(&self) -> Pair {
        FIRST
    }

    fn compute(&self, _: Turn, numbers: &mut Self::Data, means: &Pair) -> Self::Partial {
        let mut sums = [(0, 0); 2];
        for (number, times) in numbers.iter() {
            let (number, times) = (i64::from(*number), *times as i64);
            let upper = (number - means[1]).abs() < (number - means[0]).abs();
            let of = &mut sums[usize::from(upper)];
            *of = (of.0 + number * times, of.1 + times);
        }
        sums
    }

    fn combine(&self, all: &mut Self::Partial, next: Self::Partial) {
        all.iter_mut().zip(next).for_each(|(all, next)| *all = (all.0 + next.0, all.1 + next.1));
    }

    fn update(&self, at: Turn, means: Pair, all: Self::Partial) -> Update<Pair, i64> {
        let mean = |it: usize| match all[it] {
            (_, 0) => means[it],
            (sum, count) => sum.div_euclid(count),
        };
        let next = [mean(0), mean(1)];
        let moved = (next[0] - means[0]).abs() + (next[1] - means[1]).abs();
        match moved == 0 || at.round + 1 == ROUNDS {
            true => Update::converged(next, moved),
            false => Update::again(next, moved),
        }
    }
}

/// What leaves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Outcome(Outcome<Pair>),
    Report(Report<i64>),
}

/// Runs a rule, and gives everything that left.
fn told<I: Iteration<u8, Model = Pair, Measure = i64>>(
    run: &Run<Change>,
    settings: Loop,
    start: Start,
    rule: impl Fn(Owners) -> I + Send + Sync + 'static,
) -> Vec<Seen<Told>> {
    run.go(move |stream, tap: &Tap<Told>| {
        let (outcomes, reports) = stream.changelog().bulk(settings.clone(), start, hash, &rule);
        tap.watch(outcomes.map(Told::Outcome));
        tap.watch(reports.map(Told::Report));
    })
}

/// The contents at the end of each epoch that changes them.
fn versions(run: &Run<Change>) -> Vec<(Epoch, BTreeMap<u8, Diff>)> {
    let (mut contents, mut versions) = (BTreeMap::new(), Vec::new());
    for (epoch, partitions) in (0..).zip(run.epochs()) {
        let before = contents.clone();
        for (number, diff) in partitions.iter().flatten() {
            *contents.entry(*number).or_default() += *diff;
        }
        contents.retain(|_, times| *times != 0);
        if contents != before {
            versions.push((epoch, contents.clone()));
        }
    }
    versions
}

/// What is to leave, computed from whole contents; `exactly` so many rounds, if it says.
fn model(run: &Run<Change>, exactly: Option<u64>, start: Start) -> Vec<(Epoch, Told)> {
    let (mut all, mut last) = (Vec::new(), FIRST);
    for (epoch, contents) in versions(run) {
        let mut means = if start == Start::Warm { last } else { FIRST };
        for round in 0.. {
            let (low, high): (Vec<_>, Vec<_>) = contents
                .iter()
                .map(|(number, times)| (i64::from(*number), *times as i64))
                .partition(|it| (it.0 - means[0]).abs() <= (it.0 - means[1]).abs());
            let mean = |group: Vec<(i64, i64)>, before| {
                let count: i64 = group.iter().map(|it| it.1).sum();
                let sum: i64 = group.iter().map(|it| it.0 * it.1).sum();
                if count == 0 { before } else { sum.div_euclid(count) }
            };
            let next = [mean(low, means[0]), mean(high, means[1])];
            let measure = (next[0] - means[0]).abs() + (next[1] - means[1]).abs();
            means = next;
            let converged = (measure == 0 || round + 1 == ROUNDS).then_some(End::Converged);
            let end = match exactly {
                Some(rounds) if round + 1 < rounds => None,
                Some(_) => converged.or(Some(End::Limit)),
                None => converged,
            };
            all.push((epoch, Told::Report(Report { at: Turn { epoch, round }, end, measure })));
            if let Some(end) = end {
                let outcome = Outcome { epoch, rounds: round + 1, end, model: means };
                all.push((epoch, Told::Outcome(outcome)));
                break;
            }
        }
        last = means;
    }
    all.sort();
    all
}

#[track_caller]
fn check(run: &Run<Change>, exactly: Option<u64>, start: Start) {
    let settings = match exactly {
        Some(rounds) => Loop::named("means").exactly(rounds),
        None => Loop::named("means").at_most(ROUNDS),
    };
    let seen = told(run, settings, start, |_| Means::default());
    assert!(seen.iter().all(|it| it.worker == 0), "everything leaves from the first worker");
    assert_eq!(by_epoch(seen), model(run, exactly, start), "{run:?}");
}

fn some() -> impl Strategy<Value = Run<Change>> {
    let diff = prop_oneof![Just(1isize), Just(1), Just(3), Just(-1), Just(-2)];
    runs(histories((0..24u8, diff), 1..8, 0..6))
}

fn starts() -> impl Strategy<Value = Start> {
    prop_oneof![(1..5usize).prop_map(Start::cold), Just(Start::Warm)]
}

/// So many epochs of one new number each, all there at once.
fn at_once(epochs: u8) -> Run<Change> {
    let history: Epochs<Change> = (0..epochs).map(|it| vec![vec![(it, 1)]]).collect();
    Run::new(history).flight(epochs.into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_epoch_has_the_model_of_its_contents(
        run in some(),
        start in starts(),
        exactly in proptest::option::of(1..5u64),
    ) {
        check(&run, exactly, start);
    }

    #[test]
    fn real_numbers_are_the_same_however_the_input_comes(
        history in histories((any::<u8>(), prop_oneof![Just(1isize), Just(-1)]), 1..6, 0..8),
        workers in prop_oneof![Just(1usize), Just(2), Just(4)],
        start in starts(),
        at in any::<prop::sample::Index>(),
    ) {
        let plain = Run::new(history.clone()).workers(workers);
        let at = at.index(history.len()) as Epoch;
        let other = Run::new(history).workers(workers).batch(2).flight(3).restart(at, workers);
        let [one, other] = [plain, other].map(|run| by_epoch(run.go(move |stream, tap| {
            let rule = |_: Owners| Reals::default();
            let three = Loop::named("reals").exactly(3);
            let (sums, _) = stream.changelog().bulk(three, start, hash, rule);
            // Bit by bit.
            tap.watch(sums.map(|it| it.model.to_bits()));
        })));
        prop_assert_eq!(one, other);
    }
}

/// A sum of real numbers of all sizes, so that it depends on the order.
#[derive(Default)]
struct Reals {
    numbers: Contents<u8>,
}

impl Iteration<u8> for Reals {
    type Data = Rc<Vec<(u8, Diff)>>;
    type Model = f64;
    type Partial = f64;
    type Measure = ();

    fn accept(&mut self, changes: Vec<Change>) {
        self.numbers.accept(changes);
    }

    fn data(&mut self) -> Self::Data {
        self.numbers.version()
    }

    fn start(&self) -> f64 {
        0.1
    }

    fn compute(&self, _: Turn, numbers: &mut Self::Data, sum: &f64) -> f64 {
        let number = |it: u8| 1.7_f64.powi(i32::from(it) - 128) + sum / f64::from(it + 1);
        numbers.iter().map(|(it, times)| number(it % 200) * *times as f64).sum()
    }

    fn combine(&self, all: &mut f64, next: f64) {
        *all += next;
    }

    fn update(&self, _: Turn, _: f64, all: f64) -> Update<f64, ()> {
        Update::again(all.clamp(-1e6, 1e6), ())
    }
}

/// Which workers there are, as they are combined.
struct Workers(usize);

impl Iteration<u8> for Workers {
    type Data = ();
    type Model = Vec<usize>;
    type Partial = Vec<usize>;
    type Measure = ();

    fn accept(&mut self, _: Vec<Change>) {}

    fn data(&mut self) {}

    fn start(&self) -> Vec<usize> {
        Vec::new()
    }

    fn compute(&self, _: Turn, (): &mut (), _: &Vec<usize>) -> Vec<usize> {
        vec![self.0]
    }

    fn combine(&self, all: &mut Vec<usize>, next: Vec<usize>) {
        all.extend(next);
    }

    fn update(&self, _: Turn, mut model: Vec<usize>, all: Vec<usize>) -> Update<Vec<usize>, ()> {
        model.extend(all);
        Update::again(model, ())
    }
}

#[test]
fn partial_results_are_combined_in_the_order_of_workers() {
    let workers = at_once(4).workers(4).go(|stream, tap| {
        let rule = |owners: Owners| Workers(owners.index());
        let twice = Loop::named("workers").exactly(2);
        tap.watch(stream.changelog().bulk(twice, Start::COLD, hash, rule).0);
    });
    assert_eq!(workers.len(), 4);
    assert!(workers.iter().all(|it| it.record.model == [0, 1, 2, 3, 0, 1, 2, 3]));
}

#[test]
fn models_and_partial_results_go_from_process_to_process() {
    // As between processes, whatever is sent is written and read.
    let communication = timely::CommunicationConfig::ProcessBinary(3);
    let config = timely::Config { communication, worker: timely::WorkerConfig::default() };
    let captured = timely::execute(config, |worker| {
        let mut input = InputHandleVec::new();
        let captured = worker.dataflow(|scope| {
            let numbers = Stream::from_inner(&Flow::new(scope), scope.input_from(&mut input));
            let means =
                numbers.changelog().bulk("means".into(), Start::Warm, hash, |_| Means::default());
            means.0.inner().capture()
        });
        for (epoch, numbers) in [(0, 0..9u8), (1, 15..24)] {
            input.advance_to(epoch);
            let mine = numbers.filter(|it| usize::from(*it) % worker.peers() == worker.index());
            mine.for_each(|it| input.send((it, 1)));
        }
        captured
    });
    let captured = captured.unwrap().join().into_iter().map(|it| it.unwrap().extract());
    let outcomes: Vec<_> = captured.flatten().flat_map(|it| it.1).map(Told::Outcome).collect();
    let history = [0..9u8, 15..24].map(|epoch| vec![epoch.map(|it| (it, 1)).collect()]);
    let expected = model(&Run::new(history.to_vec()), None, Start::Warm).into_iter();
    let expected = expected.map(|it| it.1).filter(|it| matches!(it, Told::Outcome(_)));
    assert_eq!(outcomes, Vec::from_iter(expected));
}

#[test]
fn an_empty_collection_has_no_model() {
    for workers in [1, 2, 4] {
        let run = Run::new(vec![vec![vec![]]; 3]).workers(workers);
        assert_eq!(by_epoch(told(&run, "none".into(), Start::COLD, |_| Means::default())), []);
    }
}

#[test]
fn what_cancels_within_an_epoch_changes_nothing() {
    let history = vec![vec![vec![(3, 1)], vec![]], vec![vec![(4, 2)], vec![(4, -2)]]];
    check(&Run::new(history.clone()).workers(2), None, Start::COLD);
    assert_eq!(versions(&Run::new(history)).len(), 1);
}

#[test]
fn workers_without_data_take_part() {
    for start in [Start::COLD, Start::Warm] {
        check(&Run::new(vec![vec![vec![(7, 2)]], vec![vec![(7, -1)]]]).workers(4), None, start);
    }
}

#[test]
fn a_collection_may_become_empty_again() {
    check(&Run::new(vec![vec![vec![(7, 2)]], vec![vec![(7, -2)]]]).workers(2), None, Start::Warm);
}

#[test]
fn a_warm_start_goes_on_from_the_model_before_a_restart() {
    // The second pair of means is found from the first only.
    let history = [vec![(2, 1), (9, 1)], vec![], vec![(19, 5)], vec![(1, 1)]];
    let history: Epochs<Change> = history.into_iter().map(|it| vec![it]).collect();
    for at in 0..4 {
        check(&Run::new(history.clone()).workers(2).restart(at, 4), None, Start::Warm);
    }
    let run = Run::new(history);
    assert_ne!(model(&run, None, Start::Warm), model(&run, None, Start::COLD));
}
