//! The sum of a number of each record.

use super::compensated::Compensated;
use super::{Aggregate, Kept};
use crate::time::EventTime;

/// Adds up a number of each record, in that number's own type.
///
/// # Guarantees
///
/// Integers: exact whenever the sum fits the type, however large the sums on the way to it; if it
/// does not fit, it wraps around, as Java's and Flink's integers do. Where that could happen, have
/// the closure convert to a wider type, up to `i128`.
///
/// Floats: the sum `S` of `n` numbers `x` is within `ε·|S| + n²·ε²·Σ|x|` of the exact sum, `ε` being
/// 2⁻⁵³, so results for different worker counts differ at most in the last bit unless large numbers
/// cancel out. An `f32` is summed as `f64` and rounded once at the end. Infinities and NaN sum as in
/// arithmetic; sums on the way that pass the largest float are infinite.
///
/// # Cost
///
/// One addition per record for integers, six independent of branches for floats. The state is one
/// integer, or 16 bytes for floats.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, Sum};
/// use tidemill_operators::time::EventTime;
///
/// let metres = Sum::of(|trip: &(&str, i64)| trip.1);
/// let mut state = metres.start();
/// [("a", 700), ("b", -200)].iter().for_each(|it| metres.add(&mut state, EventTime::MIN, it));
/// assert_eq!(metres.finish(&state), 500);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sum<F>(F);

impl<F> Sum<F> {
    /// Adds up what `number` gives for each record.
    pub fn of<D, V>(number: F) -> Self
    where
        F: Fn(&D) -> V + Clone + 'static,
        V: Addend,
    {
        Self(number)
    }

    /// The number of a record.
    pub(crate) fn number<D, V>(&self, record: &D) -> V
    where
        F: Fn(&D) -> V,
    {
        (self.0)(record)
    }
}

impl<D, V, F> Aggregate<D> for Sum<F>
where
    F: Fn(&D) -> V + Clone + 'static,
    V: Addend,
{
    type State = V::Partial;
    type Output = V;

    #[inline]
    fn start(&self) -> V::Partial {
        V::Partial::default()
    }

    #[inline]
    fn add(&self, state: &mut V::Partial, _at: EventTime, record: &D) {
        (self.0)(record).add_to(state);
    }

    #[inline]
    fn merge(&self, state: &mut V::Partial, other: &V::Partial) {
        V::merge(state, other);
    }

    fn invertible(&self) -> bool {
        V::INVERTIBLE
    }

    #[inline]
    fn retract(&self, state: &mut V::Partial, other: &V::Partial) {
        V::retract(state, other);
    }

    #[inline]
    fn finish(&self, state: &V::Partial) -> V {
        V::total(state)
    }
}

/// A number that [`Sum`] can add up: every integer and float of the language.
///
/// The three methods say how numbers gather in a partial sum, and that must not depend on their
/// order. Implement it for a number type of your own, such as a decimal.
pub trait Addend: Copy + 'static {
    /// The sum so far; its default is the sum of nothing.
    type Partial: Default + Kept;

    /// Adds this number to a partial sum.
    fn add_to(self, partial: &mut Self::Partial);

    /// Adds another partial sum to a partial sum.
    fn merge(partial: &mut Self::Partial, other: &Self::Partial);

    /// Whether [`retract`](Self::retract) undoes a [`merge`](Self::merge) exactly.
    const INVERTIBLE: bool = false;

    /// Takes a partial sum that was merged in out again. Called only if that is exact.
    fn retract(_partial: &mut Self::Partial, _other: &Self::Partial) {
        unreachable!("a number that is not invertible was asked to retract");
    }

    /// The number that a partial sum stands for.
    fn total(partial: &Self::Partial) -> Self;
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Addend for $integer {
            type Partial = $integer;

            #[inline]
            fn add_to(self, partial: &mut $integer) {
                *partial = partial.wrapping_add(self);
            }

            #[inline]
            fn merge(partial: &mut $integer, other: &$integer) {
                *partial = partial.wrapping_add(*other);
            }

            const INVERTIBLE: bool = true;

            #[inline]
            fn retract(partial: &mut $integer, other: &$integer) {
                *partial = partial.wrapping_sub(*other);
            }

            #[inline]
            fn total(partial: &$integer) -> $integer {
                *partial
            }
        })*
    };
}

integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

impl Addend for f64 {
    type Partial = Compensated;

    #[inline]
    fn add_to(self, partial: &mut Compensated) {
        partial.add(self);
    }

    #[inline]
    fn merge(partial: &mut Compensated, other: &Compensated) {
        partial.merge(other);
    }

    #[inline]
    fn total(partial: &Compensated) -> f64 {
        partial.total()
    }
}

impl Addend for f32 {
    type Partial = Compensated;

    #[inline]
    fn add_to(self, partial: &mut Compensated) {
        partial.add(f64::from(self));
    }

    #[inline]
    fn merge(partial: &mut Compensated, other: &Compensated) {
        partial.merge(other);
    }

    #[inline]
    fn total(partial: &Compensated) -> f32 {
        partial.total() as f32
    }
}
