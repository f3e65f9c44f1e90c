//! What a worker does about each message, and the capabilities that it holds meanwhile.
//!
//! Nobody waits for the frontier but an epoch that is to begin: the first worker knows how many
//! partial results a round has, so a round is over when they are there.

use std::collections::BTreeMap;
use std::rc::Rc;

use differential_dataflow::consolidation::consolidate;
use serde::{Deserialize, Serialize};
use timely::dataflow::operators::{Capability, InputCapability};
use timely::order::Product;
use timely::progress::frontier::MutableAntichain;

use super::kept::Kept;
use super::lead::{Lead, Taken, Then};
use super::part::Part;
use super::{Iteration, Outcome, Report, Start, Turn};
use crate::collection::{Diff, Loop, Record, overrun};
use crate::count::Counts;
use crate::fixpoint::turns::Time;
use crate::fixpoint::wiring::time_of;
use crate::flow::Site;
use crate::time::Epoch;

/// What workers tell each other, of the epoch that the message travels with.
#[derive(Serialize, Deserialize)]
pub(super) enum Message<M, P> {
    /// To the first: my part has changed, let the epoch go round.
    Begin,
    /// From the first: compute this round with this model.
    Compute(u64, M),
    /// To the first: what the worker with this number computed.
    Computed(usize, P),
    /// From the first: the epoch is over.
    End,
}

/// What there is to send.
pub(super) enum Sent<'a, D, I: Iteration<D>> {
    Mail(&'a Capability<Time>, usize, Message<I::Model, I::Partial>),
    Outcome(&'a Capability<Time>, Outcome<I::Model>),
    Report(&'a Capability<Time>, Report<I::Measure>),
}

/// The ports of the operator.
pub(super) const MAIL: usize = 0;
pub(super) const OUTCOMES: usize = 1;
pub(super) const REPORTS: usize = 2;

/// The worker that combines.
const FIRST: usize = 0;

/// A rule, this worker's part, and on the first worker the lead.
pub(super) struct Desk<D, I: Iteration<D>> {
    rule: I,
    part: Part<D, I>,
    lead: Lead<D, I>,
    /// The changes of epochs that are not complete.
    arriving: BTreeMap<Epoch, (Capability<Time>, Vec<(D, Diff)>)>,
    /// At the first worker: the epochs that are to begin.
    waiting: BTreeMap<Epoch, Capability<Time>>,
    /// For an iteration that starts warm.
    kept: Option<Kept>,
    /// What keeps an epoch incomplete that has overrun its limit.
    stuck: Option<Capability<Time>>,
    site: Rc<Site>,
    name: String,
    peers: usize,
    counts: Counts,
}

impl<D: Record, I: Iteration<D>> Desk<D, I> {
    /// A desk of the operator `operator`, with what was kept for it.
    pub(super) fn new(
        site: Rc<Site>,
        operator: &str,
        peers: usize,
        (settings, start): (Loop, Start),
        rule: I,
        counts: Counts,
    ) -> Self {
        let (kept, last) = match start {
            Start::Cold { .. } => (None, None),
            Start::Warm => {
                let (kept, last) = Kept::recall(Rc::clone(&site), operator);
                (Some(kept), last.filter(|_| site.worker == FIRST))
            }
        };
        Self {
            rule,
            part: Part::new(),
            lead: Lead::new(start, settings.bound(), peers, last),
            arriving: BTreeMap::new(),
            waiting: BTreeMap::new(),
            kept,
            stuck: None,
            site,
            name: settings.name().to_owned(),
            peers,
            counts,
        }
    }

    /// Takes changes off the wire.
    pub(super) fn arrive(
        &mut self,
        capability: &InputCapability<Time>,
        changes: &mut Vec<(D, Diff)>,
    ) {
        self.counts.rows_in.add(changes.len() as u64);
        let time = time_of(capability);
        let new = || (capability.delayed(&time, MAIL), Vec::new());
        self.arriving.entry(time.outer).or_insert_with(new).1.append(changes);
    }

    /// Hands complete epochs to the part. What changes it begins the epoch.
    pub(super) fn gather(
        &mut self,
        changes: &MutableAntichain<Time>,
        send: &mut impl FnMut(Sent<'_, D, I>),
    ) {
        while let Some(entry) = self.arriving.first_entry() {
            let epoch = *entry.key();
            if changes.less_equal(&Product::new(epoch, 0)) {
                return;
            }
            let (capability, mut changes) = entry.remove();
            consolidate(&mut changes);
            if !changes.is_empty() {
                self.part.accept(epoch, changes);
                send(Sent::Mail(&capability, FIRST, Message::Begin));
            }
        }
    }

    /// Does what a message says.
    pub(super) fn read(
        &mut self,
        capability: &InputCapability<Time>,
        message: Message<I::Model, I::Partial>,
        send: &mut impl FnMut(Sent<'_, D, I>),
    ) {
        let time = time_of(capability);
        let epoch = time.outer;
        match message {
            // What was there when the run before ended: it has been delivered.
            Message::Begin if epoch < self.site.keeper.resume() => {}
            Message::Begin => {
                let right = || capability.delayed(&time, MAIL);
                self.waiting.entry(epoch).or_insert_with(right);
            }
            Message::Compute(round, model) => {
                let at = Turn { epoch, round };
                let partial = self.part.compute(&mut self.rule, at, &model);
                let message = Message::Computed(self.site.worker, partial);
                send(Sent::Mail(&capability.delayed(&time, MAIL), FIRST, message));
            }
            Message::Computed(worker, partial) => {
                if let Some(taken) = self.lead.take(&self.rule, epoch, worker, partial) {
                    self.go_on(capability, taken, send);
                }
            }
            Message::End => self.part.end(epoch),
        }
    }

    fn go_on(
        &mut self,
        capability: &InputCapability<Time>,
        Taken { report, then }: Taken<I::Model, I::Measure>,
        send: &mut impl FnMut(Sent<'_, D, I>),
    ) {
        let time = time_of(capability);
        let mail = capability.delayed(&time, MAIL);
        send(Sent::Report(&capability.delayed(&time, REPORTS), report));
        match then {
            Then::Again(at, model) => self.to_all(&mail, at, &model, send),
            Then::Over(outcome) => {
                self.kept.iter_mut().for_each(Kept::change);
                (0..self.peers).for_each(|to| send(Sent::Mail(&mail, to, Message::End)));
                self.counts.rows_out.add(1);
                send(Sent::Outcome(&capability.delayed(&time, OUTCOMES), outcome));
            }
            Then::Overrun(rounds) => {
                self.stuck.get_or_insert(mail);
                self.site.alarm(&self.name, overrun(rounds, &time.outer));
            }
        }
    }

    fn to_all(
        &self,
        mail: &Capability<Time>,
        at: Turn,
        model: &I::Model,
        send: &mut impl FnMut(Sent<'_, D, I>),
    ) {
        for to in 0..self.peers {
            send(Sent::Mail(mail, to, Message::Compute(at.round, model.clone())));
        }
    }

    /// Begins epochs, in order: those for which there is room and nobody can say any more that an
    /// earlier one is to begin.
    pub(super) fn begin(
        &mut self,
        frontiers: &[MutableAntichain<Time>],
        send: &mut impl FnMut(Sent<'_, D, I>),
    ) {
        while self.lead.has_room() && self.stuck.is_none() {
            // Rounds of epochs before it are later than their first moments, and so not in its way.
            let begins = |epoch| Product::new(epoch, 1);
            let open = |epoch| frontiers.iter().any(|it| it.less_equal(&begins(epoch)));
            let Some(entry) = self.waiting.first_entry().filter(|it| !open(*it.key())) else {
                return;
            };
            let (epoch, mail) = entry.remove_entry();
            // Until here the model was that of the epoch before.
            self.complete(epoch);
            let model = self.lead.begin(&self.rule, epoch);
            self.to_all(&mail, Turn { epoch, round: 0 }, &model, send);
        }
    }

    /// Says that everything before `epoch` has been worked off.
    pub(super) fn complete(&mut self, epoch: Epoch) {
        if let Some(kept) = &mut self.kept {
            kept.complete(epoch, self.lead.last());
        }
    }
}
