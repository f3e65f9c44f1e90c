//! What is known of each vertex while values spread.

use super::spread::{NONE, Spread};
use super::vertices::{NOBODY, Vertices};

/// Its value before the epoch is noted.
pub(super) const NOTED: u8 = 1;
/// It is in the answer.
pub(super) const SHOWN: u8 = 2;
/// It waits to find a value among those that have none.
pub(super) const WITHOUT: u8 = 4;

/// What is known of a vertex.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) value: u64,
    /// The neighbour whose offer it took.
    pub(super) parent: u32,
    pub(super) flags: u8,
}

impl State {
    pub(super) const UNKNOWN: Self = Self { value: NONE, parent: NOBODY, flags: 0 };

    /// Notes the vertex with what it had, if it is not noted yet.
    #[inline]
    pub(super) fn note(&mut self, slot: u32, noted: &mut Vec<(u32, Option<u64>)>) {
        if self.flags & NOTED == 0 {
            noted.push((slot, (self.flags & SHOWN != 0).then_some(self.value)));
            self.flags |= NOTED;
        }
    }

    /// Takes a better value. Who had none has its own to choose, too, where each vertex has one.
    #[inline]
    pub(super) fn take<S: Spread>(
        &mut self,
        slot: u32,
        value: u64,
        from: u32,
        vertices: &Vertices,
    ) {
        (self.value, self.parent) = match S::SPLITS && self.value == NONE {
            true if vertices.id(slot) < value => (vertices.id(slot), NOBODY),
            _ => (value, from),
        };
    }
}
