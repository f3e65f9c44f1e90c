//! Verbs that look at one record at a time and leave it on its worker.
//!
//! They hold no state, keep the order of records, and cost a call of the user's function and one
//! move per record. Batches keep the mark of the partition they were read from.

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use super::Stream;
use crate::batch::Batch;
use crate::plan::{Node, Routing};

impl<'scope, D: 'static> Stream<'scope, D> {
    /// Applies `change` to each record.
    #[must_use]
    pub fn map<T: 'static>(self, mut change: impl FnMut(D) -> T + 'static) -> Stream<'scope, T> {
        self.narrow("map", move |records, made| made.extend(records.drain(..).map(&mut change)))
    }

    /// Keeps the records that `keep` holds for.
    #[must_use]
    pub fn filter(self, mut keep: impl FnMut(&D) -> bool + 'static) -> Self {
        self.narrow("filter", move |records, made| {
            records.retain(&mut keep);
            std::mem::swap(records, made);
        })
    }

    /// Puts in the place of each record what `expand` makes of it.
    #[must_use]
    pub fn flat_map<I: IntoIterator<Item: 'static>>(
        self,
        mut expand: impl FnMut(D) -> I + 'static,
    ) -> Stream<'scope, I::Item> {
        self.narrow("flat_map", move |records, made| {
            made.extend(records.drain(..).flat_map(&mut expand));
        })
    }

    /// Shows each record to `look` as it passes.
    #[must_use]
    pub fn inspect(self, mut look: impl FnMut(&D) + 'static) -> Self {
        self.narrow("inspect", move |records, made| {
            records.iter().for_each(&mut look);
            std::mem::swap(records, made);
        })
    }

    /// Applies `work` to each batch: it empties the first vector into the second.
    pub(crate) fn narrow<T: 'static>(
        self,
        name: &str,
        mut work: impl FnMut(&mut Vec<D>, &mut Vec<T>) + 'static,
    ) -> Stream<'scope, T> {
        let node = self.flow.add(Node::operator(name), [(self.node, Routing::Local)]);
        let reached = self.flow.reached();
        let name = self.flow.name_of(node);
        let inner =
            self.inner.unary_frontier::<NoopBuilder<Batch<T>>, _, _, _>(Pipeline, &name, |_, _| {
                let mut made = Batch::default();
                move |(input, frontier), output| {
                    input.for_each(|capability, batch| {
                        made.partition = batch.partition;
                        work(&mut batch.records, &mut made.records);
                        output.session_with_builder(&capability).give_container(&mut made);
                        made.records.clear();
                    });
                    reached.set(crate::drive::least(std::slice::from_ref(frontier)));
                }
            });
        Stream { flow: self.flow, inner, node, partitions: self.partitions }
    }
}
