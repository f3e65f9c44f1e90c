//! Sums that forget: what was added can be taken away again, and nothing of it remains.
//!
//! Sums of floats round, so taking a number away again leaves a trace, and the result tells the history
//! instead of the contents. Here a float counts as the nearest multiple of 2⁻⁶⁴, and sums of
//! multiples are whole numbers, wide enough for any number of records. What has no multiple,
//! infinities and NaN, is counted.

use differential_dataflow::difference::{IsZero, Semigroup};
use serde::{Deserialize, Serialize};

use super::Diff;
use super::wide::Wide;

/// Units in one.
const UNITS: f64 = 18_446_744_073_709_551_616.0;
/// What counts as infinite, either way.
const BEYOND: f64 = 4_611_686_018_427_387_904.0;

/// A float as it is summed up.
enum Number {
    Units(i128),
    Plus,
    Minus,
    Nan,
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        if number.is_nan() {
            Self::Nan
        } else if number >= BEYOND {
            Self::Plus
        } else if number <= -BEYOND {
            Self::Minus
        } else {
            // A multiplication by a power of two is exact.
            Self::Units((number * UNITS).round_ties_even() as i128)
        }
    }
}

fn wide(times: Diff) -> Wide {
    Wide::from(times as i128)
}

/// A sum of floats.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Reals {
    units: Wide,
    plus: Diff,
    minus: Diff,
    nan: Diff,
}

impl Reals {
    /// The sum of a number that is there so many times.
    pub(super) fn of(number: f64, times: Diff) -> Self {
        match Number::from(number) {
            Number::Units(units) => {
                Self { units: Wide::from(units).times(&wide(times)), ..Self::default() }
            }
            Number::Plus => Self { plus: times, ..Self::default() },
            Number::Minus => Self { minus: times, ..Self::default() },
            Number::Nan => Self { nan: times, ..Self::default() },
        }
    }

    /// The sum, infinite or NaN if one of the numbers makes it so.
    pub(super) fn total(&self) -> f64 {
        match (self.nan != 0, self.plus != 0, self.minus != 0) {
            (false, false, false) => self.units.to_f64() / UNITS,
            (false, true, false) => f64::INFINITY,
            (false, false, true) => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }
}

impl IsZero for Reals {
    fn is_zero(&self) -> bool {
        self.units.is_zero() && (self.plus, self.minus, self.nan) == (0, 0, 0)
    }
}

impl Semigroup for Reals {
    fn plus_equals(&mut self, other: &Self) {
        self.units = self.units.plus(&other.units);
        self.plus += other.plus;
        self.minus += other.minus;
        self.nan += other.nan;
    }
}

/// Sums of floats and of their squares.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Squares {
    units: Wide,
    squares: Wide,
    /// How many numbers are infinite or NaN.
    odd: Diff,
}

impl Squares {
    /// The sums of a number that is there so many times.
    pub(super) fn of(number: f64, times: Diff) -> Self {
        match Number::from(number) {
            Number::Units(units) => {
                let (units, times) = (Wide::from(units), wide(times));
                let squares = units.times(&units).times(&times);
                Self { units: units.times(&times), squares, odd: 0 }
            }
            _ => Self { odd: times, ..Self::default() },
        }
    }

    /// The sum of the squared distances from the mean of `count` numbers.
    pub(super) fn spread(&self, count: u64) -> f64 {
        if self.odd != 0 || count == 0 {
            return f64::NAN;
        }
        // Around the whole number next to the mean everything is exact: Σ(x-m)² = Σx² - 2mΣx + nm².
        // What the mean is off by is less than a unit, and is taken into account in floats.
        let number = Wide::from(i128::from(count));
        let middle = self.units.over(count);
        let twice = middle.plus(&middle);
        let around = self
            .squares
            .minus(&twice.times(&self.units))
            .plus(&number.times(&middle.times(&middle)));
        let off = self.units.minus(&number.times(&middle)).to_f64();
        let spread = around.to_f64() - off * (off / count as f64);
        spread.max(0.0) / UNITS / UNITS
    }
}

impl IsZero for Squares {
    fn is_zero(&self) -> bool {
        self.units.is_zero() && self.squares.is_zero() && self.odd == 0
    }
}

impl Semigroup for Squares {
    fn plus_equals(&mut self, other: &Self) {
        self.units = self.units.plus(&other.units);
        self.squares = self.squares.plus(&other.squares);
        self.odd += other.odd;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[(f64, Diff)]) -> Reals {
        let mut sum = Reals::default();
        numbers.iter().for_each(|(number, times)| sum.plus_equals(&Reals::of(*number, *times)));
        sum
    }

    fn spread(numbers: &[f64]) -> f64 {
        let mut sums = Squares::default();
        numbers.iter().for_each(|number| sums.plus_equals(&Squares::of(*number, 1)));
        sums.spread(numbers.len() as u64)
    }

    #[test]
    fn what_is_taken_away_leaves_no_trace() {
        assert!(sum(&[(0.1, 3), (1e17, 1), (0.1, -1), (1e17, -1), (0.1, -2)]).is_zero());
        assert_eq!(sum(&[(0.3, 1), (1e17, 1), (1e17, -1)]).total(), 0.3);
        assert_eq!(sum(&[(f64::NAN, 1), (2.0, 1), (f64::NAN, -1)]).total(), 2.0);
        assert!(sum(&[(f64::INFINITY, 1), (f64::NEG_INFINITY, 1)]).total().is_nan());
    }

    #[test]
    fn no_number_of_large_numbers_is_too_many() {
        let largest = BEYOND * (1.0 - f64::EPSILON);
        assert_eq!(sum(&[(largest, Diff::MAX)]).total(), largest * Diff::MAX as f64);
        assert_eq!(sum(&[(-2.0 * BEYOND, 1), (1.0, 1)]).total(), f64::NEG_INFINITY);
    }

    #[test]
    fn nothing_cancels_where_the_mean_is_large() {
        assert_eq!(spread(&[1e15, 1e15 + 1.0, 1e15 + 2.0]), 2.0);
        assert_eq!(spread(&[0.1; 7]), 0.0);
        assert_eq!(spread(&[-1.0, 1.0]), 2.0);
        assert_eq!(spread(&[1.0, 2.0]), 0.5);
        assert!(spread(&[1.0, f64::INFINITY]).is_nan() && spread(&[]).is_nan());
    }
}
