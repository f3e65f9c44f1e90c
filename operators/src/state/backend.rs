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

use crate::key::Groups;

mod run;

pub use run::Run;

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
    /// The groups of keys: the rows of one group stand together, and in the order of the groups.
    pub groups: Groups,
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

    /// Puts in the rows of `run` and removes those that it says, many at a time as a restart does, and
    /// leaves it empty. If that fails, this or a later call says so.
    ///
    /// Runs that follow one another in the order of the keys may be cheaper.
    ///
    /// # Errors
    ///
    /// If the table cannot be written.
    fn load(&mut self, run: &mut Run) -> Result<(), Failure> {
        let rows = run.in_order().map(|(key, row)| (key.to_vec(), row.map(<[u8]>::to_vec)));
        let rows = rows.collect();
        run.clear();
        self.write(rows)
    }

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
