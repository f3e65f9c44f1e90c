//! A minimum spanning forest: of forests.
//!
//! An edge that a part would not take into the forest of its own edges is in that of none with more. So each
//! part sends its forest to one that joins them ([Kruskal](https://doi.org/10.1090/S0002-9939-1956-0078686-7) on each side),
//! hangs each tree on its least vertex, and tells the parts of the vertices.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::answers::Answers;
use super::edge::{Edge, Real};
use super::part::{Direction, Part};
use super::together::Together;
use super::update::{Update, Values};
use super::{Graph, ends};
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::key::hash;
use crate::time::Epoch;

/// How a vertex hangs in a forest: see [`Graph::msf`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Branch {
    /// The next vertex on the way to the least of its tree; the vertex itself, if that is it.
    pub parent: u64,
    /// The weight of the edge to it; 0 if there is none.
    pub weight: Real,
}

/// An edge in the order in which it is taken: weight, lesser vertex, greater vertex.
type Limb = (Real, u64, u64);

/// What parts tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Word {
    /// The forest of a part has changed.
    Begin { by: u32 },
    /// An edge of it.
    Limb { by: u32, limb: Limb },
    /// A vertex hangs elsewhere.
    Hangs(u64, Option<Branch>),
}

/// The part that joins forests.
const JOINER: usize = 0;

/// The edges of a part, and its forest of them; in one part, all forests.
struct Growing {
    part: Part<Real>,
    /// How a vertex hangs; nothing for the least of a tree.
    hangs: Answers<Option<Branch>>,
    forest: Vec<Limb>,
    changed: bool,
    forests: Vec<Vec<Limb>>,
    joined: HashMap<u64, Branch, FixedState>,
}

impl Growing {
    fn new(owners: Owners) -> Self {
        let forests = vec![Vec::new(); owners.peers()];
        Self {
            part: Part::new(owners, Direction::Undirected),
            hangs: Answers::new(),
            forest: Vec::new(),
            changed: false,
            forests,
            joined: HashMap::default(),
        }
    }

    /// An edge, if it counts as one of this part: of the part of its lesser vertex.
    fn limb(&self, from: u32, to: u32, weight: Real) -> Option<Limb> {
        let vertices = &self.part.vertices;
        let (one, other) = (vertices.id(from), vertices.id(to));
        (one < other && vertices.mine(from)).then_some((weight, one, other))
    }

    fn all(&self) -> Vec<Limb> {
        let ours = (0..self.part.vertices.len() as u32).filter(|it| self.part.vertices.mine(*it));
        let edges = ours.flat_map(|from| {
            let near = self.part.outgoing(from).iter();
            near.filter_map(move |(to, weight)| self.limb(from, *to, *weight))
        });
        let mut edges = edges.collect::<Vec<_>>();
        edges.sort_unstable();
        edges
    }

    /// Grows the forest of this part anew; gives the vertices that are touched.
    fn grow(&mut self, changes: &[(Edge, Diff)]) -> Vec<u32> {
        let mut touched = Vec::new();
        let edges = if self.part.is_empty() && changes.iter().all(|(_, diff)| *diff > 0) {
            self.part.load(changes);
            let vertices = &self.part.vertices;
            touched.extend((0..vertices.len() as u32).filter(|it| vertices.mine(*it)));
            self.all()
        } else {
            let mut ways = Vec::new();
            for (edge, diff) in changes {
                self.part.change(edge, *diff, &mut touched, &mut ways);
            }
            let limbs = ways.iter().filter_map(|it| {
                Some((self.limb(it.from, it.to, it.weight)?, it.from, it.to, it.weight))
            });
            let mut come = Vec::new();
            let mut felled = false;
            for (limb, from, to, weight) in limbs.collect::<Vec<_>>() {
                if self.part.leads(from, to, weight) {
                    come.push(limb);
                } else {
                    felled |= self.forest.binary_search(&limb).is_ok();
                }
            }
            if felled {
                self.all()
            } else {
                come.extend_from_slice(&self.forest);
                come.sort_unstable();
                come.dedup();
                come
            }
        };
        let forest = kruskal(edges);
        self.changed = forest != self.forest;
        self.forest = forest;
        touched
    }

    /// Joins the forests of parts, and tells what hangs elsewhere than before.
    fn join(&mut self, post: &mut Post<Word>) {
        let mut limbs = self.forests.concat();
        limbs.sort_unstable();
        let joined = hang(&kruskal(limbs));
        let owners = self.part.vertices.owners();
        let mut tell = |id: u64, branch| post.to(owners.of(hash(&id)), Word::Hangs(id, branch));
        for (id, branch) in &joined {
            if self.joined.get(id) != Some(branch) {
                tell(*id, Some(*branch));
            }
        }
        for id in self.joined.keys().filter(|it| !joined.contains_key(*it)) {
            tell(*id, None);
        }
        self.joined = joined;
    }
}

/// The numbers of vertices, from 0.
#[derive(Default)]
struct Numbers {
    numbers: HashMap<u64, u32, FixedState>,
    ids: Vec<u64>,
}

impl Numbers {
    fn of(&mut self, id: u64) -> usize {
        let number = *self.numbers.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.ids.len() as u32 - 1
        });
        number as usize
    }
}

/// Those edges, of some in order, that close no circle with those before.
fn kruskal(mut edges: Vec<Limb>) -> Vec<Limb> {
    let (mut numbers, mut up) = (Numbers::default(), Vec::<usize>::new());
    edges.retain(|(_, one, other)| {
        let ends = [*one, *other].map(|it| numbers.of(it));
        up.extend(up.len()..numbers.ids.len());
        let roots = ends.map(|mut number| {
            while up[number] != number {
                up[number] = up[up[number]];
                number = up[number];
            }
            number
        });
        // The root is the number that was given first: trees stay low by halving ways.
        up[roots[0].max(roots[1])] = roots[0].min(roots[1]);
        roots[0] != roots[1]
    });
    edges
}

/// How vertices hang in a forest, each tree on its least.
fn hang(forest: &[Limb]) -> HashMap<u64, Branch, FixedState> {
    let mut numbers = Numbers::default();
    let mut near = Vec::<Vec<(usize, Real)>>::new();
    for (weight, one, other) in forest {
        let ends = [*one, *other].map(|it| numbers.of(it));
        near.resize(numbers.ids.len(), Vec::new());
        near[ends[0]].push((ends[1], *weight));
        near[ends[1]].push((ends[0], *weight));
    }
    let ids = &numbers.ids;
    let mut roots = Vec::from_iter(0..ids.len());
    roots.sort_unstable_by_key(|it| ids[*it]);
    let mut reached = vec![false; ids.len()];
    let mut branches = HashMap::with_capacity_and_hasher(ids.len(), FixedState::default());
    let mut next = VecDeque::new();
    for root in roots {
        if !std::mem::replace(&mut reached[root], true) {
            next.push_back(root);
        }
        while let Some(number) = next.pop_front() {
            for (other, weight) in &near[number] {
                if !std::mem::replace(&mut reached[*other], true) {
                    branches.insert(ids[*other], Branch { parent: ids[number], weight: *weight });
                    next.push_back(*other);
                }
            }
        }
    }
    branches
}

impl Rounds<Edge> for Growing {
    type Message = Word;
    type Output = Update<Branch>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        let touched = self.grow(&changes);
        self.hangs.grow(self.part.vertices.len());
        touched.into_iter().for_each(|it| self.hangs.note(it));
    }

    fn round(&mut self, _: Round, mail: Vec<Word>, post: &mut Post<Word>) -> Option<Round> {
        if std::mem::take(&mut self.changed) {
            let by = self.part.vertices.owners().index() as u32;
            post.to(JOINER, Word::Begin { by });
            let limbs = self.forest.iter().map(|it| Word::Limb { by, limb: *it });
            limbs.for_each(|it| post.to(JOINER, it));
        }
        let mut joins = false;
        for word in mail {
            match word {
                Word::Begin { by } => {
                    self.forests[by as usize].clear();
                    joins = true;
                }
                Word::Limb { by, limb } => self.forests[by as usize].push(limb),
                Word::Hangs(id, branch) => {
                    if let Some(slot) = self.part.vertices.find(id) {
                        self.hangs.set(slot, branch);
                    }
                }
            }
        }
        if joins {
            self.join(post);
        }
        None
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<Branch>>) {
        let shown =
            |id, branch: Option<Branch>| branch.unwrap_or(Branch { parent: id, weight: Real(0.0) });
        self.hangs.finish(&mut self.part, epoch, shown, out, |_| ());
    }
}

impl<'scope> Graph<'scope> {
    /// The minimum spanning forest, whichever way edges lead: of all sets of edges that connect what is
    /// connected and close no circle, the one with the least sum of weights. For each vertex, the edge by which
    /// it hangs in its tree, whose root is its least vertex (its [component](Self::wcc)): so each edge of
    /// the forest is given once.
    ///
    /// Of edges with the same weight the one comes first whose lesser vertex is less, then whose greater
    /// is: so there is one answer. Weights may be negative; one that is not a number comes last, or
    /// first if its sign is negative.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the forest of the graph as it is then.
    ///
    /// # Cost
    ///
    /// Each worker keeps a forest of its edges. An edge that comes costs as much as that forest is large; one
    /// that goes nothing, or, if it was of the forest, sorting the edges of a worker. If the forest of a worker
    /// changes, those of all are joined anew on one worker, which has as many edges for each worker as there
    /// are vertices.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill::flow::Flow;
    /// use tidemill::graph::{Branch, Edge, Graph, Real};
    /// use tidemill::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let forest = timely::example(|scope| {
    ///     let edges = [(1, 2, 5.0), (2, 3, 1.0), (1, 3, 2.0)];
    ///     let edges = edges.map(|(from, to, weight)| Edge::weighted(from, to, weight));
    ///     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
    ///     Graph::undirected(edges).msf().collection().changes().inner().capture()
    /// });
    /// let branch = |parent, weight| Branch { parent, weight: Real(weight) };
    /// let expected = [(1, branch(1, 0.0)), (2, branch(3, 1.0)), (3, branch(1, 2.0))].map(|it| (it, 1));
    /// assert_eq!(forest.extract(), [(0, expected.to_vec())]);
    /// ```
    pub fn msf(&self) -> Values<'scope, Branch> {
        let rule = |owners| Together::new(Growing::new(owners));
        Values { updates: self.edges.clone().rounds("msf", ends, rule) }
    }
}
