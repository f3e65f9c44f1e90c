//! Patterns around a vertex: triangles, how many of those that there could be, and patterns of four.

use serde::{Deserialize, Serialize};

use super::edge::Real;
use super::extend::{Count, Extending, Size};
use super::part::Direction;
use super::together::Together;
use super::update::Values;
use super::{Graph, ends};

/// In how many patterns a vertex is: see [`Graph::motifs`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Motifs {
    /// Three vertices, each next to the others.
    pub triangles: u64,
    /// Four vertices, each next to the one before and the one behind: whether others are next to each
    /// other, too, makes no difference.
    pub cycles: u64,
    /// Four vertices, each next to the others.
    pub cliques: u64,
}

/// Counts are never below zero between epochs.
fn number(count: i64) -> u64 {
    u64::try_from(count).expect("at the end of an epoch what was counted is there")
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
    /// Maintained: as [`triangles`](Self::triangles).
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill::flow::Flow;
    /// use tidemill::graph::{Edge, Graph, Real};
    /// use tidemill::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let shares = timely::example(|scope| {
    ///     let edges = [(1, 2), (2, 3), (1, 3), (1, 4)].map(|(from, to)| Edge::new(from, to));
    ///     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
    ///     Graph::undirected(edges).lcc().collection().changes().inner().capture()
    /// });
    /// let expected = [(1, 1.0 / 3.0), (2, 1.0), (3, 1.0), (4, 0.0)].map(|it| ((it.0, Real(it.1)), 1));
    /// assert_eq!(shares.extract(), [(0, expected.to_vec())]);
    /// ```
    pub fn lcc(&self) -> Values<'scope, Real> {
        let direction = self.direction;
        let show: fn(Count) -> Real = match direction {
            Direction::Directed => |it| share(it.between, it.near),
            Direction::Undirected => |it| share(2 * it.between, it.near),
        };
        let rule =
            move |owners| Together::new(Extending::new(Size::Three, show, owners, direction));
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
    /// Maintained. An edge that comes or goes costs the neighbours of that of its ends that has fewer, as
    /// they are looked up among those of the other. The first answer is found in the same way.
    ///
    /// State: three words for each vertex, on each worker that has an edge of it; each edge twice, in
    /// eight bytes.
    pub fn triangles(&self) -> Values<'scope, u64> {
        let show: fn(Count) -> u64 = |it| number(it.between);
        let rule = move |owners| {
            Together::new(Extending::new(Size::Three, show, owners, Direction::Undirected))
        };
        Values { updates: self.edges.clone().rounds("triangles", ends, rule) }
    }

    /// In how many triangles, cycles of four and cliques of four each vertex is, whichever way edges lead: a
    /// third of the sum of the first, and a quarter of those of the others, are the numbers of these patterns.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the numbers for the graph as it is then.
    ///
    /// # Cost
    ///
    /// Maintained, by a worst-case optimal join that begins at the edges that change
    /// ([Ammar et al.](https://doi.org/10.14778/3184470.3184473)). An edge that comes or goes costs, for
    /// each neighbour of that of its ends that has fewer, the lesser of how many that neighbour and the other
    /// end have; and the neighbours of both ends once, or, with several workers, once for each. The first
    /// answer is found in the same way, edge by edge: each cycle is looked at, and there can be many.
    ///
    /// State: as [`triangles`](Self::triangles), five words for each vertex.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill::flow::Flow;
    /// use tidemill::graph::{Edge, Graph, Motifs};
    /// use tidemill::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let motifs = timely::example(|scope| {
    ///     let edges = [(1, 2), (2, 3), (3, 4), (4, 1), (1, 3)].map(|(from, to)| Edge::new(from, to));
    ///     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
    ///     Graph::undirected(edges).motifs().collection().changes().inner().capture()
    /// });
    /// let corner = |triangles| Motifs { triangles, cycles: 1, cliques: 0 };
    /// let expected = [(1, 2), (2, 1), (3, 2), (4, 1)].map(|it| ((it.0, corner(it.1)), 1));
    /// assert_eq!(motifs.extract(), [(0, expected.to_vec())]);
    /// ```
    pub fn motifs(&self) -> Values<'scope, Motifs> {
        let show: fn(Count) -> Motifs = |it| Motifs {
            triangles: number(it.between),
            cycles: number(it.cycles),
            cliques: number(it.cliques),
        };
        let rule = move |owners| {
            Together::new(Extending::new(Size::Four, show, owners, Direction::Undirected))
        };
        Values { updates: self.edges.clone().rounds("motifs", ends, rule) }
    }
}

/// The share of pairs of neighbours, in either order, that edges are between.
fn share(between: i64, near: i64) -> Real {
    let pairs = near * (near - 1);
    Real(if pairs == 0 { 0.0 } else { between as f64 / pairs as f64 })
}
