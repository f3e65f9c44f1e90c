//! The kinds of keyed state, each with the handle that declares it and the access to it.
//!
//! | declared by | holds | reads and writes like |
//! |---|---|---|
//! | [`States::value`] | one value | an `Option` |
//! | [`States::list`] | values in order | a `Vec` |
//! | [`States::map`] | values by a key of their own | a `BTreeMap` |
//! | [`States::reducing`] | what a function makes of all values added | a running total |
//! | [`States::aggregating`] | the state of an [`Aggregate`](crate::aggregate::Aggregate) | a running aggregate |
//!
//! [`States::value`]: super::States::value
//! [`States::list`]: super::States::list
//! [`States::map`]: super::States::map
//! [`States::reducing`]: super::States::reducing
//! [`States::aggregating`]: super::States::aggregating

use super::cell::{Cell, Cells, One};
use super::states::{Expiry, Slot, Stored};
use crate::time::EventTime;

mod folded;
mod list;
mod map;
mod value;

pub use folded::{AggregatingMut, AggregatingState, ReducingMut, ReducingState};
pub use list::{ListMut, ListState};
pub use map::{MapMut, MapState};
pub use value::{ValueMut, ValueState};

/// A handle of keyed state: what [`Context::state`](super::Context::state) takes.
///
/// Implemented by the handles of this crate only.
pub trait State: sealed::State {}
impl<S: sealed::State> State for S {}

/// What a handle gives access to.
pub(crate) type Access<'a, S> = <S as sealed::State>::Access<'a>;

pub(crate) mod sealed {
    use super::Opened;

    /// What this crate needs of a handle.
    pub trait State {
        /// The access to the state of the current key.
        type Access<'a>
        where
            Self: 'a;

        #[doc(hidden)]
        fn open<'a>(&'a self, cells: Opened<'a>) -> Self::Access<'a>;
    }
}

/// The cells of the current key, at the moment at hand.
#[derive(Debug)]
pub struct Opened<'a> {
    pub(crate) cells: &'a mut Cells,
    /// The time of the record or timer at hand.
    pub(crate) time: EventTime,
    /// That time, or the watermark where it is further: what lives is decided by it.
    pub(crate) now: EventTime,
}

/// Whether what was touched then can still be seen.
fn lives(expiry: Option<Expiry>, touched: EventTime, now: EventTime) -> bool {
    !expiry.is_some_and(|it| it.over(touched, now))
}

impl Opened<'_> {
    /// The contents of `slot`, which are touched by it where access counts.
    fn read<C: Cell>(&mut self, slot: Slot) -> Option<&mut C> {
        if slot.expiry.is_some_and(Expiry::counts_access) && self.cells.holds(slot) {
            self.cells.touch(slot, self.now);
        }
        self.cells.read(slot)
    }

    /// The single value of `slot`.
    fn one<T: Stored>(&mut self, slot: Slot) -> Option<&T> {
        let now = self.now;
        let One(touched, value) = self.read::<One<T>>(slot)?;
        if !lives(slot.expiry, *touched, now) {
            return None;
        }
        if slot.expiry.is_some_and(Expiry::counts_access) {
            *touched = (*touched).max(now);
        }
        value.as_ref()
    }

    /// The single value of `slot`, to be written to; none in it if there was none.
    fn one_mut<T: Stored>(&mut self, slot: Slot) -> &mut Option<T> {
        let now = self.now;
        let One(touched, value) = self.cells.write::<One<T>>(slot, now);
        if !lives(slot.expiry, *touched, now) {
            *value = None;
        }
        *touched = (*touched).max(now);
        value
    }
}
