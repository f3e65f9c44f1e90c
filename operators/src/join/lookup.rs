//! Lookup joins: events with what a collection holds of their keys when their epoch ends.

use std::fmt;
use std::marker::PhantomData;

use super::rows::{Inner, LeftOuter, Rows};
use crate::batch::by_key;
use crate::collection::{Collection, Diff, Record};
use crate::drive::drive_two;
use crate::event::Event;
use crate::events::Events;
use crate::key::hash;
use crate::keyed::{Key, Keyed, Value};
use crate::plan::{Node, Routing};
use crate::stream::Stream;

mod rule;
mod untimed;

pub use rule::Lookup;
pub use untimed::StreamLookup;

/// A join of keyed events with a collection: made by [`Keyed::lookup_join`].
pub struct LookupJoin<'scope, K: 'static, L, V: 'static, J = Inner> {
    left: Keyed<'scope, K, L>,
    table: Collection<'scope, (K, V)>,
    name: String,
    rows: PhantomData<J>,
}

impl<K, L, V, J> fmt::Debug for LookupJoin<'_, K, L, V, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupJoin").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'scope, K: Key + Record, L: Value> Keyed<'scope, K, L> {
    /// Joins each record with what `table` holds of its key at the end of the record's epoch.
    ///
    /// # Guarantees
    ///
    /// * A record sees all changes of its own epoch and of those before, and none of later ones. So
    ///   what holds of the stream and the collection at each epoch holds of the rows, on any number
    ///   of workers.
    /// * Later changes do not touch rows that were given: to have them follow, make the stream a
    ///   collection, too, and [join](Collection::join) the two.
    /// * A value that is there several times gives as many rows, one that is there no times or less
    ///   gives none.
    /// * Rows have the times of their records and leave in the same epoch. There are no late
    ///   records: event time plays no part.
    ///
    /// # Cost
    ///
    /// A record waits for the end of its epoch, and costs one look-up of its key and a step for
    /// each row; a change of the collection costs a look-up and a step in a tree, and crosses
    /// between workers twice. State: the contents of the collection by key, **once more than what
    /// the collection itself holds**, until they are deleted from it. Nothing is saved: a run that
    /// continues takes the contents from the collection again.
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
    /// let greeted = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let names = [(1, Some("ann".to_owned())), (2, None)].to_stream(scope);
    ///     let names = Stream::from_inner(&flow, names).upserts();
    ///     let visits = Stream::from_inner(&flow, [(1u32, 'x'), (2, 'y')].to_stream(scope));
    ///     visits
    ///         .event_time(|_| EventTime::from_secs(0), Disorder::ascending())
    ///         .key_value(|visit| visit)
    ///         .lookup_join(names)
    ///         .left_outer()
    ///         .joined()
    ///         .pairs()
    ///         .values()
    ///         .inner()
    ///         .capture()
    /// });
    /// let expected = vec![(1, ('x', Some("ann".to_owned()))), (2, ('y', None))];
    /// assert_eq!(greeted.extract(), [(0, expected)]);
    /// ```
    pub fn lookup_join<V: Record>(
        self,
        table: Collection<'scope, (K, V)>,
    ) -> LookupJoin<'scope, K, L, V> {
        LookupJoin { left: self, table, name: "lookup_join".to_owned(), rows: PhantomData }
    }
}

impl<'scope, K, L, V> LookupJoin<'scope, K, L, V> {
    /// Gives rows for records of whose key the collection holds nothing, too.
    #[must_use]
    pub fn left_outer(self) -> LookupJoin<'scope, K, L, V, LeftOuter> {
        let Self { left, table, name, .. } = self;
        LookupJoin { left, table, name, rows: PhantomData }
    }
}

impl<'scope, K, L, V, J> LookupJoin<'scope, K, L, V, J>
where
    K: Key + Record,
    L: Value,
    V: Record,
    J: Rows<L, V>,
{
    /// Names the operator, for the plan, for metrics, and as the stable name of its saved state.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The rows, by key.
    pub fn joined(self) -> Keyed<'scope, K, J::Row> {
        let Events { stream: left, marks } = self.left.events;
        // The collection is rebuilt by a run that continues, so the rule need not save it.
        let changes = self.table.contents();
        let flow = left.flow;
        let node = Node::operator(self.name)
            .state("the records of an epoch, and the collection by key, until deleted from it")
            .note(format!("{} with the collection at the end of the epoch", J::NAME));
        let route = || Routing::ByKey(String::new());
        let node = flow.add(node, [(left.node, route()), (changes.node, route())]);
        let groups = flow.site().groups;
        let records = by_key(groups, |event: &Event<(K, L)>| hash(&event.value.0));
        let values = by_key(groups, |((key, _), _): &((K, V), Diff)| hash(key));
        let (left, right) = ((left.inner, records), (changes.inner, values));
        let rule = Lookup::<K, L, V, J>::new();
        let (rows, _) = drive_two(&flow, node, left, right, marks.clone(), rule);
        let stream = Stream { flow, inner: rows, node, partitions: None };
        Keyed { events: Events { stream, marks } }
    }
}
