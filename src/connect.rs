//! Connectors: where records come from and where they go.
//!
//! A [`Source`] is cut into [partitions](Source::partitions) that are read side by side; each is
//! read in its own order by a [`Reader`], which can say its [position](Reader::position) and be
//! opened again there. A [`Sink`] has a [`Writer`] on each worker, with the hooks that a two-phase
//! commit needs.

mod decode;
mod files;
mod generate;
mod iterate;
mod malformed;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "postgres")]
mod postgres;
mod read_all;
mod tcp;
mod tick;

use std::sync::Arc;

pub use self::decode::csv::{CsvInput, CsvRows, csv};
pub use self::decode::jsonl::{JsonlInput, jsonl};
pub use self::decode::text::{TextInput, text};
pub use self::decode::{Decode, Decoded, InputFormat, Stopped};
pub use self::files::{Files, Paths};
pub use self::generate::{Generate, Random, generate};
pub use self::iterate::{Iterate, iterate};
pub use self::malformed::OnMalformed;
#[cfg(feature = "nats")]
pub use self::nats::{NatsSink, NatsSource, from_nats, to_nats};
#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresSink, to_postgres};
pub use self::read_all::read_all;
pub use self::tcp::{TcpLines, tcp_lines};

use crate::error::Result;

mod roll;
mod sink_collect;
mod sink_files;
mod sink_stdout;
mod write_csv;
mod write_file;
mod write_format;
mod write_guard;
mod write_names;
mod write_parts;
mod write_row;
mod write_row_serde;
mod write_single;

pub use roll::Roll;
pub use sink_collect::{Collected, collect};
pub use sink_files::{FileSink, to_csv, to_files, to_jsonl, to_text};
pub use sink_stdout::{StdoutSink, to_stdout, to_stdout_jsonl};
pub use write_csv::CsvOutput;
pub use write_format::{JsonlOutput, OutputFormat, TextOutput};

/// A place that records come from.
///
/// # Example
///
/// A source that counts, in as many partitions as there are workers. A partition is read in its own
/// order, says how far it is, and can be opened again there.
///
/// ```
/// use std::sync::Arc;
/// use tidemill::connect::{Polled, Reader, Source, Wake};
/// use tidemill::{Error, ErrorKind, Result};
///
/// /// The numbers below a limit.
/// struct Count {
///     limit: u64,
/// }
///
/// impl Source for Count {
///     type Record = u64;
///
///     fn partitions(&self, lanes: usize) -> Result<Vec<String>> {
///         // All that `open` needs is in the name, as another process may open the partition.
///         Ok((0..lanes).map(|lane| format!("{lane}/{lanes}")).collect())
///     }
///
///     fn open(
///         &self,
///         partition: &str,
///         position: Option<&[u8]>,
///         _wake: Wake,
///     ) -> Result<Box<dyn Reader<Record = u64>>> {
///         let refused =
///             || Error::new(ErrorKind::State, format!("cannot read partition {partition}"));
///         let (lane, lanes) = partition.split_once('/').ok_or_else(refused)?;
///         let step = lanes.parse().map_err(|cause| refused().because(cause))?;
///         let next = match position {
///             None => lane.parse().map_err(|cause| refused().because(cause))?,
///             Some(saved) => {
///                 u64::from_le_bytes(saved.try_into().map_err(|cause| refused().because(cause))?)
///             }
///         };
///         Ok(Box::new(Counter { next, step, limit: self.limit, read: 0 }))
///     }
///
///     fn bounded(&self) -> bool {
///         true
///     }
///
///     fn name(&self) -> String {
///         "count".to_owned()
///     }
/// }
///
/// struct Counter {
///     next: u64,
///     step: u64,
///     limit: u64,
///     read: u64,
/// }
///
/// impl Reader for Counter {
///     type Record = u64;
///
///     fn poll(&mut self, most: usize, records: &mut Vec<u64>) -> Result<Polled> {
///         for _ in 0..most {
///             if self.next >= self.limit {
///                 return Ok(Polled::Ended);
///             }
///             records.push(self.next);
///             self.next += self.step;
///             self.read += 8;
///         }
///         Ok(Polled::Ready)
///     }
///
///     fn position(&self) -> Vec<u8> {
///         self.next.to_le_bytes().to_vec()
///     }
///
///     fn bytes(&self) -> u64 {
///         self.read
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let source = Count { limit: 10 };
/// let partitions = source.partitions(2)?;
/// let mut records = Vec::new();
/// let mut reader = source.open(&partitions[1], None, Arc::new(|| ()))?;
/// assert_eq!(reader.poll(2, &mut records)?, Polled::Ready);
/// assert_eq!(records, [1, 3]);
///
/// // After a crash, reading goes on at the position that was saved.
/// let mut reader = source.open(&partitions[1], Some(&reader.position()), Arc::new(|| ()))?;
/// assert_eq!(reader.poll(100, &mut records)?, Polled::Ended);
/// assert_eq!(records, [1, 3, 5, 7, 9]);
/// # Ok(())
/// # }
/// ```
pub trait Source: 'static {
    /// What is read.
    type Record: 'static;

    /// The names of the partitions, the same on every worker. `lanes` says how many workers there
    /// are to read them: a source that can be cut at will is cut into as many as make sense, which
    /// may be fewer.
    ///
    /// The names are stable and say all that is needed to open a partition. A job that is restored
    /// opens those it has positions for at these positions, by name, however many workers it has
    /// now. To learn of partitions that are new since, it asks with the same `lanes` as before:
    /// another number may cut the same records in another way, under other names.
    fn partitions(&self, lanes: usize) -> Result<Vec<String>>;

    /// Opens a partition at its beginning, or at a [position](Reader::position) reached before.
    /// Called on the worker that is to read it. `wake` is called by a reader that has threads of
    /// its own whenever there is something new to read.
    fn open(
        &self,
        partition: &str,
        position: Option<&[u8]>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<Record = Self::Record>>>;

    /// Whether the source ends by itself.
    fn bounded(&self) -> bool;

    /// What to call the source in the job's graph, in errors and in metrics.
    fn name(&self) -> String;
}

/// Tells the worker that a reader has something new. Callable from any thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The reading end of one partition.
pub trait Reader {
    /// What is read.
    type Record;

    /// Appends at most `most` records to `records`, without blocking longer than a disk read.
    ///
    /// Fewer than `most` may be appended, or none, though there are more.
    ///
    /// # Errors
    ///
    /// What was appended before the error counts as read. What could not be read does not: polled
    /// again, the reader errs again.
    fn poll(&mut self, most: usize, records: &mut Vec<Self::Record>) -> Result<Polled>;

    /// Where reading would have to begin for the records after those polled so far.
    fn position(&self) -> Vec<u8>;

    /// Bytes read from outside so far, or the best estimate: for bounding what is in flight and
    /// for showing progress.
    fn bytes(&self) -> u64;

    /// Records that could not be understood and were skipped so far, or put in a dead-letter file.
    fn malformed(&self) -> u64 {
        0
    }
}

/// What a [poll](Reader::poll) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// There may be more at once.
    Ready,
    /// There is nothing now, and may be later.
    Pending,
    /// There will never be more.
    Ended,
}

/// A place that records go to.
///
/// # Example
///
/// A complete sink: a board in memory on which each checkpoint puts one list of words. The list is
/// part of the transaction's description, so a commit after a crash has all it needs.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::mem;
/// use std::sync::{Arc, Mutex};
///
/// use tidemill::connect::{Sink, Writer};
/// use tidemill::{Error, ErrorKind, Result};
///
/// /// A transaction is known by its worker and its number there: a second commit changes nothing.
/// type Lists = Arc<Mutex<BTreeMap<(usize, u64), Vec<String>>>>;
///
/// #[derive(Clone, Default)]
/// struct Board(Lists);
///
/// impl Sink for Board {
///     type Record = String;
///
///     fn open(&self, worker: usize, _peers: usize) -> Result<Box<dyn Writer<Record = String>>> {
///         let lists = self.0.clone();
///         Ok(Box::new(Pen { lists, worker, number: 0, written: Vec::new() }))
///     }
///
///     fn name(&self) -> String {
///         "board".to_owned()
///     }
/// }
///
/// struct Pen {
///     lists: Lists,
///     worker: usize,
///     number: u64,
///     written: Vec<String>,
/// }
///
/// type Transaction = ((usize, u64), Vec<String>);
///
/// fn unreadable(cause: postcard::Error) -> Error {
///     Error::new(ErrorKind::State, "a prepared list cannot be read").because(cause)
/// }
///
/// impl Writer for Pen {
///     type Record = String;
///
///     fn write(&mut self, words: &mut Vec<String>) -> Result<()> {
///         self.written.append(words);
///         Ok(())
///     }
///
///     fn flush(&mut self) -> Result<()> {
///         Ok(()) // A board shows whole lists only.
///     }
///
///     fn prepare(&mut self) -> Result<Vec<u8>> {
///         let list: Transaction = ((self.worker, self.number), mem::take(&mut self.written));
///         self.number += 1;
///         postcard::to_stdvec(&list).map_err(unreadable)
///     }
///
///     fn commit(&mut self, prepared: &[u8]) -> Result<()> {
///         if prepared.is_empty() {
///             return Ok(());
///         }
///         let ((worker, number), words): Transaction =
///             postcard::from_bytes(prepared).map_err(unreadable)?;
///         // After a restart, new transactions are numbered after those committed before.
///         self.number = self.number.max(number + 1);
///         self.lists.lock().expect("nobody panics").insert((worker, number), words);
///         Ok(())
///     }
///
///     fn abort(&mut self, _prepared: &[u8]) -> Result<()> {
///         Ok(()) // What was prepared is nowhere but in its description.
///     }
///
///     fn close(&mut self) -> Result<()> {
///         let rest = self.prepare()?;
///         self.commit(&rest)
///     }
/// }
///
/// let board = Board::default();
/// let mut writer = board.open(0, 1)?;
/// writer.write(&mut vec!["hello".to_owned()])?;
/// let prepared = writer.prepare()?;
/// drop(writer); // The job crashes, is restored, and commits what it had prepared.
/// let mut writer = board.open(0, 1)?;
/// writer.commit(&prepared)?;
/// writer.write(&mut vec!["again".to_owned()])?;
/// writer.close()?;
/// let lists: Vec<_> = board.0.lock().expect("nobody panics").values().cloned().collect();
/// assert_eq!(lists, [["hello"], ["again"]]);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub trait Sink: Send + Sync + 'static {
    /// What is written.
    type Record: Send + 'static;

    /// Opens the writer of one worker out of `peers`.
    fn open(&self, worker: usize, peers: usize) -> Result<Box<dyn Writer<Record = Self::Record>>>;

    /// Opens the writer of one worker out of `peers` of a run that continues an earlier one: it will
    /// be told with [`commit`](Writer::commit) what that had prepared, before anything is written.
    fn reopen(
        &self,
        worker: usize,
        peers: usize,
    ) -> Result<Box<dyn Writer<Record = Self::Record>>> {
        self.open(worker, peers)
    }

    /// What to call the sink in the job's graph, in errors and in metrics.
    fn name(&self) -> String;
}

/// The writing end of one worker. It runs on a thread of its own and may block.
///
/// Without checkpoints only [`write`](Self::write), [`flush`](Self::flush) and
/// [`close`](Self::close) are called: flush at the end of each epoch, so that it has to be cheap.
///
/// With checkpoints, each [`prepare`](Self::prepare) is answered later by one or more
/// [`commit`](Self::commit)s or [`abort`](Self::abort)s with what it returned; more may be written
/// and prepared meanwhile. Flush is not called before the first prepare, because a writer cannot
/// know by then that what it shows might be taken back; after it, flush shows nothing uncommitted.
///
/// A job that continues from a checkpoint opens its writers anew and tells each, with
/// [`resume`](Self::resume), what is in the checkpoint. Before it writes, it calls commit with everything
/// the checkpoint holds, perhaps for the second time and perhaps prepared by another worker. A writer for
/// which there is nothing is given a commit of no bytes, so that every writer knows that it continues.
pub trait Writer: Send {
    /// What is written.
    type Record;

    /// Writes records, leaving the buffer empty.
    fn write(&mut self, records: &mut Vec<Self::Record>) -> Result<()>;

    /// Makes what was written visible to readers, as far as the sink's promise allows.
    fn flush(&mut self) -> Result<()>;

    /// Makes everything written since the last call durable but not yet visible, and returns what
    /// [`commit`](Self::commit) or [`abort`](Self::abort) need to find it again, after a crash too.
    fn prepare(&mut self) -> Result<Vec<u8>>;

    /// Takes note, before anything else, of what a run that continues finds in its checkpoint: all that
    /// the writers of all workers had prepared, whoever is to commit it. What the output holds beyond
    /// that is of a run that was given up. Unless implemented it does nothing.
    fn resume(&mut self, _prepared: &[Vec<u8>]) -> Result<()> {
        Ok(())
    }

    /// Makes prepared records visible. Committing twice is committing once.
    fn commit(&mut self, prepared: &[u8]) -> Result<()>;

    /// Removes prepared records that were never committed. Aborting twice is aborting once.
    fn abort(&mut self, prepared: &[u8]) -> Result<()>;

    /// Ends the output: everything written becomes visible.
    fn close(&mut self) -> Result<()>;
}
