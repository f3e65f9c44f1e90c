//! What is to be worked off next: the vertices with the least values first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// Vertices that wait, by value.
pub(super) trait Queue: Default + 'static {
    /// Lets a vertex wait.
    fn push(&mut self, value: u64, slot: u32);

    /// The least value that waits.
    fn least(&mut self) -> Option<u64>;

    /// Takes out a vertex with the least value: of several, the one that has waited longest if there are
    /// few values.
    fn pop(&mut self) -> Option<(u64, u32)>;
}

/// For few different values.
#[derive(Default)]
pub(super) struct Levels {
    /// The least value and what waits with it.
    now: (u64, VecDeque<u32>),
    later: BTreeMap<u64, VecDeque<u32>>,
}

impl Queue for Levels {
    #[inline]
    fn push(&mut self, value: u64, slot: u32) {
        if value == self.now.0 {
            self.now.1.push_back(slot);
            return;
        }
        if value < self.now.0 {
            let (then, waiting) = std::mem::replace(&mut self.now, (value, VecDeque::new()));
            if !waiting.is_empty() {
                self.later.insert(then, waiting);
            }
            self.now.1.push_back(slot);
            return;
        }
        self.later.entry(value).or_default().push_back(slot);
    }

    fn least(&mut self) -> Option<u64> {
        if self.now.1.is_empty() {
            self.now = self.later.pop_first()?;
        }
        Some(self.now.0)
    }

    #[inline]
    fn pop(&mut self) -> Option<(u64, u32)> {
        let value = self.least()?;
        self.now.1.pop_front().map(|slot| (value, slot))
    }
}

/// For values that are all different.
#[derive(Default)]
pub(super) struct Heap(BinaryHeap<Reverse<(u64, u32)>>);

impl Queue for Heap {
    fn push(&mut self, value: u64, slot: u32) {
        self.0.push(Reverse((value, slot)));
    }

    fn least(&mut self) -> Option<u64> {
        self.0.peek().map(|it| it.0.0)
    }

    fn pop(&mut self) -> Option<(u64, u32)> {
        self.0.pop().map(|it| it.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values that come out if after each push so many are taken.
    fn values(mut queue: impl Queue, script: &[(u64, usize)]) -> Vec<Option<u64>> {
        let mut out = Vec::new();
        for (slot, (value, pops)) in script.iter().enumerate() {
            queue.push(*value, slot as u32);
            for _ in 0..*pops {
                let least = queue.least();
                let popped = queue.pop().map(|(value, slot)| {
                    assert_eq!(script[slot as usize].0, value);
                    value
                });
                assert_eq!(least, popped);
                out.push(popped);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn the_least_comes_first(script in prop::collection::vec((0..9u64, 0..3usize), 0..60)) {
            let mut waiting = Vec::new();
            let mut expected = Vec::new();
            for (value, pops) in &script {
                waiting.push(*value);
                waiting.sort_unstable_by_key(|it| Reverse(*it));
                expected.extend((0..*pops).map(|_| waiting.pop()));
            }
            prop_assert_eq!(values(Levels::default(), &script), expected.clone());
            prop_assert_eq!(values(Heap::default(), &script), expected);
        }
    }
}
