//! Every record with every record of a small collection.

use differential_dataflow::hashable::Hashable;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::trace::implementations::{ValBatcher, ValSpine};
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::vec::Broadcast;
use timely::progress::Timestamp;

use super::{Collection, Diff, Record};
use crate::plan::{Node, Routing};

/// Records that all have the same key.
type Keyless<D, T> = ValSpine<(), D, T, Diff>;

impl<'scope, D: Record, T: Timestamp + Lattice> Collection<'scope, D, T> {
    /// Every record of this collection with every one of `small`; how often each pair is there is the
    /// product of how often its parts are.
    ///
    /// # Cost
    ///
    /// A change of this collection costs a step for each record of `small`, a change of `small` one for
    /// each record of this collection. State: this collection, spread over the workers by the
    /// records' hashes, and `small` **on every worker**, until deleted.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// // Which amounts are above which limits.
    /// let above = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let amounts = Stream::from_inner(&flow, [5, 50, 500].to_stream(scope)).inserts();
    ///     let limits = Stream::from_inner(&flow, [10, 100].to_stream(scope)).inserts();
    ///     let above = amounts.cross(limits).filter(|(amount, limit)| amount > limit);
    ///     above.changes().inner().capture()
    /// });
    /// assert_eq!(above.extract(), [(0, vec![((50, 10), 1), ((500, 10), 1), ((500, 100), 1)])]);
    /// ```
    #[must_use]
    pub fn cross<E: Record>(
        self,
        small: Collection<'scope, E, T>,
    ) -> Collection<'scope, (D, E), T> {
        let held = Node::operator("cross").state("this side, and the small one on each worker");
        let spread = Routing::ByKey("record".to_owned());
        let node = self.site.add(held, [(self.node, spread), (small.node, Routing::Broadcast)]);
        let name = self.site.name_of(node);
        // A record that is deleted must come to the worker that has it, or neither would ever go.
        let spread = Exchange::new(|((_, it), _, _): &(((), D), T, Diff)| it.hashed());
        let left = arrange_core::<_, _, ValBatcher<(), D, T, Diff>, Keyless<D, T>>(
            self.inner.map(|record| ((), record)).inner,
            spread,
            &format!("{name}: left"),
            ValBatcher::new,
        );
        let right = arrange_core::<_, _, ValBatcher<(), E, T, Diff>, Keyless<E, T>>(
            small.inner.map(|record| ((), record)).inner.broadcast(),
            Pipeline,
            &format!("{name}: right"),
            ValBatcher::new,
        );
        let inner =
            left.join_core(right, |_: &(), one: &D, two: &E| Some((one.clone(), two.clone())));
        Collection { site: self.site, node, inner }
    }
}
