//! The handle of windowed events and its verbs.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use super::contents::{Contents, Evicting, Folded, FoldedThen, Reduced, Whole};
use super::evict::Evict;
use super::running::Running;
use super::slices::Slices;
use super::tables::Tables;
use super::trigger::{AtWatermark, Trigger};
use super::{Aligned, Assign, General, Pane, Sliding, WithLate};
use crate::aggregate::Aggregate;
use crate::event::Event;
use crate::events::Events;
use crate::keyed::{Key, Keyed, Value};
use crate::plan::Node;
use crate::stream::Stream;
use crate::time::Span;

/// Where windows cut into slices keep their state.
const SLICED: &str = "aggregates per key and slice, until its last window fires";

/// What windows give: their panes, and the records that came too late for every window they belong to.
pub(super) type Given<'scope, K, V, O> =
    (Events<'scope, Pane<K, O>>, Stream<'scope, Event<(K, V)>>);

/// Keyed events cut into windows: what [`Keyed::window`] gives.
///
/// Its settings say when windows fire and for how long they take late records; its verbs say what
/// they compute, and give the [`Pane`]s that they fire.
///
/// ```
/// use tidemill_operators::aggregate::Count;
/// use tidemill_operators::event_time::Disorder;
/// use tidemill_operators::flow::Flow;
/// use tidemill_operators::stream::Stream;
/// use tidemill_operators::time::{EventTime, seconds};
/// use tidemill_operators::window::Tumbling;
/// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
///
/// let panes = timely::example(|scope| {
///     let clicks = [(1, 7u32), (4, 7), (12, 7)].to_stream(scope);
///     Stream::from_inner(&Flow::new(scope), clicks)
///         .event_time(|click| EventTime::from_secs(click.0), Disorder::ascending())
///         .key_by(|click| click.1)
///         .window(Tumbling::new(seconds(10)))
///         .aggregate(Count)
///         .values()
///         .map(|pane| (pane.key, pane.span.start().millis(), pane.value))
///         .inner()
///         .capture()
/// });
/// let panes: Vec<_> = panes.extract().into_iter().flat_map(|(_, panes)| panes).collect();
/// assert_eq!(panes, [(7, 0, 2), (7, 10_000, 1)]);
/// ```
pub struct Windowed<'scope, K, V, A, T> {
    keyed: Keyed<'scope, K, V>,
    assign: A,
    trigger: T,
    lateness: Duration,
    name: String,
}

/// Windowed events whose windows drop records before their function sees them.
pub struct Evicted<'scope, K, V, A, T, E> {
    windowed: Windowed<'scope, K, V, A, T>,
    evict: E,
}

impl<K, V, A, T> fmt::Debug for Windowed<'_, K, V, A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windowed").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K, V, A, T, E> fmt::Debug for Evicted<'_, K, V, A, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Evicted").field(&self.windowed).finish()
    }
}

impl<'scope, K: Key, V: Value> Keyed<'scope, K, V> {
    /// Cuts the events of each key into windows.
    pub fn window<A: Assign<V>>(self, assign: A) -> Windowed<'scope, K, V, A, A::Trigger> {
        let trigger = assign.trigger();
        let (lateness, name) = (Duration::ZERO, "window".to_owned());
        Windowed { keyed: self, assign, trigger, lateness, name }
    }
}

impl<'scope, K: Key, V: Value, A: Assign<V>, T: Trigger<V>> Windowed<'scope, K, V, A, T> {
    /// Names the operator, for the plan, for metrics, and as the stable name of its saved state.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Fires when `trigger` says so, instead of as the windows would by themselves.
    #[must_use]
    pub fn trigger<U: Trigger<V>>(self, trigger: U) -> Windowed<'scope, K, V, A, U> {
        let Self { keyed, assign, lateness, name, .. } = self;
        Windowed { keyed, assign, trigger, lateness, name }
    }

    /// Keeps a window for this long after its end; each late record fires it again at once.
    #[must_use]
    pub fn allow_lateness(self, lateness: Duration) -> Self {
        Self { lateness, ..self }
    }

    /// Gives, beside the panes, the stream of records that no window takes. Without this they are only
    /// counted.
    ///
    /// ```
    /// use tidemill_operators::{aggregate::Count, keyed::Keyed, time::seconds, window::Tumbling};
    ///
    /// fn clicks(keyed: Keyed<'_, String, u64>) {
    ///     let (_panes, late) =
    ///         keyed.window(Tumbling::new(seconds(10))).with_late().aggregate(Count);
    ///     _ = late.inspect(|event| eprintln!("too late: {event:?}"));
    /// }
    /// ```
    pub fn with_late(self) -> WithLate<'scope, K, V, A, T> {
        WithLate(self)
    }

    /// Drops records of a window before its function sees them. The windows then keep all records.
    pub fn evict<E: Evict<V>>(self, evict: E) -> Evicted<'scope, K, V, A, T, E> {
        Evicted { windowed: self, evict }
    }

    /// Gives the aggregate of each window. The window keeps only the aggregate's state.
    pub fn aggregate<G: Aggregate<V>>(self, aggregate: G) -> Events<'scope, Pane<K, G::Output>> {
        self.aggregated(aggregate).0
    }

    pub(super) fn aggregated<G: Aggregate<V>>(
        self,
        aggregate: G,
    ) -> Given<'scope, K, V, G::Output> {
        let by_watermark = TypeId::of::<T>() == TypeId::of::<AtWatermark>();
        let aligned = self.assign.aligned().filter(|_| by_watermark && self.lateness.is_zero());
        match aligned {
            Some(Aligned::Tumbling(windows)) => {
                let node = self.node("one aggregate per key and open window, until it fires");
                self.keyed.rule(node, Tables::new(windows, aggregate))
            }
            Some(Aligned::Sliding(windows)) => self.sliding(windows, aggregate),
            Some(Aligned::Cumulative(windows)) if aggregate.invertible() => {
                let node = self.node(SLICED);
                self.keyed.rule(node, Running::cumulative(windows, aggregate))
            }
            Some(Aligned::Cumulative(windows)) => {
                let node = self.node(SLICED);
                self.keyed.rule(node, Slices::cumulative(windows, aggregate))
            }
            None => self.given(Folded(aggregate)),
        }
    }

    fn sliding<G: Aggregate<V>>(
        self,
        windows: Sliding,
        aggregate: G,
    ) -> Given<'scope, K, V, G::Output> {
        let node = self.node(SLICED);
        if aggregate.invertible()
            && let Some(running) = Running::sliding(windows, aggregate.clone())
        {
            return self.keyed.rule(node, running);
        }
        match Slices::sliding(windows, aggregate.clone()) {
            Some(slices) => self.keyed.rule(node, slices),
            // Windows with gaps between them.
            None => self.given(Folded(aggregate)),
        }
    }

    /// Gives the records of each window combined into one: `combine` folds the second into the
    /// first. The window keeps only that one.
    pub fn reduce(self, combine: impl Fn(&mut V, &V) + 'static) -> Events<'scope, Pane<K, V>> {
        self.general(Reduced(combine))
    }

    /// Gives what `function` makes of each window: of its key, its span and all its records, in the
    /// order they arrived. The window keeps all its records.
    pub fn process<I>(
        self,
        function: impl Fn(&K, Span, &[Event<V>]) -> I + 'static,
    ) -> Events<'scope, Pane<K, I::Item>>
    where
        I: IntoIterator<Item: 'static> + 'static,
    {
        self.general(Whole(function))
    }

    /// Gives what `function` makes of the key, the span and the aggregate of each window. The window
    /// keeps only the aggregate's state.
    pub fn aggregate_then<G: Aggregate<V>, I>(
        self,
        aggregate: G,
        function: impl Fn(&K, Span, G::Output) -> I + 'static,
    ) -> Events<'scope, Pane<K, I::Item>>
    where
        I: IntoIterator<Item: 'static> + 'static,
    {
        self.general(FoldedThen(aggregate, function))
    }

    /// Gives what contents of one's own have to say.
    ///
    /// # Panics
    ///
    /// If the windows merge and the trigger cannot: a mistake in the program, found when the flow
    /// is built.
    pub fn general<C: Contents<K, V>>(self, contents: C) -> Events<'scope, Pane<K, C::Output>> {
        self.given(contents).0
    }

    pub(super) fn given<C: Contents<K, V>>(self, contents: C) -> Given<'scope, K, V, C::Output> {
        match self.assign.keeps() {
            Some(newest) => self.built(Evicting(newest, contents)),
            None => self.built(contents),
        }
    }

    fn built<C: Contents<K, V>>(self, contents: C) -> Given<'scope, K, V, C::Output> {
        let node = self.node("per key and window, until the watermark passes its end and lateness");
        let name = self.name;
        let rule = General::new(self.assign, self.trigger, self.lateness, contents)
            .unwrap_or_else(|refused| panic!("operator `{name}`: {refused}"));
        self.keyed.rule(node, rule)
    }

    fn node(&self, state: &str) -> Node {
        let node = Node::operator(&self.name).state(state).note(self.assign.describe());
        match self.lateness {
            Duration::ZERO => node,
            lateness => node.note(format!("takes records up to {lateness:?} late")),
        }
    }
}

impl<'scope, K: Key, V: Value, A: Assign<V>, T: Trigger<V>, E: Evict<V>>
    Evicted<'scope, K, V, A, T, E>
{
    /// As [`Windowed::aggregate`], of the records that are left.
    pub fn aggregate<G: Aggregate<V>>(self, aggregate: G) -> Events<'scope, Pane<K, G::Output>> {
        self.windowed.general(Evicting(self.evict, Folded(aggregate)))
    }

    /// As [`Windowed::process`], of the records that are left.
    pub fn process<I>(
        self,
        function: impl Fn(&K, Span, &[Event<V>]) -> I + 'static,
    ) -> Events<'scope, Pane<K, I::Item>>
    where
        I: IntoIterator<Item: 'static> + 'static,
    {
        self.windowed.general(Evicting(self.evict, Whole(function)))
    }
}
