//! The operator that hands records to a sink, whose writer has a thread of its own.

use std::rc::Rc;

use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::host::host_of;
use crate::connect::Sink;
use crate::drive::least;
use crate::error::Result;
use crate::events::Events;
use crate::plan::{Kind, Node, Routing};
use crate::stream::Stream;

mod outgoing;
mod thread;
mod transactions;

use outgoing::Outgoing;
use transactions::Transactions;

/// Writing out of a flow: a verb that streams gain in a job.
pub trait Write<D> {
    /// Writes the records to `sink`. Events are written without their times.
    ///
    /// The writer of each worker runs on a thread of its own; while it is behind, the sources of
    /// the job wait.
    ///
    /// # Errors
    ///
    /// If the sink cannot be opened, or the flow is not part of a [`Job`](crate::Job).
    fn write<S: Sink<Record = D>>(self, sink: S) -> Result<()>;
}

impl<D: Send + 'static> Write<D> for Events<'_, D> {
    fn write<S: Sink<Record = D>>(self, sink: S) -> Result<()> {
        self.values().write(sink)
    }
}

impl<D: Send + 'static> Write<D> for Stream<'_, D> {
    fn write<S: Sink<Record = D>>(self, sink: S) -> Result<()> {
        let flow = self.flow().clone();
        let host = host_of(&flow)?;
        let node = flow.add(Node::sink(sink.name()), [(self.node(), Routing::Local)]);
        let counts = flow.counts(node, Kind::Sink);
        let (name, scope, reached) = (flow.name_of(node), flow.scope(), flow.reached());

        let mut builder = OperatorBuilder::new(name.clone(), scope);
        let address = builder.operator_info().address;
        let mut input = builder.new_input(self.batches(), Pipeline);
        let keeping = host.keeping.as_ref().filter(|_| !host.shown);
        let transactions = keeping.map(|keeping| {
            keeping.add_sink(scope.activator_for(Rc::clone(&address)));
            Transactions::recall(Rc::clone(keeping), name, scope.index(), scope.peers())
        });
        let mut outgoing = Outgoing::new(counts.rows_out, transactions);
        let started = outgoing.start(&host, &sink, scope.index(), scope.peers(), || {
            scope.worker().sync_activator_for(address.to_vec())
        });
        builder.build_reschedule(move |_capabilities| {
            move |frontiers| {
                input.for_each(|capability, batch| {
                    let epoch = *capability.least().expect("records travel with an epoch");
                    outgoing.push(epoch, std::mem::take(&mut batch.records));
                });
                outgoing.work(least(frontiers), &reached)
            }
        });
        // Only now: timely does not allow an operator to be given up once it is begun.
        started
    }
}
