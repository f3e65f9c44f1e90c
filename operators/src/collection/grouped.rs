//! Verbs that bring records of a key together: reduce, cogroup, count, distinct.

use differential_dataflow::lattice::Lattice;
use differential_dataflow::trace::implementations::{ValBuilder, ValSpine};
use timely::progress::Timestamp;

use super::{Collection, Diff, Record};
use crate::plan::{Node, Routing};
use crate::rule::Either;

fn by_key() -> Routing {
    Routing::ByKey(String::new())
}

/// Puts what changes for a key into the form in which the engine arranges it.
pub(super) fn keyed<K: Clone, V, T, R>(
    batch: &mut Vec<((K, V), T, R)>,
    key: &K,
    changes: &mut Vec<(V, T, R)>,
) {
    batch.clear();
    batch.extend(changes.drain(..).map(|(value, at, diff)| ((key.clone(), value), at, diff)));
}

fn by_record() -> Routing {
    Routing::ByKey("record".to_owned())
}

impl<'scope, K: Record, V: Record, T: Timestamp + Lattice> Collection<'scope, (K, V), T> {
    /// What `reduce` makes of all records of a key: it is given the key and the values in order, each with
    /// how often it is there, and adds to the last argument what the key is to have, each with how
    /// often. It is called for keys that have records.
    ///
    /// # Cost
    ///
    /// When a record of a key changes, `reduce` sees all of the key's values. State: input and output,
    /// arranged by key, until their records are deleted.
    #[must_use]
    pub fn reduce<W: Record>(
        self,
        reduce: impl FnMut(&K, &[(&V, Diff)], &mut Vec<(W, Diff)>) + 'static,
    ) -> Collection<'scope, (K, W), T> {
        let held = Node::operator("reduce").state("input and output by key, until deleted");
        let (node, name) = self.followed_by(held, by_key());
        Collection { site: self.site, node, inner: self.inner.reduce_named(&name, reduce) }
    }

    /// What `group` makes of all records of a key in both collections: it is given the key, the values
    /// here and the values of `other`, each in order and with how often it is there, and adds to the
    /// last argument what the key is to have. It is called for keys that either has.
    ///
    /// # Cost
    ///
    /// When a record of a key changes on either side, `group` sees all of the key's values. State: the
    /// input of both and the output, arranged by key, until deleted.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let stock = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let came = [("nut", 8), ("bolt", 5), ("nut", 1)].to_stream(scope);
    ///     let went = [("nut", 3), ("cog", 1)].to_stream(scope);
    ///     let [came, went] = [came, went].map(|it| Stream::from_inner(&flow, it));
    ///     let [came, went] = [came, went]
    ///         .map(|it| it.map(|(thing, pieces)| (thing.to_owned(), pieces)).inserts());
    ///     let stock = came.cogroup(went, |_, came, went, stock| {
    ///         let sum = |rows: &[(&i64, isize)]| rows.iter().map(|it| it.0 * it.1 as i64).sum::<i64>();
    ///         stock.push((sum(came) - sum(went), 1));
    ///     });
    ///     stock.changes().inner().capture()
    /// });
    /// let stock = stock.extract().remove(0).1;
    /// let stock: Vec<_> = stock.iter().map(|((thing, sum), _)| (thing.as_str(), *sum)).collect();
    /// assert_eq!(stock, [("bolt", 5), ("cog", -1), ("nut", 6)]);
    /// ```
    #[must_use]
    pub fn cogroup<W: Record, X: Record>(
        self,
        other: Collection<'scope, (K, W), T>,
        mut group: impl FnMut(&K, &[(&V, Diff)], &[(&W, Diff)], &mut Vec<(X, Diff)>) + 'static,
    ) -> Collection<'scope, (K, X), T> {
        let held = Node::operator("cogroup").state("both inputs and output by key, until deleted");
        let node = self.site.add(held, [(self.node, by_key()), (other.node, by_key())]);
        let name = self.site.name_of(node);
        let here = self.inner.map(|(key, value)| (key, Either::Left(value)));
        let there = other.inner.map(|(key, value)| (key, Either::Right(value)));
        let inner = here.concat(there).reduce_named(&name, move |key, values, given| {
            let (mut here, mut there) = (Vec::new(), Vec::new());
            for (value, times) in values {
                match value {
                    Either::Left(value) => here.push((value, *times)),
                    Either::Right(value) => there.push((value, *times)),
                }
            }
            group(key, &here, &there, given);
        });
        Collection { site: self.site, node, inner }
    }
}

impl<'scope, D: Record, T: Timestamp + Lattice> Collection<'scope, D, T> {
    /// Each record that is there, with how often it is; also if that is a negative number of times.
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let counts = timely::example(|scope| {
    ///     let letters = Stream::from_inner(&Flow::new(scope), ['a', 'b', 'a'].to_stream(scope));
    ///     letters.inserts().count().changes().inner().capture()
    /// });
    /// assert_eq!(counts.extract(), [(0, vec![(('a', 2), 1), (('b', 1), 1)])]);
    /// ```
    ///
    /// # Cost
    ///
    /// As [`reduce`](Self::reduce), whatever the count is.
    #[must_use]
    pub fn count(self) -> Collection<'scope, (D, Diff), T> {
        let held = Node::operator("count").state("input and output by record, until deleted");
        let (node, name) = self.followed_by(held, by_record());
        let counted = self
            .inner
            .arrange_by_self_named(&format!("Arrange: {name}"))
            .reduce_abelian::<_, ValBuilder<D, Diff, T, Diff>, ValSpine<D, Diff, T, Diff>, _, _>(
                &name,
                |_, times, counts| counts.extend(times.iter().map(|(_, count)| (*count, 1))),
                keyed,
            );
        let inner = counted.as_collection(|record, count| (record.clone(), *count));
        Collection { site: self.site, node, inner }
    }

    /// Each record once that is there once or more often.
    ///
    /// # Cost
    ///
    /// As [`count`](Self::count).
    #[must_use]
    pub fn distinct(self) -> Self {
        let held = Node::operator("distinct").state("input and output by record, until deleted");
        let (node, name) = self.followed_by(held, by_record());
        let inner = self.inner.threshold_named(&name, |_, times| Diff::from(*times > 0));
        Self { site: self.site, node, inner }
    }

    /// The same records, whose changes leave when their time is complete, those of one record and time
    /// as one, or none if they cancel.
    ///
    /// # Cost
    ///
    /// Changes cross between workers by record and are sorted. State: the changes of incomplete
    /// times.
    #[must_use]
    pub fn consolidate(self) -> Self {
        let held = Node::operator("consolidate").state("the changes of incomplete epochs");
        let (node, _) = self.followed_by(held, by_record());
        Self { site: self.site, node, inner: self.inner.consolidate() }
    }
}
