//! Distances and components: what spreads along edges.

use super::edge::Real;
use super::part::Direction;
use super::queue::{Heap, Levels};
use super::spread::{NONE, Spread};
use super::spreading::Spreading;
use super::update::Values;
use super::{Graph, ends};

/// Steps from a vertex.
struct Steps {
    source: u64,
}

impl Spread for Steps {
    type Weight = ();
    type Queue = Levels;
    type Value = Option<u64>;
    const SPLITS: bool = false;

    fn start(&self, id: u64) -> u64 {
        if id == self.source { 0 } else { NONE }
    }

    #[inline]
    fn along(&self, value: u64, (): ()) -> u64 {
        value + 1
    }

    fn shown(&self, value: u64) -> Option<u64> {
        (value != NONE).then_some(value)
    }
}

/// Lengths of ways from a vertex. The bits of numbers that are not negative have their order.
struct Lengths {
    source: u64,
}

impl Spread for Lengths {
    type Weight = Real;
    type Queue = Heap;
    type Value = Real;
    const SPLITS: bool = false;

    fn start(&self, id: u64) -> u64 {
        if id == self.source { 0 } else { NONE }
    }

    #[inline]
    fn along(&self, value: u64, weight: Real) -> u64 {
        // Adding zero makes a negative zero a positive one.
        let length = f64::from_bits(value) + (weight.0 + 0.0);
        if weight.0 >= 0.0 && length < f64::INFINITY { length.to_bits() } else { NONE }
    }

    fn shown(&self, value: u64) -> Real {
        Real(if value == NONE { f64::INFINITY } else { f64::from_bits(value) })
    }
}

/// The least vertex that hangs together with a vertex.
struct Least;

impl Spread for Least {
    type Weight = ();
    type Queue = Levels;
    type Value = u64;
    const SPLITS: bool = true;

    fn start(&self, _: u64) -> u64 {
        NONE
    }

    #[inline]
    fn along(&self, value: u64, (): ()) -> u64 {
        value
    }

    fn shown(&self, value: u64) -> u64 {
        value
    }
}

impl<'scope> Graph<'scope> {
    /// How many edges it takes to come from `source` to each vertex; nothing for those that cannot be
    /// reached, which are all if `source` is not there.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the breadth-first distances in the graph as it is then.
    ///
    /// # Cost
    ///
    /// Maintained. An edge that comes costs what gets nearer. One that goes costs nothing unless a
    /// shortest way was found along it; then, the vertices behind it in the tree of shortest ways, and
    /// their edges.
    /// State: two words for each vertex, on each worker that has an edge of it; each edge twice, in four
    /// bytes.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill::flow::Flow;
    /// use tidemill::graph::{Edge, Graph};
    /// use tidemill::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let steps = timely::example(|scope| {
    ///     let edges = [(1, 2), (2, 3), (1, 3), (4, 1)].map(|(from, to)| Edge::new(from, to));
    ///     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
    ///     Graph::directed(edges).bfs(1).collection().changes().inner().capture()
    /// });
    /// let expected = vec![((1, Some(0)), 1), ((2, Some(1)), 1), ((3, Some(1)), 1), ((4, None), 1)];
    /// assert_eq!(steps.extract(), [(0, expected)]);
    /// ```
    pub fn bfs(&self, source: u64) -> Values<'scope, Option<u64>> {
        let direction = self.direction;
        let edges = self.edges.clone();
        let updates =
            edges.rounds("bfs", ends, move |it| Spreading::new(Steps { source }, it, direction));
        Values { updates }
    }

    /// The length of the shortest way from `source` to each vertex: the sum of weights, added up from the
    /// source on; infinite for those that cannot be reached.
    ///
    /// An edge whose weight is negative or not a number is not taken, nor is a way whose length is more
    /// than a number can hold. Of parallel edges the shortest counts.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the lengths in the graph as it is then: which way sums are added
    /// up does not depend on workers or on what was before.
    ///
    /// # Cost
    ///
    /// As [`bfs`](Self::bfs), with a weight for each edge.
    pub fn sssp(&self, source: u64) -> Values<'scope, Real> {
        let direction = self.direction;
        let edges = self.edges.clone();
        let updates =
            edges.rounds("sssp", ends, move |it| Spreading::new(Lengths { source }, it, direction));
        Values { updates }
    }

    /// The weakly connected component of each vertex: the least vertex that hangs together with it,
    /// whichever way edges lead.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the components of the graph as it is then.
    ///
    /// # Cost
    ///
    /// Maintained. An edge between two components costs what gets another least vertex. One that goes
    /// costs nothing unless it is of the spanning forest that is kept; then, the subtree behind it.
    pub fn wcc(&self) -> Values<'scope, u64> {
        let rule = |owners| Spreading::new(Least, owners, Direction::Undirected);
        Values { updates: self.edges.clone().rounds("wcc", ends, rule) }
    }
}
