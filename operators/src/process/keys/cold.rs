//! Keys that do not fit in memory, as rows of a table.
//!
//! A hand goes round the keys in memory, like that of a clock: a key that was used since it passed
//! last stays, another one goes. Keys go some at a time and are written together, those that are
//! as they were read not at all.
//!
//! State that is restored comes group by group, and rows are in the order of the groups: so runs of
//! whole groups follow one another, and a table can take them without a look at what it has.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use super::hot::Hot;
use super::{Held, Row, row};
use crate::key::{Group, Groups, hash};
use crate::keyed::Key;
use crate::process::contents::Kept;
use crate::process::states::States;
use crate::state::backend::{Failure, Run, Spill, Table, Write};

/// Keys that are put into the table at once, at most.
const TOGETHER: usize = 256;

/// Bytes of restored rows after which they are put into the table when the next group begins, at
/// most.
const RESTORED: usize = 1 << 20;

/// Bytes that a key in memory costs besides its contents, about.
const OVERHEAD: usize = 96;

/// One in so many uses of keys measures the key that is used.
const MEASURED: usize = 16;

/// The keys that are rows.
pub(super) struct Cold<K> {
    table: Box<dyn Table>,
    in_memory: usize,
    /// Bytes of the keys in memory.
    bytes: usize,
    /// The length that a row has on average, as far as rows were measured.
    average: usize,
    uses: usize,
    /// Keys that are rows only; too many, if keys were restored more than once or gone again, until
    /// all rows are looked at.
    count: usize,
    groups: Groups,
    /// Rows of restored keys that are not written.
    restored: Run,
    /// The group of the last of them.
    group: Group,
    /// The end of the groups of which restored keys are in memory.
    warm: u32,
    /// Rows that are to be removed.
    gone: BTreeSet<Vec<u8>>,
    of: PhantomData<K>,
}

impl<K: Key> Cold<K> {
    pub(super) fn new(Spill { table, in_memory, groups }: Spill) -> Self {
        let (gone, restored, group) = (BTreeSet::new(), Run::default(), 0);
        let (bytes, average, uses, count, warm) = (0, 0, 0, 0, 0);
        let of = PhantomData;
        Self {
            table,
            in_memory,
            bytes,
            average,
            uses,
            count,
            groups,
            restored,
            group,
            warm,
            gone,
            of,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Reads `key`, which is in memory from now on.
    pub(super) fn load(&mut self, key: &K, states: &States) -> Option<Held<K>> {
        let bytes = self.row(key)?;
        self.count -= 1;
        let (contents, noted) = row::contents(&bytes, states);
        let length = bytes.len() as u32;
        let row = Row { there: true, length, ..Row::default() };
        Some(Held { key: key.clone(), contents, noted, row })
    }

    /// What is to be saved of `key`.
    pub(super) fn kept(&mut self, key: &K, states: &States) -> Option<Kept> {
        self.row(key).map(|bytes| row::kept(&bytes, states))
    }

    fn row(&mut self, key: &K) -> Option<Vec<u8>> {
        if self.count == 0 {
            return None;
        }
        self.settle();
        let key = row::key_of(key);
        if self.gone.contains(&key) {
            return None;
        }
        working(self.table.get(&key))
    }

    /// Whether there is no room for another key in memory.
    pub(super) fn full(&self) -> bool {
        self.bytes > self.in_memory - self.in_memory / 16
    }

    /// Whether restored keys of the group of this hash may be in memory. Most are not while more state
    /// is restored than fits, and a look-up among those that are costs as much as reading a row.
    pub(super) fn warm(&self, hash: u64) -> bool {
        u32::from(self.groups.group(hash)) < self.warm
    }

    /// Makes a restored key, which is not in memory, a row in place of any that is there.
    pub(super) fn put(&mut self, held: &Held<K>, hash: u64) {
        self.make_room(hash);
        if !self.gone.is_empty() {
            self.gone.remove(&row::key_of(&held.key));
        }
        self.count += 1;
        let key = |bytes: &mut Vec<u8>| row::append_key(bytes, hash, &held.key);
        self.restored.put(key, |bytes| row::append(bytes, held));
    }

    /// Takes out a restored key, which was in memory as `held` or is a row at most. That it is gone
    /// does not show in [`count`](Self::count) until all rows are looked at.
    pub(super) fn discard(&mut self, key: &K, held: Option<&Held<K>>) {
        self.bytes -= held.map_or(0, |it| it.row.bytes as usize);
        if self.count > 0 && held.is_none_or(|it| it.row.there) {
            let hash = hash(key);
            self.make_room(hash);
            self.restored.remove(|bytes| row::append_key(bytes, hash, key));
        }
    }

    /// Writes restored rows if there are many and no more of their groups are to come.
    fn make_room(&mut self, hash: u64) {
        let (group, most) = (self.groups.group(hash), RESTORED.min(self.in_memory / 32));
        if std::mem::replace(&mut self.group, group) != group && self.restored.bytes() >= most {
            self.settle();
        }
    }

    /// Weighs a restored key that stays in memory. It may have an older row.
    pub(super) fn weigh_restored(&mut self, held: &mut Held<K>, hash: u64) {
        self.warm = self.warm.max(u32::from(self.groups.group(hash)) + 1);
        held.row.there = self.count > 0;
        self.weigh(held, true);
    }

    /// Writes the restored keys.
    pub(super) fn settle(&mut self) {
        if !self.restored.is_empty() {
            working(self.table.load(&mut self.restored));
        }
    }

    /// Notes that a key has gone that was in memory.
    pub(super) fn forget(&mut self, held: &Held<K>) {
        self.bytes -= held.row.bytes as usize;
        if held.row.there {
            self.gone.insert(row::key_of(&held.key));
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
                let key = row::key(key);
                if !is_hot(&key) {
                    count += 1;
                    give(&key, row::kept(bytes, states));
                }
            }
        }));
        self.count = count;
    }

    /// Weighs a key that was used: by what can be seen without following pointers, and by the length
    /// of its row, which tells what is behind them. Rows are measured now and then.
    pub(super) fn weigh(&mut self, held: &mut Held<K>, changed: bool) {
        if self.uses.is_multiple_of(MEASURED) {
            let length = row::length(held);
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
    pub(super) fn relieve(&mut self, hot: &mut Hot<K>) {
        if self.bytes <= self.in_memory {
            return;
        }
        let mut rows = Vec::new();
        // The key at hand stays.
        for _ in 1..hot.len() {
            if !self.full() || rows.len() >= TOGETHER {
                break;
            }
            let Some(held) = hot.next_unused() else { break };
            self.bytes -= held.row.bytes as usize;
            self.count += 1;
            if held.row.stale || !held.row.there {
                let key = row::key_of(&held.key);
                self.gone.remove(&key);
                let mut row = Vec::new();
                row::append(&mut row, &held);
                rows.push((key, Some(row)));
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
