//! Who is next to whom, while an epoch's changes are thought of as one after the other.
//!
//! The changes of an epoch take turns, in the order of the pairs of vertices that they are about, which all
//! parts agree on without a word. What a change does to the number of triangles, say, is then what one edge
//! does to the graph as it is at its turn: with the changes before it, and without those after it. That
//! is the order of relations of a delta query ([Ammar et al.](https://doi.org/10.14778/3184470.3184473)).
//!
//! # Cost
//!
//! For the time of an epoch, the neighbours of each vertex that it touches are kept as they were and
//! as they are.

use super::edge::{Edge, Load, Real};
use super::part::{Direction, Part};
use super::vertices::NOBODY;
use crate::collection::Diff;
use crate::fixpoint::Owners;

/// Two vertices, the lesser first.
pub(super) type Pair = (u64, u64);

/// Whether an edge leads from the greater of its vertices to the lesser; never, where edges lead both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Side(bool);

impl Load for Side {
    fn of(weight: Real) -> Self {
        Self(weight.0 > 0.0)
    }

    fn bits(self) -> u64 {
        u64::from(self.0)
    }

    fn of_bits(bits: u64) -> Self {
        Self(bits > 0)
    }
}

/// A change of how many edges there are between two vertices: 1 at most, or 2 if they lead one way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) pair: Pair,
    /// The slots of both.
    pub(super) ends: [u32; 2],
    pub(super) before: u8,
    pub(super) after: u8,
}

impl Change {
    /// By how much there are more.
    pub(super) fn more(&self) -> i64 {
        i64::from(self.after) - i64::from(self.before)
    }

    /// 1 if there was none before, -1 if there is none after.
    pub(super) fn met(&self) -> i64 {
        i64::from(self.after > 0) - i64::from(self.before > 0)
    }
}

/// A neighbour of a vertex that an epoch touches.
#[derive(Clone, Copy)]
struct Member {
    slot: u32,
    before: u8,
    after: u8,
}

/// A neighbour that two vertices have in common, and how many edges lead to it from each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common {
    pub(super) slot: u32,
    pub(super) theirs: u8,
    pub(super) ours: u8,
}

/// The neighbours of a part's vertices.
pub(super) struct Near {
    pub(super) part: Part<Side>,
    direction: Direction,
    /// Which of the lists of members is that of a vertex.
    list: Vec<u32>,
    members: Vec<Vec<Member>>,
    touched: Vec<u32>,
    /// How many edges lead to a vertex from the one that others are compared with, and from the other.
    marks: Vec<u8>,
    seen: Vec<u8>,
}

impl Near {
    /// By how much a list is longer than what is looked for in it if it is not looked through.
    const LONGER: usize = 16;

    pub(super) fn new(owners: Owners, direction: Direction) -> Self {
        Self {
            part: Part::new(owners, Direction::Undirected),
            direction,
            list: Vec::new(),
            members: Vec::new(),
            touched: Vec::new(),
            marks: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Takes the changes of an epoch. Gives those pairs that they change, in order, and to `noted` the
    /// vertices of this part that they touch.
    pub(super) fn accept(
        &mut self,
        mut changes: Vec<(Edge, Diff)>,
        noted: &mut Vec<u32>,
    ) -> Vec<Change> {
        let directed = self.direction == Direction::Directed;
        for (edge, _) in &mut changes {
            let falls = directed && edge.from > edge.to;
            edge.weight = Real(if falls { 1.0 } else { 0.0 });
        }
        let mut deltas = Vec::new();
        if self.part.is_empty() && changes.iter().all(|(_, diff)| *diff > 0) {
            self.part.load(&changes);
            for slot in 0..self.part.vertices.len() as u32 {
                noted.extend(self.part.vertices.mine(slot).then_some(slot));
                deltas.extend(self.part.outgoing(slot).iter().map(|it| (slot, it.0, 1)));
            }
        } else {
            let mut ways = Vec::new();
            for (edge, diff) in &changes {
                self.part.change(edge, *diff, noted, &mut ways);
            }
            let vertices = &self.part.vertices;
            let ours = ways.iter().filter(|it| vertices.mine(it.from));
            deltas.extend(ours.map(|it| (it.from, it.to, if it.appeared { 1 } else { -1 })));
        }
        let slots = self.part.vertices.len();
        self.list.resize(slots, NOBODY);
        self.marks.resize(slots, 0);
        self.seen.resize(slots, 0);
        deltas.sort_unstable();
        self.note(&deltas)
    }

    /// Keeps the neighbours of touched vertices as they were and are.
    fn note(&mut self, deltas: &[(u32, u32, i32)]) -> Vec<Change> {
        let mut changes = Vec::new();
        for deltas in deltas.chunk_by(|one, other| one.0 == other.0) {
            let slot = deltas[0].0;
            let members = self.members(slot, deltas);
            for member in members.iter().filter(|it| it.before != it.after) {
                let pair = self.pair(slot, member.slot);
                // If both ends are here, it is said once.
                if pair.0 == self.part.vertices.id(slot) || !self.part.vertices.mine(member.slot) {
                    let mut ends = [slot, member.slot];
                    if pair.0 != self.part.vertices.id(slot) {
                        ends.reverse();
                    }
                    let Member { before, after, .. } = *member;
                    changes.push(Change { pair, ends, before, after });
                }
            }
            self.list[slot as usize] = self.members.len() as u32;
            self.members.push(members);
            self.touched.push(slot);
        }
        changes.sort_unstable_by_key(|it| it.pair);
        changes
    }

    fn members(&self, slot: u32, deltas: &[(u32, u32, i32)]) -> Vec<Member> {
        let now = self.part.outgoing(slot).iter().map(|it| (it.0, 1, 0));
        let mut all: Vec<(u32, i32, i32)> = now.collect();
        all.extend(deltas.iter().map(|(_, to, delta)| (*to, 0, *delta)));
        all.sort_unstable();
        let same = all.chunk_by(|one, other| one.0 == other.0);
        let members = same.map(|same| {
            let after: i32 = same.iter().map(|it| it.1).sum();
            let more: i32 = same.iter().map(|it| it.2).sum();
            // Two at most, as edges between two vertices that lead the same way are one.
            Member { slot: same[0].0, before: (after - more) as u8, after: after as u8 }
        });
        members.filter(|it| it.before > 0 || it.after > 0).collect()
    }

    fn pair(&self, one: u32, other: u32) -> Pair {
        let [one, other] = [one, other].map(|it| self.part.vertices.id(it));
        (one.min(other), one.max(other))
    }

    fn kept(&self, slot: u32) -> Option<&[Member]> {
        self.members.get(self.list[slot as usize] as usize).map(Vec::as_slice)
    }

    /// How many edges there are to a member at the turn of a pair.
    #[inline]
    fn at(&self, turn: Pair, slot: u32, member: &Member) -> u8 {
        if member.before == member.after || self.pair(slot, member.slot) < turn {
            member.after
        } else {
            member.before
        }
    }

    /// About how long the list of a vertex is.
    pub(super) fn degree(&self, slot: u32) -> usize {
        self.kept(slot).map_or_else(|| self.part.outgoing(slot).len(), <[_]>::len)
    }

    /// The neighbours of a vertex at the turn of a pair, each once, with how many edges lead there.
    pub(super) fn around(&self, turn: Pair, slot: u32) -> Vec<(u32, u8)> {
        if let Some(members) = self.kept(slot) {
            let times = members.iter().map(|it| (it.slot, self.at(turn, slot, it)));
            return times.filter(|it| it.1 > 0).collect();
        }
        let entries = self.part.outgoing(slot).iter();
        let mut around: Vec<(u32, u8)> = entries.map(|it| (it.0, 1)).collect();
        if self.direction == Direction::Directed {
            around.sort_unstable();
            around.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                kept.1 += u8::from(same);
                same
            });
        }
        around
    }

    /// Marks the neighbours of a vertex, for others to be compared with.
    pub(super) fn mark(&mut self, around: &[(u32, u8)]) {
        around.iter().for_each(|it| self.marks[it.0 as usize] = it.1);
    }

    /// Takes the marks away.
    pub(super) fn wipe(&mut self, around: &[(u32, u8)]) {
        around.iter().for_each(|it| self.marks[it.0 as usize] = 0);
    }

    /// What a vertex has in common with the marked neighbours at the turn of a pair: looks through the
    /// shorter list.
    pub(super) fn common(
        &mut self,
        turn: Pair,
        slot: u32,
        marked: &[(u32, u8)],
        common: &mut Vec<Common>,
    ) {
        common.clear();
        let few = marked.len() * Self::LONGER < self.degree(slot);
        match self.kept(slot) {
            Some(members) if few => common.extend(marked.iter().filter_map(|(other, theirs)| {
                let at = members.binary_search_by_key(other, |it| it.slot).ok()?;
                let ours = self.at(turn, slot, members.get(at)?);
                (ours > 0).then_some(Common { slot: *other, theirs: *theirs, ours })
            })),
            Some(members) => common.extend(members.iter().filter_map(|member| {
                let theirs = self.marks[member.slot as usize];
                let ours = if theirs > 0 { self.at(turn, slot, member) } else { 0 };
                (ours > 0).then_some(Common { slot: member.slot, theirs, ours })
            })),
            None if few => {
                for (other, theirs) in marked {
                    let sides = [Side(false), Side(true)];
                    let ours = sides.map(|it| u8::from(self.part.leads(slot, *other, it)));
                    let ours = ours[0] + ours[1];
                    common.extend((ours > 0).then_some(Common {
                        slot: *other,
                        theirs: *theirs,
                        ours,
                    }));
                }
            }
            None => self.look_through(slot, common),
        }
    }

    fn look_through(&mut self, slot: u32, common: &mut Vec<Common>) {
        for (other, _) in self.part.outgoing(slot) {
            let (at, theirs) = (*other as usize, self.marks[*other as usize]);
            if theirs > 0 {
                self.seen[at] += 1;
                if self.seen[at] == 1 {
                    common.push(Common { slot: *other, theirs, ours: 0 });
                }
            }
        }
        for it in common {
            it.ours = std::mem::take(&mut self.seen[it.slot as usize]);
        }
    }

    /// Ends the epoch.
    pub(super) fn end(&mut self) {
        self.touched.drain(..).for_each(|it| self.list[it as usize] = NOBODY);
        self.members.clear();
    }
}
