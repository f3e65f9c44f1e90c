//! Components of vertices that have none: what is left when a component falls apart, or a new graph.
//!
//! Each part finds the *pieces* of its own vertices that hang together, and a tree of each that hangs on its
//! least vertex. Parts tell each other where pieces touch; one of them joins pieces to components, each a
//! tree of pieces, and tells each piece its component and by which edge it hangs in the tree. So it takes
//! four rounds, however long the way through a component is.
//!
//! # Cost
//!
//! Every part looks at each edge of these vertices once; one part holds the pairs of pieces that touch,
//! at most one for each edge between parts.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

use super::spread::{Mail, Spread};
use super::spreading::Spreading;
use super::vertices::NOBODY;
use crate::fixpoint::{Owners, Post};
use crate::key::hash;

/// An edge between two pieces, and its ends there. A piece is known by its least vertex.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Link {
    pieces: [u64; 2],
    ends: [u64; 2],
}

/// What a piece belongs to whose least vertex is not the least there, and by which edge it hangs there:
/// from its vertex `at` to `parent`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hook {
    piece: u64,
    component: u64,
    at: u64,
    parent: u64,
}

/// The work of one epoch.
#[derive(Default)]
pub(super) struct Split {
    /// The vertices of pieces, one piece after the other.
    members: Vec<u32>,
    pieces: Vec<Piece>,
    /// The pieces by their least vertex.
    by_least: HashMap<u64, u32, FixedState>,
    /// Of which piece a vertex is; of other parts' vertices, by which piece they were told last.
    piece_of: Vec<u32>,
    /// The vertices whose piece is noted.
    noted: Vec<u32>,
    /// Pairs of pieces that were told.
    told: HashSet<(u64, u64), FixedState>,
    links: Vec<Link>,
}

/// Vertices of one part that hang together.
#[derive(Clone, Copy)]
struct Piece {
    least: u64,
    from: usize,
    until: usize,
}

/// The part that joins pieces.
const JOINER: usize = 0;

impl Split {
    /// The step in which pieces are joined.
    pub(super) const JOIN: u32 = 2;

    /// Finds the pieces of these vertices, which are ordered by their ids, and tells other parts of those
    /// that touch theirs.
    pub(super) fn begin<S: Spread>(
        &mut self,
        on: &mut Spreading<S>,
        without: &[u32],
        post: &mut Post<Mail>,
    ) {
        self.piece_of.resize(on.part.vertices.len(), NOBODY);
        let mut borders = Vec::new();
        for &seed in without {
            if self.piece_of[seed as usize] == NOBODY {
                let number = self.gather(on, seed, &mut borders);
                let vertices = &on.part.vertices;
                let piece = vertices.id(seed);
                for (slot, to) in borders.drain(..) {
                    if self.piece_of[to as usize] != number {
                        self.piece_of[to as usize] = number;
                        self.noted.push(to);
                        let (id, from) = (vertices.id(to), vertices.id(slot));
                        post.to(vertices.owner(to), Mail::Border { to: id, piece, from });
                    }
                }
            }
        }
    }

    /// Gathers the piece of its least vertex as a component of its own, and its edges to vertices of other
    /// parts.
    fn gather<S: Spread>(
        &mut self,
        on: &mut Spreading<S>,
        seed: u32,
        out: &mut Vec<(u32, u32)>,
    ) -> u32 {
        let (from, number) = (self.members.len(), self.pieces.len() as u32);
        let least = on.part.vertices.id(seed);
        self.members.push(seed);
        self.piece_of[seed as usize] = number;
        on.set(seed, least, NOBODY);
        let mut next = from;
        while let Some(&slot) = self.members.get(next) {
            next += 1;
            for at in 0..on.part.outgoing(slot).len() {
                let (to, _) = on.part.outgoing(slot)[at];
                if self.piece_of[to as usize] == number {
                    continue;
                }
                if !on.part.vertices.mine(to) {
                    out.push((slot, to));
                } else {
                    self.piece_of[to as usize] = number;
                    self.members.push(to);
                    on.set(to, least, slot);
                }
            }
        }
        self.noted.extend_from_slice(&self.members[from..]);
        self.pieces.push(Piece { least, from, until: self.members.len() });
        self.by_least.insert(least, number);
        number
    }

    /// Hears where pieces touch, which are joined, or what a piece of ours belongs to.
    pub(super) fn answer<S: Spread>(
        &mut self,
        on: &mut Spreading<S>,
        mail: Mail,
        post: &mut Post<Mail>,
    ) {
        match mail {
            Mail::Border { to, piece, from } => {
                let slot = on.part.vertices.find(to);
                let number = slot.and_then(|it| self.piece_of.get(it as usize));
                let Some(ours) = number.and_then(|it| self.pieces.get(*it as usize)) else {
                    return;
                };
                // Both sides hear of it; one of them says so.
                if ours.least < piece && self.told.insert((ours.least, piece)) {
                    let link = Link { pieces: [ours.least, piece], ends: [to, from] };
                    post.to(JOINER, Mail::Link(Box::new(link)));
                }
            }
            Mail::Link(link) => self.links.push(*link),
            Mail::Hook(hook) => self.hang(on, &hook),
            _ => unreachable!("only pieces are spoken of while a component is split"),
        }
    }

    /// Gives the vertices of a piece their component, and turns its tree around to hang where it touches.
    fn hang<S: Spread>(&mut self, on: &mut Spreading<S>, hook: &Hook) {
        let vertices = &on.part.vertices;
        let ends = vertices.find(hook.at).zip(vertices.find(hook.parent));
        let (Some(&number), Some((at, parent))) = (self.by_least.get(&hook.piece), ends) else {
            return;
        };
        let Piece { from, until, .. } = self.pieces[number as usize];
        for slot in &self.members[from..until] {
            on.states[*slot as usize].value = hook.component;
        }
        let (mut slot, mut parent) = (at, parent);
        while slot != NOBODY {
            let next = std::mem::replace(&mut on.states[slot as usize].parent, parent);
            (slot, parent) = (next, slot);
        }
    }

    /// Joins the pieces that touch: a spanning forest of pieces, each tree hung on its least.
    pub(super) fn join(&mut self, owners: &Owners, post: &mut Post<Mail>) {
        let mut links = std::mem::take(&mut self.links);
        // In an order of their own: the forest does not depend on which message came first.
        links.sort_unstable_by_key(|link| (link.pieces, link.ends));
        let mut forest = Forest::default();
        for link in &links {
            forest.join(link);
        }
        forest.hooks(|hook| {
            post.to(owners.of(hash(&hook.piece)), Mail::Hook(Box::new(hook)));
        });
    }

    /// Forgets what was found.
    pub(super) fn end(&mut self) {
        for slot in self.noted.drain(..) {
            self.piece_of[slot as usize] = NOBODY;
        }
        self.members.clear();
        self.pieces.clear();
        self.by_least.clear();
        self.told.clear();
    }
}

/// Pieces, and the edges that join them without closing a circle.
#[derive(Default)]
struct Forest {
    numbers: HashMap<u64, usize, FixedState>,
    pieces: Vec<u64>,
    /// The next in the way to the least piece of a tree, for finding it.
    up: Vec<usize>,
    /// What each piece is joined to: the other, the end here, the end there.
    joined: Vec<Vec<(usize, u64, u64)>>,
}

impl Forest {
    fn number(&mut self, piece: u64) -> usize {
        *self.numbers.entry(piece).or_insert_with(|| {
            self.up.push(self.pieces.len());
            self.pieces.push(piece);
            self.joined.push(Vec::new());
            self.pieces.len() - 1
        })
    }

    fn least(&mut self, mut number: usize) -> usize {
        while self.up[number] != number {
            self.up[number] = self.up[self.up[number]];
            number = self.up[number];
        }
        number
    }

    fn join(&mut self, link: &Link) {
        let [one, other] = link.pieces.map(|it| self.number(it));
        let (first, second) = (self.least(one), self.least(other));
        if first == second {
            return;
        }
        let first_is_less = self.pieces[first] < self.pieces[second];
        let (less, more) = if first_is_less { (first, second) } else { (second, first) };
        self.up[more] = less;
        self.joined[one].push((other, link.ends[0], link.ends[1]));
        self.joined[other].push((one, link.ends[1], link.ends[0]));
    }

    /// Gives how each piece hangs in its tree.
    fn hooks(&mut self, mut give: impl FnMut(Hook)) {
        let mut reached = vec![false; self.pieces.len()];
        for root in 0..self.pieces.len() {
            if self.least(root) != root {
                continue;
            }
            let component = self.pieces[root];
            reached[root] = true;
            let mut next = VecDeque::from([root]);
            while let Some(number) = next.pop_front() {
                for &(other, here, there) in &self.joined[number] {
                    if !std::mem::replace(&mut reached[other], true) {
                        let piece = self.pieces[other];
                        give(Hook { piece, component, at: there, parent: here });
                        next.push_back(other);
                    }
                }
            }
        }
    }
}
