//! Where the state of operators is kept between two runs.
//!
//! An operator asks its [`Keeper`] whether an epoch that it has completed is to be kept, and if so
//! hands over its state in [`Part`]s, cut by who will want each of them: a key group, a partition
//! of a source, or everyone. When it starts it asks for what was kept under its name. The crate
//! keeps state in memory only ([`Memory`]); a durable keeper lives above it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::key::{Group, Groups};
use crate::rule::Snapshot;
use crate::time::Epoch;

/// Keeps the state of operators and recalls it. One is shared by the operators of a worker.
pub trait Keeper {
    /// The latest epoch of `completed` that is to be kept, if any is.
    fn due(&self, completed: Range<Epoch>) -> Option<Epoch>;

    /// Keeps the state of `operator` on `worker` as it was when `epoch` was complete.
    fn keep(&self, operator: &str, worker: usize, epoch: Epoch, parts: Vec<Part>);

    /// Everything kept under the name of `operator` by all workers, that is for everyone, for a
    /// partition, or for one of `groups`.
    fn recall(&self, operator: &str, groups: Range<Group>) -> Vec<Part>;

    /// The first epoch that this run is to process: one after the epoch that is recalled.
    fn resume(&self) -> Epoch {
        0
    }
}

/// A piece of an operator's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Who will want it.
    pub owner: Owner,
    /// What it is, in the operator's own encoding.
    pub bytes: Vec<u8>,
}

/// Who a piece of state is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Every worker.
    Everyone,
    /// The worker that owns this key group.
    Group(Group),
    /// The worker that reads this partition of a source.
    Partition(String),
}

/// A piece of an operator's state that is replaced as a whole, known by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Which of the operator's sections this is.
    pub id: u64,
    /// What it holds; nothing if it is as it was when the operator was last saved.
    pub parts: Option<Vec<Part>>,
}

/// Keeps nothing and recalls nothing.
#[derive(Debug, Default)]
pub struct Forgetful;

impl Keeper for Forgetful {
    fn due(&self, _completed: Range<Epoch>) -> Option<Epoch> {
        None
    }

    fn keep(&self, _operator: &str, _worker: usize, _epoch: Epoch, _parts: Vec<Part>) {}

    fn recall(&self, _operator: &str, _groups: Range<Group>) -> Vec<Part> {
        Vec::new()
    }
}

/// Keeps every `interval`-th epoch in memory, to be recalled by a later run in the same process.
#[derive(Clone, Debug)]
pub struct Memory {
    interval: Epoch,
    recalled: Option<Epoch>,
    kept: Arc<Mutex<BTreeMap<(Epoch, String, usize), Vec<Part>>>>,
}

impl Memory {
    /// A keeper that recalls nothing and keeps the epochs `interval - 1`, `2 * interval - 1`, ….
    ///
    /// # Panics
    ///
    /// If `interval` is zero.
    pub fn every(interval: Epoch) -> Self {
        assert!(interval > 0, "an interval of epochs is at least one");
        Self { interval, recalled: None, kept: Arc::default() }
    }

    /// The same keeper for a run that continues after `epoch`.
    #[must_use]
    pub fn restored(&self, epoch: Epoch) -> Self {
        Self { recalled: Some(epoch), ..self.clone() }
    }
}

impl Keeper for Memory {
    fn due(&self, completed: Range<Epoch>) -> Option<Epoch> {
        let last = completed.end / self.interval * self.interval;
        last.checked_sub(1).filter(|it| completed.contains(it))
    }

    fn keep(&self, operator: &str, worker: usize, epoch: Epoch, parts: Vec<Part>) {
        let mut kept = self.kept.lock().expect("no keeper panics while it holds the lock");
        kept.insert((epoch, operator.to_owned(), worker), parts);
    }

    fn recall(&self, operator: &str, groups: Range<Group>) -> Vec<Part> {
        let Some(recalled) = self.recalled else { return Vec::new() };
        let kept = self.kept.lock().expect("no keeper panics while it holds the lock");
        let of_operator = |key: &(Epoch, String, usize)| key.0 == recalled && key.1 == operator;
        kept.iter()
            .filter(|(key, _)| of_operator(key))
            .flat_map(|(_, parts)| parts)
            .filter(|part| match &part.owner {
                Owner::Group(group) => groups.contains(group),
                Owner::Everyone | Owner::Partition(_) => true,
            })
            .cloned()
            .collect()
    }

    fn resume(&self) -> Epoch {
        self.recalled.map_or(0, |epoch| epoch + 1)
    }
}

/// Encodes one value of saved state.
///
/// # Panics
///
/// If the value's own `Serialize` implementation reports an error.
pub fn encode<S: Serialize>(value: &S) -> Vec<u8> {
    postcard::to_stdvec(value).expect("state serialises without an error of its own")
}

/// Decodes what [`encode`] made; `of` names the operator for the message.
///
/// # Panics
///
/// If the bytes are not what this type encodes to: the state belongs to another program.
pub fn decode<S: DeserializeOwned>(bytes: &[u8], of: &str) -> S {
    postcard::from_bytes(bytes).unwrap_or_else(|error| {
        panic!("the saved state of operator `{of}` does not fit this program: {error}")
    })
}

/// Collects the entries of a rule by key group.
#[derive(Debug)]
pub struct ByGroup {
    groups: Groups,
    parts: RefCell<BTreeMap<Group, Vec<u8>>>,
}

impl ByGroup {
    /// An empty collection for keys in `groups`.
    pub fn new(groups: Groups) -> Self {
        Self { groups, parts: RefCell::default() }
    }

    /// One part for each group that has entries.
    pub fn into_parts(self) -> Vec<Part> {
        let parts = self.parts.into_inner().into_iter();
        parts.map(|(group, bytes)| Part { owner: Owner::Group(group), bytes }).collect()
    }

    /// Reads back the entries of one part.
    pub fn entries<S: DeserializeOwned>(bytes: &[u8], of: &str, mut each: impl FnMut(S)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (entry, after) = postcard::take_from_bytes(rest).unwrap_or_else(|error| {
                panic!("the saved state of operator `{of}` does not fit this program: {error}")
            });
            each(entry);
            rest = after;
        }
    }
}

impl<S: Serialize> Snapshot<S> for ByGroup {
    fn keyed(&mut self, hash: u64, entry: S) {
        let part = self.parts.get_mut().entry(self.groups.group(hash)).or_default();
        *part = postcard::to_extend(&entry, std::mem::take(part))
            .expect("state serialises without an error of its own");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interval_is_due_once() {
        let keeper = Memory::every(10);
        assert_eq!(keeper.due(0..9), None);
        assert_eq!(keeper.due(0..10), Some(9));
        assert_eq!(keeper.due(10..19), None);
        assert_eq!(keeper.due(5..35), Some(29));
    }

    #[test]
    fn entries_come_back_from_their_group() {
        let mut saved = ByGroup::new(Groups::new(8, 1));
        (0..100u32).for_each(|key| saved.keyed(crate::key::hash(&key), (key, "state")));
        let mut back = Vec::new();
        for part in saved.into_parts() {
            ByGroup::entries(&part.bytes, "test", |(key, state): (u32, String)| {
                assert_eq!(
                    part.owner,
                    Owner::Group(Groups::new(8, 1).group(crate::key::hash(&key)))
                );
                assert_eq!(state, "state");
                back.push(key);
            });
        }
        back.sort();
        assert_eq!(back, Vec::from_iter(0..100));
    }
}
