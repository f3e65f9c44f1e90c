//! What a window of two sides keeps: every record of both, apart.

use std::marker::PhantomData;

use super::fired::Sides;
use crate::event::Event;
use crate::join::rows::Rows;
use crate::keyed::Value;
use crate::rule::Either;
use crate::time::{EventTime, Span};
use crate::window::contents::Contents;

/// Gives the records of both sides, for rows `J` to be made of them later.
pub(super) struct Apart<L, R, J>(PhantomData<(L, R, J)>);

/// Gives what a function makes of the records of both sides.
pub(super) struct Grouped<L, R, F>(F, PhantomData<(L, R)>);

impl<L, R, J> Apart<L, R, J> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<L, R, F> Grouped<L, R, F> {
    pub(super) fn by(function: F) -> Self {
        Self(function, PhantomData)
    }
}

fn put<L: Clone, R: Clone>((lefts, rights): &mut Sides<L, R>, at: EventTime, value: &Either<L, R>) {
    match value {
        Either::Left(left) => lefts.push(Event::new(at, left.clone())),
        Either::Right(right) => rights.push(Event::new(at, right.clone())),
    }
}

fn merge<L, R>(state: &mut Sides<L, R>, mut other: Sides<L, R>) {
    state.0.append(&mut other.0);
    state.1.append(&mut other.1);
}

impl<K, L: Value, R: Value, J: Rows<L, R>> Contents<K, Either<L, R>> for Apart<L, R, J> {
    type State = Sides<L, R>;
    type Output = Sides<L, R>;

    fn start(&self) -> Sides<L, R> {
        (Vec::new(), Vec::new())
    }

    fn add(&self, state: &mut Sides<L, R>, at: EventTime, value: &Either<L, R>) {
        put(state, at, value);
    }

    fn merge(&self, state: &mut Sides<L, R>, other: Sides<L, R>) {
        merge(state, other);
    }

    fn fire(&self, _: &K, _: Span, state: &Sides<L, R>, give: &mut dyn FnMut(Sides<L, R>)) {
        let (lefts, rights) = state;
        let rows = match (lefts.is_empty(), rights.is_empty()) {
            (true, _) => J::RIGHT,
            (_, true) => J::LEFT,
            _ => true,
        };
        if rows {
            give(state.clone());
        }
    }
}

impl<K, L, R, F, I> Contents<K, Either<L, R>> for Grouped<L, R, F>
where
    L: Value,
    R: Value,
    F: Fn(&K, Span, &[Event<L>], &[Event<R>]) -> I + 'static,
    I: IntoIterator<Item: 'static>,
{
    type State = Sides<L, R>;
    type Output = I::Item;

    fn start(&self) -> Sides<L, R> {
        (Vec::new(), Vec::new())
    }

    fn add(&self, state: &mut Sides<L, R>, at: EventTime, value: &Either<L, R>) {
        put(state, at, value);
    }

    fn merge(&self, state: &mut Sides<L, R>, other: Sides<L, R>) {
        merge(state, other);
    }

    fn fire(&self, key: &K, span: Span, state: &Sides<L, R>, give: &mut dyn FnMut(I::Item)) {
        (self.0)(key, span, &state.0, &state.1).into_iter().for_each(give);
    }
}
