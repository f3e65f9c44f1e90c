//! A slice in one of two forms: few states found by an index, or a state for every place.
//!
//! With a state for every place, a record costs one access that waits for nothing, and slices are
//! added to a total from front to back. That takes memory for places without a record too, so it is
//! for states that are small and plain, and slices that have a good part of the places.

use crate::aggregate::Aggregate;
use crate::event::Event;
use crate::window::slices::Open;

/// A record with the place of its key in front.
pub(super) type Sorted<V> = (u32, Event<V>);

/// A state for every place, that of no records where there is none.
#[derive(Debug)]
pub(super) struct Dense<S> {
    pub(super) states: Vec<S>,
    /// The places with a record.
    pub(super) present: Vec<bool>,
}

impl<S> Default for Dense<S> {
    fn default() -> Self {
        Self { states: Vec::new(), present: Vec::new() }
    }
}

impl<S> Dense<S> {
    /// Makes it the state of no records at `places` places.
    fn prepare(&mut self, places: usize, start: impl FnMut() -> S) {
        self.states.clear();
        self.states.resize_with(places, start);
        self.present.clear();
        self.present.resize(places, false);
    }

    /// The state of a place; notes that it has a record.
    #[inline]
    pub(super) fn state(&mut self, place: u32, start: impl FnMut() -> S) -> &mut S {
        let place = place as usize;
        if place >= self.states.len() {
            self.grow(place + 1, start);
        }
        self.present[place] = true;
        &mut self.states[place]
    }

    #[cold]
    fn grow(&mut self, places: usize, start: impl FnMut() -> S) {
        self.states.resize_with(places, start);
        self.present.resize(places, false);
    }

    fn each(&self, mut show: impl FnMut(u32, &S)) {
        let all = (0u32..).zip(self.states.iter().zip(&self.present));
        all.filter(|(_, (_, present))| **present).for_each(|(place, (it, _))| show(place, it));
    }

    pub(super) fn has(&self, place: u32) -> bool {
        self.present.get(place as usize).copied().unwrap_or_default()
    }
}

/// A slice that records are folded into.
#[derive(Debug)]
pub(super) enum Folding<S> {
    Sparse(Open<S>),
    Dense(Dense<S>),
}

impl<S> Default for Folding<S> {
    fn default() -> Self {
        Self::Sparse(Open::default())
    }
}

impl<S> Folding<S> {
    /// The state of a place out of `places`.
    #[inline]
    pub(super) fn state(&mut self, place: u32, places: usize, start: impl FnMut() -> S) -> &mut S {
        match self {
            Self::Dense(dense) => dense.state(place, start),
            Self::Sparse(open) => open.state(place, places, start),
        }
    }

    /// Folds records in.
    pub(super) fn fold<V, A>(&mut self, records: &mut Vec<Sorted<V>>, places: usize, aggregate: &A)
    where
        A: Aggregate<V, State = S>,
    {
        let start = || aggregate.start();
        match self {
            Self::Dense(dense) => {
                for (place, Event { at, value }) in records.drain(..) {
                    aggregate.add(dense.state(place, start), at, &value);
                }
            }
            Self::Sparse(open) => {
                for (place, Event { at, value }) in records.drain(..) {
                    aggregate.add(open.state(place, places, start), at, &value);
                }
            }
        }
    }

    /// Shows each state there is with its place.
    pub(super) fn each(&self, mut show: impl FnMut(u32, &S)) {
        match self {
            Self::Sparse(open) => open.states.iter().for_each(|(place, it)| show(*place, it)),
            Self::Dense(dense) => dense.each(show),
        }
    }

    pub(super) fn has(&self, place: u32) -> bool {
        match self {
            Self::Dense(dense) => dense.has(place),
            Self::Sparse(open) => open.has(place),
        }
    }
}

/// A slice that windows are made of.
#[derive(Debug)]
pub(super) enum Closed<S> {
    /// Places and states, a place more than once if records came late.
    Sparse(Vec<(u32, S)>),
    Dense(Dense<S>),
}

impl<S> Closed<S> {
    /// Shows each state there is with its place.
    pub(super) fn each(&self, mut show: impl FnMut(u32, &S)) {
        match self {
            Self::Sparse(states) => states.iter().for_each(|(place, it)| show(*place, it)),
            Self::Dense(dense) => dense.each(show),
        }
    }
}

/// Makes slices, of what earlier ones left, in the form that suits the next.
#[derive(Debug)]
pub(super) struct Forms<S> {
    sparse: Vec<Open<S>>,
    states: Vec<Vec<(u32, S)>>,
    dense: Vec<Dense<S>>,
    /// States in the last slice that was closed.
    expected: usize,
}

impl<S> Default for Forms<S> {
    fn default() -> Self {
        Self { sparse: Vec::new(), states: Vec::new(), dense: Vec::new(), expected: 0 }
    }
}

impl<S: Clone> Forms<S> {
    /// Whether a state is small, and made and dropped at no cost.
    const PLAIN: bool = !std::mem::needs_drop::<S>() && size_of::<S>() <= 64;
    /// A slice becomes dense if the last had one in so many places, and stays it at one in twice.
    const DENSE: usize = 4;

    pub(super) fn open(&mut self, places: usize, start: impl FnMut() -> S) -> Folding<S> {
        if !Self::PLAIN || self.expected * Self::DENSE <= places {
            return Folding::Sparse(self.sparse.pop().unwrap_or_default());
        }
        let mut dense = self.dense.pop().unwrap_or_default();
        dense.prepare(places, start);
        Folding::Dense(dense)
    }

    pub(super) fn close(&mut self, slice: Folding<S>, places: usize) -> Closed<S> {
        match slice {
            Folding::Sparse(mut open) => {
                self.expected = open.states.len();
                // The next slice will be about as large: growing by steps would copy it.
                let alike = || Vec::with_capacity(self.expected + self.expected / 16);
                let states = open.empty_into(self.states.pop().unwrap_or_else(alike));
                self.sparse.push(open);
                Closed::Sparse(states)
            }
            Folding::Dense(dense) => {
                self.expected = dense.present.iter().filter(|present| **present).count();
                if self.expected * 2 * Self::DENSE > places {
                    return Closed::Dense(dense);
                }
                let mut states = Vec::with_capacity(self.expected);
                dense.each(|place, state| states.push((place, state.clone())));
                self.dense.push(dense);
                Closed::Sparse(states)
            }
        }
    }

    pub(super) fn reuse(&mut self, slice: Closed<S>) {
        match slice {
            Closed::Sparse(mut states) => {
                states.clear();
                self.states.push(states);
            }
            Closed::Dense(dense) => self.dense.push(dense),
        }
    }
}
