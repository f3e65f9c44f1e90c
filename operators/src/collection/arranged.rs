//! Arrangements: a collection held by key once, for every verb that looks into it.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::{ValBuilder, ValSpine};
use differential_dataflow::trace::wrappers::enter::TraceEnter;
use differential_dataflow::trace::{Cursor, Navigable, TraceReader};
use timely::progress::Timestamp;

use super::{Collection, Diff, Record, Round};
use crate::flow::Site;
use crate::plan::{Node, NodeId, Routing};
use crate::time::Epoch;

/// Where the records of an [`Arrangement`] are held that was made where it is used.
pub type Spine<K, V, T> = TraceAgent<ValSpine<K, V, T, Diff>>;

/// Where records `(K, V)` can be looked up by key at times `T`: a [`Spine`], or one that was brought
/// into a loop. Implemented for all that the engine has.
pub trait Lookup<K: 'static, V: 'static, T>:
    TraceReader<
        Time = T,
        Batch: Navigable<
            Cursor: for<'a> Cursor<
                Key<'a> = &'a K,
                Val<'a> = &'a V,
                Time = T,
                Diff = Diff,
                KeyContainer = Vec<K>,
            >,
        >,
    > + Clone
    + 'static
{
}

impl<K: 'static, V: 'static, T, L> Lookup<K, V, T> for L where
    L: TraceReader<
            Time = T,
            Batch: Navigable<
                Cursor: for<'a> Cursor<
                    Key<'a> = &'a K,
                    Val<'a> = &'a V,
                    Time = T,
                    Diff = Diff,
                    KeyContainer = Vec<K>,
                >,
            >,
        > + Clone
        + 'static
{
}

/// A collection of pairs held by key: what joins and reductions look into.
///
/// Made by [`arrange`](Collection::arrange) and [`arrange_by`](Collection::arrange_by). Each verb of a
/// [`Collection`] that matches or groups makes arrangements of its own; where several verbs look into
/// the same collection by the same key, arrange it once and give them the arrangement. Its verbs
/// leave it whole, and a clone is the same arrangement.
///
/// # Cost
///
/// Records cross between workers to that of their key once, and are held **once**, however many verbs
/// look into them. *What frees them:* a record that was deleted is held, with both its changes,
/// until the epochs of both are complete for every verb that looks in; then the two cancel as
/// further changes are merged with them. Everything goes when no verb looks in any more: a join looks in
/// until the other side has ended. A verb that is behind keeps what changed since then apart, for
/// all of them.
///
/// # Example
///
/// ```
/// use tidemill_operators::flow::Flow;
/// use tidemill_operators::stream::Stream;
/// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
///
/// // Who follows whom: followers of followers, and how many each has, from one arrangement.
/// let follows = [("ann", "bob"), ("bob", "cat"), ("dan", "bob")];
/// let (second, counts) = timely::example(move |scope| {
///     let follows = Stream::from_inner(&Flow::new(scope), follows.to_stream(scope));
///     let follows = follows.map(|(who, whom)| (who.to_owned(), whom.to_owned())).inserts();
///     let followers = follows.clone().map(|(who, whom)| (whom, who)).arrange("followers");
///     let of = follows.map(|(who, whom)| (who, whom)).arrange("following");
///     let second = followers.join(&of).map(|(_, (who, whom))| (who, whom));
///     let counts = followers.reduce(|_, who, counts| counts.push((who.len(), 1)));
///     (second.changes().inner().capture(), counts.changes().inner().capture())
/// });
/// let pair = |who: &str, whom: &str| (who.to_owned(), whom.to_owned());
/// assert_eq!(second.extract(), [(0, vec![(pair("ann", "cat"), 1), (pair("dan", "cat"), 1)])]);
/// let counts = counts.extract().remove(0).1;
/// assert_eq!(counts, [(("bob".to_owned(), 2), 1), (("cat".to_owned(), 1), 1)]);
/// ```
pub struct Arrangement<'scope, K, V, T = Epoch, L = Spine<K, V, T>>
where
    T: Timestamp + Lattice,
    L: TraceReader<Time = T>,
{
    pub(super) site: Rc<Site>,
    pub(super) node: NodeId,
    pub(super) inner: Arranged<'scope, L>,
    of: PhantomData<(K, V)>,
}

impl<K, V, T, L> Clone for Arrangement<'_, K, V, T, L>
where
    T: Timestamp + Lattice,
    L: TraceReader<Time = T> + Clone,
{
    fn clone(&self) -> Self {
        let (site, inner) = (Rc::clone(&self.site), self.inner.clone());
        Self { site, node: self.node, inner, of: PhantomData }
    }
}

impl<K, V, T, L> fmt::Debug for Arrangement<'_, K, V, T, L>
where
    T: Timestamp + Lattice,
    L: TraceReader<Time = T>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.site.name_of(self.node);
        f.debug_struct("Arrangement").field("of", &name).finish_non_exhaustive()
    }
}

impl<'scope, K: Record, V: Record, T: Timestamp + Lattice> Collection<'scope, (K, V), T> {
    /// Holds the pairs by key, for several verbs to look into: see [`Arrangement`].
    pub fn arrange(self, name: &str) -> Arrangement<'scope, K, V, T> {
        let held = Node::operator(name).state("its records by key, until deleted");
        let (node, name) = self.followed_by(held, Routing::ByKey(String::new()));
        let inner = self.inner.arrange_by_key_named(&name);
        Arrangement { site: self.site, node, inner, of: PhantomData }
    }
}

impl<'scope, D: Record, T: Timestamp + Lattice> Collection<'scope, D, T> {
    /// Holds the records, whole, by a key of each: see [`Arrangement`].
    ///
    /// Where the key can be cut off from the record, [`arrange`](Self::arrange) the two as a pair: it
    /// is then held once.
    pub fn arrange_by<K: Record>(
        self,
        name: &str,
        key: impl Fn(&D) -> K + 'static,
    ) -> Arrangement<'scope, K, D, T> {
        let inner = self.inner.map(move |record| (key(&record), record));
        Collection { site: self.site, node: self.node, inner }.arrange(name)
    }
}

impl<'scope, K: Record, V: Record, T, L> Arrangement<'scope, K, V, T, L>
where
    T: Timestamp + Lattice,
    L: Lookup<K, V, T>,
{
    /// What [`reduce`](Collection::reduce) gives, of an input that is held already.
    #[must_use]
    pub fn reduce<W: Record>(
        &self,
        mut reduce: impl FnMut(&K, &[(&V, Diff)], &mut Vec<(W, Diff)>) + 'static,
    ) -> Collection<'scope, (K, W), T> {
        let held = Node::operator("reduce").state("output by key, until deleted");
        let node = self.site.add(held, [(self.node, Routing::Local)]);
        let name = self.site.name_of(node);
        let arranged = self.inner.clone();
        let reduced = arranged
            .reduce_abelian::<_, ValBuilder<K, W, T, Diff>, ValSpine<K, W, T, Diff>, Vec<K>, _>(
                &name,
                move |key, values, given| reduce(key, values, given),
                super::grouped::keyed,
            );
        let inner = reduced.as_collection(|key: &K, value: &W| (key.clone(), value.clone()));
        Collection { site: Rc::clone(&self.site), node, inner }
    }

    /// The pairs as a collection again.
    #[must_use]
    pub fn records(&self) -> Collection<'scope, (K, V), T> {
        let node = self.site.add(Node::operator("records"), [(self.node, Routing::Local)]);
        let inner = self.inner.clone();
        let inner = inner.as_collection(|key: &K, value: &V| (key.clone(), value.clone()));
        Collection { site: Rc::clone(&self.site), node, inner }
    }

    /// Brings the arrangement into the loop that `inside` is part of, where it is the same in each
    /// round. Nothing is held again.
    #[must_use]
    pub fn enter<'inner, E: Clone + 'static>(
        &self,
        inside: &Collection<'inner, E, Round<T>>,
    ) -> Arrangement<'inner, K, V, Round<T>, TraceEnter<L, Round<T>>> {
        let node = self.site.add(Node::operator("enter"), [(self.node, Routing::Local)]);
        let inner = self.inner.clone().enter(inside.inner.scope());
        Arrangement { site: Rc::clone(&self.site), node, inner, of: PhantomData }
    }

    /// Gives the engine's own arrangement, for operators written for differential.
    pub fn inner(&self) -> Arranged<'scope, L> {
        self.inner.clone()
    }
}
