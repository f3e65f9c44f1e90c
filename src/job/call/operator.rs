//! The wiring of asynchronous calls: from a batch to tasks on the runtime, and back.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::scheduling::SyncActivator;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::attempt::caught;
use super::options::AsyncOptions;
use super::pending::{Pending, Ticket};
use crate::batch::Batch;
use crate::drive::least;
use crate::error::{Error, Result};
use crate::job::host::host_of;
use crate::job::{panics, stopped};
use crate::plan::{Kind, Node, Routing};
use crate::runtime;
use crate::stream::Stream;
use crate::time::Epoch;

/// Makes the call with a record; an error ends the job.
pub(super) type Calls<R, S> = Arc<dyn Fn(R) -> Calling<S> + Send + Sync>;
type Calling<S> = Pin<Box<dyn Future<Output = Result<S>> + Send>>;

/// Puts the operator that makes `calls` behind a stream.
pub(super) fn operate<'scope, R: Send + 'static, S: Send + 'static>(
    stream: Stream<'scope, R>,
    name: &str,
    options: &AsyncOptions,
    calls: Calls<R, S>,
) -> Result<Stream<'scope, S>> {
    let most = options.check()?;
    let flow = stream.flow().clone();
    let host = host_of(&flow)?;
    let runtime = if host.shown { None } else { Some(runtime::handle()?) };
    let node = Node::operator(name).note(options.note());
    let node = flow.add(node, [(stream.node(), Routing::Local)]);
    let counts = flow.counts(node, Kind::Operator);
    let (name, scope, reached) = (flow.name_of(node), flow.scope(), flow.reached());
    let mut pending = Pending::<R, S, Capability<Epoch>>::new(options.ordered, most);
    Ok(stream.then(node, |batches| {
        let mut builder = OperatorBuilder::new(name.clone(), scope);
        let address = builder.operator_info().address;
        let mut input = builder.new_input(batches, Pipeline);
        let (output, made) = builder.new_output();
        let mut output = OutputBuilder::<Epoch, NoopBuilder<Batch<S>>>::from(output);
        let mut desk = runtime.map(|runtime| {
            let waker = scope.worker().sync_activator_for(address.to_vec());
            Desk::new(name, runtime, calls, waker)
        });
        builder.build(move |_capabilities| {
            move |frontiers| {
                input.for_each(|capability, batch| {
                    let epoch = *capability.least().expect("records travel with an epoch");
                    let records = std::mem::take(&mut batch.records);
                    counts.rows_in.add(records.len() as u64);
                    pending.push(epoch, capability.delayed(&epoch, 0), batch.partition, records);
                });
                if let Some(desk) = &mut desk {
                    for (ticket, result) in desk.returned() {
                        match result {
                            Ok(result) => pending.complete(ticket, result),
                            // The worker looks after every step, and drops what is in flight.
                            Err(error) => host.fate.fail(error),
                        }
                    }
                    let mut output = output.activate();
                    pending.release(|capability, partition, records| {
                        counts.rows_out.add(records.len() as u64);
                        let mut batch = Batch { partition, records };
                        output.session_with_builder(capability).give_container(&mut batch);
                    });
                    while let Some((ticket, record)) = pending.start() {
                        desk.call(ticket, record);
                    }
                }
                let frontier = least(frontiers);
                reached.set(pending.earliest().map_or(frontier, |it| it.min(frontier)));
            }
        });
        made
    }))
}

/// Begins calls and takes back their results. Dropping it ends the calls in flight.
struct Desk<R, S> {
    name: Arc<str>,
    runtime: Handle,
    calls: Calls<R, S>,
    tasks: JoinSet<()>,
    returns: Arc<Returns<S>>,
}

/// A result and whose it is.
type Returned<S> = (Ticket, Result<S>);

/// What calls give back to the worker.
struct Returns<S> {
    waiting: Mutex<Vec<Returned<S>>>,
    /// The sending half of a channel is not `Sync` in every version of timely; a lock makes it so.
    waker: Mutex<SyncActivator>,
}

impl<R: 'static, S: Send + 'static> Desk<R, S> {
    fn new(name: String, runtime: Handle, calls: Calls<R, S>, waker: SyncActivator) -> Self {
        let returns = Returns { waiting: Mutex::default(), waker: Mutex::new(waker) };
        let (tasks, returns) = (JoinSet::new(), Arc::new(returns));
        Self { name: name.into(), runtime, calls, tasks, returns }
    }

    fn call(&mut self, ticket: Ticket, record: R)
    where
        R: Send,
    {
        let (name, calls) = (Arc::clone(&self.name), Arc::clone(&self.calls));
        let returns = Arc::clone(&self.returns);
        let task = async move {
            let result = match caught(move || calls(record)).await {
                Ok(result) => result.map_err(|error| named(&name, error)),
                Err(panic) => Err(panics::error_in(&name, &*panic)),
            };
            returns.give(ticket, result);
        };
        self.tasks.spawn_on(task, &self.runtime);
    }

    /// What has come back since this was asked last.
    fn returned(&mut self) -> Vec<Returned<S>> {
        while self.tasks.try_join_next().is_some() {}
        std::mem::take(&mut *self.returns.waiting())
    }
}

fn named(operator: &str, error: Error) -> Error {
    stopped(format!("operator `{operator}` cannot go on")).because(error)
}

impl<S> Returns<S> {
    fn give(&self, ticket: Ticket, result: Result<S>) {
        let mut waiting = self.waiting();
        waiting.push((ticket, result));
        let news = waiting.len() == 1;
        drop(waiting);
        if news {
            // It fails only when the worker has ended, and then nobody waits.
            let _ = self.waker.lock().unwrap_or_else(PoisonError::into_inner).activate();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Returned<S>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
