//! Rounds of messages against a model: numbers that are handed on from part to part.

mod support;

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;
use tidemill_operators::collection::{Diff, Loop};
use tidemill_operators::fixpoint::{Owners, Post, Round, Rounds};
use tidemill_operators::flow::{Flow, Surroundings};
use tidemill_operators::key::hash;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::Epoch;
use timely::dataflow::InputHandleVec;
use timely::dataflow::operators::Input;

use support::{Alarms, Run, Tap, histories, runs};

/// Hands each number down to zero, one at a time, to the owner of the next; the sums of what was handed
/// through each number are told in a second phase, when all has arrived.
struct Down {
    owners: Owners,
    given: Vec<(u64, Diff)>,
    sums: BTreeMap<u64, Diff>,
    changed: Vec<u64>,
    /// Whether the second phase has begun, in which nothing is handed on.
    told: bool,
}

const TELL: u32 = 1;

impl Down {
    fn hand(&mut self, number: u64, diff: Diff, post: &mut Post<(u64, Diff)>) {
        assert!(!self.told, "numbers are handed on before any is told");
        *self.sums.entry(number).or_default() += diff;
        self.changed.push(number);
        if let Some(next) = number.checked_sub(1) {
            post.to(self.owners.of(hash(&next)), (next, diff));
        }
    }
}

impl Rounds<u64> for Down {
    type Message = (u64, Diff);
    type Output = (u64, Diff);

    fn accept(&mut self, changes: Vec<(u64, Diff)>) {
        self.given.extend(changes);
    }

    fn round(
        &mut self,
        round: Round,
        mail: Vec<(u64, Diff)>,
        post: &mut Post<(u64, Diff)>,
    ) -> Option<Round> {
        if round.phase == TELL {
            assert!(mail.is_empty(), "nothing is sent in this phase");
            self.told = true;
            return None;
        }
        let changes = std::mem::take(&mut self.given);
        let all = changes.into_iter().chain(mail);
        for (number, diff) in all {
            self.hand(number, diff, post);
        }
        Some(Round::of_phase(TELL))
    }

    fn finish(&mut self, _: Epoch, out: &mut Vec<(u64, Diff)>) {
        assert!(std::mem::take(&mut self.told), "the second phase is not left out");
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        out.extend(changed.into_iter().map(|it| (it, self.sums[&it])));
    }
}

/// What is told in each epoch, from the whole history.
fn model(run: &Run<(u64, Diff)>) -> Vec<(Epoch, (u64, Diff))> {
    let (mut sums, mut told) = (BTreeMap::<u64, Diff>::new(), Vec::new());
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        let mut changed = BTreeMap::new();
        for (number, diff) in partitions.iter().flatten() {
            for passed in 0..=*number {
                *sums.entry(passed).or_default() += diff;
                changed.insert(passed, ());
            }
        }
        told.extend(changed.into_keys().map(|it| (epoch as Epoch, (it, sums[&it]))));
    }
    told
}

/// How often a number is added or taken away; numbers may be there less than no times.
fn times() -> impl Strategy<Value = Diff> + Clone {
    (-3..4isize).prop_filter("a change", |it| *it != 0)
}

/// Runs the rule, and gives what is told in each epoch.
fn handed_down(run: &Run<(u64, Diff)>, settings: Loop) -> Vec<(Epoch, (u64, Diff))> {
    let seen = run.go(move |stream, tap: &Tap<(u64, Diff)>| {
        let numbers = stream.changelog().rounds(
            settings.clone(),
            |number| (hash(number), hash(number)),
            |owners| {
                let (sums, given, changed) = (BTreeMap::new(), Vec::new(), Vec::new());
                Down { owners, given, sums, changed, told: false }
            },
        );
        tap.watch(numbers.anew());
    });
    seen.into_iter().map(|it| (it.epoch, it.record)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_epoch_goes_round_to_its_end_before_the_next(
        run in runs(histories((0..12u64, times()), 1..7, 0..6)),
    ) {
        let mut seen = handed_down(&run, Loop::named("down").at_most(14));
        seen.sort_unstable();
        prop_assert_eq!(seen, model(&run));
    }
}

/// One epoch in which a number is handed down to zero on one worker: a round for each, and one to tell.
fn from(number: u64) -> Run<(u64, Diff)> {
    Run::new(vec![vec![vec![(number, 1)]]; 2])
}

#[test]
fn each_epoch_may_take_the_rounds_that_it_is_given() {
    let told = handed_down(&from(4), Loop::named("down").at_most(6));
    assert_eq!(told, model(&from(4)));
}

#[test]
#[should_panic(expected = "`down` cannot go on: the loop still changes after 5 rounds at 0")]
fn an_epoch_that_takes_more_is_stopped_by_name() {
    handed_down(&from(4), Loop::named("down").at_most(5));
}

/// Asks for one more round for ever.
struct Restless;

impl Rounds<u64> for Restless {
    type Message = ();
    type Output = ();

    fn accept(&mut self, _: Vec<(u64, Diff)>) {}

    fn round(&mut self, round: Round, _: Vec<()>, _: &mut Post<()>) -> Option<Round> {
        Some(round.next())
    }

    fn finish(&mut self, _: Epoch, _: &mut Vec<()>) {}
}

#[test]
#[should_panic(expected = "`restless` cannot go on: the loop still changes after 100 rounds at 0")]
fn a_rule_that_never_stops_is_stopped_by_name() {
    from(1).workers(2).go(|stream, tap: &Tap<()>| {
        let keys = |it: &u64| (hash(it), hash(it));
        let settings = Loop::named("restless").at_most(100);
        tap.watch(stream.changelog().rounds(settings, keys, |_| Restless));
    });
}

#[test]
fn an_epoch_that_takes_more_stays_incomplete() {
    timely::execute_directly(|worker| {
        let alarms = Rc::new(Alarms::default());
        let surroundings = Surroundings { alarm: alarms.clone(), ..Surroundings::default() };
        let mut input = InputHandleVec::new();
        let progress = worker.dataflow(|scope| {
            let flow = Flow::within(scope, surroundings);
            let numbers = Stream::from_inner(&flow, scope.input_from(&mut input)).changelog();
            let settings = Loop::named("restless").at_most(5);
            let told = numbers.rounds(settings, |it| (hash(it), hash(it)), |_| Restless);
            told.watch(|_, _| panic!("nothing is told"), |_| panic!("no epoch completes"));
            flow.progress()
        });
        for epoch in 0..3 {
            input.advance_to(epoch);
            input.send((epoch, 1));
            (0..100).for_each(|_| _ = worker.step());
        }
        assert_eq!(alarms.raised(), ["restless"]);
        assert_eq!(progress.reached(), 0);
        worker.drop_dataflow(0);
    });
}

#[test]
#[should_panic(expected = "the loop `down` ends when no part has anything to do")]
fn a_number_of_rounds_is_refused() {
    handed_down(&from(1), Loop::named("down").exactly(3));
}
