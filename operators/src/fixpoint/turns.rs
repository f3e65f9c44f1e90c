//! Whose turn it is: the calls of a rule in the order of epochs and rounds.

use std::collections::BTreeMap;

use timely::dataflow::operators::Capability;
use timely::order::Product;
use timely::progress::frontier::MutableAntichain;

use super::limit::Limit;
use super::{Post, Round, Rounds};
use crate::collection::Diff;
use crate::count::Counts;
use crate::time::Epoch;

/// When, and in which round.
pub(super) type Time = Product<Epoch, u64>;

/// A round of an epoch, in the order in which they are worked off.
pub(super) type Place = (Epoch, u64);

/// The end of everything.
const END: Place = (Epoch::MAX, u64::MAX);

/// A call that is to come, and the right to send messages with it.
struct Call<D, M> {
    capability: Capability<Time>,
    changes: Vec<(D, Diff)>,
    mail: Vec<M>,
}

/// A rule with the calls that wait for it.
pub(super) struct Turns<D, R: Rounds<D>> {
    rule: R,
    calls: BTreeMap<Place, Call<D, R::Message>>,
    /// The right to send results, of each epoch that has begun.
    results: BTreeMap<Epoch, Capability<Time>>,
    post: Post<R::Message>,
    limit: Limit,
    counts: Counts,
}

/// What there is to send.
pub(super) enum Sent<'a, M, O> {
    /// Messages to a worker.
    Mail(&'a Capability<Time>, usize, Vec<M>),
    /// Results.
    Results(&'a Capability<Time>, Vec<O>),
}

impl<D, R: Rounds<D>> Turns<D, R> {
    pub(super) fn new(rule: R, peers: usize, limit: Limit, counts: Counts) -> Self {
        let post = Post::new(peers);
        Self { rule, calls: BTreeMap::new(), results: BTreeMap::new(), post, limit, counts }
    }

    /// Takes changes off the wire. `rights` gives the rights to send messages and results. The rule has
    /// those of the epoch that is `open` at once, rather than when all are there.
    pub(super) fn change(
        &mut self,
        open: Place,
        time: Time,
        changes: &mut Vec<(D, Diff)>,
        rights: impl Fn() -> (Capability<Time>, Capability<Time>),
    ) {
        self.counts.rows_in.add(changes.len() as u64);
        let call = self.call(time, rights);
        call.changes.append(changes);
        let ended = self.results.first_key_value().is_none_or(|(epoch, _)| *epoch >= time.outer);
        if ended && time.outer <= open.0 {
            self.hand_over((time.outer, time.inner));
        }
    }

    fn hand_over(&mut self, place: Place) {
        let Some(call) = self.calls.get_mut(&place) else { return };
        if !call.changes.is_empty() {
            self.rule.accept(std::mem::take(&mut call.changes));
        }
    }

    /// Takes messages off the wire.
    pub(super) fn deliver(
        &mut self,
        time: Time,
        mail: &mut Vec<R::Message>,
        rights: impl Fn() -> (Capability<Time>, Capability<Time>),
    ) {
        self.call(time, rights).mail.append(mail);
    }

    fn call(
        &mut self,
        time: Time,
        rights: impl Fn() -> (Capability<Time>, Capability<Time>),
    ) -> &mut Call<D, R::Message> {
        self.results.entry(time.outer).or_insert_with(|| rights().1);
        self.calls.entry((time.outer, time.inner)).or_insert_with(|| Call {
            capability: rights().0,
            changes: Vec::new(),
            mail: Vec::new(),
        })
    }

    /// Works off the calls that are due: those before `open`, the least place at which something can
    /// still arrive. What was called too often stays where it is.
    pub(super) fn work(
        &mut self,
        open: Place,
        mut send: impl FnMut(Sent<'_, R::Message, R::Output>),
    ) {
        loop {
            let due = self.calls.first_key_value().map_or(END, |(place, _)| *place);
            let ended = self.results.first_key_value().map_or(Epoch::MAX, |(epoch, _)| *epoch);
            if ended < due.0 && ended < open.0 {
                self.finish(ended, &mut send);
            } else if due < open && self.limit.allows(due.0) {
                self.turn(&mut send);
            } else {
                return;
            }
        }
    }

    fn turn(&mut self, send: &mut impl FnMut(Sent<'_, R::Message, R::Output>)) {
        let Some(place) = self.calls.first_key_value().map(|(place, _)| *place) else { return };
        self.hand_over(place);
        let Some(call) = self.calls.remove(&place) else { return };
        let round = Round::of_number(place.1);
        let wanted = self.rule.round(round, call.mail, &mut self.post);
        for (worker, mail) in self.post.drain() {
            send(Sent::Mail(&call.capability, worker, mail));
        }
        if let Some(wanted) = wanted {
            assert!(wanted > round, "a rule in {round:?} asked for {wanted:?}, which is over");
            let time = Product::new(place.0, wanted.number());
            self.calls.entry((place.0, wanted.number())).or_insert_with(|| Call {
                capability: call.capability.delayed(&time),
                changes: Vec::new(),
                mail: Vec::new(),
            });
        }
    }

    fn finish(&mut self, epoch: Epoch, send: &mut impl FnMut(Sent<'_, R::Message, R::Output>)) {
        let Some(capability) = self.results.remove(&epoch) else { return };
        let mut out = Vec::new();
        self.rule.finish(epoch, &mut out);
        self.counts.rows_out.add(out.len() as u64);
        if !out.is_empty() {
            send(Sent::Results(&capability, out));
        }
    }

    /// The earliest epoch that is not finished.
    pub(super) fn reached(&self, open: Place) -> Epoch {
        self.results.first_key_value().map_or(open.0, |(epoch, _)| open.0.min(*epoch))
    }
}

/// The least place at which something can still arrive.
pub(super) fn open(frontiers: &[MutableAntichain<Time>]) -> Place {
    let times = frontiers.iter().flat_map(|it| it.frontier().iter().copied().collect::<Vec<_>>());
    times.map(|time| (time.outer, time.inner)).min().unwrap_or(END)
}
