//! Asynchronous functions: one call for each record, many in flight, none on the worker's thread.
//!
//! Calls run on the runtime of the process. The operator keeps the capability of each batch until
//! the results of its calls have left, so an epoch completes downstream only when its calls have, no
//! watermark overtakes a record, and there is never anything to save.

use std::sync::Arc;

use super::stopped;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::events::Events;
use crate::stream::Stream;

mod attempt;
mod operator;
mod options;
mod pending;

pub use attempt::{Cause, Failed};
pub use options::AsyncOptions;

use attempt::{Fault, attempt};
use operator::{Calls, operate};

/// Calling asynchronous functions: verbs that streams and events gain in a job.
///
/// # Guarantees
///
/// An epoch is complete downstream only when all its calls are, and the watermark does not overtake
/// records that are in flight. Calls are made at least once for each record: after a failure or a
/// crash they are made again for records whose epochs were not part of a checkpoint. Each result
/// counts once nevertheless. Events keep their times.
///
/// The function runs on the threads of a runtime that all jobs of the process share: it should
/// not block them. The worker never waits for a call, and sources wait when too much is in flight.
///
/// # Cost
///
/// A task on the runtime and a clone of the record for each attempt. Records whose calls have not
/// begun are held until they have; results until their epochs may leave.
///
/// # Example
///
/// ```
/// use tidemill::prelude::*;
///
/// /// Stands for a service that is asked over the network.
/// async fn name_of(id: u64) -> Result<String, std::io::Error> {
///     tokio::task::yield_now().await;
///     Ok(format!("user {id}"))
/// }
///
/// # fn main() -> tidemill::Result<()> {
/// let names = collect::<String>();
/// let sink = names.clone();
/// Job::new("names", Settings::default().quiet()).run(move |flow| {
///     let options = AsyncOptions::ordered().in_flight(2).retry(Retry::fixed(3, millis(10)));
///     flow.read(iterate(|| 1..=3u64))?.map_async(name_of, options)?.write(sink.clone())
/// })?;
/// assert_eq!(names.take(), ["user 1", "user 2", "user 3"]);
/// # Ok(())
/// # }
/// ```
///
/// Records whose calls fail can go another way instead of stopping the job:
///
/// ```
/// use tidemill::prelude::*;
///
/// # fn main() -> tidemill::Result<()> {
/// let (halves, odd) = (collect::<u32>(), collect::<String>());
/// let (halves_sink, odd_sink) = (halves.clone(), odd.clone());
/// Job::new("halves", Settings::default().quiet()).run(move |flow| {
///     let half = |number: u32| async move {
///         if number % 2 == 0 { Ok(number / 2) } else { Err("it is odd") }
///     };
///     let (halves, failed) = flow
///         .read(iterate(|| [4, 5, 6]))?
///         .try_map_async(half, AsyncOptions::unordered())?
///         .split(Either::from);
///     failed.map(|it| it.to_string()).write(odd_sink.clone())?;
///     halves.write(halves_sink.clone())
/// })?;
/// assert_eq!(halves.sorted(), [2, 3]);
/// assert_eq!(odd.take(), ["5 failed after 1 attempts: it is odd"]);
/// # Ok(())
/// # }
/// ```
pub trait MapAsync<D> {
    /// The handle with records of another type.
    type With<T>;

    /// Calls `call` with each record, and puts the result in the record's place. A call whose last
    /// attempt fails stops the job with the operator's name and the error.
    ///
    /// # Errors
    ///
    /// If a setting cannot be used, or the flow is not part of a [`Job`](crate::Job).
    fn map_async<T, E, F>(
        self,
        call: impl Fn(D) -> F + Send + Sync + 'static,
        options: AsyncOptions,
    ) -> Result<Self::With<T>>
    where
        T: Send + 'static,
        E: Into<Cause> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static;

    /// Like [`map_async`](Self::map_async), but a record whose last attempt fails gives [`Failed`],
    /// and the job goes on.
    ///
    /// # Errors
    ///
    /// If a setting cannot be used, or the flow is not part of a [`Job`](crate::Job).
    fn try_map_async<T, E, F>(
        self,
        call: impl Fn(D) -> F + Send + Sync + 'static,
        options: AsyncOptions,
    ) -> Result<Self::With<Result<T, Failed<D>>>>
    where
        T: Send + 'static,
        E: Into<Cause> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static;
}

impl<'scope, D: Clone + Send + 'static> MapAsync<D> for Stream<'scope, D> {
    type With<T> = Stream<'scope, T>;

    fn map_async<T, E, F>(
        self,
        call: impl Fn(D) -> F + Send + Sync + 'static,
        options: AsyncOptions,
    ) -> Result<Stream<'scope, T>>
    where
        T: Send + 'static,
        E: Into<Cause> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let calls = calls(call, &options, |record| ((), record), |(), made| made.map_err(fatal));
        operate(self, MAP, &options, calls)
    }

    fn try_map_async<T, E, F>(
        self,
        call: impl Fn(D) -> F + Send + Sync + 'static,
        options: AsyncOptions,
    ) -> Result<Stream<'scope, Result<T, Failed<D>>>>
    where
        T: Send + 'static,
        E: Into<Cause> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let told = |(), made: Made<T, D>| Ok(made.map_err(Fault::told));
        operate(self, TRY, &options, calls(call, &options, |record| ((), record), told))
    }
}

impl<'scope, D: Clone + Send + 'static> MapAsync<D> for Events<'scope, D> {
    type With<T> = Events<'scope, T>;

    fn map_async<T, E, F>(
        self,
        call: impl Fn(D) -> F + Send + Sync + 'static,
        options: AsyncOptions,
    ) -> Result<Events<'scope, T>>
    where
        T: Send + 'static,
        E: Into<Cause> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let timed = |at, made: Made<T, D>| Ok(Event::new(at, made.map_err(fatal)?));
        let calls = calls(call, &options, |event: Event<D>| (event.at, event.value), timed);
        let (stream, marks) = self.into_parts();
        Ok(Events::from_parts(operate(stream, MAP, &options, calls)?, marks))
    }

    fn try_map_async<T, E, F>(
        self,
        call: impl Fn(D) -> F + Send + Sync + 'static,
        options: AsyncOptions,
    ) -> Result<Events<'scope, Result<T, Failed<D>>>>
    where
        T: Send + 'static,
        E: Into<Cause> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let told = |at, made: Made<T, D>| Ok(Event::new(at, made.map_err(Fault::told)));
        let calls = calls(call, &options, |event: Event<D>| (event.at, event.value), told);
        let (stream, marks) = self.into_parts();
        Ok(Events::from_parts(operate(stream, TRY, &options, calls)?, marks))
    }
}

const MAP: &str = "map_async";
const TRY: &str = "try_map_async";

/// What the attempts with a record came to.
type Made<T, D> = Result<T, Fault<D>>;

/// The error that ends the job.
fn fatal<D>(fault: Fault<D>) -> Error {
    let message = match fault.attempts {
        1 => "a call failed".to_owned(),
        many => format!("a call failed {many} times"),
    };
    stopped(message).because(fault.cause)
}

/// The calls of an operator: `open` takes what is beside a record apart from it, and `close` puts
/// it to the result.
fn calls<R, S, D, T, E, F, B>(
    call: impl Fn(D) -> F + Send + Sync + 'static,
    options: &AsyncOptions,
    open: impl Fn(R) -> (B, D) + Send + Sync + 'static,
    close: impl Fn(B, Made<T, D>) -> Result<S> + Copy + Send + Sync + 'static,
) -> Calls<R, S>
where
    R: 'static,
    D: Clone + Send + 'static,
    T: Send + 'static,
    E: Into<Cause> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
    B: Send + 'static,
{
    let shared = Arc::new((call, options.clone()));
    Arc::new(move |record| {
        let (beside, record) = open(record);
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            let (call, options) = &*shared;
            close(beside, attempt(call, record, options).await)
        })
    })
}
