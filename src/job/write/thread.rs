//! The thread of a writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};

use timely::scheduling::SyncActivator;

use super::transactions::Continued;
use crate::connect::Writer;
use crate::error::{Error, ErrorKind, Result};
use crate::job::host::{Host, said};
use crate::job::stopped;
use crate::time::Epoch;

/// Batches that wait for a writer before the operator keeps them itself.
const WAITING: usize = 64;

/// What goes to a writer's thread.
pub(super) enum Message<D> {
    Rows(Vec<D>),
    /// Nothing more comes for now: what was written may be shown.
    Flush,
    /// What was written is a transaction, of the checkpoints from the first epoch to before the
    /// other.
    Prepare(Epoch, Epoch),
    /// These transactions are to be seen: they are part of a checkpoint.
    Commit(Epoch, Vec<Vec<u8>>),
    /// Nothing more comes at all.
    Close,
}

/// What a writer's thread says to that.
pub(super) enum Answer {
    Prepared(Epoch, Epoch, Vec<u8>),
    Committed(Epoch),
}

/// The operator's end of the way to a writer's thread.
pub(super) struct Way<D> {
    pub(super) to: SyncSender<Message<D>>,
    pub(super) answers: Receiver<Answer>,
    /// How many batches have been written; all there will ever be once the thread has failed.
    pub(super) written: Arc<AtomicU64>,
}

/// Starts the thread of a writer. One that continues an earlier run first commits what that had
/// prepared.
pub(super) fn start<D: Send + 'static>(
    host: &Rc<Host>,
    name: String,
    mut writer: Box<dyn Writer<Record = D>>,
    continued: Option<Continued>,
    waker: SyncActivator,
) -> Result<Way<D>> {
    let (to, from) = sync_channel(WAITING);
    let (answer, answers) = channel();
    let written = Arc::new(AtomicU64::new(0));
    let (fate, counted) = (Arc::clone(&host.fate), Arc::clone(&written));
    let transactional = host.keeping.is_some();
    let thread = std::thread::Builder::new().name(format!("sink {name}"));
    let of = name.clone();
    let thread = thread.spawn(move || {
        let mut desk = Desk {
            writer: &mut *writer,
            from: &from,
            answer: &answer,
            written: &counted,
            waker: &waker,
            shows: !transactional,
            unshown: false,
        };
        // A panic must end the job as an error does, not leave it without a writer.
        let work = AssertUnwindSafe(|| desk.work(continued));
        let done = catch_unwind(work).unwrap_or_else(|panic| {
            Err(stopped(format!("sink {name} panicked")).because(said(&*panic)))
        });
        let Err(error) = done else { return Ok(()) };
        if transactional {
            // No checkpoint can be taken any more, so there is nothing to wait for.
            fate.fail(error);
            let _ = waker.activate();
            return Ok(());
        }
        // The worker must not wait for batches that will never be written, nor find the channel full
        // when it looks for the last time.
        drop(from);
        fate.stop();
        counted.store(u64::MAX, Ordering::Release);
        let _ = waker.activate();
        Err(error)
    });
    let thread = thread.map_err(|error| {
        let message = format!("cannot start a thread for the sink {of}");
        Error::new(ErrorKind::Write, message).because(error)
    })?;
    host.add_writer(thread);
    Ok(Way { to, answers, written })
}

struct Desk<'a, D> {
    writer: &'a mut dyn Writer<Record = D>,
    from: &'a Receiver<Message<D>>,
    answer: &'a Sender<Answer>,
    written: &'a AtomicU64,
    waker: &'a SyncActivator,
    /// Whether flushing shows nothing that might be taken back.
    shows: bool,
    unshown: bool,
}

impl<D> Desk<'_, D> {
    /// Writes what comes until the input is closed. If it just breaks off, nothing is closed: the
    /// job failed, and what was not finished stays unseen.
    fn work(&mut self, continued: Option<Continued>) -> Result<()> {
        if let Some(Continued { all, mine }) = continued {
            self.writer.resume(&all)?;
            if mine.is_empty() {
                self.writer.commit(&[])?;
            }
            let mut mine = mine.iter().filter_map(|at| all.get(*at));
            mine.try_for_each(|it| self.writer.commit(it))?;
            self.shows = true;
        }
        while let Some(message) = self.next()? {
            match message {
                Message::Rows(mut records) => {
                    self.writer.write(&mut records)?;
                    self.written.fetch_add(1, Ordering::AcqRel);
                }
                Message::Flush => self.unshown = self.shows,
                Message::Prepare(first, end) => {
                    let prepared = self.writer.prepare()?;
                    self.shows = true;
                    self.say(Answer::Prepared(first, end, prepared));
                }
                Message::Commit(epoch, prepared) => {
                    prepared.iter().try_for_each(|it| self.writer.commit(it))?;
                    self.say(Answer::Committed(epoch));
                }
                Message::Close => return self.writer.close(),
            }
            // Whatever it was, there is room for the next. It fails only when the worker has ended,
            // and then nobody waits.
            let _ = self.waker.activate();
        }
        Ok(())
    }

    /// The next message. Before it is waited for, what was written is shown.
    fn next(&mut self) -> Result<Option<Message<D>>> {
        match self.from.try_recv() {
            Ok(message) => Ok(Some(message)),
            Err(TryRecvError::Disconnected) => Ok(None),
            Err(TryRecvError::Empty) => {
                if std::mem::take(&mut self.unshown) {
                    self.writer.flush()?;
                }
                Ok(self.from.recv().ok())
            }
        }
    }

    fn say(&self, answer: Answer) {
        // It fails only when the worker has ended, and then nobody waits.
        let _ = self.answer.send(answer);
    }
}
