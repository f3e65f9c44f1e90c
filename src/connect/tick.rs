//! A thread that does something every so often, until it is dropped: for sources that wait for time
//! to pass, because a worker sleeps until it is woken.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// Ends its thread when dropped.
pub(crate) struct Ticker {
    _alive: Sender<()>,
}

impl Ticker {
    /// Calls `tick` at each interval.
    pub(crate) fn start(
        interval: Duration,
        mut tick: impl FnMut() + Send + 'static,
    ) -> Result<Self> {
        let (alive, dropped) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("ticker".to_owned())
            .spawn(move || {
                while dropped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    tick();
                }
            })
            .map_err(|cause| {
                Error::new(ErrorKind::Read, "cannot start a thread that waits").because(cause)
            })?;
        Ok(Self { _alive: alive })
    }
}
