//! The loop of a bulk iteration: the one place of it that holds capabilities.

use timely::ExchangeData;
use timely::container::NoopBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{ConnectLoop, Enter, InputCapability, Leave, LoopVariable};

use super::Rounds;
use super::route::addressed;
use super::turns::{Sent, Time, Turns, open};
use crate::batch::Batch;
use crate::collection::Diff;
use crate::flow::Flow;
use crate::time::Epoch;

/// Runs a rule over what was routed to it, and lets its messages go round.
pub(super) fn go_round<'scope, D: ExchangeData, R: Rounds<D>>(
    flow: &Flow<'scope>,
    name: &str,
    routed: Timely<'scope, Epoch, Batch<(D, Diff)>>,
    mut turns: Turns<D, R>,
) -> Timely<'scope, Epoch, Batch<R::Output>> {
    let (outside, reached) = (flow.scope(), flow.reached());
    outside.iterative::<u64, _, _>(|scope| {
        let (handle, round) = scope.loop_variable::<Batch<R::Message>>(1);
        let mut builder = OperatorBuilder::new(name.to_owned(), scope);
        let mut changes = builder.new_input(routed.enter(scope), addressed());
        let mut mail = builder.new_input(round, addressed());
        let (posts, posted) = builder.new_output();
        let (results, result) = builder.new_output();
        let mut posts = OutputBuilder::<Time, NoopBuilder<Batch<R::Message>>>::from(posts);
        let mut results = OutputBuilder::<Time, NoopBuilder<Batch<R::Output>>>::from(results);
        builder.build(move |_capabilities| {
            move |frontiers| {
                let open = open(frontiers);
                changes.for_each(|capability, batch| {
                    let time = time_of(&capability);
                    let rights = || (capability.delayed(&time, 0), capability.delayed(&time, 1));
                    turns.change(open, time, &mut batch.records, rights);
                });
                mail.for_each(|capability, batch| {
                    let time = time_of(&capability);
                    let rights = || (capability.delayed(&time, 0), capability.delayed(&time, 1));
                    turns.deliver(time, &mut batch.records, rights);
                });
                let (mut posts, mut results) = (posts.activate(), results.activate());
                turns.work(open, |sent| match sent {
                    Sent::Mail(capability, to, records) => {
                        let mut batch = Batch { partition: to as u32, records };
                        posts.session_with_builder(capability).give_container(&mut batch);
                    }
                    Sent::Results(capability, records) => {
                        let mut batch = Batch::from(records);
                        results.session_with_builder(capability).give_container(&mut batch);
                    }
                });
                reached.set(turns.reached(open));
            }
        });
        posted.connect_loop(handle);
        result.leave(outside)
    })
}

/// When a message was sent: with one capability, so at one time.
pub(super) fn time_of(capability: &InputCapability<Time>) -> Time {
    *capability.stamp().as_singleton().expect("messages travel with one time")
}
