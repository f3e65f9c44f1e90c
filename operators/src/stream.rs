//! Streams: records that flow, batch by batch, from epoch to epoch.
//!
//! A [`Stream`] is one output of an operator. Its verbs build the next operator and give its
//! output; each takes the stream, so a stream that two operators read is cloned first. Records that
//! carry the moment they happened flow along [`Events`](crate::events::Events) instead, made by
//! [`event_time`](Stream::event_time).

use std::fmt;
use std::rc::Rc;

use timely::ExchangeData;
use timely::container::NoopBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{ParallelizationContract, Pipeline};
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::operator::Operator;

use crate::batch::{Batch, in_turn, to_worker};
use crate::flow::Flow;
use crate::partitions::Partitions;
use crate::plan::{Node, NodeId, Routing};
use crate::time::Epoch;

mod each_epoch;
mod narrow;
mod split;

/// A stream of records.
///
/// The number of workers decides how many parts it has; each part is seen by one worker, and the
/// order of records within a part is the order they were read or made in.
pub struct Stream<'scope, D> {
    pub(crate) flow: Flow<'scope>,
    pub(crate) inner: Timely<'scope, Epoch, Batch<D>>,
    pub(crate) node: NodeId,
    /// The partitions that the marks of the batches speak of, if records are still apart by them.
    pub(crate) partitions: Option<Rc<Partitions>>,
}

impl<D: Clone + 'static> Clone for Stream<'_, D> {
    fn clone(&self) -> Self {
        Self {
            flow: self.flow.clone(),
            inner: self.inner.clone(),
            node: self.node,
            partitions: self.partitions.clone(),
        }
    }
}

impl<D> fmt::Debug for Stream<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("of", &self.flow.name_of(self.node)).finish_non_exhaustive()
    }
}

impl<'scope, D: 'static> Stream<'scope, D> {
    /// Takes in a stream of the engine, which anything written for timely can make.
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let doubled = timely::example(|scope| {
    ///     let numbers = (0..3).to_stream(scope);
    ///     let doubled = Stream::from_inner(&Flow::new(scope), numbers).map(|it| it * 2);
    ///     doubled.inner().capture()
    /// });
    /// assert_eq!(doubled.extract(), [(0, vec![0, 2, 4])]);
    /// ```
    pub fn from_inner(flow: &Flow<'scope>, inner: StreamVec<'scope, Epoch, D>) -> Self {
        let node = flow.add(Node::source("timely"), []);
        let inner = inner.unary::<NoopBuilder<Batch<D>>, _, _, _>(Pipeline, "timely", |_, _| {
            move |input, output| {
                input.for_each(|capability, records| {
                    let mut batch = Batch::from(std::mem::take(records));
                    output.session_with_builder(&capability).give_container(&mut batch);
                });
            }
        });
        Self { flow: flow.clone(), inner, node, partitions: None }
    }

    /// A stream of what a source operator of one's own sends, whose batches are marked by
    /// their place in `partitions`.
    pub fn from_source(
        flow: &Flow<'scope>,
        node: NodeId,
        inner: Timely<'scope, Epoch, Batch<D>>,
        partitions: Rc<Partitions>,
    ) -> Self {
        Self { flow: flow.clone(), inner, node, partitions: Some(partitions) }
    }

    /// Gives back the engine's own stream, for operators written for timely.
    pub fn inner(self) -> StreamVec<'scope, Epoch, D> {
        self.inner.unary::<NoopBuilder<Vec<D>>, _, _, _>(Pipeline, "inner", |_, _| {
            move |input, output| {
                input.for_each(|capability, batch| {
                    output.session_with_builder(&capability).give_container(&mut batch.records);
                });
            }
        })
    }

    /// The stream of batches as the operators of this crate exchange them.
    pub fn batches(self) -> Timely<'scope, Epoch, Batch<D>> {
        self.inner
    }

    /// Puts an operator of one's own behind the stream: `build` is given the batches and gives those
    /// of the operator, which is `node` of the plan. Each keeps the mark of the batch that its
    /// records were made from, and the epoch.
    pub fn then<T>(
        self,
        node: NodeId,
        build: impl FnOnce(Timely<'scope, Epoch, Batch<D>>) -> Timely<'scope, Epoch, Batch<T>>,
    ) -> Stream<'scope, T> {
        let Self { flow, inner, partitions, .. } = self;
        Stream { flow, inner: build(inner), node, partitions }
    }

    /// The flow that the stream is part of.
    pub fn flow(&self) -> &Flow<'scope> {
        &self.flow
    }

    /// The stream's operator in the plan.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The records of this stream and of another, in no particular order.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let routes = [(self.node, Routing::Local), (other.node, Routing::Local)];
        let node = self.flow.add(Node::operator("union"), routes);
        let scope = self.flow.scope();
        let inner = scope.concatenate([self.inner, other.inner]);
        Self { flow: self.flow, inner, node, partitions: None }
    }

    /// The same records, spread evenly over the workers, a batch at a time.
    #[must_use]
    pub fn rebalance(self) -> Self
    where
        D: ExchangeData,
    {
        let pact = in_turn(self.flow.scope().index());
        self.exchanged("rebalance", Routing::Rebalance, pact)
    }

    /// All records on the first worker: for output that must be in one place, at the price that one
    /// worker handles all of it.
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let gathered = timely::example(|scope| {
    ///     let numbers = (0..3).to_stream(scope);
    ///     Stream::from_inner(&Flow::new(scope), numbers).gather().inner().capture()
    /// });
    /// assert_eq!(gathered.extract(), [(0, vec![0, 1, 2])]);
    /// ```
    #[must_use]
    pub fn gather(self) -> Self
    where
        D: ExchangeData,
    {
        self.exchanged("gather", Routing::One, to_worker(|_: &D| 0))
    }

    /// Every record on every worker.
    #[must_use]
    pub fn broadcast(self) -> Self
    where
        D: ExchangeData + Clone,
    {
        let peers = self.flow.scope().peers() as u32;
        // Each record is sent once for each worker, and the exchange takes it there.
        let addressed = self.inner.unary::<NoopBuilder<Batch<(u32, D)>>, _, _, _>(
            Pipeline,
            "broadcast",
            move |_, _| {
                move |input, output| {
                    input.for_each(|capability, batch| {
                        let mut session = output.session_with_builder(&capability);
                        for worker in 0..peers {
                            let records = batch.records.iter().map(|it| (worker, it.clone()));
                            session.give_container(&mut Vec::from_iter(records).into());
                        }
                    });
                }
            },
        );
        let node = self.flow.add(Node::operator("broadcast"), [(self.node, Routing::Broadcast)]);
        let inner = addressed.unary::<NoopBuilder<Batch<D>>, _, _, _>(
            to_worker(|(worker, _): &(u32, D)| *worker as usize),
            "broadcast",
            |_, _| {
                move |input, output| {
                    input.for_each(|capability, batch| {
                        let records = batch.records.drain(..).map(|(_, record)| record);
                        let mut batch = Batch::from(Vec::from_iter(records));
                        output.session_with_builder(&capability).give_container(&mut batch);
                    });
                }
            },
        );
        Self { flow: self.flow, inner, node, partitions: None }
    }

    fn exchanged<P>(self, name: &str, routing: Routing, pact: P) -> Self
    where
        P: ParallelizationContract<Epoch, Batch<D>>,
    {
        let node = self.flow.add(Node::operator(name), [(self.node, routing)]);
        let inner = self.inner.unary::<NoopBuilder<Batch<D>>, _, _, _>(pact, name, |_, _| {
            move |input, output| {
                input.for_each(|capability, batch| {
                    output.session_with_builder(&capability).give_container(batch);
                });
            }
        });
        Self { flow: self.flow, inner, node, partitions: None }
    }

    /// Lets each worker's part of the stream be seen once an epoch is complete: `seen` is called
    /// with each batch, and `completed` with every epoch before which no more records come.
    ///
    /// The end of a job's line: sinks and tests are built on it.
    pub fn watch(
        self,
        mut seen: impl FnMut(Epoch, &mut Vec<D>) + 'static,
        mut completed: impl FnMut(Epoch) + 'static,
    ) {
        let reached = self.flow.reached();
        self.inner.sink(Pipeline, "watch", move |(input, frontier)| {
            input.for_each(|capability, batch| {
                let epoch = *capability.least().expect("records travel with an epoch");
                seen(epoch, &mut batch.records);
            });
            let frontier = crate::drive::least(std::slice::from_ref(frontier));
            if frontier > reached.get() {
                completed(frontier);
                reached.set(frontier);
            }
        });
    }
}
