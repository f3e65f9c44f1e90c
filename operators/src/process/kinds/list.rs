//! A list of values per key.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::{Opened, lives, sealed};
use crate::process::cell::Cell;
use crate::process::states::{Expiry, Slot, States, Stored};
use crate::time::EventTime;

/// The handle of a list: see [`States::list`].
pub struct ListState<T> {
    slot: Slot,
    of: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for ListState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ListState").field(&self.slot.place).finish()
    }
}

impl States {
    /// Declares a list. Its elements expire one by one.
    ///
    /// # Panics
    ///
    /// If the name is taken.
    pub fn list<T: Stored>(&mut self, name: &str) -> ListState<T> {
        ListState { slot: self.declare::<Elements<T>>(name), of: PhantomData }
    }
}

impl<T: Stored> sealed::State for ListState<T> {
    type Access<'a> = ListMut<'a, T>;

    fn open<'a>(&'a self, opened: Opened<'a>) -> ListMut<'a, T> {
        ListMut { opened, slot: self.slot, of: PhantomData }
    }
}

/// The list of the current key.
#[derive(Debug)]
pub struct ListMut<'a, T> {
    opened: Opened<'a>,
    slot: Slot,
    of: PhantomData<fn() -> T>,
}

impl<T: Stored> ListMut<'_, T> {
    /// Puts `value` at the end.
    pub fn push(&mut self, value: T) {
        let now = self.opened.now;
        self.opened.cells.write::<Elements<T>>(self.slot, now).0.push((now, value));
    }

    /// The elements in order. To read them all counts as touching each.
    pub fn iter(&mut self) -> impl Iterator<Item = &T> {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        let elements = self.opened.read::<Elements<T>>(self.slot);
        let elements = elements.map_or(&mut [][..], |it| &mut it.0[..]);
        let touches = expiry.is_some_and(Expiry::counts_access);
        for (touched, _) in elements.iter_mut().filter(|_| touches) {
            if lives(expiry, *touched, now) {
                *touched = (*touched).max(now);
            }
        }
        let living = elements.iter().filter(move |(touched, _)| lives(expiry, *touched, now));
        living.map(|(_, value)| value)
    }

    /// How many elements there are: those that expire are counted one by one.
    pub fn len(&mut self) -> usize {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        match self.opened.cells.read::<Elements<T>>(self.slot) {
            Some(Elements(elements)) if expiry.is_none() => elements.len(),
            Some(Elements(elements)) => {
                elements.iter().filter(|(touched, _)| lives(expiry, *touched, now)).count()
            }
            None => 0,
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&mut self) -> bool {
        self.len() == 0
    }

    /// Keeps the elements that `keep` holds for.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        if self.opened.cells.read::<Elements<T>>(self.slot).is_none() {
            return;
        }
        let Elements(elements) = self.opened.cells.write::<Elements<T>>(self.slot, now);
        elements.retain(|(touched, value)| lives(expiry, *touched, now) && keep(value));
        if elements.is_empty() {
            self.opened.cells.clear(self.slot);
        }
    }

    /// Takes all elements out, in order.
    pub fn take(&mut self) -> Vec<T> {
        let (now, expiry) = (self.opened.now, self.slot.expiry);
        let elements = self.opened.cells.read::<Elements<T>>(self.slot);
        let elements = elements.map(|it| std::mem::take(&mut it.0)).unwrap_or_default();
        self.opened.cells.clear(self.slot);
        let living = elements.into_iter().filter(|(touched, _)| lives(expiry, *touched, now));
        living.map(|(_, value)| value).collect()
    }

    /// Drops all elements.
    pub fn clear(&mut self) {
        self.opened.cells.clear(self.slot);
    }
}

/// The elements, each with when it was touched.
#[derive(Serialize, Deserialize)]
struct Elements<T>(Vec<(EventTime, T)>);

impl<T> Default for Elements<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Stored> Cell for Elements<T> {
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        crate::state::encode_into(bytes, self);
    }

    fn expire(&mut self, expiry: Expiry, now: EventTime) -> (bool, Option<EventTime>) {
        let before = self.0.len();
        self.0.retain(|(touched, _)| !expiry.over(*touched, now));
        self.0.shrink_to(2 * self.0.len());
        let ends = self.0.iter().filter_map(|(touched, _)| expiry.end(*touched));
        (self.0.len() < before, ends.min())
    }

    fn empty(&self) -> bool {
        self.0.is_empty()
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(EventTime, T)>()
    }
}
