//! Loops: a collection that is fed back until it does not change any more.

use std::rc::Rc;

use differential_dataflow::lattice::Lattice;
use timely::order::Product;
use timely::progress::Timestamp;

use super::{Collection, Convergence, Loop, Record};
use crate::plan::{Node, Routing};
use crate::stream::Stream;
use crate::time::Epoch;

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
    /// make sure, as one does that only adds records of a finite set. [`iterate_in`](Self::iterate_in)
    /// takes a limit, too.
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
        self.iterate_in(Loop::named("iterate"), step)
    }

    /// As [`iterate`](Self::iterate), in a loop that has a name and perhaps a limit.
    ///
    /// # Errors
    ///
    /// If the loop takes [more rounds](Loop::at_most) than it may: see [`Alarm`](crate::flow::Alarm).
    /// The error names the loop, and nothing of that epoch leaves the flow.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::collection::Loop;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let halved = timely::example(|scope| {
    ///     let numbers = Stream::from_inner(&Flow::new(scope), [40, 7].to_stream(scope));
    ///     let twice = Loop::named("halve").exactly(2);
    ///     numbers.inserts().iterate_in(twice, |it| it.map(|it| it / 2)).changes().inner().capture()
    /// });
    /// assert_eq!(halved.extract(), [(0, vec![(1, 1), (10, 1)])]);
    /// ```
    #[must_use]
    pub fn iterate_in<F>(self, settings: Loop, step: F) -> Self
    where
        for<'inner> F: FnOnce(Collection<'inner, D, Round<T>>) -> Collection<'inner, D, Round<T>>,
    {
        self.fixpoint(settings, |_, variable| {
            let next = step(variable.now());
            variable.set(next)
        })
    }
}

impl<'scope, D: Record> Collection<'scope, D> {
    /// As [`iterate_in`](Self::iterate_in), with a report of how the loop converges: for each epoch and
    /// round how many records changed. What is promised of it says
    /// [`set_reporting`](super::Variable::set_reporting).
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::collection::Loop;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let report = timely::example(|scope| {
    ///     let numbers = Stream::from_inner(&Flow::new(scope), [40].to_stream(scope)).inserts();
    ///     let (_, report) = numbers.iterate_reporting(Loop::named("odd").at_most(10), |numbers| {
    ///         numbers.map(|it| if it % 2 == 0 { it / 2 } else { it })
    ///     });
    ///     report.map(|it| (it.round, it.changes)).inner().capture()
    /// });
    /// // 20 comes, then 10 instead of it, then 5 instead of that, then no more.
    /// assert_eq!(report.extract(), [(0, vec![(0, 1), (1, 2), (2, 2)])]);
    /// ```
    #[must_use]
    pub fn iterate_reporting<F>(
        self,
        settings: Loop,
        step: F,
    ) -> (Self, Stream<'scope, Convergence>)
    where
        for<'inner> F:
            FnOnce(Collection<'inner, D, Round<Epoch>>) -> Collection<'inner, D, Round<Epoch>>,
    {
        self.fixpoint(settings, |_, variable| {
            let next = step(variable.now());
            variable.set_reporting(next)
        })
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
