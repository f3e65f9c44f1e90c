//! The agenda: which windows wait for which moment.
//!
//! An entry that no longer matters is not searched for: it stays until its moment comes, and the
//! window that it names then says that it waits for another, or is gone. A window that asks for a later
//! moment keeps its old entry, so there is about one entry per window however often a session grows.

use std::collections::{BTreeMap, VecDeque};

use crate::time::EventTime;

/// Windows to wake, by moment and then in the order in which they asked.
#[derive(Debug)]
pub(super) struct Agenda<K> {
    calls: BTreeMap<EventTime, VecDeque<Call<K>>>,
    ids: u64,
}

/// Names a window.
#[derive(Debug)]
pub(super) struct Call<K> {
    pub(super) key: K,
    pub(super) window: u64,
}

impl<K> Default for Agenda<K> {
    fn default() -> Self {
        Self { calls: BTreeMap::new(), ids: 0 }
    }
}

impl<K> Agenda<K> {
    /// A name that no window has had.
    pub(super) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.calls.values().map(VecDeque::len).sum()
    }

    pub(super) fn push(&mut self, moment: EventTime, call: Call<K>) {
        self.calls.entry(moment).or_default().push_back(call);
    }

    /// Takes the first call that is due at the watermark.
    pub(super) fn pop(&mut self, watermark: EventTime) -> Option<(EventTime, Call<K>)> {
        loop {
            let mut first = self.calls.first_entry()?;
            let moment = *first.key();
            if moment > watermark {
                return None;
            }
            match first.get_mut().pop_front() {
                Some(call) => return Some((moment, call)),
                None => drop(first.remove()),
            }
        }
    }
}
