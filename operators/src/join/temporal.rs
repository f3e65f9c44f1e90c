//! Temporal joins: records with the version of a table that is valid at their time.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::rows::{Inner, LeftOuter, Rows};
use crate::collection::Diff;
use crate::events::Events;
use crate::keyed::{Key, Keyed, OfTwo, Value};
use crate::plan::Node;
use crate::stream::Stream;

mod history;
mod rule;

pub use rule::{SavedHistory, Temporal};

/// A join of keyed events with versions: made by [`Keyed::temporal_join`].
pub struct TemporalJoin<'scope, K, L, V, J = Inner> {
    left: Keyed<'scope, K, L>,
    versions: Keyed<'scope, K, Option<V>>,
    name: String,
    rows: PhantomData<J>,
}

/// A temporal join that corrects its rows: made by [`TemporalJoin::correcting`].
pub struct CorrectingJoin<'scope, K, L, V, J> {
    join: TemporalJoin<'scope, K, L, V, J>,
    lateness: Duration,
}

/// What came too late for a temporal join: a record, or a version.
pub type LateForVersions<K, L, V> = OfTwo<K, L, Option<V>>;

impl<K, L, V, J> fmt::Debug for TemporalJoin<'_, K, L, V, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemporalJoin").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K, L, V, J> fmt::Debug for CorrectingJoin<'_, K, L, V, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CorrectingJoin").field(&self.join).finish()
    }
}

impl<'scope, K: Key, L: Value> Keyed<'scope, K, L> {
    /// Joins each record with the version of its key that is valid at its time: the latest that is
    /// not after it. A version is valid from its own time on until the next one of its key; a
    /// `None` says that from then on there is none.
    ///
    /// # Guarantees
    ///
    /// * A row has the time of its record and leaves when the watermark reaches that: then all
    ///   versions that matter are there, however the inputs were mixed.
    /// * A record at or before the watermark when it arrives is late, and leaves by the side
    ///   output.
    /// * **A version that comes late changes no row that was given**, unless [asked
    ///   to](TemporalJoin::correcting). It counts for records whose rows were not given yet, if no
    ///   later version of its key is at or before the watermark; otherwise it is of no use, and
    ///   leaves by the side output. Of several late versions of one epoch it depends on their order
    ///   which ones do.
    /// * Of versions of a key with the same time the one that arrives last counts. Those that come
    ///   from one partition arrive in its order; let the versions of a key come from one partition,
    ///   or it is a matter of chance.
    ///
    /// # Cost
    ///
    /// A record costs two look-ups of its key and a step in a tree when it arrives, and a search
    /// among the versions of its key when the watermark reaches it. State: records that the
    /// watermark has not reached; of each key the versions that are after the watermark and **the
    /// latest one before it, for ever**, or until a `None` is before the watermark. A version that
    /// is older than such a deletion and comes even later is taken for a new one. A checkpoint
    /// writes the keys that changed since the last one.
    ///
    /// The watermark is the lesser of those of the inputs: versions that come seldom hold all rows
    /// back unless their stream is told to be [idle](crate::event_time::Disorder::idle_after) when
    /// it is silent.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::event_time::Disorder;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::EventTime;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// // What orders were worth in euros, at the rate of their time.
    /// let worth = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let orders = [(12, "USD", 100), (25, "USD", 100), (5, "GBP", 9)].to_stream(scope);
    ///     let orders = Stream::from_inner(&flow, orders)
    ///         .event_time(|it| EventTime::from_secs(it.0), Disorder::unbounded())
    ///         .key_value(|(_, currency, amount)| (currency.to_owned(), amount));
    ///     let rates = [(20, "USD", Some(80)), (10, "USD", Some(90)), (6, "GBP", None)];
    ///     let rates = Stream::from_inner(&flow, rates.to_stream(scope))
    ///         .event_time(|it| EventTime::from_secs(it.0), Disorder::unbounded())
    ///         .key_value(|(_, currency, cents)| (currency.to_owned(), cents));
    ///     orders
    ///         .temporal_join(rates)
    ///         .left_outer()
    ///         .joined()
    ///         .map_values(|(amount, cents)| cents.map(|it| amount * it / 100))
    ///         .pairs()
    ///         .values()
    ///         .inner()
    ///         .capture()
    /// });
    /// let worth: Vec<_> = worth.extract().into_iter().flat_map(|(_, rows)| rows).collect();
    /// let expected = [("GBP", None), ("USD", Some(80)), ("USD", Some(90))];
    /// assert_eq!(worth, expected.map(|(currency, euros)| (currency.to_owned(), euros)));
    /// ```
    pub fn temporal_join<V: Value>(
        self,
        versions: Keyed<'scope, K, Option<V>>,
    ) -> TemporalJoin<'scope, K, L, V> {
        let name = "temporal_join".to_owned();
        TemporalJoin { left: self, versions, name, rows: PhantomData }
    }
}

impl<'scope, K: Key, L: Value, V: Value> TemporalJoin<'scope, K, L, V> {
    /// Gives rows for records without a version, too.
    #[must_use]
    pub fn left_outer(self) -> TemporalJoin<'scope, K, L, V, LeftOuter> {
        let Self { left, versions, name, .. } = self;
        TemporalJoin { left, versions, name, rows: PhantomData }
    }
}

impl<'scope, K: Key, L: Value, V: Value, J: Rows<L, V>> TemporalJoin<'scope, K, L, V, J> {
    /// Names the operator, for the plan, for metrics, and as the stable name of its saved state.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Corrects rows for versions that come up to `lateness` too late: gives each row that is not
    /// right any more once more, as taken back, and the right one in its place.
    ///
    /// Rows leave as changes, each with `1` or `-1`: what a
    /// [`changelog`](Stream::changelog) collects. Late records are taken for as long, too, and have
    /// their rows at once.
    ///
    /// # Guarantees
    ///
    /// Summed up, the changes are the rows that a join would have given that had waited `lateness`
    /// longer. What follows is told a watermark that is `lateness` behind, so no change is late for
    /// it. A version that repeats the one before gives changes that cancel.
    ///
    /// # Cost
    ///
    /// Records and versions are held for `lateness` longer. A version that comes late costs two
    /// changes for each row that was given of the time in which it is valid.
    #[must_use]
    pub fn correcting(self, lateness: Duration) -> CorrectingJoin<'scope, K, L, V, J> {
        CorrectingJoin { join: self, lateness }
    }

    /// The rows, by key. What comes too late is only counted.
    pub fn joined(self) -> Keyed<'scope, K, J::Row> {
        self.joined_with_late().0
    }

    /// The rows, by key, and the records and versions that came too late.
    pub fn joined_with_late(
        self,
    ) -> (Keyed<'scope, K, J::Row>, Stream<'scope, LateForVersions<K, L, V>>) {
        let node = self.node("records until the watermark reaches them, versions until replaced");
        let rule = Temporal::<K, L, V, J, _>::new();
        let (events, late) = self.left.rule_with(self.versions, node, rule);
        (Keyed { events }, late)
    }

    fn node(&self, state: &str) -> Node {
        let note = format!("{} with the version valid at the time of a record", J::NAME);
        Node::operator(&self.name).state(state).note(note)
    }
}

impl<'scope, K: Key, L: Value, V: Value, J: Rows<L, V>> CorrectingJoin<'scope, K, L, V, J> {
    /// What changes in the rows. What comes too late is only counted.
    pub fn joined(self) -> Events<'scope, ((K, J::Row), Diff)> {
        self.joined_with_late().0
    }

    /// What changes in the rows, and the records and versions that came too late.
    pub fn joined_with_late(
        self,
    ) -> (Events<'scope, ((K, J::Row), Diff)>, Stream<'scope, LateForVersions<K, L, V>>) {
        let Self { join, lateness } = self;
        let state = "records and versions until the watermark has passed them by the lateness";
        let node = join.node(state).note(format!("corrects rows for {lateness:?}"));
        let rule = Temporal::<K, L, V, J, _>::correcting(lateness);
        let (changes, late) = join.left.rule_with(join.versions, node, rule);
        let (stream, marks) = changes.into_parts();
        (Events::from_parts(stream, marks.held_back(lateness)), late)
    }
}
