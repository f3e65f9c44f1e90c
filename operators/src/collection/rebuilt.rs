//! The contents of a collection, entered anew by a run that continues.

use timely::container::NoopBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::Diff;
use crate::batch::Batch;
use crate::drive::RECORDS_AT_ONCE;
use crate::flow::Flow;
use crate::time::Epoch;

/// Sends `contents` at epoch `at`, so many records at a time that others get their turn.
pub(super) fn enter_anew<'scope, D: Clone + 'static>(
    flow: &Flow<'scope>,
    name: &str,
    at: Epoch,
    contents: Vec<(D, Diff)>,
) -> Timely<'scope, Epoch, Batch<(D, Diff)>> {
    let mut builder = OperatorBuilder::new(format!("{name}: rebuilt"), flow.scope());
    let (output, stream) = builder.new_output();
    let mut output = OutputBuilder::<Epoch, NoopBuilder<Batch<(D, Diff)>>>::from(output);
    let activator = flow.scope().activator_for(builder.operator_info().address);
    let reached = flow.reached();
    reached.set(at);
    builder.build(move |mut capabilities| {
        let mut held = capabilities.pop();
        held.iter_mut().for_each(|it| it.downgrade(&at));
        let mut contents = contents.into_iter();
        move |_frontiers| {
            let Some(capability) = &held else { return };
            let records = Vec::from_iter(contents.by_ref().take(RECORDS_AT_ONCE));
            if records.is_empty() {
                held = None;
                reached.set(Epoch::MAX);
            } else {
                let mut output = output.activate();
                output.session_with_builder(capability).give_container(&mut records.into());
                activator.activate();
            }
        }
    });
    stream
}
