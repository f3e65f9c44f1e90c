//! Bulk iteration against a model: numbers that are handed on from part to part.

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill_operators::collection::Diff;
use tidemill_operators::fixpoint::{Owners, Post, Round, Rounds};
use tidemill_operators::key::hash;
use tidemill_operators::time::Epoch;

use support::{Run, Tap, histories, runs};

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_epoch_goes_round_to_its_end_before_the_next(
        run in runs(histories((0..12u64, 1..4isize), 1..7, 0..6)),
    ) {
        let mut seen: Vec<_> = run
            .go(|stream, tap: &Tap<(u64, Diff)>| {
                let numbers = stream.changelog().rounds(
                    "down",
                    |number| (hash(number), hash(number)),
                    |owners| {
                        let (sums, given, changed) = (BTreeMap::new(), Vec::new(), Vec::new());
                        Down { owners, given, sums, changed, told: false }
                    },
                );
                tap.watch(numbers.anew());
            })
            .into_iter()
            .map(|it| (it.epoch, it.record))
            .collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, model(&run));
    }
}
