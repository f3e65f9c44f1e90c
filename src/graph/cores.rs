//! Cores that follow each change.
//!
//! The core numbers are the greatest numbers such that each vertex has as many neighbours with at least its
//! own ([Lü et al.](https://doi.org/10.1038/ncomms10168)). So numbers that are too great may be
//! lowered one by one, in any order, until that is so: what deletions ask for, and the first answer. An edge that
//! comes can raise by one those that hang together with its lesser end by vertices of the same number
//! ([Sarıyüce et al.](https://doi.org/10.14778/2536336.2536344)): these are raised on trial, and
//! lowered again as before. As long as any stay, what has risen is tried again.
//!
//! # Why that is enough
//!
//! Let *c* be what is known, and *k* the least number that is too small anywhere. All vertices of a number above
//! *k* in truth have *k* at least; so those of them that have *k* can rise at once, supported by each other. That
//! none of those who hang together was tried since something near them rose or an edge came to them cannot
//! be: then they could have risen before.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::mirror::Mirror;
use super::together::Together;
use super::update::{Update, Values};
use super::{Graph, ends};
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::time::Epoch;

/// What parts tell each other, most of it of a vertex.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Word {
    /// It has this number.
    Has(u64, u32),
    /// So much has changed that all begin again.
    Begin,
    /// It is raised on trial, and not any more.
    Tried(u64),
    Failed(u64),
}

/// First numbers that are too great are lowered. Then, again and again: what is to be tried is found; those
/// are lowered that cannot stay; and the others told.
const LOWER: u32 = 0;
const FIND: u32 = 1;
const TRY: u32 = 2;

/// The numbers of a part's vertices.
struct Coring {
    core: Mirror<u32>,
    /// Vertices of this part to be looked at.
    queue: VecDeque<u32>,
    waits: Vec<bool>,
    /// Whether a vertex is raised on trial, of ours and of those next to them; and which of ours were.
    tried: Vec<bool>,
    trial: Vec<u32>,
    /// Ours that rose, from which is gone on.
    risen: Vec<u32>,
    /// The ways that are new, and whether these are many.
    ways: Vec<(u32, u32)>,
    much: bool,
    /// How many neighbours have which number, for finding a new one.
    having: Vec<u32>,
}

impl Coring {
    fn new(owners: Owners) -> Self {
        Self {
            core: Mirror::new(owners),
            queue: VecDeque::new(),
            waits: Vec::new(),
            tried: Vec::new(),
            trial: Vec::new(),
            risen: Vec::new(),
            ways: Vec::new(),
            much: false,
            having: Vec::new(),
        }
    }

    fn wait(&mut self, slot: u32) {
        if !std::mem::replace(&mut self.waits[slot as usize], true) {
            self.queue.push_back(slot);
        }
    }

    /// Gives a vertex of ours a number that is great enough: that of its neighbours.
    fn rate(&mut self, slot: u32) {
        let degree = self.core.near(slot).len();
        self.core.set(slot, degree as u32);
    }

    /// Begins with numbers that are great enough for all: if much has come, that is the shorter way.
    fn begin_again(&mut self) {
        self.ways.clear();
        for slot in 0..self.core.part.vertices.len() as u32 {
            if self.core.part.vertices.mine(slot) {
                self.rate(slot);
                self.wait(slot);
                self.ways.extend(self.core.near(slot).iter().map(|it| (slot, it.0)));
            }
        }
    }

    /// Tells other parts what they may not know.
    fn introduce(&self, post: &mut Post<Word>) {
        self.core.introduce(&self.ways, |to, id, core| post.to(to, Word::Has(id, core)));
    }

    /// Lets those of ours wait that have a neighbour whose number fell.
    fn look_above(&mut self, slot: u32) {
        let core = self.core.value(slot);
        for at in 0..self.core.near(slot).len() {
            let (other, ()) = self.core.near(slot)[at];
            if self.core.part.vertices.mine(other) && self.core.value(other) > core {
                self.wait(other);
            }
        }
    }

    /// The greatest number such that so many neighbours have it at least; not more than there is.
    fn supported(&mut self, slot: u32) -> u32 {
        let most = self.core.value(slot);
        self.having.clear();
        self.having.resize(most as usize + 1, 0);
        for (other, ()) in self.core.near(slot) {
            self.having[self.core.value(*other).min(most) as usize] += 1;
        }
        let mut there = 0;
        let found = (0..=most).rev().find(|it| {
            there += self.having[*it as usize];
            there >= *it
        });
        found.unwrap_or(0)
    }

    fn lower(&mut self, mail: Vec<Word>, post: &mut Post<Word>) {
        for word in mail {
            let Word::Has(id, core) = word else { unreachable!("numbers are lowered first") };
            if let Some(slot) = self.core.hear(id, core) {
                self.look_above(slot);
            }
        }
        let mut fallen = Vec::new();
        while let Some(slot) = self.queue.pop_front() {
            self.waits[slot as usize] = false;
            let core = self.supported(slot);
            if core < self.core.value(slot) {
                self.core.set(slot, core);
                self.look_above(slot);
                fallen.push(slot);
            }
        }
        fallen.sort_unstable();
        fallen.dedup();
        for slot in fallen {
            let core = self.core.value(slot);
            self.core.tell(slot, |_| true, |to, id| post.to(to, Word::Has(id, core)));
        }
    }

    /// Finds what is to be tried.
    fn find(&mut self, first: bool, mail: Vec<Word>, post: &mut Post<Word>) {
        let mut found = Vec::new();
        if first {
            found.append(&mut self.risen);
            let ways = std::mem::take(&mut self.ways);
            let lesser = ways.iter().filter(|it| self.core.value(it.0) <= self.core.value(it.1));
            found.extend(lesser.map(|it| it.0));
        }
        for word in mail {
            let Word::Tried(id) = word else { unreachable!("only trials are told") };
            if let Some(slot) = self.core.part.vertices.find(id) {
                self.tried[slot as usize] = true;
                found.extend(self.equals(slot));
            }
        }
        while let Some(slot) = found.pop() {
            let core = self.core.value(slot);
            let near = self.core.near(slot).iter();
            let above = near.filter(|it| self.core.value(it.0) >= core).count();
            // Who has not enough neighbours even if all of the same number rise cannot.
            if self.tried[slot as usize] || above <= core as usize {
                continue;
            }
            self.tried[slot as usize] = true;
            self.trial.push(slot);
            self.core.tell(slot, |it| it == core, |to, id| post.to(to, Word::Tried(id)));
            found.extend(self.equals(slot));
        }
    }

    /// The neighbours in this part that have the same number.
    fn equals(&self, slot: u32) -> impl Iterator<Item = u32> {
        let core = self.core.value(slot);
        let near = self.core.near(slot).iter().map(|it| it.0);
        near.filter(move |it| self.core.part.vertices.mine(*it) && self.core.value(*it) == core)
    }

    /// Gives up those that cannot stay.
    fn try_out(&mut self, first: bool, mail: Vec<Word>, post: &mut Post<Word>) {
        let mut doubted = Vec::new();
        if first {
            doubted.extend_from_slice(&self.trial);
        }
        for word in mail {
            let Word::Failed(id) = word else { unreachable!("only failures are told") };
            if let Some(slot) = self.core.part.vertices.find(id) {
                self.tried[slot as usize] = false;
                doubted.extend(self.equals(slot));
            }
        }
        while let Some(slot) = doubted.pop() {
            if !self.tried[slot as usize] {
                continue;
            }
            let core = self.core.value(slot);
            let support = self.core.near(slot).iter().filter(|(other, ())| {
                let its = self.core.value(*other);
                its > core || its == core && self.tried[*other as usize]
            });
            if support.count() <= core as usize {
                self.tried[slot as usize] = false;
                self.core.tell(slot, |it| it == core, |to, id| post.to(to, Word::Failed(id)));
                doubted.extend(self.equals(slot));
            }
        }
    }

    /// Raises those that could stay.
    fn rise(&mut self, mail: Vec<Word>, post: &mut Post<Word>) {
        for slot in std::mem::take(&mut self.trial) {
            if std::mem::take(&mut self.tried[slot as usize]) {
                let core = self.core.value(slot) + 1;
                self.core.set(slot, core);
                self.core.tell(slot, |_| true, |to, id| post.to(to, Word::Has(id, core)));
                self.risen.push(slot);
            }
        }
        for word in mail {
            let Word::Has(id, core) = word else { unreachable!("only what rose is told") };
            if let Some(slot) = self.core.hear(id, core) {
                self.tried[slot as usize] = false;
            }
        }
    }
}

impl Rounds<Edge> for Coring {
    type Message = Word;
    type Output = Update<u64>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        let changed = self.core.accept(&changes);
        let slots = self.core.part.vertices.len();
        self.waits.resize(slots, false);
        self.tried.resize(slots, false);
        self.ways = changed.ways;
        self.much = self.ways.len() > slots / 2;
        for slot in changed.touched {
            if !self.core.was_there(slot) {
                self.rate(slot);
            }
            self.wait(slot);
        }
    }

    fn round(&mut self, round: Round, mail: Vec<Word>, post: &mut Post<Word>) -> Option<Round> {
        let first = round.step == 0;
        let next = Round::of_phase(round.phase + 1);
        if round.phase == LOWER && first {
            if std::mem::take(&mut self.much) {
                let peers = self.core.part.vertices.owners().peers();
                (0..peers).for_each(|it| post.to(it, Word::Begin));
            } else {
                // What is not known yet would lower what is next to it.
                self.introduce(post);
            }
            return Some(round.next());
        }
        if round.phase == LOWER {
            if mail.iter().any(|it| matches!(it, Word::Begin)) {
                self.begin_again();
                self.introduce(post);
                self.ways.clear();
                return Some(round.next());
            }
            self.lower(mail, post);
            return (!self.ways.is_empty()).then_some(next);
        }
        match (round.phase - FIND) % 3 + FIND {
            FIND => {
                self.find(first, mail, post);
                (!self.trial.is_empty()).then_some(next)
            }
            TRY => {
                self.try_out(first, mail, post);
                (!self.trial.is_empty()).then_some(next)
            }
            _ => {
                self.rise(mail, post);
                (!self.risen.is_empty()).then_some(next)
            }
        }
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<u64>>) {
        self.core.finish(epoch, u64::from, out);
    }
}

impl<'scope> Graph<'scope> {
    /// The core number of each vertex: the greatest *k* such that it is in a part of the graph in which
    /// each vertex has *k* neighbours. Edges count once, whichever way they lead.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the core numbers of the graph as it is then.
    ///
    /// # Cost
    ///
    /// Maintained. An edge that goes costs the neighbours of what falls for it. One that comes costs those of
    /// the vertices that hang together with its lesser end by vertices of the same number and have enough
    /// neighbours to rise: mostly few, but in a graph where all have the same number it can be many. If
    /// several edges that come raise a number by more than one, that is done for each step. If more come
    /// than a quarter of the vertices are, as with the first answer, numbers are found from above: usually
    /// by looking some ten times at each edge.
    ///
    /// State: three words for each vertex; each edge twice in four bytes, and once more between workers.
    pub fn kcore(&self) -> Values<'scope, u64> {
        let rule = |owners| Together::new(Coring::new(owners));
        Values { updates: self.edges.clone().rounds("kcore", ends, rule) }
    }
}
