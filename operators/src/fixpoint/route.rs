//! Batches with an address: how records and messages get to the worker that they are for.

use timely::ExchangeData;
use timely::communication::Push;
use timely::container::NoopBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::{DistributorPact, ParallelizationContract, Pipeline};
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::dataflow::operators::generic::operator::Operator;
use timely::progress::{Stamp, Timestamp};

use super::Owners;
use crate::batch::Batch;
use crate::collection::Diff;
use crate::time::Epoch;

/// Delivers batches whole, each to the worker whose number it has for a partition.
pub(super) struct Addressed;

impl<D> Distributor<Batch<D>> for Addressed {
    fn partition<T: Clone, P: Push<Message<T, Batch<D>>>>(
        &mut self,
        batch: &mut Batch<D>,
        stamp: &Stamp<T>,
        pushers: &mut [P],
    ) {
        let to = batch.partition as usize;
        let mut whole = std::mem::take(batch);
        Message::push_at(&mut whole, stamp.clone(), &mut pushers[to]);
    }

    fn flush<T: Clone, P: Push<Message<T, Batch<D>>>>(&mut self, _: &Stamp<T>, _: &mut [P]) {}
}

/// The contract that delivers addressed batches.
pub(super) fn addressed<T: Timestamp, D: ExchangeData>() -> impl ParallelizationContract<T, Batch<D>>
{
    DistributorPact(|_peers| Addressed)
}

/// Records per address that are sent at once.
const FULL: usize = 4096;

/// Makes addressed batches of updates, a record once for each worker that owns one of its keys.
pub(super) fn to_owners<'scope, D: ExchangeData + Clone>(
    updates: Timely<'scope, Epoch, Vec<(D, Epoch, Diff)>>,
    owners: Owners,
    keys: impl Fn(&D) -> (u64, u64) + 'static,
) -> Timely<'scope, Epoch, Batch<(D, Diff)>> {
    type Out<D> = NoopBuilder<Batch<(D, Diff)>>;
    updates.unary::<Out<D>, _, _, _>(Pipeline, "route", move |_, _| {
        let peers = owners.peers();
        let mut letters = Vec::from_iter((0..peers).map(|_| Vec::new()));
        move |input, output| {
            input.for_each(|capability, updates| {
                let mut rest = updates.drain(..).peekable();
                // The times of updates are at or after that of their capability.
                while let Some(&(_, epoch, _)) = rest.peek() {
                    let held = capability.delayed(&epoch, 0);
                    let mut session = output.session_with_builder(&held);
                    let mut send = |to: usize, letter: &mut Vec<(D, Diff)>| {
                        let records = std::mem::take(letter);
                        session.give_container(&mut Batch { partition: to as u32, records });
                    };
                    while let Some((record, _, diff)) = rest.next_if(|it| it.1 == epoch) {
                        let (one, other) = keys(&record);
                        let (one, other) = (owners.of(one), owners.of(other));
                        if other != one {
                            letters[other].push((record.clone(), diff));
                        }
                        letters[one].push((record, diff));
                        for to in [one, other] {
                            if letters[to].len() >= FULL {
                                send(to, &mut letters[to]);
                            }
                        }
                    }
                    let left = letters.iter_mut().enumerate().filter(|(_, it)| !it.is_empty());
                    left.for_each(|(to, letter)| send(to, letter));
                }
            });
        }
    })
}
