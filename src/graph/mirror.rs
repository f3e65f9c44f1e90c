//! Values that vertices show each other: each part has those of its own vertices, and keeps those that the
//! neighbours in other parts told it last.
//!
//! A vertex whose value changes tells each part that has neighbours of it once. Which of its own vertices
//! are next to one of another part is kept in lists, so that nobody has to be asked.

use super::adjacency::Adjacency;
use super::answers::Answers;
use super::edge::Edge;
use super::part::{Direction, Part};
use super::update::Update;
use crate::collection::Diff;
use crate::fixpoint::Owners;
use crate::time::Epoch;

/// The values of a part's vertices, and of those next to them. A vertex begins with the default.
pub(super) struct Mirror<V> {
    pub(super) part: Part<()>,
    value: Answers<V>,
    /// Which of ours are next to vertices of other parts.
    back: Adjacency<()>,
    /// The parts that were told of a vertex: by its number in the order of telling.
    heard: Vec<u64>,
    telling: u64,
}

/// What an epoch does to a part.
#[derive(Default)]
pub(super) struct Changed {
    /// The vertices of this part that it touches, each once.
    pub(super) touched: Vec<u32>,
    /// The ways that appear and begin in this part, as far as they do not vanish again.
    pub(super) ways: Vec<(u32, u32)>,
}

impl<V: Copy + Default + PartialEq + 'static> Mirror<V> {
    /// Of a graph whose edges lead both ways.
    pub(super) fn new(owners: Owners) -> Self {
        let heard = vec![0; owners.peers()];
        Self {
            part: Part::new(owners, Direction::Undirected),
            value: Answers::new(),
            back: Adjacency::new(),
            heard,
            telling: 0,
        }
    }

    /// Takes the changes of an epoch.
    pub(super) fn accept(&mut self, changes: &[(Edge, Diff)]) -> Changed {
        let mut changed = Changed::default();
        if self.part.is_empty() && changes.iter().all(|(_, diff)| *diff > 0) {
            self.load(changes, &mut changed);
        } else {
            let mut ways = Vec::new();
            for (edge, diff) in changes {
                self.part.change(edge, *diff, &mut changed.touched, &mut ways);
            }
            changed.touched.sort_unstable();
            changed.touched.dedup();
            self.value.grow(self.part.vertices.len());
            for way in &ways {
                if self.part.vertices.mine(way.from) {
                    changed.ways.extend(way.appeared.then_some((way.from, way.to)));
                } else {
                    let diff = if way.appeared { 1 } else { -1 };
                    self.back.change(way.from, way.to, (), diff);
                }
            }
            changed.ways.retain(|(from, to)| self.part.leads(*from, *to, ()));
            // From now on nobody tells what becomes of those. (Whether a way went in between may depend
            // on the order of changes, which may not be that of the other part.)
            let others = ways.iter().filter(|it| !self.part.vertices.mine(it.from));
            for way in others.filter(|it| self.back.of(it.from).is_empty()) {
                self.value.keep(way.from, V::default());
            }
        }
        self.value.grow(self.part.vertices.len());
        changed.touched.iter().for_each(|it| self.value.note(*it));
        changed
    }

    fn load(&mut self, edges: &[(Edge, Diff)], changed: &mut Changed) {
        self.part.load(edges);
        let vertices = &self.part.vertices;
        let slots = vertices.len();
        changed.touched.extend((0..slots as u32).filter(|it| vertices.mine(*it)));
        for slot in &changed.touched {
            changed.ways.extend(self.part.outgoing(*slot).iter().map(|it| (*slot, it.0)));
        }
        let others = changed.ways.iter().filter(|it| !vertices.mine(it.1));
        self.back.load(slots, others.map(|(from, to)| (*to, *from, ())));
    }

    #[inline]
    pub(super) fn value(&self, slot: u32) -> V {
        self.value.get(slot)
    }

    /// The neighbours of a vertex; of one of another part, those that are in this part.
    #[inline]
    pub(super) fn near(&self, slot: u32) -> &[(u32, ())] {
        if self.part.vertices.mine(slot) { self.part.outgoing(slot) } else { self.back.of(slot) }
    }

    /// Whether a vertex of this part was there before the epoch.
    pub(super) fn was_there(&self, slot: u32) -> bool {
        self.value.was_there(slot)
    }

    /// Sets the value of a vertex of this part: its neighbours have to be [told](Self::tell).
    pub(super) fn set(&mut self, slot: u32, value: V) {
        self.value.set(slot, value);
    }

    /// Takes what the part of another vertex tells: gives its slot, unless it is next to none of ours.
    pub(super) fn hear(&mut self, id: u64, value: V) -> Option<u32> {
        let slot = self.part.vertices.find(id)?;
        self.value.keep(slot, value);
        Some(slot)
    }

    /// Gives the other parts in which a vertex has neighbours that count, each once.
    pub(super) fn tell(
        &mut self,
        slot: u32,
        counts: impl Fn(V) -> bool,
        mut send: impl FnMut(usize, u64),
    ) {
        self.telling += 1;
        let vertices = &self.part.vertices;
        for (other, ()) in self.part.outgoing(slot) {
            if vertices.mine(*other) || !counts(self.value.get(*other)) {
                continue;
            }
            let owner = vertices.owner(*other);
            if std::mem::replace(&mut self.heard[owner], self.telling) != self.telling {
                send(owner, vertices.id(slot));
            }
        }
    }

    /// Gives what has to be told along ways that are new: another part may know nothing of a vertex.
    pub(super) fn introduce(&self, ways: &[(u32, u32)], mut send: impl FnMut(usize, u64, V)) {
        let vertices = &self.part.vertices;
        let news = ways
            .iter()
            .filter(|(from, to)| !vertices.mine(*to) && self.value.get(*from) != V::default());
        let mut news = Vec::from_iter(news.map(|(from, to)| (*from, vertices.owner(*to))));
        news.sort_unstable();
        news.dedup();
        for (from, owner) in news {
            send(owner, vertices.id(from), self.value.get(from));
        }
    }

    /// Ends an epoch.
    pub(super) fn finish<S: PartialEq>(
        &mut self,
        epoch: Epoch,
        show: fn(V) -> S,
        out: &mut Vec<Update<S>>,
    ) {
        let (part, back) = (&mut self.part, &mut self.back);
        self.value.finish(part, epoch, |_, value| show(value), out, |slot| back.forget(slot));
    }
}
