//! Sweeps: in each, every vertex looks at its neighbours' values; computed anew in each epoch, on arrays.
//!
//! Each part tells the others once in an epoch which of their vertices are next to its own; from then on a
//! message is an array of values in that order. All parts hear whether anything changed anywhere, so
//! that they agree on what comes next.

use serde::{Deserialize, Serialize};
use timely::ExchangeData;

use super::edge::Edge;
use super::part::{Direction, Part};
use super::update::Update;
use super::vertices::NOBODY;
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::time::Epoch;

/// What is done in sweeps.
pub(super) trait Sweep: 'static {
    /// What vertices tell their neighbours.
    type Value: Copy + PartialEq + ExchangeData;
    /// How a value is shown.
    type Shown: Clone + PartialEq + 'static;

    /// What a vertex has at first.
    fn start(&self, id: u64) -> Self::Value;

    /// What a vertex has after a sweep, by what the neighbours have that lead to it and that it leads to.
    fn step(
        &mut self,
        own: Self::Value,
        from: impl Iterator<Item = Self::Value>,
        to: impl Iterator<Item = Self::Value>,
    ) -> Self::Value;

    /// Whether another sweep comes after so many, of which the last did or did not change anything.
    fn goes_on(&self, sweeps: u32, changed: bool) -> bool;

    /// A value as users see it.
    fn shown(&self, value: Self::Value) -> Self::Shown;
}

/// What parts tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Word<V> {
    /// The graph has changed: all begin again.
    Begin,
    /// Which of the receiver's vertices are next to those of a part.
    Want { by: u32, vertices: Vec<u64> },
    /// The values of those, and whether the last sweep changed any.
    Values { by: u32, changed: bool, values: Vec<V> },
}

/// The values of a part's vertices.
pub(super) struct Sweeping<S: Sweep> {
    sweep: S,
    part: Part<()>,
    value: Vec<S::Value>,
    /// By part: the vertices of theirs that are next to ours, and of ours next to theirs.
    wanted: Vec<Vec<u32>>,
    given: Vec<Vec<u32>>,
    /// Sweeps in this epoch, and whether the last one changed anything in any part.
    sweeps: u32,
    changed: bool,
    told: Vec<Option<S::Shown>>,
}

const BEGIN: u32 = 0;
const WANT: u32 = 1;

impl<S: Sweep> Sweeping<S> {
    pub(super) fn new(sweep: S, owners: Owners, direction: Direction) -> Self {
        let none = || (0..owners.peers()).map(|_| Vec::new()).collect();
        let (wanted, given) = (none(), none());
        Self {
            sweep,
            part: Part::new(owners, direction),
            value: Vec::new(),
            wanted,
            given,
            sweeps: 0,
            changed: false,
            told: Vec::new(),
        }
    }

    fn ours(&self) -> Vec<u32> {
        let vertices = &self.part.vertices;
        let all = 0..vertices.len() as u32;
        all.filter(|it| vertices.mine(*it) && self.part.present(*it)).collect()
    }

    /// Begins, and tells the others which of their vertices are next to ours.
    fn want(&mut self, post: &mut Post<Word<S::Value>>) {
        (self.sweeps, self.changed) = (0, false);
        let vertices = &self.part.vertices;
        let slots = vertices.len();
        self.value.clear();
        let start = |it| self.sweep.start(vertices.id(it));
        self.value.extend((0..slots as u32).map(start));
        self.told.resize(slots, None);
        self.wanted.iter_mut().for_each(Vec::clear);
        let mut seen = vec![false; slots];
        for slot in self.ours() {
            let near = self.part.incoming(slot).iter().chain(self.part.outgoing(slot));
            for (other, ()) in near {
                if !vertices.mine(*other) && !std::mem::replace(&mut seen[*other as usize], true) {
                    self.wanted[vertices.owner(*other)].push(*other);
                }
            }
        }
        let by = vertices.owners().index() as u32;
        for (to, wanted) in self.wanted.iter().enumerate() {
            let wanted = wanted.iter().map(|it| vertices.id(*it)).collect();
            post.to(to, Word::Want { by, vertices: wanted });
        }
    }

    fn hear(&mut self, word: Word<S::Value>) {
        match word {
            Word::Begin => {}
            Word::Want { by, vertices } => {
                let slots = vertices.iter().map(|it| self.part.vertices.find(*it));
                self.given[by as usize] = slots.map(|it| it.unwrap_or(NOBODY)).collect();
            }
            Word::Values { by, changed, values } => {
                self.changed |= changed;
                for (slot, value) in self.wanted[by as usize].iter().zip(values) {
                    self.value[*slot as usize] = value;
                }
            }
        }
    }

    /// Has every vertex look around, and says whether any changed.
    fn go_over(&mut self) -> bool {
        let ours = self.ours();
        let (part, value) = (&self.part, &self.value);
        let mut next = Vec::with_capacity(ours.len());
        for slot in &ours {
            let from = part.incoming(*slot).iter().map(|it| value[it.0 as usize]);
            let to = part.outgoing(*slot).iter().map(|it| value[it.0 as usize]);
            next.push(self.sweep.step(value[*slot as usize], from, to));
        }
        let mut changed = false;
        for (slot, next) in ours.iter().zip(next) {
            let value = &mut self.value[*slot as usize];
            changed |= *value != next;
            *value = next;
        }
        changed
    }

    fn give(&self, changed: bool, post: &mut Post<Word<S::Value>>) {
        let by = self.part.vertices.owners().index() as u32;
        for (to, given) in self.given.iter().enumerate() {
            // What is not known here is next to nothing there any more.
            let values = given.iter().filter_map(|it| self.value.get(*it as usize).copied());
            post.to(to, Word::Values { by, changed, values: values.collect() });
        }
    }
}

impl<S: Sweep> Rounds<Edge> for Sweeping<S> {
    type Message = Word<S::Value>;
    type Output = Update<S::Shown>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        if self.part.is_empty() && changes.iter().all(|(_, diff)| *diff > 0) {
            return self.part.load(&changes);
        }
        let (mut touched, mut ways) = (Vec::new(), Vec::new());
        for (edge, diff) in &changes {
            self.part.change(edge, *diff, &mut touched, &mut ways);
        }
    }

    fn round(
        &mut self,
        round: Round,
        mail: Vec<Self::Message>,
        post: &mut Post<Self::Message>,
    ) -> Option<Round> {
        let first_values = WANT + 2;
        if round.step >= first_values {
            self.changed = false;
        }
        mail.into_iter().for_each(|it| self.hear(it));
        match round.step {
            BEGIN => {
                let peers = self.part.vertices.owners().peers();
                (0..peers).for_each(|it| post.to(it, Word::Begin));
            }
            WANT => self.want(post),
            step => {
                if step >= first_values {
                    if !self.sweep.goes_on(self.sweeps, self.changed) {
                        return None;
                    }
                    let changed = self.go_over();
                    self.sweeps += 1;
                    self.give(changed, post);
                } else {
                    // Everybody knows what everybody wants: the values that all begin with.
                    self.give(true, post);
                }
            }
        }
        None
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<S::Shown>>) {
        for slot in 0..self.part.vertices.len() as u32 {
            if !self.part.vertices.mine(slot) {
                continue;
            }
            let there = self.part.present(slot);
            let has = there.then(|| self.sweep.shown(self.value[slot as usize]));
            let had = std::mem::replace(&mut self.told[slot as usize], has.clone());
            if had != has {
                let vertex = self.part.vertices.id(slot);
                out.push(Update { epoch, vertex, old: had, new: has });
            }
        }
        let told = &mut self.told;
        self.part.clear(|slot| told[slot as usize] = None);
    }
}
