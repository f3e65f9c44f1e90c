//! Records kept in memory, for tests.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Sink, Writer};
use crate::error::{Error, ErrorKind, Result};

/// Keeps the records of a run in memory.
///
/// # Example
///
/// ```
/// use tidemill::connect::{Sink, collect};
///
/// let collected = collect();
/// // A job does this with a clone, on each of its workers:
/// let mut writer = collected.clone().open(0, 1)?;
/// writer.write(&mut vec![3, 1, 2])?;
/// writer.close()?;
///
/// assert_eq!(collected.sorted(), [1, 2, 3]);
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn collect<T: Send + 'static>() -> Collected<T> {
    Collected { shelf: Arc::default() }
}

/// A sink and the handle to what it was given: all clones share the same records.
///
/// Records are visible when they are flushed, committed or the job has ended, as in other sinks.
/// Prepared transactions outlive the writer as long as a handle is there, so a test can let a job
/// fail and restore it.
///
/// # Cost
///
/// Every record stays in memory until it is [taken](Self::take).
pub struct Collected<T> {
    shelf: Arc<Mutex<Shelf<T>>>,
}

struct Shelf<T> {
    visible: Vec<T>,
    /// Transactions by their number.
    prepared: BTreeMap<u64, Vec<T>>,
    next: u64,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { visible: Vec::new(), prepared: BTreeMap::new(), next: 0 }
    }
}

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Self {
        Self { shelf: Arc::clone(&self.shelf) }
    }
}

impl<T> Collected<T> {
    /// Takes the visible records out, in the order in which they became visible.
    pub fn take(&self) -> Vec<T> {
        mem::take(&mut self.lock().visible)
    }

    /// The visible records, in the order in which they became visible.
    pub fn records(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.lock().visible.clone()
    }

    /// The visible records in their own order, which does not depend on the workers.
    pub fn sorted(&self) -> Vec<T>
    where
        T: Clone + Ord,
    {
        let mut records = self.records();
        records.sort();
        records
    }

    /// Every step leaves the shelf whole, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + 'static> Sink for Collected<T> {
    type Record = T;

    fn open(&self, _: usize, _: usize) -> Result<Box<dyn Writer<Record = T>>> {
        let written = Vec::new();
        Ok(Box::new(Collector { collected: self.clone(), written, transactional: false }))
    }

    fn name(&self) -> String {
        "collect".to_owned()
    }
}

struct Collector<T> {
    collected: Collected<T>,
    written: Vec<T>,
    transactional: bool,
}

impl<T: Send> Writer for Collector<T> {
    type Record = T;

    fn write(&mut self, records: &mut Vec<T>) -> Result<()> {
        self.written.append(records);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.transactional { Ok(()) } else { self.close() }
    }

    fn prepare(&mut self) -> Result<Vec<u8>> {
        self.transactional = true;
        let mut shelf = self.collected.lock();
        let number = shelf.next;
        shelf.next += 1;
        shelf.prepared.insert(number, mem::take(&mut self.written));
        Ok(number.to_le_bytes().to_vec())
    }

    fn commit(&mut self, prepared: &[u8]) -> Result<()> {
        self.transactional = true;
        let mut shelf = self.collected.lock();
        if let Some(mut records) = number(prepared)?.and_then(|it| shelf.prepared.remove(&it)) {
            shelf.visible.append(&mut records);
        }
        Ok(())
    }

    fn abort(&mut self, prepared: &[u8]) -> Result<()> {
        self.transactional = true;
        if let Some(number) = number(prepared)? {
            self.collected.lock().prepared.remove(&number);
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.collected.lock().visible.append(&mut self.written);
        Ok(())
    }
}

/// The number of a transaction. No bytes at all are no transaction.
fn number(prepared: &[u8]) -> Result<Option<u64>> {
    if prepared.is_empty() {
        return Ok(None);
    }
    let bytes = prepared.try_into().map_err(|cause| {
        let message = "a prepared transaction of `collect` cannot be understood";
        Error::new(ErrorKind::State, message).because(cause)
    })?;
    Ok(Some(u64::from_le_bytes(bytes)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crashed_writer_prepared_can_be_committed_once() {
        let collected = collect();
        let mut writer = collected.open(0, 1).unwrap();
        writer.write(&mut vec![1, 2]).unwrap();
        let prepared = writer.prepare().unwrap();
        writer.write(&mut vec![3]).unwrap();
        writer.flush().unwrap();
        drop(writer);
        assert!(collected.records().is_empty());

        let mut writer = collected.open(0, 1).unwrap();
        writer.commit(&prepared).unwrap();
        writer.commit(&prepared).unwrap();
        writer.abort(&prepared).unwrap();
        writer.write(&mut vec![4]).unwrap();
        writer.close().unwrap();
        assert_eq!(collected.take(), [1, 2, 4]);
        assert!(collected.take().is_empty());
    }

    #[test]
    fn what_is_aborted_never_shows() {
        let collected = collect();
        let mut writer = collected.open(0, 1).unwrap();
        writer.write(&mut vec![1]).unwrap();
        let prepared = writer.prepare().unwrap();
        writer.abort(&prepared).unwrap();
        writer.commit(&prepared).unwrap();
        writer.close().unwrap();
        assert!(collected.records().is_empty());
    }
}
