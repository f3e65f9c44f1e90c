//! Verbs that bring records of a key together: join, reduce and what is made of them.

use differential_dataflow::lattice::Lattice;
use differential_dataflow::trace::implementations::{ValBuilder, ValSpine};
use timely::progress::Timestamp;

use super::{Collection, Diff, Record};
use crate::plan::{Node, Routing};

fn by_key() -> Routing {
    Routing::ByKey(String::new())
}

fn by_record() -> Routing {
    Routing::ByKey("record".to_owned())
}

impl<'scope, K: Record, V: Record, T: Timestamp + Lattice> Collection<'scope, (K, V), T> {
    /// Every record of this collection with every one of `other` that has the same key; how often each
    /// pair is there is the product of how often its parts are.
    ///
    /// # Cost
    ///
    /// A change costs a search of the other side, and a step for each match. State: both sides,
    /// arranged by key, until their records are deleted.
    #[must_use]
    pub fn join<W: Record>(
        self,
        other: Collection<'scope, (K, W), T>,
    ) -> Collection<'scope, (K, (V, W)), T> {
        let held = Node::operator("join").state("both sides by key, until deleted");
        let node = self.site.add(held, [(self.node, by_key()), (other.node, by_key())]);
        let name = self.site.name_of(node);
        let left = self.inner.arrange_by_key_named(&format!("{name}: left"));
        let right = other.inner.arrange_by_key_named(&format!("{name}: right"));
        let matched = |key: &K, one: &V, two: &W| Some((key.clone(), (one.clone(), two.clone())));
        Collection { site: self.site, node, inner: left.join_core(right, matched) }
    }

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
                |batch, record, changes| {
                    batch.clear();
                    batch.extend(
                        changes.drain(..).map(|(it, at, diff)| ((record.clone(), it), at, diff)),
                    );
                },
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
