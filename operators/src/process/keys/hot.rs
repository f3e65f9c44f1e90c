//! The keys in memory, by the first bits of their hash.
//!
//! State is restored and saved group by group, and groups are ranges of the first bits: each of many
//! small tables is filled and read while it is in the processor's cache. None of them grows for
//! long, where one table of millions of keys would stop the worker to move them all.

use hashbrown::HashTable;
use hashbrown::hash_table::{self, VacantEntry};

use super::Held;
use crate::key::hash;
use crate::keyed::Key;

/// The first bits of a hash that choose a table.
const BITS: u32 = 8;

const TABLES: usize = 1 << BITS;

/// Keys with what is held for them.
pub(super) struct Hot<K> {
    // Places are boxes, for a table has up to twice as many places as it has keys.
    tables: Box<[HashTable<Box<Held<K>>>; TABLES]>,
    /// Where the hand is that goes round the keys: a table, and a bucket of it.
    hand: (usize, usize),
}

/// Where a key is, or would be.
pub(super) enum Entry<'a, K> {
    There(&'a mut Held<K>),
    Vacant(Vacant<'a, K>),
}

/// Where a key would be that is not there.
pub(super) struct Vacant<'a, K>(VacantEntry<'a, Box<Held<K>>>);

impl<'a, K> Vacant<'a, K> {
    pub(super) fn insert(self, held: Held<K>) -> &'a mut Held<K> {
        self.0.insert(Box::new(held)).into_mut()
    }
}

impl<K: Key> Hot<K> {
    pub(super) fn new() -> Self {
        Self { tables: Box::new([const { HashTable::new() }; TABLES]), hand: (0, 0) }
    }

    pub(super) fn len(&self) -> usize {
        self.tables.iter().map(HashTable::len).sum()
    }

    #[inline]
    pub(super) fn entry(&mut self, key: &K) -> Entry<'_, K> {
        let (table, hash) = place(key);
        match self.tables[table].entry(hash, |it| it.key == *key, |it| place(&it.key).1) {
            hash_table::Entry::Occupied(held) => Entry::There(held.into_mut()),
            hash_table::Entry::Vacant(entry) => Entry::Vacant(Vacant(entry)),
        }
    }

    pub(super) fn find(&self, key: &K) -> Option<&Held<K>> {
        let (table, hash) = place(key);
        self.tables[table].find(hash, |it| it.key == *key).map(|held| &**held)
    }

    pub(super) fn find_mut(&mut self, key: &K) -> Option<&mut Held<K>> {
        let (table, hash) = place(key);
        self.tables[table].find_mut(hash, |it| it.key == *key).map(|held| &mut **held)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<Box<Held<K>>> {
        let (table, hash) = place(key);
        let found = self.tables[table].find_entry(hash, |it| it.key == *key);
        found.ok().map(|held| held.remove().0)
    }

    /// Every key, in the order of their tables.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Held<K>> {
        self.tables.iter().flatten().map(|held| &**held)
    }

    /// Moves the hand on to a key that was not used since the hand passed it last, and takes it out.
    pub(super) fn next_unused(&mut self) -> Option<Box<Held<K>>> {
        // The rest of a table, and all of them twice: each key may be found used once.
        for _ in 0..=2 * TABLES {
            let (at, bucket) = &mut self.hand;
            let table = &mut self.tables[*at];
            while *bucket < table.num_buckets() {
                *bucket += 1;
                let Ok(mut held) = table.get_bucket_entry(*bucket - 1) else { continue };
                if !std::mem::take(&mut held.get_mut().row.used) {
                    return Some(held.remove().0);
                }
            }
            (*at, *bucket) = ((*at + 1) % TABLES, 0);
        }
        None
    }
}

/// The table of a key, and its hash there: a table looks at the first and the last bits, so those that
/// choose it are in the middle.
#[inline]
fn place<K: Key>(key: &K) -> (usize, u64) {
    let hash = hash(key);
    ((hash >> (u64::BITS - BITS)) as usize, hash.rotate_left(32))
}

#[cfg(test)]
mod tests {
    use super::super::Contents;
    use super::*;

    #[test]
    fn the_hand_spares_once_what_was_used() {
        let mut hot = Hot::new();
        for key in 0..1_000u32 {
            let mut held = Held::new(key, Contents::default());
            held.row.used = key % 2 == 0;
            let Entry::Vacant(vacant) = hot.entry(&key) else { panic!("{key} is there") };
            vacant.insert(held);
        }
        assert_eq!((hot.len(), hot.iter().count()), (1_000, 1_000));
        let mut gone: Vec<u32> = std::iter::from_fn(|| Some(hot.next_unused()?.key)).collect();
        assert!(gone.iter().take(500).all(|key| key % 2 == 1), "{gone:?}");
        gone.sort();
        assert_eq!(gone, Vec::from_iter(0..1_000));
        assert_eq!(hot.len(), 0);
    }
}
