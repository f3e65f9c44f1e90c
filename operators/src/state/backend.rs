//! Where keyed state goes that does not fit in memory.
//!
//! Process functions hold the state of their keys in memory. A job whose state may grow larger
//! gives them a [`Backend`] as well: they then keep the keys that were used last in memory, up to a
//! bound, and put the others as rows into a [`Table`]. The crate has none but [`InMemory`], which
//! means that everything stays there; one on disk lives above it.
//!
//! A table serves one run. What a job keeps for a restart goes to its
//! [`Keeper`](super::Keeper), whatever the backend.

use std::error::Error;

/// Why a table failed.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A row of a table to be written: its key, and what it is from now on, or nothing to remove it.
pub type Write = (Vec<u8>, Option<Vec<u8>>);

/// Gives operators tables for what does not fit in memory.
pub trait Backend {
    /// An empty table for `operator` on `worker`, or none if all of its state is to stay in memory.
    ///
    /// # Errors
    ///
    /// If no table can be made.
    fn open(&self, operator: &str, worker: usize) -> Result<Option<Spill>, Failure>;
}

/// A table, and when to use it.
pub struct Spill {
    /// Takes the rows.
    pub table: Box<dyn Table>,
    /// Bytes of state that stay in memory, as far as they can be told.
    pub in_memory: usize,
}

impl std::fmt::Debug for Spill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spill").field("in_memory", &self.in_memory).finish_non_exhaustive()
    }
}

/// Rows by key, read and written by one operator on one worker.
pub trait Table {
    /// The row under `key`.
    ///
    /// # Errors
    ///
    /// If the table cannot be read.
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure>;

    /// Puts rows in and removes others.
    ///
    /// # Errors
    ///
    /// If the table cannot be written.
    fn write(&mut self, rows: Vec<Write>) -> Result<(), Failure>;

    /// Shows every row, in no particular order.
    ///
    /// # Errors
    ///
    /// If the table cannot be read.
    fn each(&mut self, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Failure>;
}

/// Keeps all state in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct InMemory;

impl Backend for InMemory {
    fn open(&self, _operator: &str, _worker: usize) -> Result<Option<Spill>, Failure> {
        Ok(None)
    }
}
