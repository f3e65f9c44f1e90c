//! The keys of one worker, each with its contents: in memory, or beyond a bound in a table.

use std::rc::Rc;

use super::contents::{Contents, Kept};
use super::states::States;
use crate::keyed::Key;
use crate::state::backend::Spill;
use crate::state::journal::Noted;

mod cold;
mod hot;
mod row;

use cold::Cold;
use hot::{Entry, Hot};

/// A key and everything that is kept for it.
#[derive(Debug)]
pub(crate) struct Held<K> {
    pub(crate) key: K,
    pub(crate) contents: Contents,
    pub(crate) noted: Noted,
    /// What is known of its row, where there are rows.
    row: Row,
}

/// What a key in memory has to do with its row in the table.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Whether there is one.
    there: bool,
    /// Whether it is not what is in memory.
    stale: bool,
    /// Whether the key was used since the hand passed it last.
    used: bool,
    /// Bytes that count for the key.
    bytes: u32,
    /// The length of the row as it was last written or read.
    length: u32,
}

impl<K> Held<K> {
    /// A key with contents, without a row.
    pub(crate) fn new(key: K, contents: Contents) -> Self {
        Self { key, contents, noted: Noted::default(), row: Row::default() }
    }
}

/// The keys that have contents.
pub(crate) struct Keys<K> {
    hot: Hot<K>,
    cold: Option<Cold<K>>,
    states: Rc<States>,
}

impl<K: Key> Keys<K> {
    /// No keys yet. Those that do not fit in memory go to the table of `spill`.
    pub(crate) fn new(states: Rc<States>, spill: Option<Spill>) -> Self {
        Self { hot: Hot::new(), cold: spill.map(Cold::new), states }
    }

    /// How many keys have contents.
    pub(crate) fn count(&self) -> usize {
        self.hot.len() + self.cold.as_ref().map_or(0, Cold::count)
    }

    /// The contents of `key`, empty ones if it has none.
    pub(crate) fn open(&mut self, key: K) -> &mut Held<K> {
        match self.hot.entry(&key) {
            Entry::There(held) => held,
            Entry::Vacant(vacant) => {
                let found = self.cold.as_mut().and_then(|cold| cold.load(&key, &self.states));
                let new = || Held::new(key, Contents::default());
                vacant.insert(found.unwrap_or_else(new))
            }
        }
    }

    /// The contents of `key`, if it has any.
    pub(crate) fn find(&mut self, key: &K) -> Option<&mut Held<K>> {
        match self.hot.entry(key) {
            Entry::There(held) => Some(held),
            Entry::Vacant(vacant) => {
                let found = self.cold.as_mut()?.load(key, &self.states)?;
                Some(vacant.insert(found))
            }
        }
    }

    /// Puts a restored key in with its contents, whether it has some or not. What does not fit in memory
    /// becomes a row without a look at the rows; [`settle`](Self::settle) comes after the last.
    pub(crate) fn put(&mut self, mut held: Held<K>) {
        let Some(cold) = &mut self.cold else {
            match self.hot.entry(&held.key) {
                Entry::There(there) => there.contents = held.contents,
                Entry::Vacant(vacant) => _ = vacant.insert(held),
            }
            return;
        };
        let hash = crate::key::hash(&held.key);
        if cold.full() && !cold.warm(hash) {
            return cold.put(&held, hash);
        }
        match self.hot.entry(&held.key) {
            Entry::There(there) => {
                there.contents = held.contents;
                cold.weigh(there, true);
            }
            Entry::Vacant(_) if cold.full() => cold.put(&held, hash),
            Entry::Vacant(vacant) => {
                cold.weigh_restored(&mut held, hash);
                vacant.insert(held);
            }
        }
    }

    /// Takes out a key that was put in, and gives it back if it is in memory: there is no look at the
    /// rows.
    pub(crate) fn discard(&mut self, key: &K) -> Option<Box<Held<K>>> {
        let held = self.hot.remove(key);
        if let Some(cold) = &mut self.cold {
            cold.discard(key, held.as_deref());
        }
        held
    }

    /// Ends a series of [puts](Self::put) and [discards](Self::discard).
    pub(crate) fn settle(&mut self) {
        self.cold.iter_mut().for_each(Cold::settle);
    }

    /// What is to be saved of `key`, if it has contents. It stays where it is.
    pub(crate) fn kept(&mut self, key: &K) -> Option<Kept> {
        match self.hot.find(key) {
            Some(held) => Some(held.contents.keep(&self.states)),
            None => self.cold.as_mut()?.kept(key, &self.states),
        }
    }

    /// Takes `key` out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<Box<Held<K>>> {
        self.find(key)?;
        let held = self.hot.remove(key)?;
        if let Some(cold) = &mut self.cold {
            cold.forget(&held);
        }
        Some(held)
    }

    /// Gives every key with what is to be saved of it, in no particular order.
    pub(crate) fn each(&mut self, mut give: impl FnMut(&K, Kept)) {
        for held in self.hot.iter() {
            give(&held.key, held.contents.keep(&self.states));
        }
        if let Some(cold) = &mut self.cold {
            let hot = &self.hot;
            cold.each(&self.states, |key| hot.find(key).is_some(), give);
        }
    }

    /// Whether a key that was used must be [noted](Self::used) as such.
    pub(crate) fn bounded(&self) -> bool {
        self.cold.is_some()
    }

    /// Notes that `key` was used and perhaps changed, and makes room where there is too little.
    pub(crate) fn used(&mut self, key: &K, changed: bool) {
        let Some(cold) = &mut self.cold else { return };
        if let Some(held) = self.hot.find_mut(key) {
            cold.weigh(held, changed);
        }
        cold.relieve(&mut self.hot);
    }
}
