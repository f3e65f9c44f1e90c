//! Counts of small patterns that follow each change: what one edge makes or breaks, found by
//! extending it.
//!
//! The changes of an epoch [take turns](super::near). For each, the neighbours of its two ends are
//! compared: those in common are the triangles with that edge. To each of these triangles, another neighbour
//! that all three have in common makes a 4-clique; and a neighbour of one end that has a neighbour in common
//! with the other end makes a 4-cycle. So each vertex of a pattern is found by intersecting lists, the
//! shorter looked up in the longer: a worst-case optimal join that begins at what changed
//! ([Ammar et al.](https://doi.org/10.14778/3184470.3184473)).
//!
//! The part of the end with fewer neighbours sends them to the part of the other end, and that asks the parts
//! of the neighbours for what comes next. What is counted goes to the parts of the vertices.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::answers::Answers;
use super::edge::Edge;
use super::four::{Pattern, Question};
use super::near::{Change, Common, Near, Pair};
use super::part::Direction;
use super::update::Update;
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::time::Epoch;

/// In how many patterns a vertex is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    /// Edges between two neighbours: 2 between those that lead to each other.
    pub(super) between: i64,
    pub(super) cycles: i64,
    pub(super) cliques: i64,
    /// Neighbours.
    pub(super) near: i64,
}

impl Count {
    pub(super) const NONE: Self = Self { between: 0, cycles: 0, cliques: 0, near: 0 };

    fn add(&mut self, more: Self) {
        self.between += more.between;
        self.cycles += more.cycles;
        self.cliques += more.cliques;
        self.near += more.near;
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Triangles.
    Three,
    /// Patterns of four vertices, too.
    Four,
}

/// What parts tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// How many neighbours the sender's end of a pair has.
    Degree(Pair, u64),
    /// Which these are, and how many edges lead to each.
    Around(Pair, Vec<(u64, u8)>),
    Question(Box<Question>),
    /// What is added to the count of a vertex.
    Add(u64, Count),
}

/// The counts of a part's vertices.
pub(super) struct Extending<V> {
    pub(super) near: Near,
    size: Size,
    show: fn(Count) -> V,
    /// The pairs that changed in this epoch, in order.
    changes: Vec<Change>,
    /// Those that wait to be extended: the change, the end with fewer neighbours, the work that it is.
    waiting: VecDeque<(usize, usize, usize)>,
    /// The counts of ours, and what is owed to those of others.
    counts: Answers<Count>,
    owed: Vec<u32>,
    common: Vec<Common>,
}

/// About how many numbers a part sends in a round.
const AT_ONCE: usize = 1 << 18;

impl<V: PartialEq + 'static> Extending<V> {
    pub(super) fn new(
        size: Size,
        show: fn(Count) -> V,
        owners: Owners,
        direction: Direction,
    ) -> Self {
        Self {
            near: Near::new(owners, direction),
            size,
            show,
            changes: Vec::new(),
            waiting: VecDeque::new(),
            counts: Answers::new(),
            owed: Vec::new(),
            common: Vec::new(),
        }
    }

    /// Counts neighbours, and lets pairs wait whose ends are both here; asks for the degree of the others.
    fn begin(&mut self, post: &mut Post<Word>) {
        for at in 0..self.changes.len() {
            let Change { pair, ends, .. } = self.changes[at];
            let near = self.changes[at].met();
            let vertices = &self.near.part.vertices;
            let mine = ends.map(|it| vertices.mine(it));
            let degrees = ends.map(|it| self.near.degree(it));
            if mine == [true, true] {
                self.wait(at, degrees);
            } else {
                let (ours, theirs) = if mine[0] { (0, 1) } else { (1, 0) };
                let word = Word::Degree(pair, degrees[ours] as u64);
                post.to(vertices.owner(ends[theirs]), word);
            }
            for end in ends.into_iter().zip(mine).filter(|it| it.1).map(|it| it.0) {
                self.add(end, Count { near, ..Count::NONE });
            }
        }
    }

    /// Lets a pair wait whose ends have so many neighbours.
    fn wait(&mut self, at: usize, degrees: [usize; 2]) {
        let fewer = usize::from(degrees[1] < degrees[0]);
        let peers = self.near.part.vertices.owners().peers();
        let work = match self.size {
            Size::Three => degrees[fewer],
            // Who has no other neighbour is in no pattern.
            Size::Four if degrees[fewer] <= 1 => 1,
            Size::Four => degrees[fewer] + degrees[1 - fewer] * peers,
        };
        self.waiting.push_back((at, fewer, work));
    }

    fn find(&self, pair: Pair) -> Option<(usize, Change)> {
        let at = self.changes.binary_search_by_key(&pair, |it| it.pair).ok()?;
        self.changes.get(at).map(|it| (at, *it))
    }

    /// Works off pairs that wait, as many as may be sent at once.
    fn go_on(&mut self, post: &mut Post<Word>) {
        let mut left = AT_ONCE;
        let alone = self.near.part.vertices.owners().peers() == 1;
        while let Some((at, fewer, work)) = self.waiting.pop_front() {
            let change = self.changes[at];
            let [from, to] = [change.ends[fewer], change.ends[1 - fewer]];
            let mut around = self.near.around(change.pair, from);
            around.retain(|it| it.0 != to);
            let vertices = &self.near.part.vertices;
            let ids = around.iter().map(|it| (vertices.id(it.0), it.1));
            if vertices.mine(to) {
                let ids = if self.size == Size::Four { ids.collect() } else { Vec::new() };
                self.extend(change, [from, to], &around, &ids, post);
            } else if !around.is_empty() {
                post.to(vertices.owner(to), Word::Around(change.pair, ids.collect()));
            }
            left = left.saturating_sub(work + 1);
            if left == 0 && !alone {
                return;
            }
        }
    }

    fn hear(&mut self, word: Word, post: &mut Post<Word>) {
        let vertices = &self.near.part.vertices;
        match word {
            Word::Degree(pair, theirs) => {
                let Some((at, change)) = self.find(pair) else { return };
                let ours = usize::from(!vertices.mine(change.ends[0]));
                let mut degrees = [theirs as usize; 2];
                degrees[ours] = self.near.degree(change.ends[ours]);
                // The other part finds the same, and leaves it to this one.
                if usize::from(degrees[1] < degrees[0]) == ours {
                    self.wait(at, degrees);
                }
            }
            Word::Around(pair, ids) => {
                let Some((_, change)) = self.find(pair) else { return };
                let ours = usize::from(!vertices.mine(change.ends[0]));
                let known = ids.iter().filter_map(|it| Some((vertices.find(it.0)?, it.1)));
                let around = Vec::from_iter(known);
                let ends = [change.ends[1 - ours], change.ends[ours]];
                self.extend(change, ends, &around, &ids, post);
            }
            Word::Question(question) => self.answer(&question, post),
            Word::Add(id, more) => {
                if let Some(slot) = vertices.find(id) {
                    self.add(slot, more);
                }
            }
        }
    }

    /// Extends a change to triangles, by what is around its end `from`: those who are known here, and,
    /// if patterns of four count, the ids of all.
    fn extend(
        &mut self,
        change: Change,
        [from, to]: [u32; 2],
        around: &[(u32, u8)],
        ids: &[(u64, u8)],
        post: &mut Post<Word>,
    ) {
        let mut common = std::mem::take(&mut self.common);
        self.near.mark(around);
        self.near.common(change.pair, to, around, &mut common);
        self.near.wipe(around);
        let (more, met) = (change.more(), change.met());
        let between = |between: i64| Count { between, ..Count::NONE };
        for it in &common {
            self.add(it.slot, between(more));
            self.add(from, between(met * i64::from(it.ours)));
            self.add(to, between(met * i64::from(it.theirs)));
        }
        if self.size == Size::Four && met != 0 {
            let vertices = &self.near.part.vertices;
            let among = Vec::from_iter(common.iter().map(|it| vertices.id(it.slot)));
            if among.len() > 1 {
                self.ask(change.pair, met, Pattern::Clique, &among, &among, post);
            }
            if !ids.is_empty() {
                let mut other = self.near.around(change.pair, to);
                other.retain(|it| it.0 != from);
                let vertices = &self.near.part.vertices;
                let among = Vec::from_iter(other.iter().map(|it| vertices.id(it.0)));
                let of = Vec::from_iter(ids.iter().map(|it| it.0));
                self.ask(change.pair, met, Pattern::Cycle, &of, &among, post);
            }
        }
        self.common = common;
    }

    /// Adds to the count of a vertex of this or another part.
    pub(super) fn add(&mut self, slot: u32, more: Count) {
        let mut count = self.counts.get(slot);
        if !self.near.part.vertices.mine(slot) {
            if count == Count::NONE {
                self.owed.push(slot);
            }
            count.add(more);
            return self.counts.keep(slot, count);
        }
        count.add(more);
        self.counts.set(slot, count);
    }

    /// Sends what is owed.
    fn send(&mut self, post: &mut Post<Word>) {
        let vertices = &self.near.part.vertices;
        for slot in self.owed.drain(..) {
            let more = self.counts.get(slot);
            if more != Count::NONE {
                self.counts.keep(slot, Count::NONE);
                post.to(vertices.owner(slot), Word::Add(vertices.id(slot), more));
            }
        }
    }
}

impl<V: PartialEq + 'static> Rounds<Edge> for Extending<V> {
    type Message = Word;
    type Output = Update<V>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        let mut touched = Vec::new();
        self.changes = self.near.accept(changes, &mut touched);
        self.counts.grow(self.near.part.vertices.len());
        touched.into_iter().for_each(|it| self.counts.note(it));
    }

    fn round(&mut self, round: Round, mail: Vec<Word>, post: &mut Post<Word>) -> Option<Round> {
        if round.step == 0 {
            self.begin(post);
        }
        mail.into_iter().for_each(|it| self.hear(it, post));
        self.go_on(post);
        self.send(post);
        (!self.waiting.is_empty()).then_some(round.next())
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<V>>) {
        self.changes = Vec::new();
        self.near.end();
        let (part, show) = (&mut self.near.part, self.show);
        self.counts.finish(part, epoch, |_, count| show(count), out, |_| ());
    }
}
