//! Subjects of NATS JetStream as sinks: settings and writer.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_nats::ConnectOptions;
use serde::{Deserialize, Serialize};

use super::Server;
use super::publish::{Message, Outlet};
use crate::connect::write_format::{JsonlOutput, OutputFormat};
use crate::connect::{Sink, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::retry::Retry;

/// Publishes each record as a message of a stream of NATS JetStream, which takes the messages of
/// `subject`: as JSON unless another [format](NatsSink::format) is set.
///
/// ```no_run
/// use tidemill::prelude::*;
///
/// # fn main() -> tidemill::Result<()> {
/// Job::from_args("numbers")?.run(|flow| {
///     let numbers = flow.read(iterate(|| 0..10u64))?;
///     numbers.write(
///         to_nats("nats://localhost:4222", "numbers")
///             .subject_by(|it| format!("numbers.{}", if it % 2 == 0 { "even" } else { "odd" })),
///     )
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn to_nats<T: Serialize + Send + 'static>(
    url: impl Into<String>,
    subject: impl Into<String>,
) -> NatsSink<T, JsonlOutput> {
    NatsSink {
        server: Server::new(url.into()),
        subject: subject.into(),
        subject_by: None,
        format: JsonlOutput,
        records: PhantomData,
    }
}

/// A subject of NATS JetStream as a sink: made by [`to_nats`].
///
/// # Guarantees
///
/// Every message has an id (`Nats-Msg-Id`) of its own, the same when it is sent again, and the stream
/// drops the second of two with the same id within its *duplicate window*: two minutes unless the
/// stream is configured otherwise.
///
/// With checkpoints the rows of a checkpoint are published when it is complete, each exactly once;
/// a stream of its own, `tidemill_commits`, notes what is done, so a checkpoint that was
/// committed is never committed again, however late. One limit is left: a job that dies *while* it publishes
/// and is restored only after the duplicate window publishes the beginning of that checkpoint twice.
/// Let the window be longer than a restart may take. Without checkpoints rows are published as epochs
/// complete, at least once.
///
/// A worker's messages are in the order it wrote them, unless one was lost on the way and sent again.
///
/// # Cost
///
/// The rows of a checkpoint stay in memory and in the checkpoint until they are published, up to 256
/// messages on the way at a time.
pub struct NatsSink<T, F> {
    server: Server,
    subject: String,
    subject_by: Option<Arc<dyn Fn(&T) -> String + Send + Sync>>,
    format: F,
    records: PhantomData<fn(T)>,
}

impl<T, F> NatsSink<T, F> {
    /// The subject of each record, in place of one for all.
    #[must_use]
    pub fn subject_by(mut self, subject: impl Fn(&T) -> String + Send + Sync + 'static) -> Self {
        self.subject_by = Some(Arc::new(subject));
        self
    }

    /// Writes messages in another format. A line feed at the end of a record is left out.
    #[must_use]
    pub fn format<G: OutputFormat<T>>(self, format: G) -> NatsSink<T, G> {
        let Self { server, subject, subject_by, records, .. } = self;
        NatsSink { server, subject, subject_by, format, records }
    }

    /// Connects with these options: credentials, certificates, timeouts.
    #[must_use]
    pub fn connect_with(
        mut self,
        options: impl Fn() -> ConnectOptions + Send + Sync + 'static,
    ) -> Self {
        self.server.options = Arc::new(options);
        self
    }

    /// How often connecting and publishing are tried: 8 times, with pauses of 11 s in all, unless
    /// set.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.server.retry = retry;
        self
    }
}

impl<T: Send + 'static, F: OutputFormat<T>> Sink for NatsSink<T, F> {
    type Record = T;

    fn open(&self, worker: usize, _peers: usize) -> Result<Box<dyn Writer<Record = T>>> {
        self.format.check()?;
        let connected = self.server.connect(&self.name())?;
        let outlet = Outlet::new(connected, self.server.retry.clone(), self.subject.clone());
        if self.subject_by.is_none() {
            outlet.find_stream()?;
        }
        Ok(Box::new(MessageWriter {
            id: outlet.new_id(worker),
            outlet,
            subject_by: self.subject_by.clone(),
            format: self.format.clone(),
            waiting: Vec::new(),
            number: 0,
            promise: Promise::Unknown,
        }))
    }

    fn name(&self) -> String {
        format!("nats {}", self.subject)
    }
}

impl<T, F: Clone> Clone for NatsSink<T, F> {
    fn clone(&self) -> Self {
        let Self { server, subject, subject_by, format, records } = self;
        Self {
            server: server.clone(),
            subject: subject.clone(),
            subject_by: subject_by.clone(),
            format: format.clone(),
            records: *records,
        }
    }
}

/// Leaves out the address, which may hold a password.
impl<T, F> fmt::Debug for NatsSink<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSink").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Messages that are published at once.
pub(super) const AT_ONCE: usize = 256;

/// The writing end of one worker.
struct MessageWriter<T, F> {
    outlet: Outlet,
    /// What ids of messages begin with: nobody else's do.
    id: String,
    subject_by: Option<Arc<dyn Fn(&T) -> String + Send + Sync>>,
    format: F,
    waiting: Vec<Message>,
    /// The next transaction.
    number: u64,
    promise: Promise,
}

/// What rows wait for before they are published.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// Nothing has told yet.
    Unknown,
    /// A flush.
    Flush,
    /// A commit.
    Commit,
}

/// A transaction as a checkpoint keeps it.
#[derive(Serialize, Deserialize)]
struct Prepared {
    id: String,
    number: u64,
    messages: Vec<Message>,
}

impl<T, F: OutputFormat<T>> MessageWriter<T, F> {
    fn message(&mut self, record: &T) -> Result<Message> {
        let mut payload = Vec::new();
        self.format.record(record, &mut payload)?;
        payload.pop_if(|last| *last == b'\n');
        let subject = self.subject_by.as_ref().map(|subject| subject(record));
        Ok(Message { subject, payload })
    }

    fn transaction(&mut self) -> Prepared {
        let messages = std::mem::take(&mut self.waiting);
        let prepared = Prepared { id: self.id.clone(), number: self.number, messages };
        self.number += 1;
        prepared
    }

    fn publish(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let Prepared { id, number, messages } = self.transaction();
        self.outlet.publish(&format!("{id}-{number}"), &messages)
    }
}

fn unreadable(cause: postcard::Error) -> Error {
    Error::new(ErrorKind::State, "prepared messages cannot be understood").because(cause)
}

impl<T: Send, F: OutputFormat<T>> Writer for MessageWriter<T, F> {
    type Record = T;

    fn write(&mut self, records: &mut Vec<T>) -> Result<()> {
        for record in records.drain(..) {
            let message = self.message(&record)?;
            self.waiting.push(message);
            if self.promise == Promise::Flush && self.waiting.len() >= AT_ONCE {
                self.publish()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.promise == Promise::Commit {
            return Ok(());
        }
        self.promise = Promise::Flush;
        self.publish()
    }

    fn prepare(&mut self) -> Result<Vec<u8>> {
        self.promise = Promise::Commit;
        if self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        postcard::to_stdvec(&self.transaction()).map_err(unreadable)
    }

    fn commit(&mut self, prepared: &[u8]) -> Result<()> {
        self.promise = Promise::Commit;
        if prepared.is_empty() {
            return Ok(());
        }
        let Prepared { id, number, messages } =
            postcard::from_bytes(prepared).map_err(unreadable)?;
        self.outlet.publish_once(&id, number, &messages)
    }

    fn abort(&mut self, _prepared: &[u8]) -> Result<()> {
        // What was prepared is nowhere but in its description.
        self.promise = Promise::Commit;
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.publish()
    }
}
