//! A slice that records are folded into: states close together, found by place.

use crate::time::Span;

/// A slice that records are folded into.
#[derive(Debug)]
pub(in crate::window) struct Open<S> {
    pub(in crate::window) span: Span,
    /// Where each place's state is, plus one.
    at: Vec<u32>,
    /// Places and their states.
    pub(in crate::window) states: Vec<(u32, S)>,
}

impl<S> Default for Open<S> {
    fn default() -> Self {
        Self { span: Span::ALWAYS, at: Vec::new(), states: Vec::new() }
    }
}

impl<S> Open<S> {
    /// The state of a place out of `places`.
    #[inline]
    pub(in crate::window) fn state(
        &mut self,
        place: u32,
        places: usize,
        start: impl FnOnce() -> S,
    ) -> &mut S {
        if self.at.len() <= place as usize {
            self.at.resize(places, 0);
        }
        let at = &mut self.at[place as usize];
        if *at == 0 {
            self.states.push((place, start()));
            *at = self.states.len() as u32;
        }
        &mut self.states[*at as usize - 1].1
    }

    /// Where the state of a place is, plus one; 0 if there is none.
    #[inline]
    pub(in crate::window) fn at(&mut self, place: u32, places: usize) -> u32 {
        if self.at.len() <= place as usize {
            self.at.resize(places, 0);
        }
        self.at[place as usize]
    }

    pub(in crate::window) fn has(&self, place: u32) -> bool {
        self.at.get(place as usize).is_some_and(|at| *at != 0)
    }

    /// Takes out all states, so that the slice can serve as another one.
    pub(in crate::window) fn empty_into(&mut self, room: Vec<(u32, S)>) -> Vec<(u32, S)> {
        self.states.iter().for_each(|(place, _)| self.at[*place as usize] = 0);
        std::mem::replace(&mut self.states, room)
    }
}
