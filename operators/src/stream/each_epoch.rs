//! Epochs as wholes: all records of each, once it is complete.

use std::collections::BTreeMap;

use timely::ExchangeData;
use timely::container::NoopBuilder;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use super::Stream;
use crate::batch::{Batch, to_worker};
use crate::drive::least;
use crate::plan::{Node, Routing};
use crate::time::Epoch;

impl<'scope, D: ExchangeData + Ord> Stream<'scope, D> {
    /// What `make` makes of all records of an epoch, from all workers, in their own order: for a report of what
    /// belongs together, or an output whose lines are in order.
    ///
    /// # Guarantees
    ///
    /// `make` is called once for each epoch that has records, when it is complete, epoch after epoch, on the
    /// first worker. So what it gives does not depend on the number of workers, but on how the input was cut
    /// into epochs.
    ///
    /// # Cost
    ///
    /// One worker handles everything, and sorts it. State: the records of incomplete epochs.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::InputHandleVec;
    /// use timely::dataflow::operators::{Capture, Input, capture::Extract};
    ///
    /// let reports = timely::execute_directly(|worker| {
    ///     let mut input = InputHandleVec::new();
    ///     let reports = worker.dataflow(|scope| {
    ///         let names = Stream::from_inner(&Flow::new(scope), scope.input_from(&mut input));
    ///         let report = names.each_epoch(|names: Vec<String>| Some(names.join(" and ")));
    ///         report.inner().capture()
    ///     });
    ///     for (epoch, name) in [(0, "bob"), (0, "ann"), (1, "eve")] {
    ///         input.advance_to(epoch);
    ///         input.send(name.to_owned());
    ///     }
    ///     input.close();
    ///     reports
    /// });
    /// let expected = [(0, vec!["ann and bob".to_owned()]), (1, vec!["eve".to_owned()])];
    /// assert_eq!(reports.extract(), expected);
    /// ```
    #[must_use]
    pub fn each_epoch<I: IntoIterator<Item: 'static>>(
        self,
        mut make: impl FnMut(Vec<D>) -> I + 'static,
    ) -> Stream<'scope, I::Item> {
        let Self { flow, inner, node, .. } = self;
        let held = Node::operator("each_epoch").state("the records of incomplete epochs");
        let node = flow.add(held, [(node, Routing::One)]);
        let (reached, name) = (flow.reached(), flow.name_of(node));
        let first = to_worker(|_: &D| 0);
        let inner =
            inner.unary_frontier::<NoopBuilder<Batch<I::Item>>, _, _, _>(first, &name, |_, _| {
                let mut waiting = BTreeMap::<Epoch, (Capability<Epoch>, Vec<D>)>::new();
                move |(input, frontier), output| {
                    input.for_each(|capability, batch| {
                        let epoch = *capability.least().expect("records travel with an epoch");
                        let new = || (capability.delayed(&epoch, 0), Vec::new());
                        waiting.entry(epoch).or_insert_with(new).1.append(&mut batch.records);
                    });
                    let frontier = least(std::slice::from_ref(frontier));
                    while let Some(entry) = waiting.first_entry().filter(|it| *it.key() < frontier)
                    {
                        let (capability, mut records) = entry.remove();
                        records.sort_unstable();
                        let mut made = Batch::from(Vec::from_iter(make(records)));
                        output.session_with_builder(&capability).give_container(&mut made);
                    }
                    reached.set(frontier);
                }
            });
        Stream { flow, inner, node, partitions: None }
    }
}
