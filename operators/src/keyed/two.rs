//! Rules over two keyed inputs that have the same keys.

use super::{Key, Keyed, Value};
use crate::batch::by_key;
use crate::drive::drive_two;
use crate::event::Event;
use crate::events::Events;
use crate::flow::Flow;
use crate::key::hash;
use crate::plan::{Node, NodeId, Routing};
use crate::rule::{Either, Rule};
use crate::stream::Stream;

/// A keyed event of either of two inputs.
pub type OfTwo<K, L, R> = Either<Event<(K, L)>, Event<(K, R)>>;

impl<'scope, K: Key, L: Value> Keyed<'scope, K, L> {
    /// Runs a rule of one's own over the records of this input and of `other`, as the operator
    /// `node`: those of a key meet on one worker.
    ///
    /// Returns the output, as events, and the side output. The watermark is the lesser of those of
    /// the inputs.
    pub fn rule_with<R: Value, O: 'static, T>(
        self,
        other: Keyed<'scope, K, R>,
        node: Node,
        rule: T,
    ) -> (Events<'scope, O>, Stream<'scope, T::Side>)
    where
        T: Rule<OfTwo<K, L, R>, Output = Event<O>>,
    {
        self.rule_with_of(other, node, |_, _| rule)
    }

    /// As [`rule_with`](Self::rule_with), with a rule that is made once its operator has its place in
    /// the plan.
    pub(crate) fn rule_with_of<R: Value, O: 'static, T>(
        self,
        other: Keyed<'scope, K, R>,
        node: Node,
        rule: impl FnOnce(&Flow<'scope>, NodeId) -> T,
    ) -> (Events<'scope, O>, Stream<'scope, T::Side>)
    where
        T: Rule<OfTwo<K, L, R>, Output = Event<O>>,
    {
        let (left, right) = (self.events, other.events);
        let flow = left.flow().clone();
        let route = || Routing::ByKey(String::new());
        let node = flow.add(node, [(left.stream.node, route()), (right.stream.node, route())]);
        let rule = rule(&flow, node);
        let groups = flow.site().groups;
        let lefts = by_key(groups, |event: &Event<(K, L)>| hash(&event.value.0));
        let rights = by_key(groups, |event: &Event<(K, R)>| hash(&event.value.0));
        let marks = left.marks.beside(right.marks);
        let (left, right) = ((left.stream.inner, lefts), (right.stream.inner, rights));
        let (main, side) = drive_two(&flow, node, left, right, marks.clone(), rule);
        let side = Stream { flow: flow.clone(), inner: side, node, partitions: None };
        let stream = Stream { flow, inner: main, node, partitions: None };
        (Events { stream, marks }, side)
    }
}
