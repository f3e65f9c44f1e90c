//! One call of an asynchronous function: its attempts, and what is known when all have failed.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use serde::{Deserialize, Serialize};

use super::options::AsyncOptions;

/// A record for which the calls of an asynchronous function failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Failed<D> {
    /// The record.
    pub record: D,
    /// How many calls were made with it.
    pub attempts: u32,
    /// What the last of them said, with its causes.
    pub reason: String,
}

/// What a failed call says: any error, or a text.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why the calls with a record failed for good.
pub(super) struct Fault<D> {
    pub(super) record: D,
    pub(super) attempts: u32,
    /// What the last attempt said.
    pub(super) cause: Cause,
}

impl<D> Fault<D> {
    /// The fault as a record of its own.
    pub(super) fn told(self) -> Failed<D> {
        let mut reason = self.cause.to_string();
        let mut cause = self.cause.source();
        while let Some(it) = cause {
            reason.push_str(&format!(": {it}"));
            cause = it.source();
        }
        Failed { record: self.record, attempts: self.attempts, reason }
    }
}

/// Calls until an attempt succeeds or none is left.
pub(super) async fn attempt<D, T, E, F>(
    call: &impl Fn(D) -> F,
    record: D,
    options: &AsyncOptions,
) -> Result<T, Fault<D>>
where
    D: Clone,
    E: Into<Cause>,
    F: Future<Output = Result<T, E>>,
{
    let mut attempts = 0;
    loop {
        attempts += 1;
        let called = call(record.clone());
        let cause = match tokio::time::timeout(options.timeout, called).await {
            Ok(Ok(result)) => return Ok(result),
            Ok(Err(error)) => error.into(),
            Err(_) => format!("it took longer than {:?}", options.timeout).into(),
        };
        match options.retry.pause_after(attempts) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(Fault { record, attempts, cause }),
        }
    }
}

/// A future that panics ends with what the panic carried.
pub(super) async fn caught<F: Future>(
    future: impl FnOnce() -> F,
) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(catch_unwind(AssertUnwindSafe(future))?);
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

impl<D: fmt::Debug> fmt::Display for Failed<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} failed after {} attempts: {}", self.record, self.attempts, self.reason)
    }
}
