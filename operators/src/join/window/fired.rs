//! What windows have fired and how far their rows have been given.

use std::collections::VecDeque;
use std::marker::PhantomData;

use crate::event::Event;
use crate::join::rows::Rows;
use crate::rule::Outbox;
use crate::window::Pane;

/// The records of both sides of a window of a key.
pub(super) type Sides<L, R> = (Vec<Event<L>>, Vec<Event<R>>);

/// Windows whose rows are to be given.
pub(super) struct Fired<K, L, R, J> {
    windows: VecDeque<Event<Pane<K, Sides<L, R>>>>,
    /// How many records of the left side of the first have been joined with how many of the right.
    from: (usize, usize),
    rows: PhantomData<J>,
}

impl<K, L, R, J> Default for Fired<K, L, R, J> {
    fn default() -> Self {
        Self { windows: VecDeque::new(), from: (0, 0), rows: PhantomData }
    }
}

impl<K: Clone, L, R, J: Rows<L, R>> Fired<K, L, R, J> {
    pub(super) fn push(&mut self, window: Event<Pane<K, Sides<L, R>>>) {
        self.windows.push_back(window);
    }

    /// Gives rows until there are `most` in the outbox; says whether that were all.
    pub(super) fn give<S>(
        &mut self,
        most: usize,
        out: &mut Outbox<Event<Pane<K, J::Row>>, S>,
    ) -> bool {
        while let Some(Event { at, value: Pane { key, span, value } }) = self.windows.front() {
            let (lefts, rights) = value;
            let row = |row| Event::new(*at, Pane { key: key.clone(), span: *span, value: row });
            if lefts.is_empty() || rights.is_empty() {
                // One of these is none at all.
                let alone = lefts.iter().filter_map(|it| J::left(&it.value));
                let alone = alone.chain(rights.iter().filter_map(|it| J::right(&it.value)));
                out.main.extend(alone.map(row));
            } else {
                for left in lefts.iter().skip(self.from.0) {
                    for right in rights.iter().skip(self.from.1) {
                        if out.main.len() >= most {
                            return false;
                        }
                        out.main.push(row(J::both(&left.value, &right.value)));
                        self.from.1 += 1;
                    }
                    self.from = (self.from.0 + 1, 0);
                }
            }
            self.windows.pop_front();
            self.from = (0, 0);
            if out.main.len() >= most {
                return self.windows.is_empty();
            }
        }
        true
    }
}
