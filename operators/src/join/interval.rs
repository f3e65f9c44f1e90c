//! Interval joins: records of two sides that are near each other in time.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::rows::{FullOuter, Inner, LeftOuter, RightOuter, Rows};
use crate::events::Events;
use crate::keyed::{Key, Keyed, OfTwo, Value};
use crate::plan::Node;
use crate::stream::Stream;

mod bounds;
mod rule;
mod side;

pub use bounds::{Interval, Offset, earlier, later};
pub use rule::{Intervals, Saved};

/// A join of two keyed inputs by time: made by [`Keyed::interval_join`].
pub struct IntervalJoin<'scope, K, L, R, J = Inner> {
    left: Keyed<'scope, K, L>,
    right: Keyed<'scope, K, R>,
    interval: Interval,
    name: String,
    rows: PhantomData<J>,
}

impl<K, L, R, J> fmt::Debug for IntervalJoin<'_, K, L, R, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntervalJoin").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'scope, K: Key, L: Value> Keyed<'scope, K, L> {
    /// Joins each record, of a moment `t`, with the records of `right` that have its key and a time
    /// in `interval` around `t`.
    ///
    /// # Guarantees
    ///
    /// * A row of two records leaves with the epoch in which the second of them arrives, and has
    ///   the later of their times.
    /// * In outer joins, a record that has met no partner gives a row, at its own time, when the
    ///   watermark says that none can come any more. Such a row is older than the watermark, so
    ///   what follows is told one that is behind by the length of `interval` after a record of that
    ///   side.
    /// * A record that is at or before the watermark when it arrives is late: it meets no partner,
    ///   not even one that is there, gives no outer row, and leaves by the side output. Flink's
    ///   interval join does the same, but takes a record at just the watermark.
    ///
    /// # Cost
    ///
    /// A record costs one look-up of its key, a search among the other side's records of that key,
    /// which are in order of time and in a tree where they are many, and a step for each partner.
    /// State: every record, with its key, until the watermark has passed the last moment at which a
    /// partner can be; records whose partners are all in the past are not held. A checkpoint writes
    /// the keys whose records changed since the last one, each whole.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::event_time::Disorder;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::join::{Interval, later};
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::{EventTime, minutes, seconds};
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// // Which advertisements were clicked within ten minutes after they were shown.
    /// let rows = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let shown = Stream::from_inner(&flow, [(0, 7, "tea"), (60, 8, "rice")].to_stream(scope))
    ///         .event_time(|it| EventTime::from_secs(it.0), Disorder::ascending())
    ///         .key_value(|(_, ad, what)| (ad, what.to_owned()));
    ///     let clicks = Stream::from_inner(&flow, [(30, 7u32), (601, 7)].to_stream(scope))
    ///         .event_time(|it| EventTime::from_secs(it.0), Disorder::ascending())
    ///         .key_value(|(at, ad)| (ad, at));
    ///     shown
    ///         .interval_join(clicks, Interval::of(later(seconds(0))..=later(minutes(10))))
    ///         .left_outer()
    ///         .joined()
    ///         .pairs()
    ///         .timed()
    ///         .map(|row| (row.at.millis(), row.value))
    ///         .inner()
    ///         .capture()
    /// });
    /// let rows: Vec<_> = rows.extract().into_iter().flat_map(|(_, rows)| rows).collect();
    /// assert_eq!(rows[0], (30_000, (7, ("tea".into(), Some(30)))));
    /// assert_eq!(rows[1], (60_000, (8, ("rice".into(), None))));
    /// assert_eq!(rows.len(), 2);
    /// ```
    pub fn interval_join<R: Value>(
        self,
        right: Keyed<'scope, K, R>,
        interval: Interval,
    ) -> IntervalJoin<'scope, K, L, R> {
        let name = "interval_join".to_owned();
        IntervalJoin { left: self, right, interval, name, rows: PhantomData }
    }
}

impl<'scope, K: Key, L: Value, R: Value> IntervalJoin<'scope, K, L, R> {
    /// Gives rows for left records without a partner, too.
    #[must_use]
    pub fn left_outer(self) -> IntervalJoin<'scope, K, L, R, LeftOuter> {
        self.giving()
    }

    /// Gives rows for right records without a partner, too.
    #[must_use]
    pub fn right_outer(self) -> IntervalJoin<'scope, K, L, R, RightOuter> {
        self.giving()
    }

    /// Gives rows for records of both sides without a partner, too.
    #[must_use]
    pub fn full_outer(self) -> IntervalJoin<'scope, K, L, R, FullOuter> {
        self.giving()
    }

    fn giving<J>(self) -> IntervalJoin<'scope, K, L, R, J> {
        let Self { left, right, interval, name, .. } = self;
        IntervalJoin { left, right, interval, name, rows: PhantomData }
    }
}

impl<'scope, K: Key, L: Value, R: Value, J: Rows<L, R>> IntervalJoin<'scope, K, L, R, J> {
    /// Names the operator, for the plan, for metrics, and as the stable name of its saved state.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The rows, by key. Late records are only counted.
    pub fn joined(self) -> Keyed<'scope, K, J::Row> {
        self.joined_with_late().0
    }

    /// The rows, by key, and the records of both sides that came too late.
    pub fn joined_with_late(self) -> (Keyed<'scope, K, J::Row>, Stream<'scope, OfTwo<K, L, R>>) {
        let Self { left, right, interval, name, .. } = self;
        let node = Node::operator(name)
            .state("both sides by key and time, until no partner can come any more")
            .note(format!("{} with right records {interval}", J::NAME));
        let rule = Intervals::<K, L, R, J>::new(interval);
        let (rows, late) = left.rule_with(right, node, rule);
        let (stream, marks) = rows.into_parts();
        let left = if J::LEFT { interval.ahead() } else { Duration::ZERO };
        let right = if J::RIGHT { interval.turned().ahead() } else { Duration::ZERO };
        let events = Events::from_parts(stream, marks.held_back(left.max(right)));
        (Keyed { events }, late)
    }
}
