//! Fills a table with runs of rows, as restoring a job does.
//!
//! The rows go straight into files in the order of their keys: neither through the store's log nor
//! through its sorted table in memory, and nothing is merged afterwards as long as runs follow one
//! another. A thread of its own sorts and writes them, while the worker makes the next run.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use fjall::Keyspace;

use crate::state::backend::{Failure, Run};

/// Runs that wait while one is written: enough for the worker to go on while a file is synced to the
/// disk, which the store does every 64 MB.
const WAITING: usize = 32;

/// The thread that fills one table.
pub(super) struct Loader {
    runs: SyncSender<Run>,
    /// Runs that were written, emptied to be filled again.
    emptied: Receiver<Run>,
    thread: JoinHandle<fjall::Result<()>>,
}

impl Loader {
    /// Begins to fill `rows`, to which nobody else writes until the [end](Self::end).
    pub(super) fn begin(rows: &Keyspace) -> Result<Self, Failure> {
        let (runs, given) = sync_channel(WAITING);
        let (back, emptied) = channel();
        let rows = rows.clone();
        let thread = std::thread::Builder::new().name("restore".to_owned());
        let thread = thread.spawn(move || load(&rows, &given, &back))?;
        Ok(Self { runs, emptied, thread })
    }

    /// Takes the rows of `run`, which is empty then. Says whether the thread goes on; if not,
    /// [`end`](Self::end) says why.
    pub(super) fn take(&mut self, run: &mut Run) -> bool {
        let next = self.emptied.try_recv().unwrap_or_default();
        self.runs.send(std::mem::replace(run, next)).is_ok()
    }

    /// Waits until all runs are among the rows.
    ///
    /// # Errors
    ///
    /// If the rows could not be written.
    pub(super) fn end(self) -> Result<(), Failure> {
        let Self { runs, thread, .. } = self;
        drop(runs);
        match thread.join() {
            Ok(done) => Ok(done?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn load(rows: &Keyspace, runs: &Receiver<Run>, back: &Sender<Run>) -> fjall::Result<()> {
    let mut given = runs.recv().ok();
    while given.is_some() {
        // Each of these is a sorted table, or several that follow one another.
        let mut table = rows.start_ingestion()?;
        let mut last: Option<Vec<u8>> = None;
        while let Some(mut run) = given.take() {
            let mut ordered = run.in_order().peekable();
            let first = ordered.peek().map(|(key, _)| *key);
            if last.as_deref().is_some_and(|last| first <= Some(last)) {
                drop(ordered);
                given = Some(run);
                break;
            }
            for (key, row) in ordered {
                match row {
                    Some(row) => table.write(key, row)?,
                    None => table.write_tombstone(key)?,
                }
                let last = last.get_or_insert_default();
                last.clear();
                last.extend_from_slice(key);
            }
            run.clear();
            // The worker may have all it needs.
            let _ = back.send(run);
            given = runs.recv().ok();
        }
        table.finish()?;
    }
    Ok(())
}
