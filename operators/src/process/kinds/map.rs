//! A map of values per key, by a key of their own.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{Opened, lives, sealed};
use crate::process::cell::Cell;
use crate::process::states::{Expiry, Slot, States, Stored};
use crate::time::EventTime;

/// The handle of a map: see [`States::map`].
pub struct MapState<M, T> {
    slot: Slot,
    of: PhantomData<fn() -> (M, T)>,
}

impl<M, T> fmt::Debug for MapState<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MapState").field(&self.slot.place).finish()
    }
}

impl States {
    /// Declares a map. Its entries expire one by one.
    ///
    /// The whole map of a key is read and written at once where state is on disk: rather than in
    /// one map of a million entries, keep them under a million keys.
    ///
    /// # Panics
    ///
    /// If the name is taken.
    pub fn map<M: Stored + Ord, T: Stored>(&mut self, name: &str) -> MapState<M, T> {
        MapState { slot: self.declare::<Entries<M, T>>(name), of: PhantomData }
    }
}

impl<M: Stored + Ord, T: Stored> sealed::State for MapState<M, T> {
    type Access<'a> = MapMut<'a, M, T>;

    fn open<'a>(&'a self, opened: Opened<'a>) -> MapMut<'a, M, T> {
        MapMut { opened, slot: self.slot, of: PhantomData }
    }
}

/// The map of the current key.
#[derive(Debug)]
pub struct MapMut<'a, M, T> {
    opened: Opened<'a>,
    slot: Slot,
    of: PhantomData<fn() -> (M, T)>,
}

impl<M: Stored + Ord, T: Stored> MapMut<'_, M, T> {
    /// The value under `key`.
    pub fn get(&mut self, key: &M) -> Option<&T> {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        let (touched, value) = self.opened.read::<Entries<M, T>>(self.slot)?.0.get_mut(key)?;
        if !lives(expiry, *touched, now) {
            return None;
        }
        if expiry.is_some_and(Expiry::counts_access) {
            *touched = (*touched).max(now);
        }
        Some(value)
    }

    /// Whether there is a value under `key`.
    pub fn contains(&mut self, key: &M) -> bool {
        self.get(key).is_some()
    }

    /// Puts `value` under `key`, and gives what was there.
    pub fn insert(&mut self, key: M, value: T) -> Option<T> {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        let Entries(entries) = self.opened.cells.write::<Entries<M, T>>(self.slot, now);
        let (touched, before) = entries.insert(key, (now, value))?;
        lives(expiry, touched, now).then_some(before)
    }

    /// The value under `key`, to be changed in place; `make` gives it if there is none.
    pub fn or_insert_with(&mut self, key: M, make: impl FnOnce() -> T) -> &mut T {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        let Entries(entries) = self.opened.cells.write::<Entries<M, T>>(self.slot, now);
        let (touched, value) = match entries.entry(key) {
            std::collections::btree_map::Entry::Vacant(vacant) => vacant.insert((now, make())),
            std::collections::btree_map::Entry::Occupied(occupied) => {
                let entry = occupied.into_mut();
                if !lives(expiry, entry.0, now) {
                    entry.1 = make();
                }
                entry
            }
        };
        *touched = (*touched).max(now);
        value
    }

    /// Takes out what is under `key`.
    pub fn remove(&mut self, key: &M) -> Option<T> {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        let Entries(entries) = self.opened.cells.read::<Entries<M, T>>(self.slot)?;
        let (touched, value) = entries.remove(key)?;
        self.opened.cells.changed = true;
        lives(expiry, touched, now).then_some(value)
    }

    /// The entries in the order of their keys. To read them all counts as touching each.
    pub fn iter(&mut self) -> impl Iterator<Item = (&M, &T)> {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        let touches = expiry.is_some_and(Expiry::counts_access);
        let entries = self.opened.read::<Entries<M, T>>(self.slot);
        let entries = entries.into_iter().flat_map(|it| &mut it.0);
        entries.filter_map(move |(key, (touched, value))| {
            if !lives(expiry, *touched, now) {
                return None;
            }
            if touches {
                *touched = (*touched).max(now);
            }
            Some((key, &*value))
        })
    }

    /// How many entries there are: those that expire are counted one by one.
    pub fn len(&mut self) -> usize {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        match self.opened.cells.read::<Entries<M, T>>(self.slot) {
            Some(Entries(entries)) if expiry.is_none() => entries.len(),
            Some(Entries(entries)) => {
                entries.values().filter(|(touched, _)| lives(expiry, *touched, now)).count()
            }
            None => 0,
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&mut self) -> bool {
        self.len() == 0
    }

    /// Drops all entries.
    pub fn clear(&mut self) {
        self.opened.cells.clear(self.slot);
    }
}

/// The values by key, each with when it was touched.
#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "M: Deserialize<'de> + Ord, T: Deserialize<'de>"))]
struct Entries<M, T>(BTreeMap<M, (EventTime, T)>);

impl<M, T> Default for Entries<M, T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<M: Stored + Ord, T: Stored> Cell for Entries<M, T> {
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        crate::state::encode_into(bytes, self);
    }

    fn expire(&mut self, expiry: Expiry, now: EventTime) -> (bool, Option<EventTime>) {
        let before = self.0.len();
        self.0.retain(|_, (touched, _)| !expiry.over(*touched, now));
        let ends = self.0.values().filter_map(|(touched, _)| expiry.end(*touched));
        (self.0.len() < before, ends.min())
    }

    fn empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bytes(&self) -> usize {
        // A tree of this kind is about three quarters full.
        self.0.len() * size_of::<(M, EventTime, T)>() * 4 / 3
    }
}
