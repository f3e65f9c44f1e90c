//! The first worker's share: it combines what the parts computed, and decides what comes next.

use std::collections::BTreeMap;

use super::{End, Iteration, Outcome, Report, Start, Turn};
use crate::collection::Bound;
use crate::time::Epoch;

/// The epochs that are going round.
pub(super) struct Lead<D, I: Iteration<D>> {
    start: Start,
    bound: Bound,
    peers: usize,
    going: BTreeMap<Epoch, Going<I::Model, I::Partial>>,
    /// What the next epoch starts with, if it starts warm and another was before it.
    last: Option<I::Model>,
}

/// An epoch that is going round.
struct Going<M, P> {
    round: u64,
    model: M,
    /// What the parts computed in this round, by worker.
    partials: Vec<Option<P>>,
    missing: usize,
}

/// A round that all parts have computed.
pub(super) struct Taken<M, S> {
    pub(super) report: Report<S>,
    pub(super) then: Then<M>,
}

/// What comes after a round.
pub(super) enum Then<M> {
    /// The next one, with this model.
    Again(Turn, M),
    /// Nothing more in this epoch.
    Over(Outcome<M>),
    /// More rounds than there may be.
    Overrun(u64),
}

impl<D, I: Iteration<D>> Lead<D, I> {
    pub(super) fn new(start: Start, bound: Bound, peers: usize, last: Option<I::Model>) -> Self {
        Self { start, bound, peers, going: BTreeMap::new(), last }
    }

    /// Whether one more epoch may begin.
    pub(super) fn has_room(&self) -> bool {
        let most = match self.start {
            Start::Cold { in_flight } => in_flight.get(),
            Start::Warm => 1,
        };
        self.going.len() < most
    }

    /// The final model that the next epoch starts with.
    pub(super) fn last(&self) -> Option<&I::Model> {
        self.last.as_ref()
    }

    /// Begins an epoch, and gives the model of its first round.
    pub(super) fn begin(&mut self, rule: &I, epoch: Epoch) -> I::Model {
        let model = self.last.clone().unwrap_or_else(|| rule.start());
        let partials = (0..self.peers).map(|_| None).collect();
        let going = Going { round: 0, model: model.clone(), partials, missing: self.peers };
        self.going.insert(epoch, going);
        model
    }

    /// Takes what a worker computed in the round that its epoch is in. Once all have, decides.
    pub(super) fn take(
        &mut self,
        rule: &I,
        epoch: Epoch,
        worker: usize,
        partial: I::Partial,
    ) -> Option<Taken<I::Model, I::Measure>> {
        let going = self.going.get_mut(&epoch)?;
        going.partials[worker] = Some(partial);
        going.missing -= 1;
        if going.missing > 0 {
            return None;
        }
        let going = self.going.remove(&epoch)?;
        Some(self.decide(rule, epoch, going))
    }

    fn decide(
        &mut self,
        rule: &I,
        epoch: Epoch,
        mut going: Going<I::Model, I::Partial>,
    ) -> Taken<I::Model, I::Measure> {
        let at = Turn { epoch, round: going.round };
        let rounds = at.round + 1;
        // In the order of workers, whoever was the first to be through.
        let all = going.partials.iter_mut().filter_map(Option::take).reduce(|mut all, next| {
            rule.combine(&mut all, next);
            all
        });
        let all = all.expect("there is at least one worker");
        let update = rule.update(at, going.model, all);
        let end = match self.bound {
            Bound::Exactly(most) if rounds < most => None,
            _ if update.converged => Some(End::Converged),
            Bound::Exactly(_) => Some(End::Limit),
            _ => None,
        };
        let report = Report { at, end, measure: update.measure };
        let model = update.model;
        let then = match (end, self.bound) {
            (Some(end), _) => {
                self.last = Some(model.clone()).filter(|_| self.start == Start::Warm);
                Then::Over(Outcome { epoch, rounds, end, model })
            }
            (None, Bound::AtMost(most)) if rounds >= most => Then::Overrun(most),
            (None, _) => {
                going = Going { round: rounds, model: model.clone(), missing: self.peers, ..going };
                self.going.insert(epoch, going);
                Then::Again(Turn { epoch, round: rounds }, model)
            }
        };
        Taken { report, then }
    }
}
