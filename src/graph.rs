//! Graphs that change: algorithms whose answers follow their edges.
//!
//! A [`Graph`] is a [collection](Collection) of [edges](Edge). Each algorithm gives a value for each
//! vertex, which changes as edges come and go: [`Values`].
//!
//! ```
//! use tidemill::flow::Flow;
//! use tidemill::graph::{Edge, Graph};
//! use tidemill::stream::Stream;
//! use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
//!
//! let components = timely::example(|scope| {
//!     let edges = [(1, 2), (4, 2), (7, 9)].map(|(from, to)| Edge::new(from, to));
//!     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
//!     Graph::undirected(edges).wcc().collection().changes().inner().capture()
//! });
//! let expected = [(1, 1), (2, 1), (4, 1), (7, 7), (9, 7)].map(|it| (it, 1));
//! assert_eq!(components.extract(), [(0, expected.to_vec())]);
//! ```
//!
//! # What counts as a graph
//!
//! * A vertex is there while an edge begins or ends at it. An edge from a vertex to itself says that it
//!   is there and means nothing else.
//! * An edge that is there several times counts once, and is there until it is deleted as often. In an
//!   undirected graph the edges from *a* to *b* and from *b* to *a* are the same.
//! * An edge that is deleted more often than it was inserted is not there until it has been inserted
//!   as much more often.
//!
//! # How it works
//!
//! Not by differential loops, whose first answer is ten to two hundred times slower than one thread on an
//! array, but by [rounds](crate::fixpoint) on parts of the graph: each worker has the vertices whose key
//! groups it owns, and all their edges, in arrays. The first answer is computed there in bulk; what changes
//! afterwards is worked off from what is known.

//!
//! # What a change costs
//!
//! | algorithm | when edges change |
//! |---|---|
//! | [`bfs`](Graph::bfs), [`sssp`](Graph::sssp), [`wcc`](Graph::wcc) | maintained: what gets nearer, or lies behind an edge that went |
//! | [`pagerank`](Graph::pagerank), [`ppr`](Graph::ppr) | maintained: what moves by more than the tolerance |
//! | [`scc`](Graph::scc) | maintained: the component that loses an edge; what lies around an edge between two |
//! | [`lcc`](Graph::lcc), [`triangles`](Graph::triangles), [`motifs`](Graph::motifs) | maintained: the neighbours of the ends of an edge, and theirs |
//! | [`kcore`](Graph::kcore) | maintained: what falls, and what might rise with the end of an edge |
//! | [`mis`](Graph::mis) | maintained: what comes in or goes out |
//! | [`msf`](Graph::msf) | the forests of workers are maintained, and joined anew if one changes |
//! | [`cdlp`](Graph::cdlp), [`pagerank_iterations`](Graph::pagerank_iterations) | computed anew, by all workers |
//! | [`betweenness`](Graph::betweenness) | computed anew, by all workers, each of which has the whole graph |
//! | [`ktruss`](Graph::ktruss) | computed anew, by one worker, which has the whole graph |

mod adjacency;
mod answers;
mod between;
mod close;
mod cores;
mod debts;
mod edge;
mod extend;
mod forest;
mod four;
mod independent;
mod mirror;
mod near;
mod part;
mod peel;
mod push;
mod queue;
mod rank;
mod ranks;
mod reach;
mod replica;
mod slack;
mod split;
mod spread;
mod spreading;
mod state;
mod strong;
mod sweep;
mod swept;
mod together;
mod truss;
mod update;
mod vertices;
mod walk;

pub use between::Sources;
pub use close::Motifs;
pub use edge::{Edge, Real};
pub use forest::Branch;
pub use part::Direction;
pub use ranks::{DAMPING, TOLERANCE};
pub use update::{Update, Values};

use crate::collection::Collection;
use crate::key::hash;

/// A graph: edges, and whether they lead one way or both.
#[derive(Clone, Debug)]
pub struct Graph<'scope> {
    edges: Collection<'scope, Edge>,
    direction: Direction,
}

impl<'scope> Graph<'scope> {
    /// A graph whose edges lead as its direction says.
    pub fn new(edges: Collection<'scope, Edge>, direction: Direction) -> Self {
        Self { edges, direction }
    }

    /// A graph whose edges lead from one vertex to the other.
    pub fn directed(edges: Collection<'scope, Edge>) -> Self {
        Self::new(edges, Direction::Directed)
    }

    /// A graph whose edges lead both ways.
    pub fn undirected(edges: Collection<'scope, Edge>) -> Self {
        Self::new(edges, Direction::Undirected)
    }

    /// The same graph with vertices that are there whether they have edges or not.
    #[must_use]
    pub fn with_vertices(self, vertices: Collection<'scope, u64>) -> Self {
        Self { edges: self.edges.concat(vertices.map(Edge::vertex)), ..self }
    }
}

/// The keys by which an edge is dealt out: its ends.
fn ends(edge: &Edge) -> (u64, u64) {
    (hash(&edge.from), hash(&edge.to))
}
