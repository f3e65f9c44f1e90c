//! Loops: a collection that is fed back until it does not change any more.

use std::rc::Rc;

use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::Iterate;
use timely::order::Product;
use timely::progress::Timestamp;

use super::{Collection, Record};
use crate::plan::{Node, Routing};

/// Moments inside a loop at moments `T`: when, and in which round.
pub type Round<T> = Product<T, u64>;

impl<'scope, D: Record, T: Timestamp + Lattice> Collection<'scope, D, T> {
    /// Applies `step` to this collection, to what comes of that, and so on until nothing changes:
    /// the fixed point.
    ///
    /// `step` builds the inside of the loop. Collections from outside are brought in with
    /// [`enter`](Self::enter).
    ///
    /// # Guarantees
    ///
    /// What leaves at an epoch is the fixed point for the contents at that epoch, and no round before
    /// it. It is found from that of the epoch before, by work that follows what changes in each round.
    /// Changes are consolidated before they go round again, so a round whose changes cancel is the
    /// last.
    ///
    /// **If there is no fixed point, the loop does not end**, and no epoch completes any more: `step` has to
    /// make sure, as one does that only adds records of a finite set.
    ///
    /// # Cost
    ///
    /// The verbs inside hold what they hold outside, for each round in which it changes.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let odd = timely::example(|scope| {
    ///     let numbers = Stream::from_inner(&Flow::new(scope), (1..=12u32).to_stream(scope));
    ///     let halved = numbers.inserts().iterate(|numbers| {
    ///         numbers.map(|it| if it % 2 == 0 { it / 2 } else { it })
    ///     });
    ///     halved.changes().inner().capture()
    /// });
    /// let expected = vec![(1, 4), (3, 3), (5, 2), (7, 1), (9, 1), (11, 1)];
    /// assert_eq!(odd.extract(), [(0, expected)]);
    /// ```
    #[must_use]
    pub fn iterate<F>(self, step: F) -> Self
    where
        for<'inner> F: FnOnce(Collection<'inner, D, Round<T>>) -> Collection<'inner, D, Round<T>>,
    {
        let (node, _) = self.followed_by(Node::operator("iterate"), Routing::Local);
        let site = Rc::clone(&self.site);
        let inner = self.inner.iterate(|_, inner| {
            let result = step(Collection { site: Rc::clone(&site), node, inner }).consolidate();
            site.lead_back(result.node, node);
            result.inner
        });
        Self { site: self.site, node, inner }
    }
}

impl<D: Clone + 'static, T: Timestamp + Lattice> Collection<'_, D, T> {
    /// Brings this collection into the loop that `inside` is part of, where it is the same in each
    /// round.
    #[must_use]
    pub fn enter<'inner, E: Clone + 'static>(
        &self,
        inside: &Collection<'inner, E, Round<T>>,
    ) -> Collection<'inner, D, Round<T>> {
        let (node, _) = self.followed_by(Node::operator("enter"), Routing::Local);
        let inner = self.inner.clone().enter(inside.inner.scope());
        Collection { site: Rc::clone(&self.site), node, inner }
    }
}
