//! Records at their own epochs, whenever they are read.

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use super::lines::Change;
use crate::batch::Batch;
use crate::collection::Collection;
use crate::graph::Edge;
use crate::plan::{Node, Routing};
use crate::stream::Stream;

/// The collection whose changes are read, each at the epoch that it names: no epoch is complete before
/// everything is read.
pub(super) fn at_their_epochs<'scope>(read: Stream<'scope, Change>) -> Collection<'scope, Edge> {
    let flow = read.flow().clone();
    let node = flow.add(Node::operator("timeline"), [(read.node(), Routing::Local)]);
    let changes = read.then(node, |batches| {
        type Out = NoopBuilder<Batch<Change>>;
        batches.unary_frontier::<Out, _, _, _>(Pipeline, "timeline", |capability, _| {
            let mut held = Some(capability);
            move |(input, frontier), output| {
                input.for_each(|_, batch| {
                    if let Some(held) = &held {
                        output.session_with_builder(held).give_container(batch);
                    }
                });
                if frontier.is_empty() {
                    held = None;
                }
            }
        })
    });
    changes.derived()
}
