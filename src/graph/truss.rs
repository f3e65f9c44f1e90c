//! Trusses: what is held together by triangles, peeled off edge by edge.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::edge::Edge;
use super::part::Direction;
use super::replica::{News, Replica, Teller};
use super::together::Together;
use super::update::{Update, Values};
use super::{Graph, ends};
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::key::hash;
use crate::time::Epoch;

/// What parts tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Word {
    News(News),
    /// A vertex has another number.
    Has(u64, u32),
}

/// The part that has the whole graph.
const PEELER: usize = 0;

/// The numbers of a part's vertices; in one part, the graph that they are found in.
struct Trusses {
    teller: Teller<u32>,
    whole: Replica,
    /// What was found before.
    found: HashMap<u64, u32, FixedState>,
}

impl Trusses {
    fn new(owners: Owners) -> Self {
        let teller = Teller::new(owners, Direction::Undirected);
        Self { teller, whole: Replica::default(), found: HashMap::default() }
    }

    fn find(&mut self, news: Vec<News>, post: &mut Post<Word>) {
        self.whole.apply(news);
        let trusses = Peeling::new(&self.whole).peel();
        let mut found = HashMap::default();
        for (vertex, id) in (0..).zip(&self.whole.ids) {
            let most = self.whole.range(vertex).map(|it| trusses[it]).max().unwrap_or(0);
            found.insert(*id, most);
            if self.found.get(id).copied().unwrap_or(0) != most {
                let owner = self.teller.part.vertices.owners().of(hash(id));
                post.to(owner, Word::Has(*id, most));
            }
        }
        self.found = found;
    }
}

/// A graph whose edges are taken out, those in the fewest triangles first.
struct Peeling<'a> {
    graph: &'a Replica,
    /// Of each way, where it begins and the number of the way back: an edge has the lesser of both.
    from: Vec<u32>,
    back: Vec<usize>,
    /// In how many triangles an edge is, of those that are left.
    support: Vec<u32>,
    gone: Vec<bool>,
}

impl<'a> Peeling<'a> {
    fn new(graph: &'a Replica) -> Self {
        let (mut from, mut back) = (Vec::with_capacity(graph.ways()), Vec::new());
        for vertex in 0..graph.ids.len() as u32 {
            for other in graph.near(vertex) {
                from.push(vertex);
                let place = graph.near(*other).binary_search(&vertex);
                let place = place.expect("an edge leads both ways");
                back.push(graph.range(*other).start + place);
            }
        }
        let ways = graph.ways();
        let mut peeling =
            Self { graph, from, back, support: vec![0; ways], gone: vec![false; ways] };
        for edge in 0..ways {
            if peeling.edge(edge) == edge {
                peeling.support[edge] = peeling.sides(edge).count() as u32;
            }
        }
        peeling
    }

    /// The number of the edge that a way is one of.
    fn edge(&self, way: usize) -> usize {
        way.min(self.back[way])
    }

    /// The other two edges of each triangle that an edge is in.
    fn sides(&self, edge: usize) -> impl Iterator<Item = [usize; 2]> {
        let ends = [self.from[edge], self.from[self.back[edge]]];
        let longer = usize::from(self.graph.near(ends[1]).len() > self.graph.near(ends[0]).len());
        let (few, many) = (self.graph.range(ends[1 - longer]), self.graph.range(ends[longer]));
        let all = self.graph.near(ends[longer]);
        few.filter_map(move |one| {
            let place = all.binary_search(&self.from[self.back[one]]).ok()?;
            let sides = [self.edge(one), self.edge(many.start + place)];
            (!sides.iter().any(|it| self.gone[*it])).then_some(sides)
        })
    }

    /// Gives the truss number of the edge of each way.
    fn peel(mut self) -> Vec<u32> {
        let ways = self.graph.ways();
        let most = self.support.iter().max().map_or(0, |it| *it as usize);
        let mut waiting = vec![Vec::new(); most + 1];
        for edge in (0..ways).filter(|it| self.edge(*it) == *it) {
            waiting[self.support[edge] as usize].push(edge);
        }
        let mut truss = vec![0; ways];
        for level in 0..waiting.len() {
            while let Some(edge) = waiting[level].pop() {
                if self.gone[edge] {
                    continue;
                }
                let sides = Vec::from_iter(self.sides(edge).flatten());
                self.gone[edge] = true;
                truss[edge] = level as u32 + 2;
                truss[self.back[edge]] = level as u32 + 2;
                for side in sides {
                    let support = &mut self.support[side];
                    if *support as usize > level {
                        *support -= 1;
                        waiting[*support as usize].push(side);
                    }
                }
            }
        }
        truss
    }
}

impl Rounds<Edge> for Trusses {
    type Message = Word;
    type Output = Update<u64>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        self.teller.accept(&changes);
    }

    fn round(&mut self, _: Round, mail: Vec<Word>, post: &mut Post<Word>) -> Option<Round> {
        self.teller.news().into_iter().for_each(|it| post.to(PEELER, Word::News(it)));
        let mut news = Vec::new();
        for word in mail {
            match word {
                Word::News(it) => news.push(it),
                Word::Has(id, truss) => {
                    if let Some(slot) = self.teller.part.vertices.find(id) {
                        self.teller.answers.set(slot, truss);
                    }
                }
            }
        }
        if !news.is_empty() {
            self.find(news, post);
        }
        None
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<u64>>) {
        let Teller { part, answers, .. } = &mut self.teller;
        answers.finish(part, epoch, |_, truss| u64::from(truss), out, |_| ());
    }
}

impl<'scope> Graph<'scope> {
    /// The truss number of each vertex: the greatest *k* such that an edge of it is in a *k*-truss, a part of the
    /// graph in which each edge is in *k* - 2 triangles at least
    /// ([Wang and Cheng](https://doi.org/10.14778/2311906.2311909)). It is 2 for a vertex without a triangle, and 0 for one
    /// without edges. Edges count once, whichever way they lead.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the truss numbers of the graph as it is then.
    ///
    /// # Cost
    ///
    /// Computed anew in each epoch in which the graph changes, on one worker, which has the whole graph: for each
    /// edge, the neighbours of that of its ends that has fewer, twice. The others have their parts.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill::flow::Flow;
    /// use tidemill::graph::{Edge, Graph};
    /// use tidemill::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let trusses = timely::example(|scope| {
    ///     let edges = [(1, 2), (2, 3), (1, 3), (3, 4)].map(|(from, to)| Edge::new(from, to));
    ///     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
    ///     Graph::undirected(edges).ktruss().collection().changes().inner().capture()
    /// });
    /// let expected = [(1, 3), (2, 3), (3, 3), (4, 2)].map(|it| (it, 1));
    /// assert_eq!(trusses.extract(), [(0, expected.to_vec())]);
    /// ```
    pub fn ktruss(&self) -> Values<'scope, u64> {
        let rule = |owners| Together::new(Trusses::new(owners));
        Values { updates: self.edges.clone().rounds("ktruss", ends, rule) }
    }
}
