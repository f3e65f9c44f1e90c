//! The reading end of one partition: a task that receives messages, and a reader that decodes them.

use std::collections::VecDeque;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

use super::source::WHOLE;
use crate::connect::decode::{Decode, Stopped, line_of};
use crate::connect::malformed::{Malformed, OnMalformed, Place};
use crate::connect::{Polled, Reader, Wake};
use crate::error::{Error, ErrorKind, Result};

/// Messages that are passed on at once, at most.
const CHUNK: usize = 256;
const CHUNKS_AHEAD: usize = 8;

/// Where and how reading begins.
pub(super) struct Start {
    pub(super) stream: String,
    pub(super) subject: String,
    pub(super) bounded: bool,
    pub(super) saved: Option<Vec<u8>>,
    pub(super) on_malformed: OnMalformed,
}

/// A message with its number in the stream.
struct Received {
    sequence: u64,
    payload: Vec<u8>,
}

type Chunk = Result<VecDeque<Received>>;

impl Start {
    /// What is read, for errors.
    pub(super) fn place(&self) -> String {
        match self.subject.as_str() {
            WHOLE => format!("stream {}", self.stream),
            subject => format!("stream {}, subject {subject}", self.stream),
        }
    }

    /// The first message to read, and how many of its records were read before.
    fn position(&self) -> Result<(u64, usize)> {
        let Some(saved) = &self.saved else { return Ok((1, 0)) };
        postcard::from_bytes(saved).map_err(|cause| {
            let message = format!("the saved position in {} cannot be read", self.place());
            Error::new(ErrorKind::State, message).because(cause)
        })
    }

    /// Refuses to pass over messages that are gone.
    fn check(&self, next: u64, first: u64, last: u64) -> Result<()> {
        let refused = |why: String| {
            let message = format!(
                "{} cannot be read on at message {next}: {why}; start without the checkpoint",
                self.place()
            );
            Err(Error::new(ErrorKind::State, message))
        };
        if self.saved.is_none() {
            return Ok(());
        }
        if next > last + 1 {
            return refused(format!("its last is {last}, so it was made anew"));
        }
        if next < first && self.subject == WHOLE {
            return refused(format!("it has dropped those before {first}"));
        }
        Ok(())
    }
}

/// Opens a partition.
pub(super) fn open<D: Decode>(
    start: Start,
    decode: D,
    (runtime, context): (Handle, Context),
    wake: Wake,
) -> Result<Messages<D>> {
    let (next, skip) = start.position()?;
    let place = start.place();
    let (chunks, received) = mpsc::channel(CHUNKS_AHEAD);
    let begun = runtime.block_on(begin(&context, &start, next))?;
    let task = begun.map(|(messages, last)| {
        let place = place.clone();
        runtime.spawn(async move {
            if let Err(error) = pump(messages, last, &chunks, &wake, &place).await {
                // Nobody is told if the reader is gone.
                let _ = chunks.send(Err(error)).await;
            }
            drop(chunks);
            wake();
        })
    });
    Ok(Messages {
        place,
        decode,
        received,
        task,
        waiting: VecDeque::new(),
        ready: VecDeque::new(),
        current: None,
        next,
        given: 0,
        skip,
        bytes: 0,
        malformed: Malformed::new(start.on_malformed),
    })
}

/// The messages from `next` on and the last one to read, or nothing if there is none to read.
async fn begin(
    context: &Context,
    start: &Start,
    next: u64,
) -> Result<Option<(pull::Ordered, Option<u64>)>> {
    let failed = || Error::new(ErrorKind::Read, format!("cannot read {}", start.place()));
    let mut stream =
        context.get_stream(&start.stream).await.map_err(|cause| failed().because(cause))?;
    let state = stream.info().await.map_err(|cause| failed().because(cause))?.state.clone();
    start.check(next, state.first_sequence, state.last_sequence)?;
    if start.bounded && next > state.last_sequence {
        return Ok(None);
    }
    let settings = pull::OrderedConfig {
        filter_subject: start.subject.clone(),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: next },
        ..Default::default()
    };
    let consumer =
        stream.create_consumer(settings).await.map_err(|cause| failed().because(cause))?;
    if start.bounded && consumer.cached_info().num_pending == 0 {
        return Ok(None);
    }
    let messages = consumer.messages().await.map_err(|cause| failed().because(cause))?;
    Ok(Some((messages, start.bounded.then_some(state.last_sequence))))
}

/// Passes messages on until the last one, or until nobody wants them any more.
async fn pump(
    messages: pull::Ordered,
    last: Option<u64>,
    chunks: &Sender<Chunk>,
    wake: &Wake,
    place: &str,
) -> Result<()> {
    let failed = || Error::new(ErrorKind::Read, format!("cannot read on from {place}"));
    let mut arriving = messages.ready_chunks(CHUNK);
    while let Some(arrived) = arriving.next().await {
        let mut chunk = VecDeque::with_capacity(arrived.len());
        let mut ended = false;
        for message in arrived {
            let message = message.map_err(|cause| failed().because(cause))?;
            let info = message.info().map_err(|cause| failed().because(cause))?;
            let sequence = info.stream_sequence;
            let beyond = last.is_some_and(|last| sequence > last);
            ended |= last.is_some_and(|last| sequence >= last || info.pending == 0);
            if !beyond {
                chunk.push_back(Received { sequence, payload: message.payload.to_vec() });
            }
        }
        if chunks.send(Ok(chunk)).await.is_err() || ended {
            return Ok(());
        }
        wake();
    }
    Err(failed())
}

/// Decodes the messages of a partition.
pub(super) struct Messages<D: Decode> {
    place: String,
    decode: D,
    received: Receiver<Chunk>,
    task: Option<JoinHandle<()>>,
    waiting: VecDeque<Received>,
    /// Records of the current message.
    ready: VecDeque<D::Record>,
    /// The message whose records are being read.
    current: Option<u64>,
    /// The message after it.
    next: u64,
    /// Records of the current message that were read.
    given: usize,
    /// Records of the first message that were read before a restart.
    skip: usize,
    bytes: u64,
    malformed: Malformed,
}

impl<D: Decode> Messages<D> {
    /// Decodes the whole of a message.
    fn take(&mut self, message: &Received) -> Result<()> {
        let (mut records, mut begin) = (Vec::new(), 0);
        while let Some(run) = message.payload.get(begin..).filter(|run| !run.is_empty()) {
            let decoded = self.decode.decode(run, true, usize::MAX, &mut records);
            let (length, reason) = match decoded.why {
                Stopped::Done => (0, None),
                Stopped::Malformed { length, reason } => (length, Some(reason)),
                Stopped::Unfinished => (run.len(), Some("a record has no end".to_owned())),
                Stopped::Failed(error) => return Err(error),
            };
            begin += decoded.consumed;
            if let Some(reason) = reason {
                let end = (begin + length).min(message.payload.len());
                let raw = line_of(message.payload.get(begin..end).unwrap_or_default());
                let place = format!("{}, message {}", self.place, message.sequence);
                let place = Place { file: &place, byte: begin as u64, line: &|| None };
                self.malformed.found(&place, raw, &reason)?;
                begin = end;
            }
        }
        self.bytes += message.payload.len() as u64;
        self.given = std::mem::take(&mut self.skip).min(records.len());
        self.ready = records.split_off(self.given).into();
        self.current = Some(message.sequence);
        self.next = message.sequence + 1;
        Ok(())
    }
}

impl<D: Decode> Reader for Messages<D> {
    type Record = D::Record;

    fn poll(&mut self, most: usize, records: &mut Vec<D::Record>) -> Result<Polled> {
        let enough = records.len().saturating_add(most);
        loop {
            let count = self.ready.len().min(enough - records.len());
            records.extend(self.ready.drain(..count));
            self.given += count;
            if records.len() == enough {
                return Ok(Polled::Ready);
            }
            self.current = None;
            if let Some(message) = self.waiting.pop_front() {
                if let Err(error) = self.take(&message) {
                    self.waiting.push_front(message);
                    return Err(error);
                }
                continue;
            }
            match self.received.try_recv() {
                Ok(chunk) => self.waiting = chunk?,
                Err(TryRecvError::Empty) => return Ok(Polled::Pending),
                Err(TryRecvError::Disconnected) => return Ok(Polled::Ended),
            }
        }
    }

    fn position(&self) -> Vec<u8> {
        let position = self.current.map_or((self.next, 0), |current| (current, self.given));
        postcard::to_stdvec(&position).expect("two numbers can always be written")
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn malformed(&self) -> u64 {
        self.malformed.count()
    }
}

impl<D: Decode> Drop for Messages<D> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
