//! Lookup joins of streams without event time.

use std::fmt;

use timely::dataflow::operators::generic::operator::empty;

use super::LookupJoin;
use crate::collection::{Collection, Record};
use crate::drive::Marks;
use crate::event::Event;
use crate::events::Events;
use crate::join::rows::{Inner, LeftOuter, Rows};
use crate::keyed::{Key, Keyed, Value};
use crate::stream::Stream;
use crate::time::EventTime;

/// A join of a stream of keys and values with a collection: made by [`Stream::lookup_join`].
pub struct StreamLookup<'scope, K: 'static, L, V: 'static, J = Inner>(
    LookupJoin<'scope, K, L, V, J>,
);

impl<K, L, V, J> fmt::Debug for StreamLookup<'_, K, L, V, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StreamLookup").field(&self.0).finish()
    }
}

impl<'scope, K: Key + Record, L: Value> Stream<'scope, (K, L)> {
    /// Joins each record, a key and a value, with what `table` holds of its key at the end of the
    /// record's epoch: as [`Keyed::lookup_join`], for streams without event time.
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let prices = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let prices = [('a', Some(5)), ('b', Some(7))].to_stream(scope);
    ///     let prices = Stream::from_inner(&flow, prices).upserts();
    ///     let orders = Stream::from_inner(&flow, [('b', 2), ('c', 1)].to_stream(scope));
    ///     orders.lookup_join(prices).joined().inner().capture()
    /// });
    /// assert_eq!(prices.extract(), [(0, vec![('b', (2, 7))])]);
    /// ```
    pub fn lookup_join<V: Record>(
        self,
        table: Collection<'scope, (K, V)>,
    ) -> StreamLookup<'scope, K, L, V> {
        // No marks, so no watermark: the times do not matter to the join.
        let marks = Marks { stream: empty(self.flow.scope()), slots: 0 };
        let stream = self.map(|record| Event::new(EventTime::MIN, record));
        StreamLookup(Keyed { events: Events { stream, marks } }.lookup_join(table))
    }
}

impl<'scope, K, L, V> StreamLookup<'scope, K, L, V> {
    /// As [`LookupJoin::left_outer`].
    #[must_use]
    pub fn left_outer(self) -> StreamLookup<'scope, K, L, V, LeftOuter> {
        StreamLookup(self.0.left_outer())
    }
}

impl<'scope, K, L, V, J> StreamLookup<'scope, K, L, V, J>
where
    K: Key + Record,
    L: Value,
    V: Record,
    J: Rows<L, V>,
{
    /// As [`LookupJoin::name`].
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self(self.0.name(name))
    }

    /// The rows, with their keys.
    pub fn joined(self) -> Stream<'scope, (K, J::Row)> {
        self.0.joined().pairs().values()
    }
}
