//! The way out: what changes in a collection, as a stream.

use std::collections::BTreeMap;

use differential_dataflow::consolidation::consolidate;
use timely::container::NoopBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::{Capability, InputCapability};

use super::{Collection, Diff, Record};
use crate::batch::{Batch, by_key};
use crate::drive::least;
use crate::key::hash;
use crate::plan::{Kind, Node, Routing};
use crate::stream::Stream;
use crate::time::Epoch;

impl<'scope, D: Record> Collection<'scope, D> {
    /// What changes in each epoch: a record and by how much more often it is there, in order of
    /// records.
    ///
    /// # Guarantees
    ///
    /// The changes of an epoch leave when it is complete, on each worker as one batch, a record once
    /// at most. Summed up they are the contents of the collection at the end of that epoch. A run that
    /// continues after epoch `e` gives the changes after `e`, as the run before would have: what was given
    /// until `e` is what it computes anew. Numbers that are exact only to a tolerance, as those of a
    /// PageRank, may come out a little different then, so the first change of a record may take away
    /// another one than was given; a [snapshot](Self::snapshot) or a lookup join has no such memory.
    ///
    /// # Cost
    ///
    /// Changes cross between workers by record and are sorted. State: the changes of incomplete epochs.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let changes = timely::example(|scope| {
    ///     let log = [('a', 1), ('b', 2), ('a', -1), ('b', -1)].to_stream(scope);
    ///     let log = Stream::from_inner(&Flow::new(scope), log);
    ///     log.changelog().changes().inner().capture()
    /// });
    /// assert_eq!(changes.extract(), [(0, vec![('b', 1)])]);
    /// ```
    pub fn changes(self) -> Stream<'scope, (D, Diff)> {
        let first = self.site.keeper.resume();
        self.per_epoch(move |epoch| (epoch >= first).then_some(epoch))
    }

    /// As [`changes`](Self::changes), but a run that continues after epoch `e` gives the whole contents with
    /// the changes of the epoch after `e`: for operators that hold them, and would have to save them else.
    pub(crate) fn contents(self) -> Stream<'scope, (D, Diff)> {
        let first = self.site.keeper.resume();
        self.per_epoch(move |epoch| Some(epoch.max(first)))
    }

    /// The changes of the epochs that `place` puts them in.
    fn per_epoch(
        self,
        place: impl Fn(Epoch) -> Option<Epoch> + 'static,
    ) -> Stream<'scope, (D, Diff)> {
        let flow = self.flow();
        let held = Node::operator("changes").state("the changes of incomplete epochs");
        let (node, name) = self.followed_by(held, Routing::ByKey("record".to_owned()));
        let (reached, counts) = (flow.reached(), flow.counts(node, Kind::Operator));
        let groups = self.site.groups;
        let pact = by_key(groups, |(record, _, _): &(D, Epoch, Diff)| hash(record));
        let updates = placed(self.inner.inner, place);
        let inner = updates.unary_frontier::<NoopBuilder<Batch<(D, Diff)>>, _, _, _>(
            pact,
            &name,
            |_, _| {
                let mut waiting = Waiting { epochs: BTreeMap::new() };
                move |(input, frontier), output| {
                    input.for_each(|capability, batch| {
                        counts.rows_in.add(batch.records.len() as u64);
                        waiting.take_in(&capability, &mut batch.records);
                    });
                    let frontier = least(std::slice::from_ref(frontier));
                    while let Some((capability, changes)) = waiting.complete(frontier) {
                        counts.rows_out.add(changes.len() as u64);
                        let mut session = output.session_with_builder(&capability);
                        session.give_container(&mut Batch::from(changes));
                    }
                    reached.set(frontier);
                }
            },
        );
        Stream { flow, inner, node, partitions: None }
    }
}

/// The changes in batches that can be dealt out.
pub(super) fn batched<'scope, D: Clone + 'static>(
    updates: Timely<'scope, Epoch, Vec<(D, Epoch, Diff)>>,
) -> Timely<'scope, Epoch, Batch<(D, Epoch, Diff)>> {
    placed(updates, Some)
}

/// The changes in the epochs that `place` puts them in, in batches that can be dealt out.
fn placed<'scope, D: Clone + 'static>(
    updates: Timely<'scope, Epoch, Vec<(D, Epoch, Diff)>>,
    place: impl Fn(Epoch) -> Option<Epoch> + 'static,
) -> Timely<'scope, Epoch, Batch<(D, Epoch, Diff)>> {
    updates.unary::<NoopBuilder<Batch<(D, Epoch, Diff)>>, _, _, _>(Pipeline, "exit", move |_, _| {
        move |input, output| {
            input.for_each(|capability, updates| {
                let mut updates = std::mem::take(updates);
                updates.retain_mut(|(_, epoch, _)| {
                    place(*epoch).is_some_and(|placed| {
                        *epoch = placed;
                        true
                    })
                });
                output.session_with_builder(&capability).give_container(&mut updates.into());
            });
        }
    })
}

/// The changes of epochs that are not complete.
struct Waiting<D> {
    epochs: BTreeMap<Epoch, Open<D>>,
}

/// The changes of one epoch.
struct Open<D> {
    capability: Capability<Epoch>,
    changes: Vec<(D, Diff)>,
    /// How many there were when they were consolidated last.
    settled: usize,
}

impl<D: Record> Waiting<D> {
    /// The engine sends changes together whose epochs are at or after that of the capability.
    fn take_in(
        &mut self,
        capability: &InputCapability<Epoch>,
        updates: &mut Vec<(D, Epoch, Diff)>,
    ) {
        for (record, epoch, diff) in updates.drain(..) {
            let open = self.epochs.entry(epoch).or_insert_with(|| Open {
                capability: capability.delayed(&epoch, 0),
                changes: Vec::new(),
                settled: 0,
            });
            open.push(record, diff);
        }
    }

    /// Takes out the earliest epoch with changes, if it is before `frontier`.
    fn complete(&mut self, frontier: Epoch) -> Option<(Capability<Epoch>, Vec<(D, Diff)>)> {
        while let Some(entry) = self.epochs.first_entry().filter(|it| *it.key() < frontier) {
            let Open { capability, mut changes, .. } = entry.remove();
            consolidate(&mut changes);
            if !changes.is_empty() {
                return Some((capability, changes));
            }
        }
        None
    }
}

impl<D: Record> Open<D> {
    /// Changes that are held before those that cancel are looked for.
    const FEW: usize = 1 << 10;

    fn push(&mut self, record: D, diff: Diff) {
        // Consolidating whenever there are twice as many costs a change a constant number of sorts.
        if self.changes.len() >= (2 * self.settled).max(Self::FEW) {
            consolidate(&mut self.changes);
            self.settled = self.changes.len();
        }
        self.changes.push((record, diff));
    }
}
