//! What values come to, per key: reducing and aggregating.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use super::{Opened, sealed};
use crate::aggregate::Aggregate;
use crate::process::cell::One;
use crate::process::states::{Slot, States, Stored};

/// The handle of a running reduction: see [`States::reducing`].
pub struct ReducingState<T> {
    slot: Slot,
    combine: Rc<dyn Fn(&mut T, T)>,
}

impl<T> fmt::Debug for ReducingState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReducingState").field(&self.slot.place).finish()
    }
}

/// The handle of a running aggregate: see [`States::aggregating`].
pub struct AggregatingState<T, A> {
    slot: Slot,
    aggregate: A,
    of: PhantomData<fn(T)>,
}

impl<T, A> fmt::Debug for AggregatingState<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AggregatingState").field(&self.slot.place).finish()
    }
}

impl States {
    /// Declares a value into which `combine` folds each value that is added. It expires as one.
    ///
    /// # Panics
    ///
    /// If the name is taken.
    pub fn reducing<T: Stored>(
        &mut self,
        name: &str,
        combine: impl Fn(&mut T, T) + 'static,
    ) -> ReducingState<T> {
        ReducingState { slot: self.declare::<One<T>>(name), combine: Rc::new(combine) }
    }

    /// Declares a running aggregate of what is added. It expires as one.
    ///
    /// # Panics
    ///
    /// If the name is taken.
    pub fn aggregating<T: 'static, A: Aggregate<T>>(
        &mut self,
        name: &str,
        aggregate: A,
    ) -> AggregatingState<T, A> {
        AggregatingState { slot: self.declare::<One<A::State>>(name), aggregate, of: PhantomData }
    }
}

impl<T: Stored> sealed::State for ReducingState<T> {
    type Access<'a> = ReducingMut<'a, T>;

    fn open<'a>(&'a self, opened: Opened<'a>) -> ReducingMut<'a, T> {
        ReducingMut { opened, state: self }
    }
}

impl<T: 'static, A: Aggregate<T>> sealed::State for AggregatingState<T, A> {
    type Access<'a> = AggregatingMut<'a, T, A>;

    fn open<'a>(&'a self, opened: Opened<'a>) -> AggregatingMut<'a, T, A> {
        AggregatingMut { opened, state: self }
    }
}

/// The reduction of the current key.
#[derive(Debug)]
pub struct ReducingMut<'a, T> {
    opened: Opened<'a>,
    state: &'a ReducingState<T>,
}

impl<T: Stored> ReducingMut<'_, T> {
    /// Folds `value` in.
    pub fn add(&mut self, value: T) {
        match self.opened.one_mut(self.state.slot) {
            Some(total) => (self.state.combine)(total, value),
            empty => *empty = Some(value),
        }
    }

    /// What the values added come to, if there were any.
    pub fn get(&mut self) -> Option<&T> {
        self.opened.one(self.state.slot)
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.opened.cells.clear(self.state.slot);
    }
}

/// The aggregate of the current key.
#[derive(Debug)]
pub struct AggregatingMut<'a, T, A> {
    opened: Opened<'a>,
    state: &'a AggregatingState<T, A>,
}

impl<T: 'static, A: Aggregate<T>> AggregatingMut<'_, T, A> {
    /// Folds `value` in, with the time of the record or timer at hand.
    pub fn add(&mut self, value: &T) {
        let AggregatingState { slot, aggregate, .. } = self.state;
        let time = self.opened.time;
        let total = self.opened.one_mut(*slot).get_or_insert_with(|| aggregate.start());
        aggregate.add(total, time, value);
    }

    /// What the values added come to, if there were any.
    pub fn get(&mut self) -> Option<A::Output> {
        let total = self.opened.one(self.state.slot)?;
        Some(self.state.aggregate.finish(total))
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        self.opened.cells.clear(self.state.slot);
    }
}
