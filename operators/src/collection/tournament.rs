//! The least and greatest values of a key, by a tournament: a change is settled by a few matches, not
//! by looking at all values of the key.
//!
//! The values of a key are dealt by their hash into groups, and only the best of each group come
//! into the next round, where fewer and larger groups meet; the last round has one. That the hash of
//! a value is the same in every build makes the draw the same on every worker and after a restart.

use differential_dataflow::lattice::Lattice;
use timely::progress::Timestamp;

use super::{Collection, Diff, Record};
use crate::key::hash;
use crate::plan::{Node, Routing};

/// Bits of the hash by which values meet in the first round: about a million groups a key.
const FIRST: u32 = 20;
/// Bits fewer in each round: up to 32 groups meet in one.
const STEP: u32 = 5;

/// What a value is worth in a tournament.
#[derive(Clone, Copy)]
enum Best {
    Least,
    Greatest,
}

impl<'scope, K: Record, V: Record, T: Timestamp + Lattice> Collection<'scope, (K, V), T> {
    /// The least value of each key, once.
    ///
    /// # Guarantees
    ///
    /// As [`bottom`](Self::bottom).
    ///
    /// # Cost
    ///
    /// As [`bottom`](Self::bottom) of one.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let (least, greatest) = timely::example(|scope| {
    ///     let log = [(('a', 7), 1), (('a', 3), 1), (('a', 3), -1), (('b', 5), 2)].to_stream(scope);
    ///     let values = Stream::from_inner(&Flow::new(scope), log).changelog();
    ///     let (least, greatest) = (values.clone().min(), values.max());
    ///     (least.changes().inner().capture(), greatest.changes().inner().capture())
    /// });
    /// assert_eq!(least.extract(), [(0, vec![(('a', 7), 1), (('b', 5), 1)])]);
    /// assert_eq!(greatest.extract(), [(0, vec![(('a', 7), 1), (('b', 5), 1)])]);
    /// ```
    #[must_use]
    pub fn min(self) -> Self {
        self.tournament("min", Best::Least, 1)
    }

    /// The greatest value of each key, once, as [`min`](Self::min) gives the least.
    #[must_use]
    pub fn max(self) -> Self {
        self.tournament("max", Best::Greatest, 1)
    }

    /// The `count` greatest values of each key, as [`bottom`](Self::bottom) gives the least.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let best = timely::example(|scope| {
    ///     let points = [('a', 7), ('a', 9), ('a', 9), ('a', 8), ('b', 1)].to_stream(scope);
    ///     let points = Stream::from_inner(&Flow::new(scope), points).inserts();
    ///     points.top(3).changes().inner().capture()
    /// });
    /// assert_eq!(best.extract(), [(0, vec![(('a', 8), 1), (('a', 9), 2), (('b', 1), 1)])]);
    /// ```
    #[must_use]
    pub fn top(self, count: usize) -> Self {
        self.tournament("top", Best::Greatest, count)
    }

    /// The `count` least values of each key, or all if it has fewer.
    ///
    /// # Guarantees
    ///
    /// A value counts as often as it is there: one that is there twice takes two places. A value that is
    /// there a negative number of times is passed over.
    ///
    /// # Cost
    ///
    /// A change costs five matches one after the other, in each of which up to `32 * count` values are
    /// compared, and in the first those of the key that share 20 bits of their hash: one for a key of a
    /// million values. So the cost grows with the logarithm of the values of a key, up to some ten
    /// millions of them. The matches of one key are spread over the workers.
    ///
    /// State: what enters and leaves each match, arranged, until deleted: a value that loses in the first
    /// match is held once, the winner ten times, and **all values of keys that have few about nine
    /// times**. For such keys [`reduce`](Self::reduce) holds less and is as fast.
    #[must_use]
    pub fn bottom(self, count: usize) -> Self {
        self.tournament("bottom", Best::Least, count)
    }

    fn tournament(self, verb: &str, best: Best, count: usize) -> Self {
        let held = Node::operator(verb).state("its records by key, several times, until deleted");
        let (node, name) = self.followed_by(held, Routing::ByKey(String::new()));
        let places = Diff::try_from(count).unwrap_or(Diff::MAX);
        let rivals = self.inner.map(|(key, value)| {
            let group = hash(&value) >> (u64::BITS - FIRST);
            ((key, group as u32), value)
        });
        let mut winners = rivals.reduce_named(&name, best.of(places));
        for _ in 0..FIRST / STEP {
            let rivals = winners.map(|((key, group), value)| ((key, group >> STEP), value));
            winners = rivals.reduce_named(&name, best.of(places));
        }
        let inner = winners.map(|((key, _), value)| (key, value));
        Self { site: self.site, node, inner }
    }
}

impl Best {
    /// A match for so many places.
    fn of<K, V: Clone>(
        self,
        places: Diff,
    ) -> impl FnMut(&K, &[(&V, Diff)], &mut Vec<(V, Diff)>) + 'static {
        move |_, values, won| self.pick(values, places, won)
    }

    /// Lets the best values that are there win, as far as there are places.
    fn pick<V: Clone>(self, values: &[(&V, Diff)], mut places: Diff, won: &mut Vec<(V, Diff)>) {
        let mut take = |(value, times): &(&V, Diff)| {
            let taken = places.min(*times);
            if taken > 0 {
                won.push(((*value).clone(), taken));
                places -= taken;
            }
            places > 0
        };
        match self {
            Self::Least => _ = values.iter().all(&mut take),
            Self::Greatest => _ = values.iter().rev().all(&mut take),
        }
    }
}

impl<'scope, D: Record, T: Timestamp + Lattice> Collection<'scope, D, T> {
    /// Of the records with the same key the least, once.
    ///
    /// # Cost
    ///
    /// As [`min`](Collection::min).
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// // The first order of each customer: (customer, when, what).
    /// let first = timely::example(|scope| {
    ///     let orders = [(1, 30, 'a'), (1, 20, 'b'), (2, 25, 'c')].to_stream(scope);
    ///     let orders = Stream::from_inner(&Flow::new(scope), orders).inserts();
    ///     orders.deduplicate(|(customer, _, _)| *customer).changes().inner().capture()
    /// });
    /// assert_eq!(first.extract(), [(0, vec![((1, 20, 'b'), 1), ((2, 25, 'c'), 1)])]);
    /// ```
    #[must_use]
    pub fn deduplicate<K: Record>(self, key: impl Fn(&D) -> K + 'static) -> Self {
        let inner = self.inner.map(move |record| (key(&record), record));
        let keyed = Collection { site: self.site, node: self.node, inner };
        let least = keyed.tournament("deduplicate", Best::Least, 1);
        Self { site: least.site, node: least.node, inner: least.inner.map(|(_, record)| record) }
    }
}
