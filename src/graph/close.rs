//! Edges between the neighbours of a vertex: counted anew in each epoch.
//!
//! Each part asks the others for the neighbours of those of their vertices that are next to its own; then
//! it has all that it takes to count.

use serde::{Deserialize, Serialize};

use super::edge::{Edge, Real};
use super::part::{Direction, Part};
use super::update::{Update, Values};
use super::{Graph, ends};
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::time::Epoch;

/// What parts tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Word {
    /// The graph has changed: all begin again.
    Begin,
    /// A part wants to know where one can go from these.
    Want { by: u32, vertices: Vec<u64> },
    /// From each of the wanted: to how many, and to which, one after the other.
    Lists { by: u32, lengths: Vec<u32>, ends: Vec<u64> },
}

/// What is shown of a vertex: by how many ways between its neighbours, and how many neighbours.
type Show<V> = fn(u64, u64) -> V;

/// The counts of a part's vertices.
struct Closing<V> {
    part: Part<()>,
    show: Show<V>,
    /// By part: the vertices of theirs that are next to ours.
    wanted: Vec<Vec<u32>>,
    /// Where one can go from those, by slot.
    lists: Vec<Vec<u32>>,
    told: Vec<Option<V>>,
}

impl<V: Clone + PartialEq + 'static> Closing<V> {
    fn new(show: Show<V>, owners: Owners, direction: Direction) -> Self {
        let wanted = (0..owners.peers()).map(|_| Vec::new()).collect();
        let part = Part::new(owners, direction);
        Self { part, show, wanted, lists: Vec::new(), told: Vec::new() }
    }

    /// The neighbours of a vertex, each once.
    fn near(&self, slot: u32) -> Vec<u32> {
        let near = self.part.incoming(slot).iter().chain(self.part.outgoing(slot));
        let mut near: Vec<u32> = near.map(|it| it.0).collect();
        near.sort_unstable();
        near.dedup();
        near
    }

    fn want(&mut self, post: &mut Post<Word>) {
        let slots = self.part.vertices.len();
        self.told.resize(slots, None);
        self.lists.resize(slots, Vec::new());
        self.wanted.iter_mut().for_each(Vec::clear);
        let mut seen = vec![false; slots];
        for slot in 0..slots as u32 {
            if !self.part.vertices.mine(slot) {
                continue;
            }
            for other in self.near(slot) {
                let new = !std::mem::replace(&mut seen[other as usize], true);
                if new && !self.part.vertices.mine(other) {
                    self.wanted[self.part.vertices.owner(other)].push(other);
                }
            }
        }
        let by = self.part.vertices.owners().index() as u32;
        for (to, wanted) in self.wanted.iter().enumerate() {
            let vertices = wanted.iter().map(|it| self.part.vertices.id(*it)).collect();
            post.to(to, Word::Want { by, vertices });
        }
    }

    fn hear(&mut self, word: Word, post: &mut Post<Word>) {
        let vertices = &self.part.vertices;
        match word {
            Word::Begin => {}
            Word::Want { by: to, vertices: wanted } => {
                let (mut lengths, mut ends) = (Vec::with_capacity(wanted.len()), Vec::new());
                for id in wanted {
                    let slot = vertices.find(id);
                    let list = slot.map_or([].as_slice(), |it| self.part.outgoing(it));
                    lengths.push(list.len() as u32);
                    ends.extend(list.iter().map(|it| vertices.id(it.0)));
                }
                let by = vertices.owners().index() as u32;
                post.to(to as usize, Word::Lists { by, lengths, ends });
            }
            Word::Lists { by, lengths, ends } => {
                let mut ends = ends.into_iter();
                for (slot, length) in self.wanted[by as usize].iter().zip(lengths) {
                    // Who is not known here is no neighbour of ours.
                    let list = ends.by_ref().take(length as usize);
                    let list = list.filter_map(|it| vertices.find(it)).collect();
                    self.lists[*slot as usize] = list;
                }
            }
        }
    }

    /// The ways between the neighbours of a vertex, and how many these are. `marked` has room for a
    /// mark on each vertex.
    fn count(&self, slot: u32, marked: &mut [u32]) -> (u64, u64) {
        let near = self.near(slot);
        near.iter().for_each(|it| marked[*it as usize] = slot);
        let mut ways = 0;
        for other in &near {
            let is_near = |it: &u32| marked[*it as usize] == slot;
            ways += if self.part.vertices.mine(*other) {
                self.part.outgoing(*other).iter().filter(|it| is_near(&it.0)).count()
            } else {
                self.lists[*other as usize].iter().filter(|it| is_near(it)).count()
            };
        }
        (ways as u64, near.len() as u64)
    }
}

impl<V: Clone + PartialEq + 'static> Rounds<Edge> for Closing<V> {
    type Message = Word;
    type Output = Update<V>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        if self.part.is_empty() && changes.iter().all(|(_, diff)| *diff > 0) {
            return self.part.load(&changes);
        }
        let (mut touched, mut ways) = (Vec::new(), Vec::new());
        for (edge, diff) in &changes {
            self.part.change(edge, *diff, &mut touched, &mut ways);
        }
    }

    fn round(&mut self, round: Round, mail: Vec<Word>, post: &mut Post<Word>) -> Option<Round> {
        match round.step {
            0 => {
                let peers = self.part.vertices.owners().peers();
                (0..peers).for_each(|it| post.to(it, Word::Begin));
            }
            1 => self.want(post),
            _ => mail.into_iter().for_each(|it| self.hear(it, post)),
        }
        None
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<V>>) {
        let slots = self.part.vertices.len();
        // No vertex has the greatest slot for its own.
        let mut marked = vec![u32::MAX; slots];
        for slot in 0..slots as u32 {
            if !self.part.vertices.mine(slot) {
                continue;
            }
            let there = self.part.present(slot);
            let has = there.then(|| {
                let (ways, near) = self.count(slot, &mut marked);
                (self.show)(ways, near)
            });
            let had = std::mem::replace(&mut self.told[slot as usize], has.clone());
            if had != has {
                let vertex = self.part.vertices.id(slot);
                out.push(Update { epoch, vertex, old: had, new: has });
            }
        }
        self.lists.iter_mut().for_each(|it| *it = Vec::new());
        let told = &mut self.told;
        self.part.clear(|slot| told[slot as usize] = None);
    }
}

impl<'scope> Graph<'scope> {
    /// The local clustering coefficient of each vertex, as LDBC Graphalytics defines it: of all pairs of
    /// its neighbours, whichever way edges lead, the share that an edge leads from the first to the second.
    /// It is 0 for a vertex with fewer than two neighbours.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the coefficients for the graph as it is then.
    ///
    /// # Cost
    ///
    /// Computed anew in each epoch in which the graph changes: for each vertex, the degrees of its
    /// neighbours. While it is computed, a part holds the edges of all neighbours of its vertices.
    pub fn lcc(&self) -> Values<'scope, Real> {
        let direction = self.direction;
        let show: Show<Real> = |ways, near| {
            let pairs = near * near.saturating_sub(1);
            Real(if pairs == 0 { 0.0 } else { ways as f64 / pairs as f64 })
        };
        let rule = move |owners| Closing::new(show, owners, direction);
        Values { updates: self.edges.clone().rounds("lcc", ends, rule) }
    }

    /// How many triangles each vertex is a corner of, whichever way edges lead: a third of their sum is the
    /// number of triangles.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the numbers for the graph as it is then.
    ///
    /// # Cost
    ///
    /// As [`lcc`](Self::lcc).
    pub fn triangles(&self) -> Values<'scope, u64> {
        let show: Show<u64> = |ways, _| ways / 2;
        let rule = move |owners| Closing::new(show, owners, Direction::Undirected);
        Values { updates: self.edges.clone().rounds("triangles", ends, rule) }
    }
}
