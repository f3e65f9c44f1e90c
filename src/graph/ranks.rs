//! How important vertices are, by those that lead to them.

use super::edge::Real;
use super::push::{Pushing, Start};
use super::rank::Ranking;
use super::update::Values;
use super::{Graph, ends};

/// The damping factor that is usual: with which probability a walk goes on.
pub const DAMPING: f64 = 0.85;

/// The tolerance that is usual: what LDBC Graphalytics allows values to differ by.
pub const TOLERANCE: f64 = 1e-4;

impl<'scope> Graph<'scope> {
    /// PageRank to a relative `tolerance`: the share of a vertex in all visits of a random walk that goes on
    /// along an edge with probability `damping` and otherwise, or where there is none, anywhere.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, the value of each vertex is off by `tolerance` times that value at most.
    /// (Sums of ever so many changes add what rounding does, some 1e-16 for each.) What values are
    /// within it depends on workers and on what was before. A vertex whose value stays within a part of
    /// the tolerance is not told again.
    ///
    /// # Cost
    ///
    /// Maintained by pushing residuals: a change costs what it changes by more than a fifth of the
    /// tolerance, and the degrees of the vertices whose edges change. When the sum of all changes by more
    /// than that, as with many new vertices, all values are told anew.
    /// State: three numbers for each vertex.
    ///
    /// # Panics
    ///
    /// If `damping` is not between 0 and 1, or `tolerance` is not above 0.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill::flow::Flow;
    /// use tidemill::graph::{DAMPING, Edge, Graph, TOLERANCE};
    /// use tidemill::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let ranks = timely::example(|scope| {
    ///     let edges = [(1, 2), (3, 2), (2, 1)].map(|(from, to)| Edge::new(from, to));
    ///     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
    ///     let ranks = Graph::directed(edges).pagerank(DAMPING, TOLERANCE);
    ///     ranks.updates().map(|it| (it.vertex, it.new)).inner().capture()
    /// });
    /// let ranks = ranks.extract().remove(0).1;
    /// let of = |vertex| ranks.iter().find(|it| it.0 == vertex).and_then(|it| it.1).map_or(0.0, |it| it.0);
    /// assert!(of(2) > of(1) && of(1) > of(3));
    /// assert!((of(1) + of(2) + of(3) - 1.0).abs() < 1e-4);
    /// ```
    pub fn pagerank(&self, damping: f64, tolerance: f64) -> Values<'scope, Real> {
        self.pushed("pagerank", Start::Everywhere, damping, tolerance)
    }

    /// Personalised PageRank: the walk begins again at `source` rather than anywhere. All values are 0 while
    /// the source is not there.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, all values together are off by `tolerance` at most: the sum of the differences
    /// from what they should be. (Rounding adds some 1e-16 for each change.) What values are within it depends on
    /// workers and on what was before. A vertex whose value stays within a part of the tolerance, relative to
    /// the value, is not told again.
    ///
    /// # Cost
    ///
    /// As [`pagerank`](Self::pagerank); but as the tolerance is for all vertices together, what changes near
    /// the source is followed far. When the number of vertices doubles, all are looked at.
    ///
    /// # Panics
    ///
    /// As [`pagerank`](Self::pagerank).
    pub fn ppr(&self, source: u64, damping: f64, tolerance: f64) -> Values<'scope, Real> {
        self.pushed("ppr", Start::At(source), damping, tolerance)
    }

    fn pushed(
        &self,
        name: &str,
        start: Start,
        damping: f64,
        tolerance: f64,
    ) -> Values<'scope, Real> {
        assert!((0.0..1.0).contains(&damping), "damping is from 0 to less than 1, not {damping}");
        assert!(tolerance > 0.0, "a tolerance is above 0, not {tolerance}");
        let direction = self.direction;
        let edges = self.edges.clone();
        let rule = move |owners| Pushing::new(start, damping, tolerance, owners, direction);
        Values { updates: edges.rounds(name, ends, rule) }
    }

    /// PageRank after so many iterations that begin with the same value for each vertex, as LDBC
    /// Graphalytics defines it.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, the values of these iterations on the graph as it is then, but for the
    /// order in which numbers are added.
    ///
    /// # Cost
    ///
    /// Computed anew in each epoch in which the graph changes, on arrays: each iteration looks at each edge
    /// once. Almost every value changes with almost every edge; where a tolerance will do,
    /// [`pagerank`](Self::pagerank) costs what changes.
    ///
    /// # Panics
    ///
    /// If `damping` is not between 0 and 1.
    pub fn pagerank_iterations(&self, damping: f64, iterations: u32) -> Values<'scope, Real> {
        assert!((0.0..1.0).contains(&damping), "damping is from 0 to less than 1, not {damping}");
        let direction = self.direction;
        let rule = move |owners| Ranking::new(iterations, damping, owners, direction);
        Values { updates: self.edges.clone().rounds("pagerank", ends, rule) }
    }
}
