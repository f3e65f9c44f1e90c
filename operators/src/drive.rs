//! The wiring of every stateful operator: the one place that holds capabilities.
//!
//! [`drive`] runs a [`Rule`] over a stream and its watermarks, [`drive_two`] over two streams. A
//! rule is told only what it needs: records, and the watermark of each completed epoch.
//!
//! # Guarantees
//!
//! * Records of the earliest incomplete epoch are folded in as they arrive, later ones are stashed:
//!   between two epochs the rule has seen exactly the records of the epochs before.
//! * The rule advances once for each epoch in which records or marks arrived, in order, and what
//!   it emits leaves with that epoch.
//! * The state that is kept for an epoch is the state after its advance, whatever arrived since.
//! * A capability is held for an epoch only while records or marks of it are unprocessed, or while
//!   the rule [waits](Rule::waits) for the time of day: then for the earliest epoch that is incomplete.
//!
//! # Cost
//!
//! A record is handed to the rule without being copied or boxed; per batch there is one queue
//! operation. An activation folds at most [`RECORDS_AT_ONCE`] records, the rest of the batch it is at
//! and what one outbox holds beyond that, then yields.

use timely::container::NoopBuilder;
use timely::dataflow::Stream as Timely;
use timely::dataflow::channels::pact::{ParallelizationContract, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::frontier::MutableAntichain;

use crate::batch::Batch;
use crate::flow::Flow;
use crate::mark::Mark;
use crate::plan::{Kind, NodeId};
use crate::rule::{Either, Rule};
use crate::time::Epoch;

mod desk;

use desk::Desk;

/// Records that an activation folds before it yields to the rest of the worker.
pub const RECORDS_AT_ONCE: usize = 1 << 17;

/// A broadcast stream of marks, and the number of slots they come from.
#[derive(Clone)]
pub struct Marks<'scope> {
    /// The marks, each heard by every worker.
    pub stream: Timely<'scope, Epoch, Vec<Mark>>,
    /// How many slots there are.
    pub slots: usize,
}

/// The engine's streams that an operator gives: its output and its side output.
pub type Outputs<'scope, O, S> = (Timely<'scope, Epoch, Batch<O>>, Timely<'scope, Epoch, Batch<S>>);

/// Runs `rule` as the operator `node` of the flow's plan, over records routed by `pact`.
pub fn drive<'scope, D, R, P>(
    flow: &Flow<'scope>,
    node: NodeId,
    input: Timely<'scope, Epoch, Batch<D>>,
    pact: P,
    marks: Marks<'scope>,
    rule: R,
) -> Outputs<'scope, R::Output, R::Side>
where
    D: 'static,
    R: Rule<D>,
    P: ParallelizationContract<Epoch, Batch<D>>,
{
    let mut builder = OperatorBuilder::new(flow.name_of(node), flow.scope());
    let mut input = builder.new_input(input, pact);
    let mut hearing = builder.new_input(marks.stream, Pipeline);
    let (main, main_stream) = builder.new_output();
    let (side, side_stream) = builder.new_output();
    let mut main = OutputBuilder::<Epoch, NoopBuilder<Batch<R::Output>>>::from(main);
    let mut side = OutputBuilder::<Epoch, NoopBuilder<Batch<R::Side>>>::from(side);
    let activator = flow.scope().activator_for(builder.operator_info().address);
    let reached = flow.reached();
    let counts = flow.counts(node, Kind::Operator);
    let mut desk = Desk::new(flow, node, rule, marks.slots, counts);

    builder.build(move |initial| {
        desk.begin(initial);
        move |frontiers| {
            let (mut main, mut side) = (main.activate(), side.activate());
            let mut ship = desk::shipping(&mut main, &mut side);
            input.for_each(|capability, batch| {
                desk.receive(&capability, &mut batch.records, &mut ship);
            });
            hearing.for_each(|capability, marks| desk.hear(&capability, marks));
            let frontier = least(frontiers);
            if desk.work(frontier, &mut ship) {
                activator.activate();
            }
            reached.set(desk.reached(frontier));
        }
    });
    (main_stream, side_stream)
}

/// Runs `rule` as the operator `node` over two streams, whose records it receives as
/// [`Either`]. The watermark is the lesser of theirs: `marks` has the slots of both.
pub fn drive_two<'scope, L, D, R, P, Q>(
    flow: &Flow<'scope>,
    node: NodeId,
    left: (Timely<'scope, Epoch, Batch<L>>, P),
    right: (Timely<'scope, Epoch, Batch<D>>, Q),
    marks: Marks<'scope>,
    rule: R,
) -> Outputs<'scope, R::Output, R::Side>
where
    L: 'static,
    D: 'static,
    R: Rule<Either<L, D>>,
    P: ParallelizationContract<Epoch, Batch<L>>,
    Q: ParallelizationContract<Epoch, Batch<D>>,
{
    let mut builder = OperatorBuilder::new(flow.name_of(node), flow.scope());
    let mut left = builder.new_input(left.0, left.1);
    let mut right = builder.new_input(right.0, right.1);
    let mut hearing = builder.new_input(marks.stream, Pipeline);
    let (main, main_stream) = builder.new_output();
    let (side, side_stream) = builder.new_output();
    let mut main = OutputBuilder::<Epoch, NoopBuilder<Batch<R::Output>>>::from(main);
    let mut side = OutputBuilder::<Epoch, NoopBuilder<Batch<R::Side>>>::from(side);
    let activator = flow.scope().activator_for(builder.operator_info().address);
    let reached = flow.reached();
    let counts = flow.counts(node, Kind::Operator);
    let mut desk = Desk::new(flow, node, rule, marks.slots, counts);

    builder.build(move |initial| {
        desk.begin(initial);
        move |frontiers| {
            let (mut main, mut side) = (main.activate(), side.activate());
            let mut ship = desk::shipping(&mut main, &mut side);
            left.for_each(|capability, batch| {
                let mut records = batch.records.drain(..).map(Either::Left).collect();
                desk.receive(&capability, &mut records, &mut ship);
            });
            right.for_each(|capability, batch| {
                let mut records = batch.records.drain(..).map(Either::Right).collect();
                desk.receive(&capability, &mut records, &mut ship);
            });
            hearing.for_each(|capability, marks| desk.hear(&capability, marks));
            let frontier = least(frontiers);
            if desk.work(frontier, &mut ship) {
                activator.activate();
            }
            reached.set(desk.reached(frontier));
        }
    });
    (main_stream, side_stream)
}

/// The earliest epoch that may still arrive at some input, or the end of epochs.
pub fn least(frontiers: &[MutableAntichain<Epoch>]) -> Epoch {
    let firsts = frontiers.iter().filter_map(|it| it.frontier().first().copied());
    firsts.min().unwrap_or(Epoch::MAX)
}
