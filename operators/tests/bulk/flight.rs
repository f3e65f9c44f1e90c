//! Epochs that go round at the same time, and those that never end.

use super::*;

#[test]
#[should_panic(expected = "`circle` cannot go on: the loop still changes after 5 rounds at 0")]
fn an_epoch_that_goes_on_is_stopped_by_name() {
    let turning = Loop::named("circle").at_most(5);
    told(&at_once(1).workers(2), turning, Start::COLD, |_| Endless::default());
}

#[test]
fn an_epoch_that_overruns_stays_incomplete_and_no_other_begins() {
    timely::execute_directly(|worker| {
        let alarms = Rc::new(Alarms::default());
        let surroundings = Surroundings { alarm: alarms.clone(), ..Surroundings::default() };
        let mut input = InputHandleVec::new();
        let rule = Endless::default();
        let log = Arc::clone(&rule.log);
        let progress = worker.dataflow(|scope| {
            let flow = Flow::within(scope, surroundings);
            let numbers = Stream::from_inner(&flow, scope.input_from(&mut input)).changelog();
            let settings = Loop::named("circle").at_most(5);
            let (outcomes, _) = numbers.bulk(settings, Start::cold(1), hash, |_| rule);
            outcomes.watch(|_, _| panic!("there is no outcome"), |_| panic!("no epoch completes"));
            flow.progress()
        });
        for epoch in 0..3 {
            input.advance_to(epoch.into());
            input.send((epoch, 1));
        }
        input.close();
        (0..200).for_each(|_| _ = worker.step());
        assert_eq!(alarms.raised(), ["circle"]);
        assert_eq!(progress.reached(), 0);
        let rounds = (0..5).map(|round| Turn { epoch: 0, round });
        assert_eq!(*log.lock().unwrap(), Vec::from_iter(rounds));
        worker.drop_dataflow(0);
    });
}

#[test]
fn an_epoch_may_converge_in_the_last_round_that_it_has() {
    let run = at_once(3);
    let rounds = model(&run, None, Start::COLD).into_iter().filter_map(|(_, told)| match told {
        Told::Outcome(outcome) => Some(outcome.rounds),
        Told::Report(_) => None,
    });
    let most = Loop::named("means").at_most(rounds.max().unwrap());
    let seen = told(&run, most, Start::COLD, |_| Means::default());
    assert_eq!(by_epoch(seen), model(&run, None, Start::COLD));
}

#[test]
#[should_panic(expected = "at least one epoch must be in flight")]
fn a_cold_start_without_epochs_is_refused() {
    _ = Start::cold(0);
}

/// Never converges, unless it is told to by the `end`; notes which rounds were computed.
#[derive(Clone, Default)]
struct Endless {
    log: Arc<Mutex<Vec<Turn>>>,
    /// Epoch 0 goes on until a round of this one was computed.
    until: Option<Epoch>,
}

impl Iteration<u8> for Endless {
    type Data = ();
    type Model = Pair;
    type Partial = ();
    type Measure = i64;

    fn accept(&mut self, _: Vec<Change>) {}

    fn data(&mut self) {}

    fn start(&self) -> Pair {
        FIRST
    }

    fn compute(&self, at: Turn, (): &mut (), _: &Pair) {
        self.log.lock().unwrap().push(at);
    }

    fn combine(&self, (): &mut (), (): ()) {}

    fn update(&self, at: Turn, pair: Pair, (): ()) -> Update<Pair, i64> {
        let seen = |epoch| self.log.lock().unwrap().iter().any(|it| it.epoch == epoch);
        let converged = self.until.is_some_and(|until| at.epoch > 0 || seen(until));
        Update { model: pair, measure: 0, converged }
    }
}

#[test]
fn an_epoch_goes_round_while_the_one_before_it_does() {
    for (workers, in_flight) in [(1, 2), (2, 2), (4, 2), (1, 3), (2, 3)] {
        // Epoch 0 ends when the last that may be in flight with it has had a round: were it to wait for
        // the end of epoch 0, that would never end.
        let rule = Endless { until: Some(in_flight as Epoch - 1), ..Endless::default() };
        let run = at_once(5).workers(workers);
        let settings = Loop::named("waits").at_most(500);
        let seen = told(&run, settings, Start::cold(in_flight), move |_| rule.clone());
        let outcomes = seen.iter().filter(|it| matches!(it.record, Told::Outcome(_)));
        assert_eq!(outcomes.count(), 5);
    }
}

#[test]
fn no_more_epochs_go_round_than_may() {
    let epochs = 5;
    for (start, most) in
        [(Start::cold(1), 1), (Start::COLD, 2), (Start::cold(4), 4), (Start::cold(9), 5)]
            .into_iter()
            .chain([(Start::Warm, 1)])
    {
        let rule = Endless::default();
        let log = Arc::clone(&rule.log);
        told(&at_once(epochs), Loop::named("six").exactly(6), start, move |_| rule.clone());
        let log = log.lock().unwrap();
        let mut going = BTreeSet::new();
        let mut together = 0;
        for at in log.iter() {
            assert!(at.round > 0 || going.last() < Some(&at.epoch), "epochs begin in order");
            going.insert(at.epoch);
            together = together.max(going.len());
            if at.round == 5 {
                going.remove(&at.epoch);
            }
        }
        assert_eq!(log.len(), 6 * usize::from(epochs));
        assert_eq!(together, most, "{start:?}");
    }
}

#[test]
fn data_are_copied_only_while_an_epoch_before_goes_round() {
    let copies = |start| {
        let copied = Arc::new(Mutex::new(false));
        let noted = Arc::clone(&copied);
        let rule = move |_: Owners| Means { copied: Some(Arc::clone(&noted)), ..Means::default() };
        told(&at_once(5), "means".into(), start, rule);
        *copied.lock().unwrap()
    };
    assert!(copies(Start::COLD));
    assert!(!copies(Start::cold(1)));
    assert!(!copies(Start::Warm));
}
