//! The state of one key under one name, whatever its kind.

use std::any::Any;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::states::{Expiry, Slot, Stored};
use crate::time::EventTime;

/// Reads back what [`Cell::encode`] made.
pub(crate) type Decode = fn(&[u8]) -> Result<Box<dyn Cell>, String>;

/// What a key holds under one name.
pub(crate) trait Cell: Any {
    /// Appends the contents in their saved form.
    fn encode_into(&self, bytes: &mut Vec<u8>);

    /// Drops what has expired. Says whether that was anything, and when the next thing will.
    fn expire(&mut self, expiry: Expiry, now: EventTime) -> (bool, Option<EventTime>);

    /// Whether there is nothing in it.
    fn empty(&self) -> bool;

    /// Bytes of memory, without what its entries point to.
    fn bytes(&self) -> usize;
}

/// One value and when it was touched: what the kinds keep that have a single value.
#[derive(Serialize, Deserialize)]
pub(crate) struct One<T>(pub(crate) EventTime, pub(crate) Option<T>);

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells").field("cells", &self.cells.len()).finish_non_exhaustive()
    }
}

impl<T> Default for One<T> {
    fn default() -> Self {
        Self(EventTime::MIN, None)
    }
}

impl<T: Stored> Cell for One<T> {
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        crate::state::encode_into(bytes, self);
    }

    fn expire(&mut self, expiry: Expiry, now: EventTime) -> (bool, Option<EventTime>) {
        if self.1.is_none() {
            return (false, None);
        }
        if expiry.over(self.0, now) {
            self.1 = None;
            return (true, None);
        }
        (false, expiry.end(self.0))
    }

    fn empty(&self) -> bool {
        self.1.is_none()
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// The cells of a key, and what has happened to them since they were opened.
#[derive(Default)]
pub(crate) struct Cells {
    // Most functions have one state.
    cells: SmallVec<[Option<Box<dyn Cell>>; 1]>,
    /// Whether something was written, or read where reading counts.
    pub(crate) changed: bool,
    /// When something is to be cleaned, if anything ever is.
    pub(crate) cleanup: Option<EventTime>,
}

impl Cells {
    /// Whether `slot` has contents.
    pub(crate) fn holds(&self, slot: Slot) -> bool {
        matches!(self.cells.get(slot.place), Some(Some(_)))
    }

    /// The contents of `slot`, if there are any. Some of it may have expired.
    pub(crate) fn read<C: Cell>(&mut self, slot: Slot) -> Option<&mut C> {
        let cell = self.cells.get_mut(slot.place)?.as_mut()?;
        Some(contents(&mut **cell))
    }

    /// Notes that what `slot` holds was written, or read where that counts, at `now`.
    pub(crate) fn touch(&mut self, slot: Slot, now: EventTime) {
        self.changed = true;
        let cleanup = slot.expiry.and_then(|it| Some(it.cleanup(it.end(now)?)));
        if let Some(cleanup) = cleanup {
            self.cleanup = Some(self.cleanup.map_or(cleanup, |it| it.min(cleanup)));
        }
    }

    /// The contents of `slot`, to be written to.
    pub(crate) fn write<C: Cell + Default>(&mut self, slot: Slot, now: EventTime) -> &mut C {
        self.touch(slot, now);
        if self.cells.len() <= slot.place {
            self.cells.resize_with(slot.place + 1, || None);
        }
        let cell = self.cells[slot.place].get_or_insert_with(|| Box::new(C::default()));
        contents(&mut **cell)
    }

    /// Empties `slot`.
    pub(crate) fn clear(&mut self, slot: Slot) {
        if let Some(cell) = self.cells.get_mut(slot.place) {
            self.changed |= cell.take().is_some();
        }
    }

    /// Puts in the contents of the state at `place`.
    pub(crate) fn put(&mut self, place: usize, cell: Box<dyn Cell>) {
        if self.cells.len() <= place {
            self.cells.resize_with(place + 1, || None);
        }
        self.cells[place] = Some(cell);
    }

    /// The contents of each state that has some.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &dyn Cell)> {
        let cells = self.cells.iter().enumerate();
        cells.filter_map(|(place, cell)| Some((place, &**cell.as_ref()?)))
    }

    /// Drops what has expired at `now`, of states that do; says whether that was anything.
    pub(crate) fn expire(
        &mut self,
        expiry: impl Fn(usize) -> Option<Expiry>,
        now: EventTime,
    ) -> bool {
        let mut any = false;
        self.cleanup = None;
        for (place, slot) in self.cells.iter_mut().enumerate() {
            let Some((cell, expiry)) = slot.as_mut().zip(expiry(place)) else { continue };
            let (dropped, next) = cell.expire(expiry, now);
            any |= dropped;
            let next = next.map(|end| expiry.cleanup(end));
            if cell.empty() {
                *slot = None;
            }
            self.cleanup = [self.cleanup, next].into_iter().flatten().min();
        }
        self.changed = true;
        any
    }

    /// Whether there is no contents under any name.
    pub(crate) fn empty(&self) -> bool {
        self.cells.iter().flatten().all(|it| it.empty())
    }

    /// Bytes of memory, without what entries point to.
    pub(crate) fn bytes(&self) -> usize {
        let place = size_of::<Option<Box<dyn Cell>>>();
        let beside = if self.cells.spilled() { place } else { 0 };
        self.cells.iter().map(|it| beside + it.as_ref().map_or(0, |it| it.bytes())).sum()
    }
}

fn contents<C: Cell>(cell: &mut dyn Cell) -> &mut C {
    let cell: &mut dyn Any = cell;
    cell.downcast_mut().expect("a handle is used with the function that declared it")
}
