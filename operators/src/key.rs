//! Keys: a hash that never changes, and the groups that keys are kept and moved in.
//!
//! A key hashes to one of a fixed number of *key groups*, and a group belongs to one worker. State
//! is saved by group, so a restart with more or fewer workers hands out whole groups. For that the
//! hash of a key must be the same in every build, on every platform, for as long as saved state is
//! kept. The standard library's `Hash` promises none of this, so a key is hashed through its serde
//! form: the sequence of values that its `Serialize` implementation names.
//!
//! # Cost
//!
//! An integer costs one 128-bit multiplication, a string about one for each sixteen bytes; nothing
//! is allocated.

use std::ops::Range;

use serde::Serialize;

mod fold;

/// A bundle of keys that are saved, restored and moved between workers together.
pub type Group = u16;

/// The hash of `key`, the same in every build and on every platform.
///
/// Two keys that serialise alike hash alike: `7u32` and `7u64`, or `"a"` and `String::from("a")`.
///
/// ```
/// use tidemill_operators::key::hash;
///
/// assert_eq!(hash(&"JFK"), hash(&String::from("JFK")));
/// assert_eq!(hash(&7u32), hash(&7u64));
/// ```
///
/// # Panics
///
/// If the key's own `Serialize` implementation reports an error.
#[inline]
pub fn hash<K: Serialize + ?Sized>(key: &K) -> u64 {
    let mut fold = fold::Fold::default();
    key.serialize(&mut fold).expect("a key serialises without an error of its own");
    fold.finish()
}

/// How many key groups there are, and which worker owns each.
///
/// Groups are dealt out in contiguous, nearly equal ranges. Their number is the greatest number of
/// workers that can share the keys, and is fixed for the life of a job's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    count: u16,
    peers: usize,
}

impl Groups {
    /// How many groups there are unless a job says otherwise.
    pub const DEFAULT: u16 = 4096;

    /// `count` groups among `peers` workers.
    ///
    /// # Panics
    ///
    /// If either is zero.
    pub fn new(count: u16, peers: usize) -> Self {
        assert!(count > 0 && peers > 0, "there is at least one key group and one worker");
        Self { count, peers }
    }

    /// The number of groups.
    pub fn count(self) -> u16 {
        self.count
    }

    /// The group of a key with this [`hash`](hash()).
    #[inline]
    pub fn group(self, hash: u64) -> Group {
        // The high half of the hash, scaled to the number of groups.
        (((hash >> 32) * u64::from(self.count)) >> 32) as Group
    }

    /// The worker that owns `group`.
    pub fn worker(self, group: Group) -> usize {
        usize::from(group) * self.peers / usize::from(self.count)
    }

    /// The groups that `worker` owns; empty if there are more workers than groups.
    pub fn owned(self, worker: usize) -> Range<Group> {
        let first = |worker: usize| (worker * usize::from(self.count)).div_ceil(self.peers);
        // Both are at most `count`, which is a u16.
        first(worker) as Group..first(worker + 1) as Group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_never_change() {
        // Saved state depends on these numbers. A failure here is a new state format.
        assert_eq!(hash(&0u64), 0x1baf_1565_f38e_1b45);
        assert_eq!(hash(&"JFK"), 0x6675_2308_4d11_1ce7);
        assert_eq!(hash(&(1i32, "a")), 0x76da_cb8a_f066_26d4);
        assert_eq!(hash(&Some('x')), 0x5e4f_15b9_a7ef_d1e7);
        assert_eq!(hash(&vec![1u8, 2, 3]), 0x6467_2db9_8cd8_9109);
    }

    #[test]
    fn keys_that_differ_hash_apart() {
        assert_ne!(hash(&("ab", "c")), hash(&("a", "bc")));
        assert_ne!(hash(&None::<u8>), hash(&Some(0u8)));
        assert_ne!(hash(&vec![0u8]), hash(&vec![0u8, 0]));
        assert_ne!(hash(&""), hash(&"\0"));
        assert_ne!(hash(&0u64), hash(&(0u64, 0u64)));
    }

    #[test]
    fn every_group_has_exactly_one_owner() {
        for (count, peers) in [(4096, 1), (4096, 3), (4096, 7), (5, 8), (1, 2)] {
            let groups = Groups::new(count, peers);
            for group in 0..count {
                let owners: Vec<_> =
                    (0..peers).filter(|&it| groups.owned(it).contains(&group)).collect();
                assert_eq!(owners, [groups.worker(group)], "{count} groups, {peers} workers");
            }
        }
    }

    #[test]
    fn groups_fill_evenly() {
        let groups = Groups::new(64, 1);
        let mut filled = [0u32; 64];
        (0..64_000u32).for_each(|key| filled[usize::from(groups.group(hash(&key)))] += 1);
        assert!(filled.iter().all(|it| (800..1_200).contains(it)), "{filled:?}");
    }
}
