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
use crate::process::contents::{Bytes, Contents, Kept, Moments, Timers};
use crate::process::states::States;
use crate::state::backend::{Failure, Spill, Table, Write};
use crate::state::journal::Noted;
use crate::state::{decode, encode};
use crate::time::EventTime;

/// Keys that are put into the table at once, at most.
const TOGETHER: usize = 256;

/// Restored keys that are put into the table at once.
const RESTORED: usize = 4096;

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
    /// Keys that are rows only; too many, if keys were restored more than once, until all rows are
    /// looked at.
    count: usize,
    /// Rows of restored keys that are not written.
    restored: Vec<Write>,
    hand: usize,
    /// Rows that are to be removed.
    gone: BTreeSet<Vec<u8>>,
    of: PhantomData<K>,
}

impl<K: Key> Cold<K> {
    pub(super) fn new(Spill { table, in_memory }: Spill) -> Self {
        let (gone, restored) = (BTreeSet::new(), Vec::new());
        let (bytes, average, uses, count, hand) = (0, 0, 0, 0, 0);
        let of = PhantomData;
        Self { table, in_memory, bytes, average, uses, count, restored, hand, gone, of }
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
        self.settle();
        let key = encode(key);
        if self.gone.contains(&key) {
            return None;
        }
        working(self.table.get(&key))
    }

    /// Whether there is no room for another key in memory.
    pub(super) fn full(&self) -> bool {
        self.bytes > self.in_memory - self.in_memory / 16
    }

    /// Makes a restored key, which is not in memory, a row in place of any that is there.
    pub(super) fn put(&mut self, held: &Held<K>) {
        let key = encode(&held.key);
        if !self.gone.is_empty() {
            self.gone.remove(&key);
        }
        self.count += 1;
        self.restored.push((key, Some(cells(held))));
        if self.restored.len() >= RESTORED {
            self.settle();
        }
    }

    /// Weighs a restored key that stays in memory. It may have an older row.
    pub(super) fn weigh_restored(&mut self, held: &mut Held<K>) {
        held.row.there = self.count > 0;
        self.weigh(held, true);
    }

    /// Writes the restored keys.
    pub(super) fn settle(&mut self) {
        if !self.restored.is_empty() {
            let mut rows = std::mem::take(&mut self.restored);
            // The last row of a key holds.
            rows.reverse();
            rows.sort_by(|(a, _), (b, _)| a.cmp(b));
            rows.dedup_by(|(a, _), (b, _)| a == b);
            working(self.table.write(rows));
        }
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
        self.settle();
        let (gone, mut count) = (&self.gone, 0);
        working(self.table.each(&mut |key, bytes| {
            if !gone.contains(key) {
                let key = decode(key).expect("a key is read as it was written");
                if !is_hot(&key) {
                    count += 1;
                    give(&key, kept(row(bytes), states));
                }
            }
        }));
        self.count = count;
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
            if !self.full() || rows.len() >= TOGETHER || hot.len() <= 1 {
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
    fn write(&mut self, mut rows: Vec<Write>) {
        self.settle();
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
    let Contents { cells, .. } = &held.contents;
    let timers = held.contents.timers();
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
    let event = Moments::new(event, event_queued);
    let processing = Moments::new(processing, processing_queued);
    contents.put_timers(Timers { event, processing, cleanup: cleanup_queued });
    contents.cells.cleanup = cleanup;
    (contents, noted)
}

fn kept(Cells(states, event, processing, ..): Cells, of: &States) -> Kept {
    let states = states
        .into_iter()
        .filter_map(|(place, bytes)| Some((of.declared.get(place as usize)?.name.clone(), bytes)));
    Kept::new(states, event, processing)
}
