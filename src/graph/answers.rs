//! What a part says of its vertices, and what it said before.

use super::edge::Load;
use super::part::Part;
use super::update::Update;
use crate::time::Epoch;

/// A value for each vertex of a part, by slot; the default, unless it is set.
pub(super) struct Answers<V> {
    value: Vec<V>,
    /// What was told last, if the vertex was there.
    shown: Vec<Option<V>>,
    noted: Vec<u32>,
    marked: Vec<bool>,
}

impl<V: Copy + Default + PartialEq + 'static> Answers<V> {
    pub(super) fn new() -> Self {
        Self { value: Vec::new(), shown: Vec::new(), noted: Vec::new(), marked: Vec::new() }
    }

    /// Makes room for so many vertices.
    pub(super) fn grow(&mut self, slots: usize) {
        if self.value.len() < slots {
            self.value.resize(slots, V::default());
            self.shown.resize(slots, None);
            self.marked.resize(slots, false);
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> V {
        self.value[slot as usize]
    }

    /// Sets a value that nobody is shown: that of a vertex of another part.
    #[inline]
    pub(super) fn keep(&mut self, slot: u32, value: V) {
        self.value[slot as usize] = value;
    }

    /// Sets the value of a vertex of this part.
    pub(super) fn set(&mut self, slot: u32, value: V) {
        self.value[slot as usize] = value;
        self.note(slot);
    }

    /// Notes that a vertex of this part may have come, gone or got another value.
    pub(super) fn note(&mut self, slot: u32) {
        if !std::mem::replace(&mut self.marked[slot as usize], true) {
            self.noted.push(slot);
        }
    }

    /// Whether a vertex was there at the end of the epoch before.
    pub(super) fn was_there(&self, slot: u32) -> bool {
        self.shown[slot as usize].is_some()
    }

    /// Ends an epoch: gives what changed, as it is shown of a vertex with an id, and forgets those of
    /// which nothing speaks any more.
    pub(super) fn finish<W: Load, S: PartialEq>(
        &mut self,
        part: &mut Part<W>,
        epoch: Epoch,
        show: impl Fn(u64, V) -> S,
        out: &mut Vec<Update<S>>,
        mut gone: impl FnMut(u32),
    ) {
        for slot in self.noted.drain(..) {
            self.marked[slot as usize] = false;
            let there = part.present(slot);
            if !there {
                // A vertex that comes again has no value yet, even if something spoke of it all along.
                self.value[slot as usize] = V::default();
            }
            let has = there.then_some(self.value[slot as usize]);
            let had = std::mem::replace(&mut self.shown[slot as usize], has);
            if has != had {
                let vertex = part.vertices.id(slot);
                let [old, new] = [had, has].map(|it| it.map(|value| show(vertex, value)));
                // Different values may be shown as the same.
                if old != new {
                    out.push(Update { epoch, vertex, old, new });
                }
            }
        }
        let (value, shown) = (&mut self.value, &mut self.shown);
        part.clear(|slot| {
            (value[slot as usize], shown[slot as usize]) = (V::default(), None);
            gone(slot);
        });
    }
}
