//! How an asynchronous function is called.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::retry::Retry;

/// How an asynchronous function is called: how many calls are in flight, how long one may take, how
/// often it is tried, and in which order results leave.
///
/// ```
/// use tidemill::prelude::*;
///
/// let options = AsyncOptions::unordered()
///     .in_flight(500)
///     .timeout(seconds(2))
///     .retry(Retry::exponential(4, millis(50), seconds(1)));
/// ```
#[derive(Clone, Debug)]
pub struct AsyncOptions {
    pub(super) ordered: bool,
    in_flight: usize,
    pub(super) timeout: Duration,
    pub(super) retry: Retry,
}

impl AsyncOptions {
    /// Results leave in the order of the records; one that comes early waits for those before it.
    pub fn ordered() -> Self {
        Self {
            ordered: true,
            in_flight: 100,
            timeout: Duration::from_secs(30),
            retry: Retry::never(),
        }
    }

    /// Results leave as they come, those of an epoch before the epoch is complete.
    pub fn unordered() -> Self {
        Self { ordered: false, ..Self::ordered() }
    }

    /// The most calls that are in flight on each worker: 100 unless set. A call that waits for its
    /// next attempt counts as one.
    #[must_use]
    pub fn in_flight(mut self, calls: usize) -> Self {
        self.in_flight = calls;
        self
    }

    /// How long an attempt may take before it counts as failed: 30 s unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a call that fails is tried: once unless set.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The most calls in flight, if the settings make sense.
    pub(super) fn check(&self) -> Result<NonZeroUsize> {
        let refused = |message: &str| Error::new(ErrorKind::Setting, message);
        if self.timeout.is_zero() {
            return Err(refused("`timeout` is zero: no call could ever succeed"));
        }
        if self.retry.attempts() == 0 {
            return Err(refused("`retry` allows no attempt: give it at least one"));
        }
        NonZeroUsize::new(self.in_flight)
            .ok_or_else(|| refused("`in_flight` is 0: no call could ever be made"))
    }

    /// The settings as the plan shows them.
    pub(super) fn note(&self) -> String {
        let order = if self.ordered { "in order" } else { "as completed" };
        let Self { in_flight, timeout, retry, .. } = self;
        format!("{order}, at most {in_flight} calls in flight, {retry} of {timeout:?}")
    }
}

impl Default for AsyncOptions {
    fn default() -> Self {
        Self::ordered()
    }
}
