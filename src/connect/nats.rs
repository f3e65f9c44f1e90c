//! Streams of NATS JetStream as sources and sinks.
//!
//! A stream numbers its messages, so a source can be read again from any of them; it drops messages
//! whose id it has seen lately, so a sink can send again what may have arrived.

use std::sync::Arc;

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, Context};
use tokio::runtime::Handle;

use crate::error::{Error, ErrorKind, Result};
use crate::retry::Retry;
use crate::runtime;
use crate::time::{millis, seconds};

mod publish;
mod read;
mod sink;
mod source;

pub use sink::{NatsSink, to_nats};
pub use source::{NatsSource, from_nats};

/// How to reach a server.
#[derive(Clone)]
struct Server {
    url: String,
    options: Arc<dyn Fn() -> ConnectOptions + Send + Sync>,
    retry: Retry,
}

impl Server {
    fn new(url: String) -> Self {
        let retry = Retry::exponential(8, millis(100), seconds(5));
        Self { url, options: Arc::new(ConnectOptions::new), retry }
    }

    /// Connects, and gives the runtime on which the connection lives. `what` is for errors.
    fn connect(&self, what: &str) -> Result<(Handle, Context)> {
        let runtime = runtime::handle()?;
        let mut failed = 0;
        loop {
            // A context begins a task, so it is made on the runtime too.
            let connecting =
                async { (self.options)().connect(&self.url).await.map(jetstream::new) };
            let cause = match runtime.block_on(connecting) {
                Ok(context) => return Ok((runtime, context)),
                Err(cause) => cause,
            };
            failed += 1;
            match self.retry.pause_after(failed) {
                Some(pause) => std::thread::sleep(pause),
                // The address may hold a password.
                None => {
                    let message = format!("cannot connect to the server of {what}");
                    return Err(Error::new(ErrorKind::Read, message).because(cause));
                }
            }
        }
    }
}
