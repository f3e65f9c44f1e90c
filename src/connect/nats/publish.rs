//! Publishing messages so that those sent twice count once.

use std::hash::{BuildHasher, RandomState};

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::stream::{Config, LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{Context, message::PublishMessage};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::sink::AT_ONCE;
use crate::error::{Error, ErrorKind, Result};
use crate::retry::Retry;

/// The stream that notes what was committed, by a subject for each writer.
const COMMITS: &str = "tidemill_commits";

/// The subject at which the commits of a writer are noted.
fn subject_of(id: &str) -> String {
    format!("tidemill.commits.{id}")
}

/// A message on its way.
#[derive(Serialize, Deserialize)]
pub(super) struct Message {
    /// Unless it is the sink's.
    pub(super) subject: Option<String>,
    pub(super) payload: Vec<u8>,
}

/// A connection to publish on.
pub(super) struct Outlet {
    runtime: Handle,
    context: Context,
    retry: Retry,
    subject: String,
}

impl Outlet {
    pub(super) fn new(
        (runtime, context): (Handle, Context),
        retry: Retry,
        subject: String,
    ) -> Self {
        Self { runtime, context, retry, subject }
    }

    fn failed(&self, what: &str) -> Error {
        Error::new(ErrorKind::Write, format!("cannot {what} subject {}", self.subject))
    }

    /// Makes sure that a stream takes what is published.
    pub(super) fn find_stream(&self) -> Result<()> {
        let found = self.runtime.block_on(self.context.stream_by_subject(self.subject.as_str()));
        found.map(drop).map_err(|cause| {
            let message = format!("no stream takes subject {}: create one first", self.subject);
            Error::new(ErrorKind::Setting, message).because(cause)
        })
    }

    /// What the ids of a writer's messages begin with. Every writer has another, in every run, so
    /// that messages of a new run are never taken for those of an old one; what has to be the same
    /// after a restart is kept in the checkpoint.
    pub(super) fn new_id(&self, worker: usize) -> String {
        let now = std::time::SystemTime::now();
        // Keyed by the operating system's randomness.
        let random = RandomState::new().hash_one((std::process::id(), now, worker));
        format!("tidemill-{worker}-{random:016x}")
    }

    /// Publishes messages whose ids are `id` and their place, and waits until the stream has them.
    pub(super) fn publish(&self, id: &str, messages: &[Message]) -> Result<()> {
        for (at, chunk) in (0..).step_by(AT_ONCE).zip(messages.chunks(AT_ONCE)) {
            self.patiently("publish to", || self.send(id, at, chunk))?;
        }
        Ok(())
    }

    /// Publishes a transaction, unless it is noted as published.
    pub(super) fn publish_once(&self, id: &str, number: u64, messages: &[Message]) -> Result<()> {
        if self.last_noted(id)?.is_some_and(|last| number <= last) {
            return Ok(());
        }
        self.publish(&format!("{id}-{number}"), messages)?;
        self.patiently("note a commit to", || async {
            let noted = self.context.publish(subject_of(id), number.to_string().into()).await?;
            Ok(noted.await.map(drop)?)
        })
    }

    /// The last transaction of a writer that was committed.
    fn last_noted(&self, id: &str) -> Result<Option<u64>> {
        let noted = self.patiently("look up commits to", || async {
            let commits = self.commits().await?;
            match commits.get_last_raw_message_by_subject(&subject_of(id)).await {
                Ok(noted) => Ok(Some(noted.payload)),
                Err(none) if none.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(cause) => Err(cause.into()),
            }
        })?;
        let number = |noted: &[u8]| std::str::from_utf8(noted).ok()?.parse().ok();
        let unreadable = || {
            let message = format!("what stream {COMMITS} notes of {id} is not a number");
            Error::new(ErrorKind::State, message)
        };
        noted.map(|noted| number(&noted).ok_or_else(unreadable)).transpose()
    }

    /// The stream of commits, made if it is not there.
    async fn commits(&self) -> Result<Stream, async_nats::Error> {
        if let Ok(commits) = self.context.get_stream(COMMITS).await {
            return Ok(commits);
        }
        let settings = Config {
            name: COMMITS.to_owned(),
            description: Some("the last transaction that each writer committed".to_owned()),
            subjects: vec![subject_of("*")],
            max_messages_per_subject: 1,
            ..Default::default()
        };
        Ok(self.context.create_stream(settings).await?)
    }

    /// Sends messages, and waits for all of them to be acknowledged.
    async fn send(
        &self,
        id: &str,
        first: usize,
        chunk: &[Message],
    ) -> Result<(), async_nats::Error> {
        let mut sent = Vec::with_capacity(chunk.len());
        for (place, message) in (first..).zip(chunk) {
            let subject = message.subject.as_ref().unwrap_or(&self.subject).clone();
            let publish = PublishMessage::build()
                .payload(message.payload.clone().into())
                .message_id(format!("{id}-{place}"));
            sent.push(self.context.send_publish(subject, publish).await?);
        }
        for acknowledged in sent {
            acknowledged.await?;
        }
        Ok(())
    }

    /// Does `work`, again if it fails as often as allowed.
    fn patiently<R, F>(&self, what: &str, mut work: impl FnMut() -> F) -> Result<R>
    where
        F: Future<Output = Result<R, async_nats::Error>>,
    {
        let mut failed = 0;
        loop {
            let cause = match self.runtime.block_on(work()) {
                Ok(done) => return Ok(done),
                Err(cause) => cause,
            };
            failed += 1;
            match self.retry.pause_after(failed).filter(|_| !hopeless(&cause)) {
                Some(pause) => std::thread::sleep(pause),
                None => return Err(self.failed(what).because(cause)),
            }
        }
    }
}

/// Whether it fails every time.
fn hopeless(cause: &async_nats::Error) -> bool {
    let refused = cause.downcast_ref::<PublishError>().map(PublishError::kind);
    refused == Some(PublishErrorKind::MaxPayloadExceeded)
}
