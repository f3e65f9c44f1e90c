//! Keys that do not fit in memory, as rows of a table.
//!
//! A hand goes round the keys in memory, like that of a clock: a key that was used since it passed
//! last stays, another one goes. Keys go some at a time and are written together, those that are
//! as they were read not at all.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::{Held, Row};
use crate::keyed::Key;
use crate::process::contents::{Bytes, Contents, Kept};
use crate::process::states::States;
use crate::state::backend::{Failure, Spill, Table};
use crate::state::journal::Noted;
use crate::state::{decode, encode};
use crate::time::EventTime;

/// Keys that are put into the table at once, at most.
const TOGETHER: usize = 256;

/// Bytes that a key in memory costs besides its contents, about.
const OVERHEAD: usize = 96;

/// One in so many uses of keys measures the key that is used.
const MEASURED: usize = 16;

/// A key as a row: its states by place, its timers, where it waits, and when it was noted.
#[derive(Serialize, Deserialize)]
struct Cells(Vec<(u32, Bytes)>, Vec<EventTime>, Vec<EventTime>, [Option<EventTime>; 4], Noted);

/// The keys that are rows.
pub(super) struct Cold<K> {
    table: Box<dyn Table>,
    in_memory: usize,
    /// Bytes of the keys in memory.
    bytes: usize,
    /// The length that a row has on average, as far as rows were measured.
    average: usize,
    uses: usize,
    /// Keys that are rows only.
    count: usize,
    hand: usize,
    /// Rows that are to be removed.
    gone: BTreeSet<Vec<u8>>,
    of: PhantomData<K>,
}

impl<K: Key> Cold<K> {
    pub(super) fn new(Spill { table, in_memory }: Spill) -> Self {
        let gone = BTreeSet::new();
        let (bytes, average, uses, count, hand) = (0, 0, 0, 0, 0);
        Self { table, in_memory, bytes, average, uses, count, hand, gone, of: PhantomData }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Reads `key`, which is in memory from now on.
    pub(super) fn load(&mut self, key: &K, states: &States) -> Option<Held<K>> {
        let bytes = self.row(key)?;
        self.count -= 1;
        let (contents, noted) = contents(row(&bytes), states);
        let length = bytes.len() as u32;
        let row = Row { there: true, length, ..Row::default() };
        Some(Held { key: key.clone(), contents, noted, row })
    }

    /// What is to be saved of `key`.
    pub(super) fn kept(&mut self, key: &K, states: &States) -> Option<Kept> {
        self.row(key).map(|bytes| kept(row(&bytes), states))
    }

    fn row(&mut self, key: &K) -> Option<Vec<u8>> {
        if self.count == 0 {
            return None;
        }
        let key = encode(key);
        if self.gone.contains(&key) {
            return None;
        }
        working(self.table.get(&key))
    }

    /// Notes that a key has gone that was in memory.
    pub(super) fn forget(&mut self, held: &Held<K>) {
        self.bytes -= held.row.bytes as usize;
        if held.row.there {
            self.gone.insert(encode(&held.key));
            if self.gone.len() >= TOGETHER {
                self.write(Vec::new());
            }
        }
    }

    /// Gives what is to be saved of every key that is a row only.
    pub(super) fn each(
        &mut self,
        states: &States,
        is_hot: impl Fn(&K) -> bool,
        mut give: impl FnMut(&K, Kept),
    ) {
        let gone = &self.gone;
        working(self.table.each(&mut |key, bytes| {
            if !gone.contains(key) {
                let key = decode(key).expect("a key is read as it was written");
                if !is_hot(&key) {
                    give(&key, kept(row(bytes), states));
                }
            }
        }));
    }

    /// Weighs a key that was used: by what can be seen without following pointers, and by the length
    /// of its row, which tells what is behind them. Rows are measured now and then.
    pub(super) fn weigh(&mut self, held: &mut Held<K>, changed: bool) {
        if self.uses.is_multiple_of(MEASURED) {
            let length = cells(held).len();
            held.row.length = u32::try_from(length).unwrap_or(u32::MAX);
            self.average = if self.uses == 0 { length } else { (15 * self.average + length) / 16 };
        }
        self.uses = self.uses.wrapping_add(1);
        let Held { contents, row, .. } = held;
        let length = if row.length == 0 { self.average } else { row.length as usize };
        let bytes = contents.bytes() + length + size_of::<K>() + OVERHEAD;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes = self.bytes + bytes as usize - row.bytes as usize;
        row.bytes = bytes;
        row.used = true;
        row.stale |= changed;
    }

    /// Puts keys into the table if there are too many in memory.
    pub(super) fn relieve(&mut self, hot: &mut HashTable<Box<Held<K>>>) {
        if self.bytes <= self.in_memory {
            return;
        }
        let mut rows = Vec::new();
        // Each key is passed twice at most: once used, once not.
        for _ in 0..2 * hot.num_buckets() {
            let enough = self.bytes <= self.in_memory - self.in_memory / 16;
            if enough || rows.len() >= TOGETHER || hot.len() <= 1 {
                break;
            }
            self.hand = (self.hand + 1) % hot.num_buckets();
            let Ok(mut entry) = hot.get_bucket_entry(self.hand) else { continue };
            if std::mem::take(&mut entry.get_mut().row.used) {
                continue;
            }
            let held = entry.remove().0;
            self.bytes -= held.row.bytes as usize;
            self.count += 1;
            if held.row.stale || !held.row.there {
                let key = encode(&held.key);
                self.gone.remove(&key);
                rows.push((key, Some(cells(&held))));
            }
        }
        self.write(rows);
    }

    /// Writes rows, and removes those that are gone.
    fn write(&mut self, mut rows: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
        rows.extend(std::mem::take(&mut self.gone).into_iter().map(|key| (key, None)));
        if !rows.is_empty() {
            working(self.table.write(rows));
        }
    }
}

/// What a table gave. State that cannot be reached ends the job: the worker reports the panic as an
/// error, with the name of the operator.
fn working<T>(given: Result<T, Failure>) -> T {
    given.unwrap_or_else(|error| panic!("the table of its state fails: {error}"))
}

fn row(bytes: &[u8]) -> Cells {
    decode(bytes).expect("a row is read as it was written")
}

fn cells<K>(held: &Held<K>) -> Vec<u8> {
    let Contents { cells, timers } = &held.contents;
    let states = cells.iter().map(|(place, cell)| (place as u32, Bytes(cell.encode())));
    let waits = [timers.event.queued, timers.processing.queued, timers.cleanup, cells.cleanup];
    let (event, processing) = (timers.event.all(), timers.processing.all());
    encode(&Cells(states.collect(), event.to_vec(), processing.to_vec(), waits, held.noted))
}

fn contents(
    Cells(states, event, processing, waits, noted): Cells,
    of: &States,
) -> (Contents, Noted) {
    let mut contents = Contents::default();
    for (place, Bytes(bytes)) in states {
        let place = place as usize;
        let cell = of.declared.get(place).map(|it| (it.decode)(&bytes));
        let cell = cell.expect("a table serves one run").expect("a cell is read as it was written");
        contents.cells.put(place, cell);
    }
    let [event_queued, processing_queued, cleanup_queued, cleanup] = waits;
    contents.timers.event.put(event, event_queued);
    contents.timers.processing.put(processing, processing_queued);
    (contents.timers.cleanup, contents.cells.cleanup) = (cleanup_queued, cleanup);
    (contents, noted)
}

fn kept(Cells(states, event, processing, ..): Cells, of: &States) -> Kept {
    let states = states
        .into_iter()
        .filter_map(|(place, bytes)| Some((of.declared.get(place as usize)?.name.clone(), bytes)));
    Kept::new(states, event, processing)
}
