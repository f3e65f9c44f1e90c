//! Joins of two collections by key: inner, outer of each kind, semi and anti.
//!
//! The verbs stand twice: on [`Collection`], which arranges both sides for itself, and on
//! [`Arrangement`], which looks into what is held already.

use std::rc::Rc;

use differential_dataflow::lattice::Lattice;
use timely::progress::Timestamp;

use super::arranged::{Lookup, Spine};
use super::matching::{self, Sides, full, left, right};
use super::{Arrangement, Collection, Record};
use crate::plan::{Node, NodeId, Routing};

/// Two sides of collections that a verb arranges for itself.
type Own<'scope, K, V, W, T> = Sides<'scope, Spine<K, V, T>, Spine<K, W, T>>;

fn by_key() -> Routing {
    Routing::ByKey(String::new())
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
        let (node, sides) = self.beside(&other, "join");
        let inner = sides.pairs(|one: &V, two: &W| (one.clone(), two.clone()));
        Collection { site: self.site, node, inner }
    }

    /// As [`join`](Self::join), and each record without a match once more, with `None`.
    ///
    /// # Guarantees
    ///
    /// A record has a match while the records of `other` with its key add up to more than none.
    ///
    /// # Cost
    ///
    /// As [`join`](Self::join). State: also the keys of `other`, each with the number of its records.
    /// When a key comes to `other` or leaves it, all records of this collection with that key change.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let orders = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let orders = Stream::from_inner(&flow, [(1, 'a'), (2, 'b')].to_stream(scope)).inserts();
    ///     let paid = Stream::from_inner(&flow, [(1, 30)].to_stream(scope)).inserts();
    ///     orders.left_join(paid).changes().inner().capture()
    /// });
    /// let expected = vec![((1, ('a', Some(30))), 1), ((2, ('b', None)), 1)];
    /// assert_eq!(orders.extract(), [(0, expected)]);
    /// ```
    #[must_use]
    pub fn left_join<W: Record>(
        self,
        other: Collection<'scope, (K, W), T>,
    ) -> Collection<'scope, (K, (V, Option<W>)), T> {
        let (node, sides) = self.beside(&other, "left_join");
        Collection { site: self.site, node, inner: left(&sides) }
    }

    /// As [`join`](Self::join), and each record of `other` without a match once more, with `None`: a
    /// [`left_join`](Self::left_join) seen from the other side.
    #[must_use]
    pub fn right_join<W: Record>(
        self,
        other: Collection<'scope, (K, W), T>,
    ) -> Collection<'scope, (K, (Option<V>, W)), T> {
        let (node, sides) = self.beside(&other, "right_join");
        Collection { site: self.site, node, inner: right(&sides) }
    }

    /// As [`join`](Self::join), and each record of either side without a match once more, with `None`.
    ///
    /// # Cost
    ///
    /// As [`left_join`](Self::left_join), of both sides.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let all = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let left = Stream::from_inner(&flow, [(1, 'a'), (2, 'b')].to_stream(scope)).inserts();
    ///     let right = Stream::from_inner(&flow, [(2, 'y'), (3, 'z')].to_stream(scope)).inserts();
    ///     left.full_join(right).changes().inner().capture()
    /// });
    /// let row = |key, left, right| ((key, (left, right)), 1);
    /// let expected =
    ///     vec![row(1, Some('a'), None), row(2, Some('b'), Some('y')), row(3, None, Some('z'))];
    /// assert_eq!(all.extract(), [(0, expected)]);
    /// ```
    #[must_use]
    pub fn full_join<W: Record>(
        self,
        other: Collection<'scope, (K, W), T>,
    ) -> Collection<'scope, (K, (Option<V>, Option<W>)), T> {
        let (node, sides) = self.beside(&other, "full_join");
        Collection { site: self.site, node, inner: full(&sides) }
    }

    /// The records whose key is in `keys`, each as often as it is here.
    ///
    /// A key counts once however often it is in `keys`.
    ///
    /// # Cost
    ///
    /// State: this side by key, and each of `keys` twice, until deleted. When a key comes or goes, all
    /// records with that key do.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let (with, without) = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let users = Stream::from_inner(&flow, [(1, 'a'), (2, 'b')].to_stream(scope)).inserts();
    ///     let active = Stream::from_inner(&flow, [1, 1, 3].to_stream(scope)).inserts();
    ///     let with = users.clone().semi_join(active.clone());
    ///     let without = users.anti_join(active);
    ///     (with.changes().inner().capture(), without.changes().inner().capture())
    /// });
    /// assert_eq!(with.extract(), [(0, vec![((1, 'a'), 1)])]);
    /// assert_eq!(without.extract(), [(0, vec![((2, 'b'), 1)])]);
    /// ```
    #[must_use]
    pub fn semi_join(self, keys: Collection<'scope, K, T>) -> Self {
        let (node, name) = self.beside_keys(&keys, "semi_join");
        let left = self.inner.arrange_by_key_named(&format!("{name}: left"));
        let inner = matching::with(left, matching::keys(keys.inner, &name), V::clone);
        Self { site: self.site, node, inner }
    }

    /// The records whose key is not in `keys`: what [`semi_join`](Self::semi_join) leaves, at the same
    /// cost.
    #[must_use]
    pub fn anti_join(self, keys: Collection<'scope, K, T>) -> Self {
        let (node, name) = self.beside_keys(&keys, "anti_join");
        let left = self.inner.arrange_by_key_named(&format!("{name}: left"));
        let inner = matching::without(left, matching::keys(keys.inner, &name), V::clone);
        Self { site: self.site, node, inner }
    }

    /// Adds a verb over two collections to the plan, and arranges both for it.
    fn beside<W: Record>(
        &self,
        other: &Collection<'scope, (K, W), T>,
        name: &str,
    ) -> (NodeId, Own<'scope, K, V, W, T>) {
        let held = Node::operator(name).state("both sides by key, until deleted");
        let node = self.site.add(held, [(self.node, by_key()), (other.node, by_key())]);
        let name = self.site.name_of(node);
        let left = self.inner.clone().arrange_by_key_named(&format!("{name}: left"));
        let right = other.inner.clone().arrange_by_key_named(&format!("{name}: right"));
        (node, Sides { left, right, name })
    }

    fn beside_keys(&self, keys: &Collection<'scope, K, T>, name: &str) -> (NodeId, String) {
        let held = Node::operator(name).state("the records and the keys, until deleted");
        let node = self.site.add(held, [(self.node, by_key()), (keys.node, by_key())]);
        (node, self.site.name_of(node))
    }
}

impl<'scope, K: Record, V: Record, T, L> Arrangement<'scope, K, V, T, L>
where
    T: Timestamp + Lattice,
    L: Lookup<K, V, T>,
{
    /// As [`Collection::join`], of sides that are held already: it holds nothing itself.
    #[must_use]
    pub fn join<W: Record, R: Lookup<K, W, T>>(
        &self,
        other: &Arrangement<'scope, K, W, T, R>,
    ) -> Collection<'scope, (K, (V, W)), T> {
        let (node, sides) = self.beside(other, Node::operator("join"));
        let inner = sides.pairs(|one: &V, two: &W| (one.clone(), two.clone()));
        Collection { site: Rc::clone(&self.site), node, inner }
    }

    /// As [`Collection::left_join`], of sides that are held already. State: the keys of `other`, each
    /// with the number of its records.
    #[must_use]
    pub fn left_join<W: Record, R: Lookup<K, W, T>>(
        &self,
        other: &Arrangement<'scope, K, W, T, R>,
    ) -> Collection<'scope, (K, (V, Option<W>)), T> {
        let (node, sides) = self.beside(other, holding_keys("left_join"));
        Collection { site: Rc::clone(&self.site), node, inner: left(&sides) }
    }

    /// As [`Collection::right_join`], of sides that are held already. State: the keys of this side,
    /// each with the number of its records.
    #[must_use]
    pub fn right_join<W: Record, R: Lookup<K, W, T>>(
        &self,
        other: &Arrangement<'scope, K, W, T, R>,
    ) -> Collection<'scope, (K, (Option<V>, W)), T> {
        let (node, sides) = self.beside(other, holding_keys("right_join"));
        Collection { site: Rc::clone(&self.site), node, inner: right(&sides) }
    }

    /// As [`Collection::full_join`], of sides that are held already. State: the keys of both, each
    /// with the number of its records.
    #[must_use]
    pub fn full_join<W: Record, R: Lookup<K, W, T>>(
        &self,
        other: &Arrangement<'scope, K, W, T, R>,
    ) -> Collection<'scope, (K, (Option<V>, Option<W>)), T> {
        let (node, sides) = self.beside(other, holding_keys("full_join"));
        Collection { site: Rc::clone(&self.site), node, inner: full(&sides) }
    }

    /// The records whose key `other` has, whatever its values are, as [`Collection::semi_join`] gives
    /// them. State: the keys of `other`, each with the number of its records.
    #[must_use]
    pub fn semi_join<W: Record, R: Lookup<K, W, T>>(
        &self,
        other: &Arrangement<'scope, K, W, T, R>,
    ) -> Collection<'scope, (K, V), T> {
        let (node, sides) = self.beside(other, holding_keys("semi_join"));
        let inner = matching::with(sides.left.clone(), sides.right_keys(), V::clone);
        Collection { site: Rc::clone(&self.site), node, inner }
    }

    /// The records whose key `other` does not have, as [`Collection::anti_join`] gives them. State: the
    /// keys of `other`, each with the number of its records.
    #[must_use]
    pub fn anti_join<W: Record, R: Lookup<K, W, T>>(
        &self,
        other: &Arrangement<'scope, K, W, T, R>,
    ) -> Collection<'scope, (K, V), T> {
        let (node, sides) = self.beside(other, holding_keys("anti_join"));
        let inner = matching::without(sides.left.clone(), sides.right_keys(), V::clone);
        Collection { site: Rc::clone(&self.site), node, inner }
    }

    fn beside<W: Record, R: Lookup<K, W, T>>(
        &self,
        other: &Arrangement<'scope, K, W, T, R>,
        node: Node,
    ) -> (NodeId, Sides<'scope, L, R>) {
        let ways = [(self.node, Routing::Local), (other.node, Routing::Local)];
        let node = self.site.add(node, ways);
        let name = self.site.name_of(node);
        (node, Sides { left: self.inner(), right: other.inner(), name })
    }
}

fn holding_keys(name: &str) -> Node {
    Node::operator(name).state("the number of records of each key, until deleted")
}
