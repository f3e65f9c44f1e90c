//! Window joins: records of two sides that are in the same window.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::rows::{FullOuter, Inner, LeftOuter, RightOuter, Rows};
use crate::event::Event;
use crate::events::Events;
use crate::keyed::{Key, Keyed, OfTwo, Value};
use crate::plan::Node;
use crate::rule::{Either, Rule};
use crate::stream::Stream;
use crate::time::Span;
use crate::window::contents::{Contents, Evicting};
use crate::window::{Assign, General, Pane};

mod contents;
mod fired;
mod rule;

use contents::{Apart, Grouped};
use rule::{OfSide, Pairs, Together, apart};

/// A join of two keyed inputs by window: made by [`Keyed::window_join`].
pub struct WindowJoin<'scope, K, L, R, A, J = Inner> {
    left: Keyed<'scope, K, L>,
    right: Keyed<'scope, K, R>,
    assign: A,
    lateness: Duration,
    name: String,
    rows: PhantomData<J>,
}

/// What a window join gives: its panes, and the records of both sides that came too late.
pub type WindowsWithLate<'scope, K, L, R, O> =
    (Events<'scope, Pane<K, O>>, Stream<'scope, OfTwo<K, L, R>>);

impl<K, L, R, A, J> fmt::Debug for WindowJoin<'_, K, L, R, A, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowJoin").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'scope, K: Key, L: Value> Keyed<'scope, K, L> {
    /// Joins the records of each key and window of this input with those of `right` in the same
    /// window: all pairs.
    ///
    /// `assign` sees a record as one of [`Either`] side. Sessions are of both sides together: a
    /// record of one side can keep a session of the other going.
    ///
    /// # Guarantees
    ///
    /// * A row is a [`Pane`] of its window, and has the time of the window's last moment. It leaves
    ///   when the watermark reaches that.
    /// * A record whose windows have all passed when it arrives is late, and leaves by the side
    ///   output. With [`allow_lateness`](WindowJoin::allow_lateness) a window that takes a record
    ///   after it has fired gives **all of its rows again**.
    ///
    /// # Cost
    ///
    /// As the [general window rule](General): a record costs a look-up of its key and a search
    /// among its windows, a firing a copy of what the window holds and a step for each row. State:
    /// every record in each of its windows, until the watermark passes the window's end and
    /// lateness.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::event_time::Disorder;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::{EventTime, minutes};
    /// use tidemill_operators::window::Tumbling;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// // Who pushed and who reviewed in the same ten minutes, by project.
    /// let rows = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let at = |it: &(i64, char, &str)| EventTime::from_secs(60 * it.0);
    ///     let key_value = |(_, project, user): (i64, char, &str)| (project, user.to_owned());
    ///     let pushes = [(1, 'a', "ann"), (2, 'a', "bob"), (12, 'a', "cat")].to_stream(scope);
    ///     let pushes = Stream::from_inner(&flow, pushes).event_time(at, Disorder::ascending());
    ///     let reviews = [(9, 'a', "dan"), (15, 'b', "eve")].to_stream(scope);
    ///     let reviews = Stream::from_inner(&flow, reviews).event_time(at, Disorder::ascending());
    ///     pushes
    ///         .key_value(key_value)
    ///         .window_join(reviews.key_value(key_value), Tumbling::new(minutes(10)))
    ///         .left_outer()
    ///         .joined()
    ///         .values()
    ///         .map(|pane| (pane.span.start().millis() / 60_000, pane.value))
    ///         .inner()
    ///         .capture()
    /// });
    /// let mut rows: Vec<_> = rows.extract().into_iter().flat_map(|(_, rows)| rows).collect();
    /// rows.sort();
    /// assert_eq!(rows[0], (0, ("ann".into(), Some("dan".into()))));
    /// assert_eq!(rows[1], (0, ("bob".into(), Some("dan".into()))));
    /// assert_eq!(rows[2], (10, ("cat".into(), None)));
    /// ```
    pub fn window_join<R: Value, A: Assign<Either<L, R>>>(
        self,
        right: Keyed<'scope, K, R>,
        assign: A,
    ) -> WindowJoin<'scope, K, L, R, A> {
        let (lateness, name) = (Duration::ZERO, "window_join".to_owned());
        WindowJoin { left: self, right, assign, lateness, name, rows: PhantomData }
    }
}

impl<'scope, K, L, R, A> WindowJoin<'scope, K, L, R, A> {
    /// Gives rows for left records without one on the right, too.
    #[must_use]
    pub fn left_outer(self) -> WindowJoin<'scope, K, L, R, A, LeftOuter> {
        self.giving()
    }

    /// Gives rows for right records without one on the left, too.
    #[must_use]
    pub fn right_outer(self) -> WindowJoin<'scope, K, L, R, A, RightOuter> {
        self.giving()
    }

    /// Gives rows for records of both sides without one on the other, too.
    #[must_use]
    pub fn full_outer(self) -> WindowJoin<'scope, K, L, R, A, FullOuter> {
        self.giving()
    }

    fn giving<J>(self) -> WindowJoin<'scope, K, L, R, A, J> {
        let Self { left, right, assign, lateness, name, .. } = self;
        WindowJoin { left, right, assign, lateness, name, rows: PhantomData }
    }
}

impl<'scope, K: Key, L: Value, R: Value, A: Assign<Either<L, R>>> WindowJoin<'scope, K, L, R, A> {
    /// Gives what `function` makes of each window: of its key, its span, and its records of the
    /// left and of the right side, each in the order they arrived. One of the sides may be empty.
    ///
    /// ```
    /// use tidemill_operators::{keyed::Keyed, time::seconds, window::Session};
    ///
    /// /// How many more clicks than views a session has.
    /// fn surplus(clicks: Keyed<'_, u32, String>, views: Keyed<'_, u32, ()>) {
    ///     let sessions = clicks.window_join(views, Session::gap(seconds(30)));
    ///     _ = sessions.cogroup(|_, _, clicks, views| clicks.len().checked_sub(views.len()));
    /// }
    /// ```
    pub fn cogroup<I>(
        self,
        function: impl Fn(&K, Span, &[Event<L>], &[Event<R>]) -> I + 'static,
    ) -> Events<'scope, Pane<K, I::Item>>
    where
        I: IntoIterator<Item: 'static> + 'static,
    {
        self.cogroup_with_late(function).0
    }

    /// As [`cogroup`](Self::cogroup), with the records that came too late.
    pub fn cogroup_with_late<I>(
        self,
        function: impl Fn(&K, Span, &[Event<L>], &[Event<R>]) -> I + 'static,
    ) -> WindowsWithLate<'scope, K, L, R, I::Item>
    where
        I: IntoIterator<Item: 'static> + 'static,
    {
        let contents = Grouped::by(function);
        match self.assign.keeps() {
            Some(newest) => self.built("cogroup", Evicting(newest, contents), Together),
            None => self.built("cogroup", contents, Together),
        }
    }
}

impl<'scope, K, L, R, A, J> WindowJoin<'scope, K, L, R, A, J>
where
    K: Key,
    L: Value,
    R: Value,
    A: Assign<Either<L, R>>,
    J: Rows<L, R>,
{
    /// Names the operator, for the plan, for metrics, and as the stable name of its saved state.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Keeps a window for this long after its end; each late record fires it again at once.
    #[must_use]
    pub fn allow_lateness(self, lateness: Duration) -> Self {
        Self { lateness, ..self }
    }

    /// The rows. Late records are only counted.
    pub fn joined(self) -> Events<'scope, Pane<K, J::Row>> {
        self.joined_with_late().0
    }

    /// The rows, and the records of both sides that came too late.
    pub fn joined_with_late(self) -> WindowsWithLate<'scope, K, L, R, J::Row> {
        let contents = Apart::<L, R, J>::new();
        match self.assign.keeps() {
            Some(newest) => {
                self.built(J::NAME, Evicting(newest, contents), Pairs::<_, _, _, _, J>::of)
            }
            None => self.built(J::NAME, contents, Pairs::<_, _, _, _, J>::of),
        }
    }

    /// Runs the rule that `rule` makes of the windows with these contents.
    fn built<C, T, O>(
        self,
        what: &str,
        contents: C,
        rule: impl FnOnce(General<K, Either<L, R>, A, A::Trigger, C>) -> T,
    ) -> WindowsWithLate<'scope, K, L, R, O>
    where
        C: Contents<K, Either<L, R>>,
        T: Rule<OfTwo<K, L, R>, Output = Event<Pane<K, O>>, Side = OfSide<K, L, R>>,
        O: 'static,
    {
        let Self { left, right, assign, lateness, name, .. } = self;
        let node = Node::operator(&name)
            .state("both sides per key and window, until the watermark passes its end and lateness")
            .note(format!("{what} of {}", assign.describe()));
        let node = match lateness {
            Duration::ZERO => node,
            lateness => node.note(format!("takes records up to {lateness:?} late")),
        };
        let trigger = assign.trigger();
        let windows = General::new(assign, trigger, lateness, contents)
            .unwrap_or_else(|refused| panic!("operator `{name}`: {refused}"));
        let (panes, late) = left.rule_with(right, node, rule(windows));
        (panes, late.map(apart))
    }
}
