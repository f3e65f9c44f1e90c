//! Ranks that are pushed: what a vertex has not passed on yet is its *residual*.
//!
//! PageRank with damping *d* is the solution of *x = s + d Pᵀ x*, divided by its sum, where *s* is one for
//! each vertex (or for the source alone, if it is personal) and *P* leads from a vertex along its edges in
//! equal shares: what vertices without edges would spread over all *s* only changes the sum. Kept are an
//! estimate *x̂* and the residual *r = s + d Pᵀ x̂ - x̂*. To push a vertex is to add its residual to its
//! estimate, and shares of it to the residuals of those it leads to. An edge that comes or goes changes the
//! shares of one vertex, and with them the residuals of its neighbours: pushing goes on from there.
//!
//! Vertices are pushed until all residuals are as little as [`slack`](super::slack) says; so are the debts that a
//! part keeps to the vertices of others.
//!
//! # Few and many
//!
//! Few vertices wait in a queue. When many do, as in a new graph, one sweep after the other pushes all of them
//! in the order in which they lie in memory, which is several times as fast for each.

use std::collections::VecDeque;

use super::debts::{Debts, Share};
use super::edge::{Edge, Real};
use super::part::{Direction, Part};
use super::slack::Slack;
use super::update::Update;
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::time::Epoch;

/// Where what is spread comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// One from each vertex.
    Everywhere,
    /// One from a vertex.
    At(u64),
}

/// Estimates and residuals of a part's vertices, and what is owed to others.
pub(super) struct Pushing {
    part: Part<()>,
    direction: Direction,
    start: Start,
    damping: f64,
    slack: Slack,
    estimate: Vec<f64>,
    /// For vertices of other parts, what is owed to them.
    residual: Vec<f64>,
    /// Which of our vertices are in the graph.
    there: Vec<bool>,
    waits: Vec<bool>,
    /// Whether to sweep however few are known to wait.
    unknown: bool,
    queue: VecDeque<u32>,
    owed: Vec<u32>,
    /// Vertices of other parts whose edges change: what is owed to them is not kept, as they may be
    /// forgotten here.
    settled: Vec<u32>,
    debts: Debts,
    /// The value that was told last, if the vertex is there.
    told: Vec<Option<f64>>,
    noted: Vec<bool>,
    touched: Vec<u32>,
    /// The sum of all estimates, the change of ours in this epoch, and the sum when all were told.
    sum: f64,
    change: f64,
    sum_told: f64,
}

const PUSH: u32 = 0;
const SUM: u32 = 1;

impl Pushing {
    /// Of how many vertices one waits if there are many that do.
    const MANY: usize = 16;

    pub(super) fn new(
        start: Start,
        damping: f64,
        tolerance: f64,
        owners: Owners,
        direction: Direction,
    ) -> Self {
        let slack = match start {
            Start::Everywhere => Slack::of_each(tolerance, owners.peers()),
            Start::At(_) => Slack::of_all(tolerance, damping, owners.peers()),
        };
        let debts = Debts::new(owners.index(), owners.peers());
        Self {
            part: Part::new(owners, direction),
            direction,
            start,
            damping,
            slack,
            estimate: Vec::new(),
            residual: Vec::new(),
            there: Vec::new(),
            waits: Vec::new(),
            unknown: false,
            queue: VecDeque::new(),
            owed: Vec::new(),
            settled: Vec::new(),
            debts,
            told: Vec::new(),
            noted: Vec::new(),
            touched: Vec::new(),
            sum: 0.0,
            change: 0.0,
            sum_told: 0.0,
        }
    }

    fn grow(&mut self) {
        let slots = self.part.vertices.len();
        if self.estimate.len() < slots {
            self.estimate.resize(slots, 0.0);
            self.residual.resize(slots, 0.0);
            self.there.resize(slots, false);
            self.waits.resize(slots, false);
            self.told.resize(slots, None);
            self.noted.resize(slots, false);
            // Less may be left then: all are looked at again.
            self.unknown |= self.slack.share(slots);
        }
    }

    fn note(&mut self, slot: u32) {
        if !std::mem::replace(&mut self.noted[slot as usize], true) {
            self.touched.push(slot);
        }
    }

    /// Adds to the residual of a vertex of this or another part.
    #[inline]
    fn add(&mut self, slot: u32, amount: f64) {
        let at = slot as usize;
        self.residual[at] += amount;
        if self.waits[at] {
            return;
        }
        if !self.part.vertices.mine(slot) {
            self.waits[at] = true;
            self.owed.push(slot);
        } else if self.residual[at].abs() > self.slack.left {
            self.waits[at] = true;
            self.queue.push_back(slot);
        }
    }

    /// Adds shares of an amount to the residuals of those that a vertex leads to.
    fn share(&mut self, slot: u32, amount: f64) {
        let count = self.part.outgoing(slot).len();
        if amount != 0.0 && count > 0 {
            let share = self.damping * amount / count as f64;
            for at in 0..count {
                let (to, ()) = self.part.outgoing(slot)[at];
                self.add(to, share);
            }
        }
    }

    /// The vertices of this part whose shares these edges change.
    fn sources(&self, changes: &[(Edge, Diff)]) -> Vec<u32> {
        let both = self.direction == Direction::Undirected;
        let ends = changes.iter().flat_map(|(it, _)| [it.from, if both { it.to } else { it.from }]);
        let vertices = &self.part.vertices;
        let ours = ends.filter_map(|it| vertices.find(it)).filter(|it| vertices.mine(*it));
        let mut sources: Vec<u32> = ours.collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// Lets a vertex begin that is there and was not, or end.
    fn begin_or_end(&mut self, slot: u32) {
        self.note(slot);
        let there = self.part.present(slot);
        let at = slot as usize;
        let was = std::mem::replace(&mut self.there[at], there);
        if there && !was {
            let starts = match self.start {
                Start::Everywhere => true,
                Start::At(source) => source == self.part.vertices.id(slot),
            };
            if starts {
                self.add(slot, 1.0);
            }
        } else if was && !there {
            // Nothing leads from it or to it any more.
            self.change -= self.estimate[at];
            (self.estimate[at], self.residual[at]) = (0.0, 0.0);
        }
    }

    /// Lays out a first graph, if there is one.
    fn load(&mut self) {
        if self.part.settle() {
            self.grow();
            for slot in 0..self.part.vertices.len() as u32 {
                if self.part.vertices.mine(slot) {
                    self.begin_or_end(slot);
                }
            }
        }
    }

    /// Pushes what waits, once.
    fn push(&mut self) {
        let many = self.queue.len() > self.part.vertices.len() / Self::MANY;
        if std::mem::take(&mut self.unknown) || many {
            return self.sweep();
        }
        for _ in 0..self.queue.len() {
            let Some(slot) = self.queue.pop_front() else { break };
            self.waits[slot as usize] = false;
            if let Some(amount) = self.settle(slot) {
                self.share(slot, amount);
            }
        }
    }

    /// Adds the residual of a vertex to its estimate, if it is not small; gives it.
    #[inline]
    fn settle(&mut self, slot: u32) -> Option<f64> {
        let amount = self.residual[slot as usize];
        if amount.abs() <= self.slack.left {
            return None;
        }
        self.note(slot);
        self.residual[slot as usize] = 0.0;
        self.estimate[slot as usize] += amount;
        self.change += amount;
        Some(amount)
    }

    /// Pushes each vertex once, and finds those that wait then.
    fn sweep(&mut self) {
        let slots = self.part.vertices.len() as u32;
        for slot in 0..slots {
            if self.part.vertices.mine(slot)
                && let Some(amount) = self.settle(slot)
            {
                let to = self.part.outgoing(slot);
                let share = self.damping * amount / to.len().max(1) as f64;
                to.iter().for_each(|it| self.residual[it.0 as usize] += share);
            }
        }
        self.queue.clear();
        self.owed.clear();
        for slot in 0..slots {
            let residual = self.residual[slot as usize].abs();
            let mine = self.part.vertices.mine(slot);
            let waits = residual > if mine { self.slack.left } else { self.slack.kept };
            self.waits[slot as usize] = waits;
            if waits {
                if mine { self.queue.push_back(slot) } else { self.owed.push(slot) }
            }
        }
    }

    /// Sends what is owed to others, if it is not little.
    fn pay(&mut self, post: &mut Post<Share>) {
        let (debts, vertices) = (&mut self.debts, &self.part.vertices);
        debts.pay(&self.settled, 0.0, &mut self.residual, vertices, post);
        debts.pay(&self.owed, self.slack.kept, &mut self.residual, vertices, post);
        self.owed.iter().for_each(|it| self.waits[*it as usize] = false);
        self.settled.clear();
        self.owed.clear();
    }

    /// Takes what another part owed.
    fn hear(&mut self, share: Share) {
        match share {
            Share::Named { by, names } => self.debts.learn(by, &names, &self.part.vertices),
            // A vertex that went was sent what was taken back, too: it is nothing in sum.
            Share::Few { by, amounts } => {
                for (number, amount) in amounts {
                    let slot = self.debts.known(by).get(number as usize).copied();
                    if let Some(slot) = slot.filter(|it| self.is_there(*it)) {
                        self.add(slot, amount);
                    }
                }
            }
            Share::Run { by, first, amounts } => {
                self.unknown = true;
                let slots = self.debts.known(by).iter().skip(first as usize);
                for (&slot, amount) in slots.zip(amounts) {
                    if self.is_there(slot) {
                        self.residual[slot as usize] += amount;
                    }
                }
            }
            Share::Sum(change) => self.sum += change,
        }
    }

    #[inline]
    fn is_there(&self, slot: u32) -> bool {
        self.there.get(slot as usize).is_some_and(|it| *it)
    }

    fn tell(&mut self, epoch: Epoch, slot: u32, before: Option<f64>, out: &mut Vec<Update<Real>>) {
        let at = slot as usize;
        let there = self.part.present(slot);
        // Without a source only what rounding left is there, in values and in their sum; with one, the
        // sum is at least 1.
        let nothing = self.sum < 0.5 || self.slack.is_nothing(self.estimate[at]);
        let now = there.then(|| if nothing { 0.0 } else { self.estimate[at] / self.sum });
        let near = match (before, now) {
            (Some(before), Some(now)) => (now - before).abs() <= self.slack.small * before.abs(),
            (before, now) => before.is_none() && now.is_none(),
        };
        if near {
            self.told[at] = before;
        } else {
            self.told[at] = now;
            let vertex = self.part.vertices.id(slot);
            out.push(Update { epoch, vertex, old: before.map(Real), new: now.map(Real) });
        }
    }
}

impl Rounds<Edge> for Pushing {
    type Message = Share;
    type Output = Update<Real>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        if self.part.stage(&changes) {
            return;
        }
        self.load();
        let (mut touched, mut ways) = (Vec::new(), Vec::new());
        let sources = self.sources(&changes);
        sources.iter().for_each(|it| self.share(*it, -self.estimate[*it as usize]));
        for (edge, diff) in &changes {
            self.part.change(edge, *diff, &mut touched, &mut ways);
        }
        self.grow();
        let vertices = &self.part.vertices;
        let others = ways.iter().map(|way| way.to).filter(|it| !vertices.mine(*it));
        self.settled.extend(others);
        sources.iter().for_each(|it| self.share(*it, self.estimate[*it as usize]));
        touched.into_iter().for_each(|it| self.begin_or_end(it));
    }

    fn round(&mut self, round: Round, mail: Vec<Share>, post: &mut Post<Share>) -> Option<Round> {
        self.load();
        mail.into_iter().for_each(|it| self.hear(it));
        if round.phase == PUSH {
            self.push();
            self.pay(post);
            let more = !self.queue.is_empty();
            return Some(if more { round.next() } else { Round::of_phase(SUM) });
        }
        if round.step == 0 {
            let change = std::mem::take(&mut self.change);
            let peers = self.part.vertices.owners().peers();
            (0..peers).for_each(|it| post.to(it, Share::Sum(change)));
        }
        None
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<Real>>) {
        let shifted = (self.sum - self.sum_told).abs() > self.slack.small * self.sum_told;
        let touched = std::mem::take(&mut self.touched);
        for slot in &touched {
            self.tell(epoch, *slot, self.told[*slot as usize], out);
        }
        if shifted {
            self.sum_told = self.sum;
            for slot in 0..self.told.len() as u32 {
                if let Some(before) = self.told[slot as usize]
                    && !self.noted[slot as usize]
                {
                    self.tell(epoch, slot, Some(before), out);
                }
            }
        }
        touched.iter().for_each(|it| self.noted[*it as usize] = false);
        let mut gone = Vec::new();
        self.part.clear(|slot| gone.push(slot));
        for slot in gone {
            self.debts.forget(slot, &self.part.vertices);
            let at = slot as usize;
            (self.estimate[at], self.residual[at], self.told[at]) = (0.0, 0.0, None);
        }
    }
}
