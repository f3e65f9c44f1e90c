//! Splitting a stream into typed outputs.

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

use super::Stream;
use crate::batch::Batch;
use crate::plan::{Node, Routing};
use crate::rule::Either;
use crate::time::Epoch;

impl<'scope, D: 'static> Stream<'scope, D> {
    /// Sends each record to one of two streams, each of its own type.
    ///
    /// More than two ways are made by splitting again.
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::rule::Either;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let (numbers, words) = timely::example(|scope| {
    ///     let texts = ["7", "x", "12"].to_stream(scope);
    ///     let (numbers, words) = Stream::from_inner(&Flow::new(scope), texts).split(|text| {
    ///         match text.parse::<u32>() {
    ///             Ok(number) => Either::Left(number),
    ///             Err(_) => Either::Right(text),
    ///         }
    ///     });
    ///     (numbers.inner().capture(), words.inner().capture())
    /// });
    /// assert_eq!(numbers.extract(), [(0, vec![7, 12])]);
    /// assert_eq!(words.extract(), [(0, vec!["x"])]);
    /// ```
    pub fn split<L: 'static, R: 'static>(
        self,
        mut choose: impl FnMut(D) -> Either<L, R> + 'static,
    ) -> (Stream<'scope, L>, Stream<'scope, R>) {
        let node = self.flow.add(Node::operator("split"), [(self.node, Routing::Local)]);
        let mut builder = OperatorBuilder::new(self.flow.name_of(node), self.flow.scope());
        let mut input = builder.new_input(self.inner, Pipeline);
        let (left, left_stream) = builder.new_output();
        let (right, right_stream) = builder.new_output();
        let mut left = OutputBuilder::<Epoch, NoopBuilder<Batch<L>>>::from(left);
        let mut right = OutputBuilder::<Epoch, NoopBuilder<Batch<R>>>::from(right);
        builder.build(move |_| {
            let (mut lefts, mut rights) = (Batch::default(), Batch::default());
            move |_frontiers| {
                let (mut left, mut right) = (left.activate(), right.activate());
                input.for_each(|capability, batch| {
                    (lefts.partition, rights.partition) = (batch.partition, batch.partition);
                    for record in batch.records.drain(..) {
                        match choose(record) {
                            Either::Left(record) => lefts.records.push(record),
                            Either::Right(record) => rights.records.push(record),
                        }
                    }
                    left.session_with_builder(&capability).give_container(&mut lefts);
                    right.session_with_builder(&capability).give_container(&mut rights);
                    lefts.records.clear();
                    rights.records.clear();
                });
            }
        });
        let (flow, partitions) = (self.flow, self.partitions);
        let left =
            Stream { flow: flow.clone(), inner: left_stream, node, partitions: partitions.clone() };
        (left, Stream { flow, inner: right_stream, node, partitions })
    }
}
