//! Betweenness: how many shortest ways lead through a vertex.
//!
//! Each worker has the whole graph, and goes from some of the sources through it; what it finds goes to the
//! parts of the vertices.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::edge::{Edge, Real};
use super::independent::rank;
use super::part::Direction;
use super::replica::{News, Replica, Teller};
use super::together::Together;
use super::update::{Update, Values};
use super::{Graph, ends};
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::key::hash;
use crate::time::Epoch;

/// From which vertices [betweenness](Graph::betweenness) follows shortest ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    /// From all: the exact answer.
    All,
    /// From these; the sum of what they find.
    Given(Vec<u64>),
    /// From so many, or all if there are not so many: those that come first in the order of a scrambling of
    /// ids, which the seed chooses. What they find is scaled up to that of all.
    Sample {
        /// How many.
        count: usize,
        /// Which order.
        seed: u64,
    },
}

impl Sources {
    /// Those among vertices in order, and by how much what they find counts.
    fn choose(&self, ids: &[u64]) -> (Vec<u32>, f64) {
        let all = 0..ids.len() as u32;
        match self {
            Self::All => (all.collect(), 1.0),
            Self::Given(sources) => {
                let places = sources.iter().filter_map(|it| ids.binary_search(it).ok());
                let mut places = Vec::from_iter(places.map(|it| it as u32));
                places.sort_unstable();
                places.dedup();
                (places, 1.0)
            }
            Self::Sample { count, seed } => {
                let mut places = Vec::from_iter(all);
                places.sort_by_cached_key(|it| rank(ids[*it as usize] ^ rank(*seed)));
                places.truncate(*count);
                places.sort_unstable();
                let share = places.len().max(1) as f64 / ids.len().max(1) as f64;
                (places, 1.0 / share)
            }
        }
    }
}

/// What parts tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Word {
    News(News),
    /// What a part found of a vertex.
    Share {
        by: u32,
        of: u64,
        share: f64,
    },
}

/// Sums of a part's vertices; and the whole graph with what was found in it.
struct Between {
    sources: Sources,
    direction: Direction,
    teller: Teller<Real>,
    whole: Replica,
    walks: Walks,
    /// Our sources that are still to come.
    left: VecDeque<u32>,
    scale: f64,
    shares: Vec<(u64, u32, f64)>,
    changed: bool,
}

/// About how many edges a part looks at in a round before it is left to others.
const AT_ONCE: usize = 1 << 24;

impl Between {
    fn new(sources: Sources, owners: Owners, direction: Direction) -> Self {
        Self {
            sources,
            direction,
            teller: Teller::new(owners, direction),
            whole: Replica::default(),
            walks: Walks::default(),
            left: VecDeque::new(),
            scale: 1.0,
            shares: Vec::new(),
            changed: false,
        }
    }

    fn begin(&mut self, news: Vec<News>) {
        self.changed = true;
        self.whole.apply(news);
        let (sources, scale) = self.sources.choose(&self.whole.ids);
        let owners = self.teller.part.vertices.owners();
        let ours = sources
            .into_iter()
            .filter(|it| owners.of(hash(&self.whole.ids[*it as usize])) == owners.index());
        self.left = ours.collect();
        // From both ends each way is found twice.
        let both = self.direction == Direction::Undirected;
        self.scale = if both { scale / 2.0 } else { scale };
        self.walks.begin(self.whole.ids.len());
    }

    /// Follows the ways from some sources, and tells what was found when there are no more.
    fn go_on(&mut self, post: &mut Post<Word>) -> bool {
        if self.left.is_empty() {
            return true;
        }
        let mut work = 0;
        while let Some(source) = self.left.pop_front() {
            work += self.walks.go(&self.whole, source);
            if work > AT_ONCE && !self.left.is_empty() {
                return false;
            }
        }
        let owners = self.teller.part.vertices.owners();
        for (of, share) in self.whole.ids.iter().zip(&self.walks.sum) {
            if *share > 0.0 {
                let by = owners.index() as u32;
                post.to(owners.of(hash(of)), Word::Share { by, of: *of, share: *share });
            }
        }
        true
    }

    /// Adds up what was found, in an order of its own.
    fn add_up(&mut self) {
        let Teller { part, answers, .. } = &mut self.teller;
        for slot in 0..part.vertices.len() as u32 {
            if part.vertices.mine(slot) {
                answers.set(slot, Real(0.0));
            }
        }
        self.shares.sort_unstable_by_key(|it| (it.0, it.1));
        for shares in self.shares.chunk_by(|one, other| one.0 == other.0) {
            let sum = shares.iter().map(|it| it.2).sum::<f64>();
            if let Some(slot) = part.vertices.find(shares[0].0) {
                answers.set(slot, Real(sum * self.scale));
            }
        }
        self.shares.clear();
    }
}

/// Shortest ways from one source after the other
/// ([Brandes](https://doi.org/10.1080/0022250X.2001.9990249)).
#[derive(Default)]
struct Walks {
    /// Of each vertex: how many steps it takes, how many shortest ways lead there, and how many
    /// lead on through it, each as the share of all that lead where it does.
    steps: Vec<u32>,
    ways: Vec<f64>,
    through: Vec<f64>,
    /// The vertices that are reached, in order.
    reached: Vec<u32>,
    sum: Vec<f64>,
}

/// So many steps lead nowhere.
const FAR: u32 = u32::MAX;

impl Walks {
    fn begin(&mut self, vertices: usize) {
        *self = Self {
            steps: vec![FAR; vertices],
            ways: vec![0.0; vertices],
            through: vec![0.0; vertices],
            reached: Vec::new(),
            sum: vec![0.0; vertices],
        };
    }

    /// Follows all ways from a source. Gives how many edges there were.
    fn go(&mut self, graph: &Replica, source: u32) -> usize {
        self.reached.push(source);
        (self.steps[source as usize], self.ways[source as usize]) = (0, 1.0);
        let (mut next, mut edges) = (0, 0);
        while let Some(&from) = self.reached.get(next) {
            next += 1;
            edges += graph.near(from).len();
            let (steps, ways) = (self.steps[from as usize] + 1, self.ways[from as usize]);
            for to in graph.near(from) {
                if self.steps[*to as usize] == FAR {
                    self.steps[*to as usize] = steps;
                    self.reached.push(*to);
                }
                if self.steps[*to as usize] == steps {
                    self.ways[*to as usize] += ways;
                }
            }
        }
        for from in self.reached.iter().rev() {
            let from = *from as usize;
            let behind = graph.near(from as u32).iter().map(|it| *it as usize);
            let behind = behind.filter(|it| self.steps[*it] == self.steps[from] + 1);
            let shares = behind.map(|it| (1.0 + self.through[it]) / self.ways[it]);
            self.through[from] = self.ways[from] * shares.sum::<f64>();
            if from != source as usize {
                self.sum[from] += self.through[from];
            }
        }
        for vertex in self.reached.drain(..) {
            let vertex = vertex as usize;
            (self.steps[vertex], self.ways[vertex], self.through[vertex]) = (FAR, 0.0, 0.0);
        }
        edges
    }
}

impl Rounds<Edge> for Between {
    type Message = Word;
    type Output = Update<Real>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        self.teller.accept(&changes);
    }

    fn round(&mut self, round: Round, mail: Vec<Word>, post: &mut Post<Word>) -> Option<Round> {
        let peers = self.teller.part.vertices.owners().peers();
        for news in self.teller.news() {
            (0..peers).for_each(|it| post.to(it, Word::News(news)));
        }
        let mut news = Vec::new();
        for word in mail {
            match word {
                Word::News(it) => news.push(it),
                Word::Share { by, of, share } => self.shares.push((of, by, share)),
            }
        }
        if !news.is_empty() {
            self.begin(news);
        }
        if self.go_on(post) { None } else { Some(round.next()) }
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<Real>>) {
        if std::mem::take(&mut self.changed) {
            self.add_up();
            self.walks = Walks::default();
        }
        let Teller { part, answers, .. } = &mut self.teller;
        answers.finish(part, epoch, |_, sum| sum, out, |_| ());
    }
}

impl<'scope> Graph<'scope> {
    /// The betweenness of each vertex: over all pairs of other vertices, the share of the shortest ways from one
    /// to the other that lead through it, added up. A way is as long as it has edges. In an undirected
    /// graph a pair counts once.
    ///
    /// From some [sources](Sources) only, it is an estimate of that, whose error falls with the square root
    /// of their number ([Brandes and Pich](https://doi.org/10.1142/S0218127407018403)).
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, the values for the graph as it is then, but for the order in which numbers
    /// are added. The sample depends on the vertices and the seed alone; a vertex that comes or goes
    /// changes one of it at most.
    ///
    /// # Cost
    ///
    /// Computed anew in each epoch in which the graph changes: each edge is looked at twice from each source.
    /// Sources are shared among workers, each of which has the whole graph.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill::flow::Flow;
    /// use tidemill::graph::{Edge, Graph, Real, Sources};
    /// use tidemill::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let between = timely::example(|scope| {
    ///     let edges = [(1, 2), (2, 3), (2, 4)].map(|(from, to)| Edge::new(from, to));
    ///     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
    ///     let graph = Graph::undirected(edges);
    ///     graph.betweenness(Sources::All).collection().changes().inner().capture()
    /// });
    /// let expected = [(1, 0.0), (2, 3.0), (3, 0.0), (4, 0.0)].map(|it| ((it.0, Real(it.1)), 1));
    /// assert_eq!(between.extract(), [(0, expected.to_vec())]);
    /// ```
    pub fn betweenness(&self, sources: Sources) -> Values<'scope, Real> {
        let direction = self.direction;
        let rule = move |owners| Together::new(Between::new(sources, owners, direction));
        Values { updates: self.edges.clone().rounds("betweenness", ends, rule) }
    }
}
