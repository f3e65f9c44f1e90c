//! Snapshots on request: what a collection holds at the end of an epoch.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use timely::ExchangeData;
use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::{Capability, InputCapability};

use super::changes::batched;
use super::{Collection, Diff, Record};
use crate::batch::{Batch, by_key};
use crate::drive::{RECORDS_AT_ONCE, least};
use crate::key::hash;
use crate::plan::{Kind, Node, Routing};
use crate::stream::Stream;
use crate::time::Epoch;

/// A record of a collection that somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Found<R, D> {
    /// Who asked, or why.
    pub request: R,
    /// A record.
    pub record: D,
    /// How often it is there.
    pub times: Diff,
}

impl<'scope, D: Record> Collection<'scope, D> {
    /// For each request everything that the collection holds at the end of the request's epoch, a record
    /// at a time.
    ///
    /// # Guarantees
    ///
    /// The answer to a request leaves with its epoch, when that is complete: one epoch later it is
    /// known to be whole, even if it is empty. On each worker the records of a request are in order.
    ///
    /// # Cost
    ///
    /// A change costs an exchange by its record's hash and a search; a request, sent to every worker, a
    /// step for each record. State: the collection, **once more**, until its records are deleted, and the
    /// changes and requests of incomplete epochs; also those of epochs whose answers are being given.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::InputHandleVec;
    /// use timely::dataflow::operators::{Capture, Input, capture::Extract};
    ///
    /// let found = timely::execute_directly(|worker| {
    ///     let (mut log, mut asked) = (InputHandleVec::new(), InputHandleVec::new());
    ///     let found = worker.dataflow(|scope| {
    ///         let flow = Flow::new(scope);
    ///         let stock = Stream::from_inner(&flow, scope.input_from(&mut log)).changelog();
    ///         let requests = Stream::from_inner(&flow, scope.input_from(&mut asked));
    ///         let found = stock.snapshot(requests);
    ///         found.map(|it| (it.request, it.record, it.times)).inner().capture()
    ///     });
    ///     log.send(('a', 2));
    ///     log.advance_to(1);
    ///     log.send(('b', 1));
    ///     log.send(('a', -1));
    ///     asked.advance_to(1);
    ///     asked.send(7);
    ///     log.advance_to(2);
    ///     log.send(('b', 7));
    ///     found
    /// });
    /// assert_eq!(found.extract(), [(1, vec![(7, 'a', 1), (7, 'b', 1)])]);
    /// ```
    pub fn snapshot<R: ExchangeData + Clone>(
        self,
        requests: Stream<'scope, R>,
    ) -> Stream<'scope, Found<R, D>> {
        let flow = self.flow();
        let requests = requests.broadcast();
        let held = Node::operator("snapshot").state("its records, until deleted");
        let ways =
            [(self.node, Routing::ByKey("record".to_owned())), (requests.node, Routing::Local)];
        let node = flow.add(held, ways);
        let (reached, counts) = (flow.reached(), flow.counts(node, Kind::Operator));
        let mut builder = OperatorBuilder::new(flow.name_of(node), flow.scope());
        let by_record = |(record, _, _): &(D, Epoch, Diff)| hash(record);
        let pact = by_key(self.site.groups, by_record);
        let mut changes = builder.new_input(batched(self.inner.inner), pact);
        let mut asked = builder.new_input(requests.inner, Pipeline);
        let (output, inner) = builder.new_output();
        let mut output = OutputBuilder::<Epoch, NoopBuilder<Batch<Found<R, D>>>>::from(output);
        let activator = flow.scope().activator_for(builder.operator_info().address);
        builder.build(move |_| {
            let mut desk = Desk::new();
            move |frontiers| {
                changes.for_each(|_, batch| desk.note(&mut batch.records));
                asked.for_each(|capability, batch| {
                    counts.rows_in.add(batch.records.len() as u64);
                    desk.ask(&capability, &mut batch.records);
                });
                let frontier = least(frontiers);
                let mut output = output.activate();
                let mut answer = |capability: &Capability<Epoch>, found: Vec<_>| {
                    counts.rows_out.add(found.len() as u64);
                    let mut session = output.session_with_builder(capability);
                    session.give_container(&mut found.into());
                };
                if desk.work(frontier, &mut answer) {
                    activator.activate();
                }
                reached.set(desk.reached(frontier));
            }
        });
        Stream { flow, inner, node, partitions: None }
    }
}

/// The contents, what is to change in them, and who asks for them.
struct Desk<R, D> {
    contents: BTreeMap<D, Diff>,
    /// Changes of epochs whose contents are not asked for yet, in no order.
    waiting: BTreeMap<Epoch, Vec<(D, Diff)>>,
    asked: BTreeMap<Epoch, Asked<R, D>>,
}

/// The requests of an epoch.
struct Asked<R, D> {
    capability: Capability<Epoch>,
    requests: Vec<R>,
    /// The last record that all requests have been told.
    told: Option<D>,
}

impl<R: Clone, D: Record> Desk<R, D> {
    fn new() -> Self {
        Self { contents: BTreeMap::new(), waiting: BTreeMap::new(), asked: BTreeMap::new() }
    }

    fn note(&mut self, changes: &mut Vec<(D, Epoch, Diff)>) {
        for (record, epoch, diff) in changes.drain(..) {
            self.waiting.entry(epoch).or_default().push((record, diff));
        }
    }

    fn ask(&mut self, capability: &InputCapability<Epoch>, requests: &mut Vec<R>) {
        let epoch = *capability.least().expect("records travel with an epoch");
        let asked = self.asked.entry(epoch).or_insert_with(|| Asked {
            capability: capability.delayed(&epoch, 0),
            requests: Vec::new(),
            told: None,
        });
        asked.requests.append(requests);
    }

    /// Folds in what is complete and answers who asks; says whether there is more to do at once.
    fn work(
        &mut self,
        frontier: Epoch,
        answer: &mut impl FnMut(&Capability<Epoch>, Vec<Found<R, D>>),
    ) -> bool {
        let mut budget = RECORDS_AT_ONCE;
        while let Some(mut asked) = self.asked.first_entry().filter(|it| *it.key() < frontier) {
            let epoch = *asked.key();
            fold(&mut self.contents, &mut self.waiting, epoch);
            let asked = asked.get_mut();
            let found = asked.next(&self.contents, &mut budget);
            let through = found.is_empty();
            if !through {
                answer(&asked.capability, found);
            } else if budget > 0 {
                self.asked.pop_first();
            }
            if budget == 0 {
                return true;
            }
        }
        if frontier > 0 {
            fold(&mut self.contents, &mut self.waiting, frontier - 1);
        }
        false
    }

    fn reached(&self, frontier: Epoch) -> Epoch {
        let asked = self.asked.first_key_value().map(|(epoch, _)| *epoch);
        asked.map_or(frontier, |epoch| frontier.min(epoch))
    }
}

impl<R: Clone, D: Record> Asked<R, D> {
    /// What the requests are told next; nothing once they know all.
    fn next(&mut self, contents: &BTreeMap<D, Diff>, budget: &mut usize) -> Vec<Found<R, D>> {
        let from = self.told.as_ref().map_or(Unbounded, Excluded);
        let mut found = Vec::new();
        let mut last = None;
        for (record, times) in contents.range((from, Unbounded)) {
            found.extend(self.requests.iter().map(|request| Found {
                request: request.clone(),
                record: record.clone(),
                times: *times,
            }));
            last = Some(record.clone());
            *budget = budget.saturating_sub(self.requests.len().max(1));
            if *budget == 0 {
                break;
            }
        }
        self.told = last.or(self.told.take());
        found
    }
}

/// Folds the changes of epochs up to `last` into the contents.
fn fold<D: Record>(
    contents: &mut BTreeMap<D, Diff>,
    waiting: &mut BTreeMap<Epoch, Vec<(D, Diff)>>,
    last: Epoch,
) {
    while let Some(changes) = waiting.first_entry().filter(|it| *it.key() <= last) {
        for (record, diff) in changes.remove() {
            let times = contents.remove(&record).unwrap_or(0) + diff;
            if times != 0 {
                contents.insert(record, times);
            }
        }
    }
}
