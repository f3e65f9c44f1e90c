//! Collections: multisets that change, and what is computed of them kept current.
//!
//! A [`Collection`] is a collection of differential dataflow whose timestamps are epochs, beside the
//! event-time streams of the same flow. Records enter it from a stream, as [inserts], as a
//! [changelog] of insertions and deletions or as [upserts] by key; or from events, [for some
//! time](crate::events::Events::lasting) or [by window](crate::events::Events::windowed). What comes
//! of it leaves as a stream of [`changes`](Collection::changes), epoch by epoch, or as a
//! [`snapshot`](Collection::snapshot) when it is asked for.
//!
//! ```
//! use tidemill_operators::flow::Flow;
//! use tidemill_operators::stream::Stream;
//! use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
//!
//! // Who can be reached from 1, along edges that come and go.
//! let edges = [((1, 2), 1), ((2, 3), 1), ((3, 1), 1), ((4, 5), 1), ((2, 3), 1), ((2, 3), -1)];
//! let reached = timely::example(move |scope| {
//!     let flow = Flow::new(scope);
//!     let edges = Stream::from_inner(&flow, edges.to_stream(scope)).changelog();
//!     let start = Stream::from_inner(&flow, [1].to_stream(scope)).inserts();
//!     let reached = start.clone().iterate(|reached| {
//!         let (edges, start) = (edges.enter(&reached), start.enter(&reached));
//!         let next = reached.map(|it| (it, ())).join(edges).map(|(_, ((), to))| to);
//!         next.concat(start).distinct()
//!     });
//!     reached.changes().inner().capture()
//! });
//! assert_eq!(reached.extract(), [(0, vec![(1, 1), (2, 1), (3, 1)])]);
//! ```
//!
//! # Guarantees
//!
//! * Every verb gives, at the end of each epoch, exactly what it would compute of the whole contents
//!   of its inputs at that moment, on any number of workers. So what holds of the inputs at each
//!   epoch, such as that accounts sum to zero, holds of what is derived from them at each epoch.
//! * *A stream is resumed, a collection is rebuilt.* A checkpoint holds the contents of a collection
//!   where it entered the flow, and nothing of what was derived. A run that continues after epoch `e` enters
//!   the contents anew at `e`, and the engine computes the rest once; what leaves at `e`
//!   was delivered before and is dropped. That takes the functions given to verbs to be functions of
//!   what they are given.
//!
//! # Cost
//!
//! Work follows what changes, not what there is. A verb that matches or groups (joins, `reduce`, `count`,
//! `distinct`, and loops around them) holds its input, and all but joins their output, arranged by
//! key until the records are deleted. Several verbs that look into one collection by one key
//! share an [`Arrangement`], which holds it once. [`aggregate`](Collection::aggregate) holds sums
//! instead of records, and [`min`](Collection::min), [`max`](Collection::max) and
//! [`top`](Collection::top) settle a change without looking at all values of a key. Where checkpoints
//! are taken, the contents are held **once more at the entry**, and everything that enters
//! crosses from worker to worker by its hash; what a checkpoint writes follows what changed. Without
//! checkpoints the entries of inserts and changelogs hold nothing and move nothing. A run that
//! continues holds the contents a third time until they have entered.
//!
//! Sources wait while what they have sent has not left as changes. A collection of which nothing leaves
//! holds nobody back.
//!
//! [inserts]: crate::stream::Stream::inserts
//! [changelog]: crate::stream::Stream::changelog
//! [upserts]: crate::stream::Stream::upserts

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::rc::Rc;

use differential_dataflow::VecCollection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use timely::ExchangeData;
use timely::progress::Timestamp;

use crate::flow::{Flow, Site};
use crate::plan::{Node, NodeId, Routing};
use crate::time::Epoch;

mod aggregate;
mod arranged;
mod changes;
mod cross;
mod entry;
mod exact;
mod fallible;
mod fixpoint;
mod grouped;
mod guard;
mod held;
mod iterate;
mod join;
mod lasting;
mod matching;
mod narrow;
mod rebuilt;
mod sliced;
mod snapshot;
mod tournament;
mod wide;
mod windowed;

pub use aggregate::{Additive, Exact};
pub use arranged::{Arrangement, Lookup, Spine};
pub use fixpoint::{Convergence, Inside, Loop, Variable};
pub use iterate::Round;
pub use snapshot::Found;
pub use windowed::Verdict;

pub(crate) use guard::{Bound, overrun};

/// How often a record is in a collection, or by how much that changes.
pub type Diff = isize;

/// A record that a collection can hold: anything ordered, hashed and serialised that can be sent to
/// another worker and shown.
pub trait Record: ExchangeData + Serialize + DeserializeOwned + Clone + Ord + Hash + Debug {}
impl<D: ExchangeData + Serialize + DeserializeOwned + Clone + Ord + Hash + Debug> Record for D {}

/// A multiset of records that changes from epoch to epoch.
///
/// Made by [`Stream::inserts`](crate::stream::Stream::inserts),
/// [`changelog`](crate::stream::Stream::changelog) and [`upserts`](crate::stream::Stream::upserts), or
/// [taken in](Self::from_inner) from the engine. Its verbs take it, so a collection that two of them
/// read is cloned first. Inside a loop its timestamp `T` counts rounds beside the epoch.
///
/// # Example
///
/// ```
/// use tidemill_operators::flow::Flow;
/// use tidemill_operators::stream::Stream;
/// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
///
/// // Who paid how much, and who lives where.
/// let paid = timely::example(|scope| {
///     let flow = Flow::new(scope);
///     let orders = [(1, 30), (2, 50), (1, 40)].to_stream(scope);
///     let orders = Stream::from_inner(&flow, orders).inserts();
///     let cities = [(1, Some('R')), (2, Some('L')), (2, Some('O'))].to_stream(scope);
///     let cities = Stream::from_inner(&flow, cities).upserts();
///     let by_city = orders.join(cities).map(|(_, (euros, city))| (city, euros));
///     let sums = by_city.reduce(|_city, orders, sum| {
///         sum.push((orders.iter().map(|(euros, times)| **euros * *times as i32).sum::<i32>(), 1));
///     });
///     sums.changes().inner().capture()
/// });
/// assert_eq!(paid.extract(), [(0, vec![(('O', 50), 1), (('R', 70), 1)])]);
/// ```
pub struct Collection<'scope, D: 'static, T: Timestamp = Epoch> {
    site: Rc<Site>,
    node: NodeId,
    inner: VecCollection<'scope, T, D, Diff>,
}

impl<D: Clone + 'static, T: Timestamp> Clone for Collection<'_, D, T> {
    fn clone(&self) -> Self {
        Self { site: Rc::clone(&self.site), node: self.node, inner: self.inner.clone() }
    }
}

impl<D, T: Timestamp> fmt::Debug for Collection<'_, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.site.name_of(self.node);
        f.debug_struct("Collection").field("of", &name).finish_non_exhaustive()
    }
}

impl<'scope, D: Clone + 'static> Collection<'scope, D> {
    /// Takes in a collection of the engine, which anything written for differential can make.
    ///
    /// Checkpoints know nothing of its contents. A run that continues begins with the epoch after that
    /// of the checkpoint: what is to be there again must be entered again, at the epoch before.
    ///
    /// ```
    /// use differential_dataflow::input::Input;
    /// use tidemill_operators::collection::Collection;
    /// use tidemill_operators::flow::Flow;
    /// use timely::dataflow::operators::{Capture, capture::Extract};
    ///
    /// let evens = timely::example(|scope| {
    ///     let (_, numbers) = scope.new_collection_from(vec![4u64, 5, 6, 6]);
    ///     let evens = Collection::from_inner(&Flow::new(scope), numbers).filter(|it| it % 2 == 0);
    ///     evens.changes().inner().capture()
    /// });
    /// assert_eq!(evens.extract(), [(0, vec![(4, 1), (6, 2)])]);
    /// ```
    pub fn from_inner(flow: &Flow<'scope>, inner: VecCollection<'scope, Epoch, D, Diff>) -> Self {
        Self::made_by(flow, flow.add(Node::source("differential"), []), inner)
    }

    /// As [`from_inner`](Self::from_inner), of what an operator of the plan gives.
    pub(crate) fn made_by(
        flow: &Flow<'scope>,
        node: NodeId,
        inner: VecCollection<'scope, Epoch, D, Diff>,
    ) -> Self {
        Self { site: flow.site(), node, inner }
    }

    /// The flow that the collection is part of.
    pub fn flow(&self) -> Flow<'scope> {
        Flow::of(self.inner.scope(), Rc::clone(&self.site))
    }
}

impl<'scope, D: Clone + 'static, T: Timestamp> Collection<'scope, D, T> {
    /// Gives back the engine's own collection, for operators written for differential.
    pub fn inner(self) -> VecCollection<'scope, T, D, Diff> {
        self.inner
    }

    /// The collection's operator in the plan.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Adds an operator to the plan that is fed by this collection; gives it and its unique name.
    fn followed_by(&self, node: Node, routing: Routing) -> (NodeId, String) {
        let node = self.site.add(node, [(self.node, routing)]);
        (node, self.site.name_of(node))
    }
}
