//! Matching by key: what joins of every kind are made of, from two sides that are held by key.
//!
//! Whether a key is there is told by the sum of its records, held once a key and kept by
//! differences, so that a change costs the same whether its key has one record or a million.

use differential_dataflow::VecCollection;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::TraceReader;
use differential_dataflow::trace::implementations::{KeyBuilder, KeySpine};
use timely::progress::Timestamp;

use super::arranged::Lookup;
use super::grouped::keyed;
use super::{Diff, Record};

/// The keys of a side, each once.
pub(super) type Keys<'scope, K, T> = Arranged<'scope, TraceAgent<KeySpine<K, T, Diff>>>;

/// Each key whose records add up to more than none.
pub(super) fn keys<'scope, K: Record, T: Timestamp + Lattice>(
    records: VecCollection<'scope, T, K, Diff>,
    name: &str,
) -> Keys<'scope, K, T> {
    let counted = records.arrange_by_self_named(&format!("{name}: count keys"));
    counted.reduce_abelian::<_, KeyBuilder<K, T, Diff>, KeySpine<K, T, Diff>, Vec<K>, _>(
        &format!("{name}: keys"),
        |_, times, there| {
            if times.iter().any(|(_, times)| *times > 0) {
                there.push(((), 1));
            }
        },
        keyed,
    )
}

/// Two sides that are held by key.
pub(super) struct Sides<'scope, L: TraceReader, R: TraceReader> {
    pub(super) left: Arranged<'scope, L>,
    pub(super) right: Arranged<'scope, R>,
    pub(super) name: String,
}

impl<'scope, L: TraceReader + Clone, R: TraceReader + Clone> Sides<'scope, L, R> {
    /// Every pair of records that have the same key.
    pub(super) fn pairs<K: Record, V: Record, W: Record, T, D>(
        &self,
        form: impl Fn(&V, &W) -> D + 'static,
    ) -> VecCollection<'scope, T, (K, D), Diff>
    where
        T: Timestamp + Lattice,
        L: Lookup<K, V, T>,
        R: Lookup<K, W, T>,
        D: Record,
    {
        let pair = move |key: &K, one: &V, two: &W| Some((key.clone(), form(one, two)));
        self.left.clone().join_core(self.right.clone(), pair)
    }

    /// The keys of the left side.
    pub(super) fn left_keys<K: Record, V: Record, T>(&self) -> Keys<'scope, K, T>
    where
        T: Timestamp + Lattice,
        L: Lookup<K, V, T>,
    {
        let records = self.left.clone().as_collection(|key: &K, _: &V| key.clone());
        keys(records, &format!("{}: left", self.name))
    }

    /// The keys of the right side.
    pub(super) fn right_keys<K: Record, W: Record, T>(&self) -> Keys<'scope, K, T>
    where
        T: Timestamp + Lattice,
        R: Lookup<K, W, T>,
    {
        let records = self.right.clone().as_collection(|key: &K, _: &W| key.clone());
        keys(records, &format!("{}: right", self.name))
    }
}

/// The left outer join of two sides.
pub(super) fn left<'scope, K: Record, V: Record, W: Record, T, L, R>(
    sides: &Sides<'scope, L, R>,
) -> VecCollection<'scope, T, (K, (V, Option<W>)), Diff>
where
    T: Timestamp + Lattice,
    L: Lookup<K, V, T>,
    R: Lookup<K, W, T>,
{
    let pairs = sides.pairs(|one: &V, two: &W| (one.clone(), Some(two.clone())));
    let alone = |one: &V| (one.clone(), None);
    pairs.concat(without(sides.left.clone(), sides.right_keys(), alone))
}

/// The right outer join of two sides.
pub(super) fn right<'scope, K: Record, V: Record, W: Record, T, L, R>(
    sides: &Sides<'scope, L, R>,
) -> VecCollection<'scope, T, (K, (Option<V>, W)), Diff>
where
    T: Timestamp + Lattice,
    L: Lookup<K, V, T>,
    R: Lookup<K, W, T>,
{
    let pairs = sides.pairs(|one: &V, two: &W| (Some(one.clone()), two.clone()));
    let alone = |two: &W| (None, two.clone());
    pairs.concat(without(sides.right.clone(), sides.left_keys(), alone))
}

/// The full outer join of two sides.
pub(super) fn full<'scope, K: Record, V: Record, W: Record, T, L, R>(
    sides: &Sides<'scope, L, R>,
) -> VecCollection<'scope, T, (K, (Option<V>, Option<W>)), Diff>
where
    T: Timestamp + Lattice,
    L: Lookup<K, V, T>,
    R: Lookup<K, W, T>,
{
    let pairs = sides.pairs(|one: &V, two: &W| (Some(one.clone()), Some(two.clone())));
    let left = without(sides.left.clone(), sides.right_keys(), |one: &V| (Some(one.clone()), None));
    let right =
        without(sides.right.clone(), sides.left_keys(), |two: &W| (None, Some(two.clone())));
    pairs.concat(left).concat(right)
}

/// The records of a side whose key is one of `keys`.
pub(super) fn with<'scope, K: Record, V: Record, T, L, D>(
    side: Arranged<'scope, L>,
    keys: Keys<'scope, K, T>,
    form: impl Fn(&V) -> D + 'static,
) -> VecCollection<'scope, T, (K, D), Diff>
where
    T: Timestamp + Lattice,
    L: Lookup<K, V, T>,
    D: Record,
{
    side.join_core(keys, move |key: &K, value: &V, _: &()| Some((key.clone(), form(value))))
}

/// The records of a side whose key is not one of `keys`: all of them less those whose key is.
pub(super) fn without<'scope, K: Record, V: Record, T, L, D>(
    side: Arranged<'scope, L>,
    keys: Keys<'scope, K, T>,
    form: impl Fn(&V) -> D + Clone + 'static,
) -> VecCollection<'scope, T, (K, D), Diff>
where
    T: Timestamp + Lattice,
    L: Lookup<K, V, T>,
    D: Record,
{
    let formed = form.clone();
    let all = side.clone().as_collection(move |key: &K, it: &V| (key.clone(), formed(it)));
    all.concat(with(side, keys, form).negate())
}
