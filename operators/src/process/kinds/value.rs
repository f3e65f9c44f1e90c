//! One value per key.

use std::fmt;
use std::marker::PhantomData;

use super::{Opened, sealed};
use crate::process::cell::One;
use crate::process::states::{Slot, States, Stored};

/// The handle of a single value: see [`States::value`].
pub struct ValueState<T> {
    slot: Slot,
    of: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for ValueState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueState").field(&self.slot.place).finish()
    }
}

impl States {
    /// Declares a single value.
    ///
    /// # Panics
    ///
    /// If the name is taken.
    pub fn value<T: Stored>(&mut self, name: &str) -> ValueState<T> {
        ValueState { slot: self.declare::<One<T>>(name), of: PhantomData }
    }
}

impl<T: Stored> sealed::State for ValueState<T> {
    type Access<'a> = ValueMut<'a, T>;

    fn open<'a>(&'a self, opened: Opened<'a>) -> ValueMut<'a, T> {
        ValueMut { opened, slot: self.slot, of: PhantomData }
    }
}

/// The value of the current key, if it has one.
#[derive(Debug)]
pub struct ValueMut<'a, T> {
    opened: Opened<'a>,
    slot: Slot,
    of: PhantomData<fn() -> T>,
}

impl<'a, T: Stored> ValueMut<'a, T> {
    /// The value.
    pub fn get(&mut self) -> Option<&T> {
        self.opened.one(self.slot)
    }

    /// A copy of the value.
    pub fn copied(mut self) -> Option<T>
    where
        T: Copy,
    {
        self.get().copied()
    }

    /// Puts `value` in the place of what was there.
    pub fn set(mut self, value: T) {
        *self.opened.one_mut(self.slot) = Some(value);
    }

    /// Takes the value out.
    pub fn take(mut self) -> Option<T> {
        let value = match self.opened.one::<T>(self.slot) {
            Some(_) => self.opened.one_mut(self.slot).take(),
            None => None,
        };
        self.opened.cells.clear(self.slot);
        value
    }

    /// Drops the value.
    pub fn clear(self) {
        self.opened.cells.clear(self.slot);
    }

    /// The value, to be changed in place; `make` gives it if there is none.
    pub fn or_insert_with(self, make: impl FnOnce() -> T) -> &'a mut T {
        let Opened { cells, time, now } = self.opened;
        let mut opened = Opened { cells: &mut *cells, time, now };
        opened.one_mut(self.slot).get_or_insert_with(make);
        let One(_, value) = cells.read::<One<T>>(self.slot).expect("it was just written");
        value.as_mut().expect("it was just written")
    }

    /// The value, to be changed in place; the default of its type if there is none.
    pub fn or_default(self) -> &'a mut T
    where
        T: Default,
    {
        self.or_insert_with(T::default)
    }
}
