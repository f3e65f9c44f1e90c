//! Windows that give the records no window takes, too.

use std::fmt;

use super::contents::{Contents, FoldedThen, Reduced, Whole};
use super::trigger::Trigger;
use super::verbs::Given;
use super::{Assign, Windowed};
use crate::aggregate::Aggregate;
use crate::event::Event;
use crate::keyed::{Key, Value};
use crate::time::Span;

/// Windowed events whose verbs give two streams: the panes, and the records that came too late for
/// every window they belong to, or that belong to none. Made by [`Windowed::with_late`].
pub struct WithLate<'scope, K, V, A, T>(pub(super) Windowed<'scope, K, V, A, T>);

impl<K, V, A, T> fmt::Debug for WithLate<'_, K, V, A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WithLate").field(&self.0).finish()
    }
}

impl<'scope, K: Key, V: Value, A: Assign<V>, T: Trigger<V>> WithLate<'scope, K, V, A, T> {
    /// As [`Windowed::aggregate`], with the late records.
    pub fn aggregate<G: Aggregate<V>>(self, aggregate: G) -> Given<'scope, K, V, G::Output> {
        self.0.aggregated(aggregate)
    }

    /// As [`Windowed::reduce`], with the late records.
    pub fn reduce(self, combine: impl Fn(&mut V, &V) + 'static) -> Given<'scope, K, V, V> {
        self.0.given(Reduced(combine))
    }

    /// As [`Windowed::process`], with the late records.
    pub fn process<I>(
        self,
        function: impl Fn(&K, Span, &[Event<V>]) -> I + 'static,
    ) -> Given<'scope, K, V, I::Item>
    where
        I: IntoIterator<Item: 'static> + 'static,
    {
        self.0.given(Whole(function))
    }

    /// As [`Windowed::aggregate_then`], with the late records.
    pub fn aggregate_then<G: Aggregate<V>, I>(
        self,
        aggregate: G,
        function: impl Fn(&K, Span, G::Output) -> I + 'static,
    ) -> Given<'scope, K, V, I::Item>
    where
        I: IntoIterator<Item: 'static> + 'static,
    {
        self.0.given(FoldedThen(aggregate, function))
    }

    /// As [`Windowed::general`], with the late records.
    ///
    /// # Panics
    ///
    /// As [`Windowed::general`] does.
    pub fn general<C: Contents<K, V>>(self, contents: C) -> Given<'scope, K, V, C::Output> {
        self.0.given(contents)
    }
}
