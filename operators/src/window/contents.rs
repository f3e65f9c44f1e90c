//! Contents: what a window keeps of its records, and what it gives when it fires.
//!
//! [`Folded`] keeps the small state of an aggregate, [`Reduced`] one record, [`Whole`] every record
//! for a function of them all, and [`FoldedThen`] an aggregate whose result a function completes
//! with the key and span. [`Evicting`] wraps any of these.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::Aggregate;
use crate::event::Event;
use crate::time::{EventTime, Span};
use crate::window::evict::Evict;

/// What windows of a key `K` keep of records with a value `V`. A description, not the state itself.
pub trait Contents<K, V>: 'static {
    /// What is kept per key and window.
    type State: Clone + Serialize + DeserializeOwned + 'static;
    /// What a firing gives, any number of times.
    type Output: 'static;

    /// The state of a window without records.
    fn start(&self) -> Self::State;

    /// Takes in one record.
    fn add(&self, state: &mut Self::State, at: EventTime, value: &V);

    /// Takes in the state of a later window that merges into this one.
    fn merge(&self, state: &mut Self::State, other: Self::State);

    /// Drops what the next firing shall not see, and returns the span of the records that are left,
    /// if any. `extent` is the span of those that were added.
    fn evict(&self, _state: &mut Self::State, _window: Span, extent: Span) -> Option<Span> {
        Some(extent)
    }

    /// Gives what the window has to say. It holds at least one record.
    fn fire(&self, key: &K, span: Span, state: &Self::State, give: &mut dyn FnMut(Self::Output));
}

/// Writes the `Debug` form of contents that hold a user's function.
macro_rules! opaque {
    ($($name:ident<$($parameter:ident),*>;)*) => {
        $(impl<$($parameter),*> fmt::Debug for $name<$($parameter),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        })*
    };
}

opaque! {
    Folded<A>;
    Reduced<F>;
    FoldedThen<A, F>;
    Whole<F>;
    Evicting<E, C>;
}

/// An aggregate, folded as records come. Keeps the aggregate's state alone.
#[derive(Clone)]
pub struct Folded<A>(pub A);

impl<K, V, A: Aggregate<V>> Contents<K, V> for Folded<A> {
    type State = A::State;
    type Output = A::Output;

    fn start(&self) -> A::State {
        self.0.start()
    }

    fn add(&self, state: &mut A::State, at: EventTime, value: &V) {
        self.0.add(state, at, value);
    }

    fn merge(&self, state: &mut A::State, other: A::State) {
        self.0.merge(state, &other);
    }

    fn fire(&self, _: &K, _: Span, state: &A::State, give: &mut dyn FnMut(A::Output)) {
        give(self.0.finish(state));
    }
}

/// A function `Fn(&mut V, &V)` that folds one record into another. Keeps one record.
///
/// It must be associative and commutative, like an aggregate.
#[derive(Clone)]
pub struct Reduced<F>(pub F);

impl<K, V, F> Contents<K, V> for Reduced<F>
where
    V: Clone + Serialize + DeserializeOwned + 'static,
    F: Fn(&mut V, &V) + 'static,
{
    type State = Option<V>;
    type Output = V;

    fn start(&self) -> Option<V> {
        None
    }

    fn add(&self, state: &mut Option<V>, _: EventTime, value: &V) {
        match state {
            Some(state) => (self.0)(state, value),
            None => *state = Some(value.clone()),
        }
    }

    fn merge(&self, state: &mut Option<V>, other: Option<V>) {
        match (state, other) {
            (Some(state), Some(other)) => (self.0)(state, &other),
            (state @ None, other) => *state = other,
            (Some(_), None) => {}
        }
    }

    fn fire(&self, _: &K, _: Span, state: &Option<V>, give: &mut dyn FnMut(V)) {
        state.iter().cloned().for_each(give);
    }
}

/// An aggregate, and a function `Fn(&K, Span, A::Output) -> impl IntoIterator` of its result. Keeps
/// the aggregate's state alone.
#[derive(Clone)]
pub struct FoldedThen<A, F>(pub A, pub F);

impl<K, V, A, F, I> Contents<K, V> for FoldedThen<A, F>
where
    A: Aggregate<V>,
    F: Fn(&K, Span, A::Output) -> I + 'static,
    I: IntoIterator<Item: 'static>,
{
    type State = A::State;
    type Output = I::Item;

    fn start(&self) -> A::State {
        self.0.start()
    }

    fn add(&self, state: &mut A::State, at: EventTime, value: &V) {
        self.0.add(state, at, value);
    }

    fn merge(&self, state: &mut A::State, other: A::State) {
        self.0.merge(state, &other);
    }

    fn fire(&self, key: &K, span: Span, state: &A::State, give: &mut dyn FnMut(I::Item)) {
        (self.1)(key, span, self.0.finish(state)).into_iter().for_each(give);
    }
}

/// A function `Fn(&K, Span, &[Event<V>]) -> impl IntoIterator` of all records of the window, in order
/// of arrival; where windows merged, one window's records after the other's. Keeps every record.
#[derive(Clone)]
pub struct Whole<F>(pub F);

impl<K, V, F, I> Contents<K, V> for Whole<F>
where
    V: Clone + Serialize + DeserializeOwned + 'static,
    F: Fn(&K, Span, &[Event<V>]) -> I + 'static,
    I: IntoIterator<Item: 'static>,
{
    type State = Vec<Event<V>>;
    type Output = I::Item;

    fn start(&self) -> Vec<Event<V>> {
        Vec::new()
    }

    fn add(&self, state: &mut Vec<Event<V>>, at: EventTime, value: &V) {
        state.push(Event::new(at, value.clone()));
    }

    fn merge(&self, state: &mut Vec<Event<V>>, mut other: Vec<Event<V>>) {
        state.append(&mut other);
    }

    fn fire(&self, key: &K, span: Span, state: &Vec<Event<V>>, give: &mut dyn FnMut(I::Item)) {
        (self.0)(key, span, state).into_iter().for_each(give);
    }
}

/// An evictor in front of other contents. Keeps every record, and folds those that are left anew at
/// each firing.
#[derive(Clone)]
pub struct Evicting<E, C>(pub E, pub C);

impl<K, V, E, C> Contents<K, V> for Evicting<E, C>
where
    V: Clone + Serialize + DeserializeOwned + 'static,
    E: Evict<V>,
    C: Contents<K, V>,
{
    type State = Vec<Event<V>>;
    type Output = C::Output;

    fn start(&self) -> Vec<Event<V>> {
        Vec::new()
    }

    fn add(&self, state: &mut Vec<Event<V>>, at: EventTime, value: &V) {
        state.push(Event::new(at, value.clone()));
    }

    fn merge(&self, state: &mut Vec<Event<V>>, mut other: Vec<Event<V>>) {
        state.append(&mut other);
    }

    fn evict(&self, state: &mut Vec<Event<V>>, window: Span, _: Span) -> Option<Span> {
        self.0.evict(window, state);
        state.iter().map(|it| Span::between(it.at, it.at)).reduce(Span::cover)
    }

    fn fire(&self, key: &K, span: Span, state: &Vec<Event<V>>, give: &mut dyn FnMut(C::Output)) {
        let mut inner = self.1.start();
        state.iter().for_each(|it| self.1.add(&mut inner, it.at, &it.value));
        self.1.fire(key, span, &inner, give);
    }
}
