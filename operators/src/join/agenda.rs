//! The agenda: which keys wait for which moment.
//!
//! A key waits in one place, at the moment noted beside its state. If it comes to wait for an
//! earlier one, its old place is not searched for: when that comes up, the key waits elsewhere, and
//! it is passed over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::EventTime;

/// Keys to wake, by moment and then by key.
#[derive(Debug)]
pub(super) struct Agenda<K>(BinaryHeap<Reverse<(EventTime, K)>>);

impl<K: Ord> Default for Agenda<K> {
    fn default() -> Self {
        Self(BinaryHeap::new())
    }
}

impl<K: Ord + Clone> Agenda<K> {
    /// Lets a key that waits for `queued` wait for `next`, unless that is no earlier.
    #[inline]
    pub(super) fn wait(
        &mut self,
        queued: &mut Option<EventTime>,
        next: Option<EventTime>,
        key: &K,
    ) {
        if let Some(next) = next
            && queued.is_none_or(|queued| next < queued)
        {
            *queued = Some(next);
            self.0.push(Reverse((next, key.clone())));
        }
    }

    /// Takes the first key that is to wake at the watermark, with its moment.
    pub(super) fn pop(&mut self, watermark: EventTime) -> Option<(EventTime, K)> {
        let Reverse((moment, _)) = self.0.peek()?;
        if *moment > watermark {
            return None;
        }
        self.0.pop().map(|Reverse(call)| call)
    }
}
