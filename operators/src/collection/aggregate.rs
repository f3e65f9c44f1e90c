//! Aggregates by differences: what adds up is kept as a sum, so a change costs one addition.

use std::num::Wrapping;

use differential_dataflow::difference::Semigroup;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::trace::implementations::{ValBuilder, ValSpine};
use differential_dataflow::{AsCollection, ExchangeData};
use ordered_float::OrderedFloat;
use timely::dataflow::operators::vec::Map;
use timely::progress::Timestamp;

use super::exact::{Reals, Squares};
use super::grouped::keyed;
use super::{Collection, Diff, Record};
use crate::aggregate::{Addend, Count, Mean, Sum, Variance};
use crate::plan::{Node, Routing};

/// An aggregate whose result follows from sums over the records, so that a deleted record is taken
/// from the sums and nothing else is looked at: what [`Collection::aggregate`] takes.
///
/// [`Count`], and [`Sum`], [`Mean`] and [`Variance`] of numbers are; and tuples of up to four.
///
/// # Floats
///
/// A float counts as the nearest multiple of 2⁻⁶⁴ (5·10⁻²⁰), and as infinite if it is beyond ±2⁶²
/// (4·10¹⁸). From there on sums, and sums of squares, are exact whole numbers of 320 bits, so a result is
/// a function of the contents alone: it does not depend on the order in which records came and
/// went, nor on the number of workers, and nothing remains of a record that is deleted, be it 10¹⁷,
/// infinite or NaN. The result is rounded once to the nearest float or one next to it. Let the closure scale numbers
/// that do not fit.
///
/// Results are [`OrderedFloat`]s, because records are ordered: there NaN is equal to itself, and
/// `*result` is the float.
pub trait Additive<D>: Clone + 'static {
    /// What adds up.
    type Sum: ExchangeData + Semigroup;
    /// The result.
    type Output: Record;

    /// What a record that is there so many times adds.
    fn of(&self, record: &D, times: Diff) -> Self::Sum;

    /// The result for a number of records and their sum.
    fn result(&self, count: Diff, sum: &Self::Sum) -> Self::Output;
}

impl<'scope, K: Record, V: Record, T: Timestamp + Lattice> Collection<'scope, (K, V), T> {
    /// An aggregate of the values of each key, or several in a tuple, kept by differences.
    ///
    /// # Guarantees
    ///
    /// A key has a result while it has records. Results are exact: see [`Additive`] for integers
    /// and floats.
    ///
    /// # Cost
    ///
    /// A change costs an exchange by key, some additions and two searches, **whatever the number of
    /// the key's records**. State: for each key the sums and the result; the records themselves are not held.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::aggregate::{Count, Mean, Sum, Variance};
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let figures = timely::example(|scope| {
    ///     // A shop, what it took, and whether that is taken back.
    ///     let log = [(('a', 30), 1), (('a', 10), 1), (('b', 99), 1), (('b', 99), -1)];
    ///     let takings = Stream::from_inner(&Flow::new(scope), log.to_stream(scope)).changelog();
    ///     let float = |euros: &i32| f64::from(*euros);
    ///     let figures = takings.aggregate((
    ///         Count,
    ///         Sum::of(|euros: &i32| i64::from(*euros)),
    ///         Mean::of(float),
    ///         Variance::population(float),
    ///     ));
    ///     figures.changes().inner().capture()
    /// });
    /// let expected = ('a', (2, 40, 20.0.into(), 100.0.into()));
    /// assert_eq!(figures.extract(), [(0, vec![(expected, 1)])]);
    /// ```
    #[must_use]
    pub fn aggregate<A: Additive<V>>(self, aggregate: A) -> Collection<'scope, (K, A::Output), T> {
        let held = Node::operator("aggregate").state("sums and results by key, until deleted");
        let (node, name) = self.followed_by(held, Routing::ByKey(String::new()));
        let adding = aggregate.clone();
        let sums = self
            .inner
            .inner
            .map(move |((key, value), time, times)| (key, time, (times, adding.of(&value, times))));
        let summed = sums
            .as_collection()
            .arrange_by_self_named(&format!("Arrange: {name}"))
            .reduce_abelian::<_, ValBuilder<K, _, T, Diff>, ValSpine<K, _, T, Diff>, Vec<K>, _>(
            &name,
            move |_, sums, results| {
                let result = |(count, sum): &(Diff, A::Sum)| aggregate.result(*count, sum);
                results.extend(sums.iter().map(|(_, sums)| (result(sums), 1)));
            },
            keyed,
        );
        let inner = summed.as_collection(|key: &K, it: &A::Output| (key.clone(), it.clone()));
        Collection { site: self.site, node, inner }
    }
}

/// As many as there are, less those that are missing.
impl<D> Additive<D> for Count {
    type Sum = ();
    type Output = Diff;

    fn of(&self, _record: &D, _times: Diff) {}

    fn result(&self, count: Diff, (): &()) -> Diff {
        count
    }
}

/// A number whose sums are exact. Integers wrap around if the sum does not fit their type, as
/// they do in [`Sum`]; for floats see [`Additive`].
pub trait Exact: Addend {
    /// What adds up.
    type Parts: ExchangeData + Semigroup;
    /// A sum, as a record.
    type Total: Record;

    /// What the number adds that is there so many times.
    fn parts(self, times: Diff) -> Self::Parts;

    /// The sum.
    fn sum(parts: &Self::Parts) -> Self::Total;
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Exact for $integer {
            type Parts = Wrapping<i128>;
            type Total = $integer;

            fn parts(self, times: Diff) -> Wrapping<i128> {
                Wrapping(self as i128) * Wrapping(times as i128)
            }

            fn sum(parts: &Wrapping<i128>) -> $integer {
                parts.0 as $integer
            }
        })*
    };
}

integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

impl Exact for f64 {
    type Parts = Reals;
    type Total = OrderedFloat<f64>;

    fn parts(self, times: Diff) -> Reals {
        Reals::of(self, times)
    }

    fn sum(parts: &Reals) -> OrderedFloat<f64> {
        OrderedFloat(parts.total())
    }
}

impl<D, N: Exact, F: Fn(&D) -> N + Clone + 'static> Additive<D> for Sum<F> {
    type Sum = N::Parts;
    type Output = N::Total;

    fn of(&self, record: &D, times: Diff) -> N::Parts {
        self.number(record).parts(times)
    }

    fn result(&self, _count: Diff, sum: &N::Parts) -> N::Total {
        N::sum(sum)
    }
}

impl<D, F: Fn(&D) -> f64 + Clone + 'static> Additive<D> for Mean<F> {
    type Sum = Reals;
    type Output = OrderedFloat<f64>;

    fn of(&self, record: &D, times: Diff) -> Reals {
        Reals::of(self.number(record), times)
    }

    fn result(&self, count: Diff, sum: &Reals) -> OrderedFloat<f64> {
        OrderedFloat(sum.total() / count as f64)
    }
}

impl<D, F: Fn(&D) -> f64 + Clone + 'static> Additive<D> for Variance<F> {
    type Sum = Squares;
    type Output = OrderedFloat<f64>;

    fn of(&self, record: &D, times: Diff) -> Squares {
        Squares::of(self.number(record), times)
    }

    fn result(&self, count: Diff, sums: &Squares) -> OrderedFloat<f64> {
        let count = u64::try_from(count).unwrap_or(0);
        OrderedFloat(self.divided(sums.spread(count), count))
    }
}

macro_rules! tuples {
    ($($aggregate:ident $sum:ident,)*) => {
        impl<D, $($aggregate: Additive<D>),*> Additive<D> for ($($aggregate,)*) {
            type Sum = ($($aggregate::Sum,)*);
            type Output = ($($aggregate::Output,)*);

            #[allow(non_snake_case)]
            fn of(&self, record: &D, times: Diff) -> Self::Sum {
                let ($($aggregate,)*) = self;
                ($($aggregate.of(record, times),)*)
            }

            #[allow(non_snake_case)]
            fn result(&self, count: Diff, sums: &Self::Sum) -> Self::Output {
                let (($($aggregate,)*), ($($sum,)*)) = (self, sums);
                ($($aggregate.result(count, $sum),)*)
            }
        }
    };
}

tuples! { A a, B b, }
tuples! { A a, B b, C c, }
tuples! { A a, B b, C c, E e, }
