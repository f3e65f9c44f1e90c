//! A small number for each key that has state, so that states can lie in plain vectors.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::keyed::Key;

/// Keys and their places. A place is given again once nothing holds it.
#[derive(Debug)]
pub(in crate::window) struct Places<K> {
    of: HashMap<K, u32, FixedState>,
    keys: Vec<Option<K>>,
    /// How many closed slices hold a state of each place.
    held: Vec<u32>,
    free: Vec<u32>,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self { of: HashMap::default(), keys: Vec::new(), held: Vec::new(), free: Vec::new() }
    }
}

impl<K: Key> Places<K> {
    /// The place of a key, which a slice is to have a state of next.
    #[inline]
    pub(in crate::window) fn of(&mut self, key: K) -> u32 {
        match self.of.get(&key) {
            Some(place) => *place,
            None => self.give(key),
        }
    }

    #[cold]
    fn give(&mut self, key: K) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.keys.push(None);
            self.held.push(0);
            u32::try_from(self.keys.len() - 1).expect("fewer than 2^32 keys on a worker")
        });
        self.keys[place as usize] = Some(key.clone());
        self.of.insert(key, place);
        place
    }

    /// Notes that one more closed slice has a state of this place.
    #[inline]
    pub(in crate::window) fn hold(&mut self, place: u32) {
        self.held[place as usize] += 1;
    }

    /// Notes that one less closed slice has a state of this place; `open` says whether an open one
    /// has.
    pub(in crate::window) fn release(&mut self, place: u32, open: impl FnOnce() -> bool) {
        let held = &mut self.held[place as usize];
        *held -= 1;
        if *held == 0 && !open() {
            self.free(place);
        }
    }

    /// How many closed slices hold a state of each place, for a rule that counts by itself.
    pub(in crate::window) fn held(&mut self) -> &mut [u32] {
        &mut self.held
    }

    /// Gives a place back that no slice has a state of.
    pub(in crate::window) fn free(&mut self, place: u32) {
        if let Some(key) = self.keys[place as usize].take() {
            self.of.remove(&key);
            self.free.push(place);
        }
    }

    /// The places from one on, with their keys where a closed slice holds a state.
    pub(in crate::window) fn in_use(
        &self,
        from: usize,
    ) -> impl Iterator<Item = (usize, Option<&K>)> {
        let both = self.keys[from..].iter().zip(&self.held[from..]).enumerate();
        both.map(move |(place, (key, held))| (from + place, key.as_ref().filter(|_| *held > 0)))
    }

    /// The key of a place that is held.
    #[inline]
    pub(in crate::window) fn key(&self, place: usize) -> &K {
        self.keys[place].as_ref().expect("a place with a state has a key")
    }

    /// One more than the greatest place there is.
    pub(in crate::window) fn len(&self) -> usize {
        self.keys.len()
    }
}
