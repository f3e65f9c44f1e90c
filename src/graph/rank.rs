//! PageRank by iterations, as LDBC Graphalytics defines it: computed anew in each epoch, on arrays.
//!
//! Each part tells the others once which of their vertices lead to its own; from then on a message is
//! an array of shares in that order.

use serde::{Deserialize, Serialize};

use super::edge::{Edge, Real};
use super::part::{Direction, Part};
use super::update::Update;
use super::vertices::NOBODY;
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::time::Epoch;

/// What parts tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// The graph has changed: all begin again.
    Begin,
    /// How many vertices a part has, and which of the receiver's lead to them.
    Want { by: u32, count: u64, vertices: Vec<u64> },
    /// The shares of those, and what a part's vertices without edges have.
    Shares { by: u32, left: f64, shares: Vec<f64> },
}

/// The ranks of a part's vertices.
pub(super) struct Ranking {
    part: Part<()>,
    iterations: u32,
    damping: f64,
    rank: Vec<f64>,
    /// What each vertex passes on along each of its edges; of others, what they told.
    share: Vec<f64>,
    /// By part: the vertices of theirs that lead to ours, and of ours to theirs.
    wanted: Vec<Vec<u32>>,
    given: Vec<Vec<u32>>,
    /// How many vertices there are, and what those without edges have.
    count: u64,
    left: f64,
    told: Vec<Option<f64>>,
}

const BEGIN: u32 = 0;
const WANT: u32 = 1;

impl Ranking {
    pub(super) fn new(iterations: u32, damping: f64, owners: Owners, direction: Direction) -> Self {
        let none = || (0..owners.peers()).map(|_| Vec::new()).collect();
        let (wanted, given) = (none(), none());
        Self {
            part: Part::new(owners, direction),
            iterations,
            damping,
            rank: Vec::new(),
            share: Vec::new(),
            wanted,
            given,
            count: 0,
            left: 0.0,
            told: Vec::new(),
        }
    }

    fn peers(&self) -> usize {
        self.part.vertices.owners().peers()
    }

    fn ours(&self) -> impl Iterator<Item = u32> {
        let vertices = &self.part.vertices;
        (0..vertices.len() as u32).filter(|it| vertices.mine(*it) && self.part.present(*it))
    }

    /// Tells the others which of their vertices lead to ours.
    fn want(&mut self, post: &mut Post<Word>) {
        let slots = self.part.vertices.len();
        self.rank.resize(slots, 0.0);
        self.share.resize(slots, 0.0);
        self.told.resize(slots, None);
        self.wanted.iter_mut().for_each(Vec::clear);
        let mut seen = vec![false; slots];
        let vertices = &self.part.vertices;
        let mut count = 0;
        for slot in 0..slots as u32 {
            if !vertices.mine(slot) || !self.part.present(slot) {
                continue;
            }
            count += 1;
            for (from, ()) in self.part.incoming(slot) {
                if !vertices.mine(*from) && !std::mem::replace(&mut seen[*from as usize], true) {
                    self.wanted[vertices.owner(*from)].push(*from);
                }
            }
        }
        let by = vertices.owners().index() as u32;
        for (to, wanted) in self.wanted.iter().enumerate() {
            let wanted = wanted.iter().map(|it| vertices.id(*it)).collect();
            post.to(to, Word::Want { by, count, vertices: wanted });
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Begin => {}
            Word::Want { by, count, vertices } => {
                self.count += count;
                let slots = vertices.iter().map(|it| self.part.vertices.find(*it));
                // What is not known here has no rank.
                self.given[by as usize] = slots.map(|it| it.unwrap_or(NOBODY)).collect();
            }
            Word::Shares { by, left, shares } => {
                self.left += left;
                for (slot, share) in self.wanted[by as usize].iter().zip(shares) {
                    self.share[*slot as usize] = share;
                }
            }
        }
    }

    /// Tells the others the shares of what they want.
    fn give(&mut self, post: &mut Post<Word>) {
        let mut left = 0.0;
        for slot in 0..self.part.vertices.len() as u32 {
            if self.part.vertices.mine(slot) {
                let count = self.part.outgoing(slot).len();
                let rank = self.rank[slot as usize];
                if count == 0 {
                    left += rank;
                } else {
                    self.share[slot as usize] = rank / count as f64;
                }
            }
        }
        let by = self.part.vertices.owners().index() as u32;
        for (to, given) in self.given.iter().enumerate() {
            let share = |it: &u32| self.share.get(*it as usize).copied().unwrap_or(0.0);
            post.to(to, Word::Shares { by, left, shares: given.iter().map(share).collect() });
        }
    }

    fn iterate(&mut self) {
        let all = self.count as f64;
        let left = std::mem::take(&mut self.left);
        let base = (1.0 - self.damping) / all + self.damping * left / all;
        for slot in 0..self.part.vertices.len() as u32 {
            if self.part.vertices.mine(slot) && self.part.present(slot) {
                let shares = self.part.incoming(slot).iter().map(|it| self.share[it.0 as usize]);
                self.rank[slot as usize] = base + self.damping * shares.sum::<f64>();
            }
        }
    }
}

impl Rounds<Edge> for Ranking {
    type Message = Word;
    type Output = Update<Real>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        if self.part.stage(&changes) {
            return;
        }
        self.part.settle();
        let (mut touched, mut ways) = (Vec::new(), Vec::new());
        for (edge, diff) in &changes {
            self.part.change(edge, *diff, &mut touched, &mut ways);
        }
    }

    fn round(&mut self, round: Round, mail: Vec<Word>, post: &mut Post<Word>) -> Option<Round> {
        self.part.settle();
        mail.into_iter().for_each(|it| self.hear(it));
        match round.step {
            BEGIN => (0..self.peers()).for_each(|it| post.to(it, Word::Begin)),
            WANT => {
                (self.count, self.left) = (0, 0.0);
                self.want(post);
            }
            step => {
                let done = step - WANT - 1;
                if done == 0 {
                    let first = 1.0 / self.count as f64;
                    let ours: Vec<u32> = self.ours().collect();
                    self.rank.fill(0.0);
                    ours.into_iter().for_each(|it| self.rank[it as usize] = first);
                } else {
                    self.iterate();
                }
                if done < self.iterations {
                    self.give(post);
                }
            }
        }
        None
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<Real>>) {
        for slot in 0..self.part.vertices.len() as u32 {
            if !self.part.vertices.mine(slot) {
                continue;
            }
            let has = self.part.present(slot).then(|| self.rank[slot as usize]);
            let had = std::mem::replace(&mut self.told[slot as usize], has);
            if had != has {
                let vertex = self.part.vertices.id(slot);
                out.push(Update { epoch, vertex, old: had.map(Real), new: has.map(Real) });
            }
        }
        let (rank, share, told) = (&mut self.rank, &mut self.share, &mut self.told);
        self.part.clear(|slot| {
            let at = slot as usize;
            (rank[at], share[at], told[at]) = (0.0, 0.0, None);
        });
    }
}
