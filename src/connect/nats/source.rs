//! A stream of NATS JetStream as a source: its settings.

use std::fmt;
use std::sync::Arc;

use async_nats::ConnectOptions;
use serde::de::DeserializeOwned;

use super::Server;
use super::read::{Start, open};
use crate::connect::decode::InputFormat;
use crate::connect::decode::jsonl::JsonlInput;
use crate::connect::decode::text::TextInput;
use crate::connect::malformed::OnMalformed;
use crate::connect::{Reader, Source, Wake};
use crate::error::{Error, ErrorKind, Result};
use crate::retry::Retry;

/// Reads the messages of a stream of NATS JetStream, which `url` and the stream's name say, as in
/// `nats://localhost:4222` and `EVENTS`: as text unless another format is set.
///
/// ```no_run
/// use tidemill::prelude::*;
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     shop: String,
///     at_ms: i64,
/// }
///
/// # fn main() -> tidemill::Result<()> {
/// Job::from_args("orders")?.run(|flow| {
///     let orders = from_nats("nats://localhost:4222", "ORDERS").jsonl::<Order>();
///     flow.read(orders.subjects(["orders.eu", "orders.us"]))?
///         .event_time(|it| EventTime::from_millis(it.at_ms), Disorder::up_to(seconds(5)))
///         .key_value(|it| (it.shop, 1u64))
///         .window(Tumbling::new(minutes(1)))
///         .aggregate(Count)
///         .map(|pane| (pane.key, pane.value))
///         .write(to_nats("nats://localhost:4222", "orders.counted"))
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn from_nats(url: impl Into<String>, stream: impl Into<String>) -> NatsSource<TextInput> {
    NatsSource {
        server: Server::new(url.into()),
        stream: stream.into(),
        subjects: Vec::new(),
        bounded: false,
        on_malformed: OnMalformed::default(),
        format: TextInput,
    }
}

/// A stream of NATS JetStream as a source: made by [`from_nats`].
///
/// Each line of a message is a record; most messages have one line.
///
/// # Guarantees
///
/// A partition is read in the order of the stream. A job that continues from a checkpoint reads on
/// at the sequence number it had reached. Nothing is acknowledged and no consumer stays behind, so
/// others read the same stream undisturbed; the stream's own limits decide how long messages stay.
/// A connection that is lost is opened again, as long as the job runs.
///
/// # Errors
///
/// If the stream is not there when the job is built, and if a whole stream is to be read on at a
/// message that it has dropped, or never had because it was made anew. For a part of a stream,
/// chosen by [`subjects`](Self::subjects), a stream cannot tell which of its messages it dropped.
#[derive(Clone)]
pub struct NatsSource<F> {
    server: Server,
    stream: String,
    subjects: Vec<String>,
    bounded: bool,
    on_malformed: OnMalformed,
    format: F,
}

impl<F> NatsSource<F> {
    /// Reads the messages of these subjects only, side by side: each is a partition. They may have
    /// wildcards, and should not overlap. Unless set, the stream is one partition.
    #[must_use]
    pub fn subjects<S: Into<String>>(mut self, subjects: impl IntoIterator<Item = S>) -> Self {
        self.subjects = subjects.into_iter().map(Into::into).collect();
        self
    }

    /// Ends with the last message that is in the stream when reading begins.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.bounded = true;
        self
    }

    /// What becomes of lines that cannot be understood: the job stops unless set.
    #[must_use]
    pub fn on_malformed(mut self, policy: OnMalformed) -> Self {
        self.on_malformed = policy;
        self
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

    /// How often the first connection is tried: 8 times within some 11 s unless set.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.server.retry = retry;
        self
    }

    /// Takes each line as a JSON value.
    #[must_use]
    pub fn jsonl<T: DeserializeOwned + 'static>(self) -> NatsSource<JsonlInput<T>> {
        self.format(JsonlInput::default())
    }

    /// Takes the lines in another format, which gets no first line to look at.
    #[must_use]
    pub fn format<G: InputFormat>(self, format: G) -> NatsSource<G> {
        let Self { server, stream, subjects, bounded, on_malformed, .. } = self;
        NatsSource { server, stream, subjects, bounded, on_malformed, format }
    }
}

/// All subjects.
pub(super) const WHOLE: &str = ">";

impl<F: InputFormat> Source for NatsSource<F> {
    type Record = F::Record;

    fn partitions(&self, _lanes: usize) -> Result<Vec<String>> {
        self.format.check()?;
        if self.format.spans_lines() || self.format.needs_first_line() {
            let message = format!("{}: cannot be read line by line from messages", F::NAME);
            return Err(Error::new(ErrorKind::Setting, message));
        }
        let whole = || vec![WHOLE.to_owned()];
        Ok(if self.subjects.is_empty() { whole() } else { self.subjects.clone() })
    }

    fn open(
        &self,
        partition: &str,
        position: Option<&[u8]>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<Record = F::Record>>> {
        let start = Start {
            stream: self.stream.clone(),
            subject: partition.to_owned(),
            bounded: self.bounded,
            saved: position.map(<[u8]>::to_vec),
            on_malformed: self.on_malformed.clone(),
        };
        let decode = self.format.decoder(&start.place(), None)?;
        let connected = self.server.connect(&start.place())?;
        Ok(Box::new(open(start, decode, connected, wake)?))
    }

    fn bounded(&self) -> bool {
        self.bounded
    }

    fn name(&self) -> String {
        format!("nats {}", self.stream)
    }
}

/// Leaves out the address, which may hold a password.
impl<F> fmt::Debug for NatsSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSource")
            .field("stream", &self.stream)
            .field("subjects", &self.subjects)
            .field("bounded", &self.bounded)
            .finish_non_exhaustive()
    }
}
