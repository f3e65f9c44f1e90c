//! One hash table for each open window, found without a search.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::events::Event;

/// The count and sum of each key.
pub(super) type Table = HashMap<u32, (u64, i64), FixedState>;

/// Adjacent tables, the earliest first. Tables that were emitted are used again, at their size.
#[derive(Debug)]
pub(super) struct Tables {
    size_ms: i64,
    /// The number of the earliest table: it holds events from `first * size_ms`.
    first: i64,
    open: VecDeque<Table>,
    spare: Vec<Table>,
}

impl Tables {
    pub(super) fn new(size_ms: i64) -> Self {
        Self { size_ms, first: 0, open: VecDeque::new(), spare: Vec::new() }
    }

    /// Adds events to the tables they belong to.
    #[inline]
    pub(super) fn add(&mut self, events: impl Iterator<Item = Event>) {
        // Neighbours share a table more often than not: look again only when one does not.
        let mut start = 0;
        let mut place = usize::MAX;
        for Event { key, at_ms, value } in events {
            if place == usize::MAX || at_ms < start || at_ms - start >= self.size_ms {
                let number = at_ms.div_euclid(self.size_ms);
                start = number * self.size_ms;
                place = self.place(number);
            }
            let entry = self.open[place].entry(key).or_insert((0, 0));
            entry.0 += 1;
            entry.1 += value;
        }
    }

    /// The number of the earliest open table.
    pub(super) fn first(&self) -> Option<i64> {
        (!self.open.is_empty()).then_some(self.first)
    }

    /// Takes the earliest table out.
    pub(super) fn take_first(&mut self) -> Option<Table> {
        let table = self.open.pop_front()?;
        self.first += 1;
        Some(table)
    }

    /// Gives an emptied table back.
    pub(super) fn recycle(&mut self, table: Table) {
        debug_assert!(table.is_empty(), "a table is emptied before it is used again");
        self.spare.push(table);
    }

    /// Where table `number` is, opening it and those between if need be.
    fn place(&mut self, number: i64) -> usize {
        if self.open.is_empty() {
            self.first = number;
        }
        while number < self.first {
            let table = self.spare.pop().unwrap_or_default();
            self.open.push_front(table);
            self.first -= 1;
        }
        let place = (number - self.first) as usize;
        while self.open.len() <= place {
            let table = self.spare.pop().unwrap_or_default();
            self.open.push_back(table);
        }
        place
    }
}
