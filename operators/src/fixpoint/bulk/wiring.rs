//! The loop of a bulk iteration: from the parts to the first worker and back.

use timely::container::NoopBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{ConnectLoop, Enter, Leave, LoopVariable};

use super::desk::{Desk, Message, Sent};
use super::{Iteration, Outcome, Report};
use crate::batch::Batch;
use crate::collection::{Diff, Record};
use crate::fixpoint::route::addressed;
use crate::fixpoint::turns::{Time, open};
use crate::flow::Flow;
use crate::time::Epoch;

/// What leaves: the outcome of each epoch, and the reports of its rounds.
type Results<'scope, M, S> =
    (Timely<'scope, Epoch, Batch<Outcome<M>>>, Timely<'scope, Epoch, Batch<Report<S>>>);

/// Runs a desk over what was routed to it, and lets its messages go round.
pub(super) fn go_round<'scope, D: Record, I: Iteration<D>>(
    flow: &Flow<'scope>,
    name: &str,
    routed: Timely<'scope, Epoch, Batch<(D, Diff)>>,
    mut desk: Desk<D, I>,
) -> Results<'scope, I::Model, I::Measure> {
    type Out<T> = OutputBuilder<Time, NoopBuilder<Batch<T>>>;
    let (outside, reached) = (flow.scope(), flow.reached());
    outside.iterative::<u64, _, _>(|scope| {
        let (handle, round) = scope.loop_variable::<Batch<Message<I::Model, I::Partial>>>(1);
        let mut builder = OperatorBuilder::new(name.to_owned(), scope);
        let mut changes = builder.new_input(routed.enter(scope), addressed());
        let mut mail = builder.new_input(round, addressed());
        let (posts, posted) = builder.new_output();
        let (outcomes, outcome) = builder.new_output();
        let (reports, report) = builder.new_output();
        let mut posts = Out::<Message<I::Model, I::Partial>>::from(posts);
        let mut outcomes = Out::<Outcome<I::Model>>::from(outcomes);
        let mut reports = Out::<Report<I::Measure>>::from(reports);
        builder.build(move |_capabilities| {
            move |frontiers| {
                let (mut posts, mut outcomes) = (posts.activate(), outcomes.activate());
                let mut reports = reports.activate();
                let mut send = |sent: Sent<'_, D, I>| match sent {
                    Sent::Mail(capability, to, message) => {
                        let mut batch = Batch { partition: to as u32, records: vec![message] };
                        posts.session_with_builder(capability).give_container(&mut batch);
                    }
                    Sent::Outcome(capability, outcome) => {
                        let mut batch = Batch::from(vec![outcome]);
                        outcomes.session_with_builder(capability).give_container(&mut batch);
                    }
                    Sent::Report(capability, report) => {
                        let mut batch = Batch::from(vec![report]);
                        reports.session_with_builder(capability).give_container(&mut batch);
                    }
                };
                changes.for_each(|capability, batch| desk.arrive(&capability, &mut batch.records));
                desk.gather(&frontiers[0], &mut send);
                mail.for_each(|capability, batch| {
                    let messages = batch.records.drain(..);
                    messages.for_each(|it| desk.read(&capability, it, &mut send));
                });
                desk.begin(frontiers, &mut send);
                let complete = open(frontiers).0;
                desk.complete(complete);
                reached.set(complete);
            }
        });
        posted.connect_loop(handle);
        (outcome.leave(outside), report.leave(outside))
    })
}
