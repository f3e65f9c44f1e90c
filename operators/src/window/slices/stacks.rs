//! Two stacks of slices, whose tops together are the aggregate of a window that slides.
//!
//! Slices enter the back, which keeps only their sum, and leave the front, which keeps for each of
//! its slices the sum from it to the youngest of the front. The front keeps these as changes: what
//! each place was before the slice was added, so that leaving is undoing. When the front is used up,
//! the slices of the back are added to it, youngest first.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

/// The aggregates of the slices `oldest..=newest`, by place.
#[derive(Debug)]
pub(super) struct Stacks<S> {
    front: Vec<Option<S>>,
    /// For each slice of the front, oldest first: its number, and what the place of each of its
    /// states was before.
    undo: VecDeque<(i64, Vec<Option<S>>)>,
    /// Room that slices left.
    spare: Vec<Vec<Option<S>>>,
    back: Vec<Option<S>>,
    /// The places with a state in the back.
    touched: Vec<u32>,
    /// The slices that the stacks hold; the back holds those after the front.
    held: Option<RangeInclusive<i64>>,
    /// Whether a slice of the front has changed, so that the front is wrong.
    stale: bool,
}

impl<S> Default for Stacks<S> {
    fn default() -> Self {
        Self {
            front: Vec::new(),
            undo: VecDeque::new(),
            spare: Vec::new(),
            back: Vec::new(),
            touched: Vec::new(),
            held: None,
            stale: false,
        }
    }
}

/// The slices outside the stacks: places and states by number.
pub(super) type Closed<S> = BTreeMap<i64, Vec<(u32, S)>>;

impl<S: Clone> Stacks<S> {
    /// The aggregates of a place in the front and in the back.
    #[inline]
    pub(super) fn tops(&self, place: usize) -> (Option<&S>, Option<&S>) {
        let front = self.front.get(place).and_then(Option::as_ref);
        (front, self.back.get(place).and_then(Option::as_ref))
    }

    /// The number of the youngest slice that was ever in the stacks.
    pub(super) fn newest(&self) -> i64 {
        self.held.as_ref().map_or(i64::MIN, |held| *held.end())
    }

    /// Makes the stacks hold exactly these slices, of `places` places.
    pub(super) fn turn_to(
        &mut self,
        slices: RangeInclusive<i64>,
        places: usize,
        closed: &Closed<S>,
        merge: impl Fn(&mut S, &S),
    ) {
        self.back.resize_with(places, || None);
        self.front.resize_with(places, || None);
        self.leave(slices.start().saturating_sub(1), closed);
        let entered = self.held.as_ref().map_or(i64::MIN, |held| held.end().saturating_add(1));
        let back = self.back_from();
        let used_up = self.undo.is_empty() && back.is_some_and(|first| first < *slices.start());
        if self.stale || used_up {
            self.refill(&slices, entered, closed, &merge);
        }
        let entering = entered.max(*slices.start())..=*slices.end();
        if !entering.is_empty() {
            for (_, states) in closed.range(entering) {
                states.iter().for_each(|(place, state)| self.push_back(*place, state, &merge));
            }
        }
        self.held = Some(slices);
    }

    /// The oldest slice that the back may hold.
    fn back_from(&self) -> Option<i64> {
        let held = self.held.as_ref()?;
        Some(self.undo.back().map_or(*held.start(), |(number, _)| number.saturating_add(1)))
    }

    /// Moves everything from before `entered` that `slices` still has to the front.
    fn refill(
        &mut self,
        slices: &RangeInclusive<i64>,
        entered: i64,
        closed: &Closed<S>,
        merge: &impl Fn(&mut S, &S),
    ) {
        if std::mem::take(&mut self.stale) {
            self.front.iter_mut().for_each(|it| *it = None);
            self.undo.clear();
        }
        for place in self.touched.drain(..) {
            self.back[place as usize] = None;
        }
        let (first, end) = (*slices.start(), entered.min(slices.end().saturating_add(1)));
        if first >= end {
            return;
        }
        for (number, states) in closed.range(first..end).rev() {
            let change = |(place, state): &(u32, S)| {
                let mut sum = state.clone();
                let top = &mut self.front[*place as usize];
                if let Some(younger) = top.as_ref() {
                    merge(&mut sum, younger);
                }
                top.replace(sum)
            };
            let mut before = self.spare.pop().unwrap_or_default();
            before.extend(states.iter().map(change));
            self.undo.push_front((*number, before));
        }
    }

    #[inline]
    fn push_back(&mut self, place: u32, state: &S, merge: &impl Fn(&mut S, &S)) {
        match &mut self.back[place as usize] {
            Some(sum) => merge(sum, state),
            empty => {
                *empty = Some(state.clone());
                self.touched.push(place);
            }
        }
    }

    /// Adds a state to a slice that the stacks hold.
    pub(super) fn amend(&mut self, slice: i64, place: u32, state: &S, merge: impl Fn(&mut S, &S)) {
        let Some(first) = self.back_from() else { return };
        if slice < first {
            self.stale = true;
            return;
        }
        let places = self.back.len().max(place as usize + 1);
        self.back.resize_with(places, || None);
        self.push_back(place, state, &merge);
    }

    /// Takes out the slices up to and with one: they leave the window.
    pub(super) fn leave(&mut self, slice: i64, closed: &Closed<S>) {
        while self.undo.front().is_some_and(|(number, _)| *number <= slice) {
            let (number, mut before) = self.undo.pop_front().expect("it was just seen");
            let states = closed.get(&number).expect("a slice of the front is not freed");
            // States that came late stand behind those that were there when the slice was added.
            let states = &states[..before.len()];
            for ((place, _), before) in states.iter().zip(before.drain(..)).rev() {
                self.front[*place as usize] = before;
            }
            self.spare.push(before);
        }
    }
}
