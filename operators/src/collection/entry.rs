//! The way in: streams that become collections, and the snapshot that is taken of them there.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use differential_dataflow::AsCollection;
use timely::ExchangeData;
use timely::container::NoopBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::generic::operator::{Operator, empty};

use super::held::{Held, Latest, Sums};
use super::rebuilt::enter_anew;
use super::{Collection, Diff, Record};
use crate::batch::{Batch, by_key};
use crate::drive::{Marks, drive};
use crate::flow::Flow;
use crate::key::hash;
use crate::plan::{Node, NodeId, Routing};
use crate::rule::Rule;
use crate::stream::Stream;
use crate::time::Epoch;

impl<'scope, D: Record> Stream<'scope, D> {
    /// A collection to which each record of the stream is added.
    ///
    /// # Cost
    ///
    /// As [`changelog`](Stream::changelog).
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let distinct = timely::example(|scope| {
    ///     let numbers = Stream::from_inner(&Flow::new(scope), [7, 8, 7].to_stream(scope));
    ///     numbers.inserts().distinct().changes().inner().capture()
    /// });
    /// assert_eq!(distinct.extract(), [(0, vec![(7, 1), (8, 1)])]);
    /// ```
    pub fn inserts(self) -> Collection<'scope, D> {
        self.map(|record| (record, 1)).entered("inserts")
    }
}

impl<'scope, D: Record> Stream<'scope, (D, Diff)> {
    /// A collection to which the stream's records are added, or taken away from, as often as each says.
    ///
    /// The order of changes does not matter within an epoch. A record can be there a negative number of
    /// times, which is an error of its source that nothing here corrects.
    ///
    /// # Cost
    ///
    /// Without checkpoints, none. With checkpoints, a lookup and an exchange by the record's hash; state:
    /// every record of the collection with how often it is there, freed by the checkpoint after
    /// that comes to zero.
    pub fn changelog(self) -> Collection<'scope, D> {
        self.entered("changelog")
    }

    fn entered(self, name: &str) -> Collection<'scope, D> {
        let flow = self.flow;
        let node = Node::operator(name).state("for checkpoints: its records, until deleted");
        if !flow.keeper().keeps() {
            let node = flow.add(node, [(self.node, Routing::Local)]);
            return entered(&flow, node, self.inner);
        }
        let node = flow.add(node, [(self.node, Routing::ByKey("record".to_owned()))]);
        let held = Rc::new(RefCell::new(Held::new(true)));
        let rule = Sums(Rc::clone(&held));
        let hash = |(record, _): &(D, Diff)| hash(record);
        ruled(&flow, node, self.inner, hash, rule, || {
            let held = held.borrow();
            held.iter().map(|(record, times)| (record.clone(), times.get())).collect()
        })
    }
}

impl<'scope, K: Record, V: Record> Stream<'scope, (K, Option<V>)> {
    /// A collection that has, for each key, the value that came last, or none if that is `None`.
    ///
    /// Values of a key replace each other in the order in which they arrive. Those that come from one
    /// partition arrive in its order; let the values of a key come from one partition, or the last of
    /// an epoch is a matter of chance.
    ///
    /// # Cost
    ///
    /// A lookup and an exchange by the hash of the key. State: the value of every key, until it is
    /// `None`; where checkpoints are taken, until the checkpoint after that.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let latest = timely::example(|scope| {
    ///     let upserts = [(1, Some('a')), (2, Some('b')), (1, Some('c')), (2, None)].to_stream(scope);
    ///     let upserts = Stream::from_inner(&Flow::new(scope), upserts).upserts();
    ///     upserts.changes().inner().capture()
    /// });
    /// assert_eq!(latest.extract(), [(0, vec![((1, 'c'), 1)])]);
    /// ```
    pub fn upserts(self) -> Collection<'scope, (K, V)> {
        let flow = self.flow;
        let node = Node::operator("upserts").state("the value of each key, until it is none");
        let node = flow.add(node, [(self.node, Routing::ByKey(String::new()))]);
        let held = Rc::new(RefCell::new(Held::new(flow.keeper().keeps())));
        let rule = Latest(Rc::clone(&held));
        let hash = |(key, _): &(K, Option<V>)| hash(key);
        ruled(&flow, node, self.inner, hash, rule, || {
            let held = held.borrow();
            held.iter().map(|(key, value)| ((key.clone(), value.clone()), 1)).collect()
        })
    }
}

/// Enters what `rule` makes of a stream. If the run continues after an epoch, what the rule has been
/// given back is entered first, at that epoch.
fn ruled<'scope, I, D, R>(
    flow: &Flow<'scope>,
    node: NodeId,
    stream: Timely<'scope, Epoch, Batch<I>>,
    hash: impl Fn(&I) -> u64 + 'static,
    rule: R,
    contents: impl FnOnce() -> Vec<(D, Diff)>,
) -> Collection<'scope, D>
where
    I: ExchangeData,
    D: Record,
    R: Rule<I, Output = (D, Diff), Side = Infallible>,
{
    // A stream without event time has no marks.
    let marks = Marks { stream: empty(flow.scope()), slots: 0 };
    marked(flow, node, (stream, marks), hash, rule, contents).0
}

/// As [`ruled`], of a stream with event time; gives also what leaves by the side.
pub(super) fn marked<'scope, I, D, R>(
    flow: &Flow<'scope>,
    node: NodeId,
    (stream, marks): (Timely<'scope, Epoch, Batch<I>>, Marks<'scope>),
    hash: impl Fn(&I) -> u64 + 'static,
    rule: R,
    contents: impl FnOnce() -> Vec<(D, Diff)>,
) -> (Collection<'scope, D>, Stream<'scope, R::Side>)
where
    I: ExchangeData,
    D: Record,
    R: Rule<I, Output = (D, Diff)>,
{
    let pact = by_key(flow.site().groups, hash);
    let (mut changes, side) = drive(flow, node, stream, pact, marks, rule);
    if let Some(at) = flow.keeper().resume().checked_sub(1) {
        let rebuilt = enter_anew(flow, &flow.name_of(node), at, contents());
        changes = changes.concat(rebuilt);
    }
    let side = Stream { flow: flow.clone(), inner: side, node, partitions: None };
    (entered(flow, node, changes), side)
}

/// The changes as a collection of the engine: each with the epoch that it travels with.
fn entered<'scope, D: Clone + 'static>(
    flow: &Flow<'scope>,
    node: NodeId,
    changes: Timely<'scope, Epoch, Batch<(D, Diff)>>,
) -> Collection<'scope, D> {
    let name = flow.name_of(node);
    let updates = changes.unary::<NoopBuilder<Vec<(D, Epoch, Diff)>>, _, _, _>(
        Pipeline,
        &format!("{name}: enter"),
        |_, _| {
            move |input, output| {
                input.for_each(|capability, batch| {
                    let epoch = *capability.least().expect("records travel with an epoch");
                    let changes = batch.records.drain(..);
                    let mut updates =
                        Vec::from_iter(changes.map(|(record, diff)| (record, epoch, diff)));
                    output.session_with_builder(&capability).give_container(&mut updates);
                });
            }
        },
    );
    Collection { site: flow.site(), node, inner: updates.as_collection() }
}
