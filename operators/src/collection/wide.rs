//! Whole numbers of 320 bits: room for the sum of as many squares as there can be records.

use serde::{Deserialize, Serialize};

/// A whole number in two's complement, its least digit first. Arithmetic wraps around.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(super) struct Wide([u64; Wide::DIGITS]);

impl Wide {
    const DIGITS: usize = 5;
    const ZERO: Self = Self([0; Self::DIGITS]);
    /// One more than the greatest digit.
    const BASE: f64 = 18_446_744_073_709_551_616.0;

    pub(super) fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    #[must_use]
    pub(super) fn plus(self, other: &Self) -> Self {
        let (mut sum, mut carry) = (Self::ZERO, 0);
        for ((sum, one), two) in sum.0.iter_mut().zip(self.0).zip(other.0) {
            let digits = u128::from(one) + u128::from(two) + carry;
            (*sum, carry) = (digits as u64, digits >> 64);
        }
        sum
    }

    #[must_use]
    pub(super) fn minus(self, other: &Self) -> Self {
        self.plus(&other.negative())
    }

    #[must_use]
    fn negative(self) -> Self {
        Self(self.0.map(|digit| !digit)).plus(&Self::from(1))
    }

    #[must_use]
    pub(super) fn times(self, other: &Self) -> Self {
        let mut product = [0u64; Self::DIGITS];
        for (at, one) in self.0.into_iter().enumerate() {
            let mut carry = 0;
            for (sum, two) in product.iter_mut().skip(at).zip(other.0) {
                let digits = u128::from(one) * u128::from(two) + u128::from(*sum) + carry;
                (*sum, carry) = (digits as u64, digits >> 64);
            }
        }
        Self(product)
    }

    /// Divides by `divisor`, rounding towards zero.
    #[must_use]
    pub(super) fn over(self, divisor: u64) -> Self {
        if self.below_zero() {
            return self.negative().over(divisor).negative();
        }
        let (mut digits, mut rest) = (self.0, 0);
        for digit in digits.iter_mut().rev() {
            let part = (rest << 64) | u128::from(*digit);
            *digit = (part / u128::from(divisor)) as u64;
            rest = part % u128::from(divisor);
        }
        Self(digits)
    }

    /// The float next to it, within two units of the last place.
    pub(super) fn to_f64(self) -> f64 {
        if self.below_zero() {
            return -self.negative().to_f64();
        }
        self.0.iter().rev().fold(0.0, |sum, digit| sum * Self::BASE + *digit as f64)
    }

    fn below_zero(self) -> bool {
        self.0.last().is_some_and(|digit| *digit >> 63 == 1)
    }
}

impl From<i128> for Wide {
    fn from(number: i128) -> Self {
        let sign = if number < 0 { u64::MAX } else { 0 };
        let mut digits = [sign; Self::DIGITS];
        for (at, digit) in digits.iter_mut().take(2).enumerate() {
            *digit = (number >> (64 * at)) as u64;
        }
        Self(digits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arithmetic_is_that_of_smaller_numbers(
            one: i64,
            two: i64,
            three: i128,
            divisor in 1u64..,
        ) {
            let wide = |it: i64| Wide::from(i128::from(it));
            prop_assert_eq!(wide(one).plus(&wide(two)), Wide::from(i128::from(one) + i128::from(two)));
            prop_assert_eq!(wide(one).minus(&wide(two)), Wide::from(i128::from(one) - i128::from(two)));
            prop_assert_eq!(wide(one).times(&wide(two)), Wide::from(i128::from(one) * i128::from(two)));
            prop_assert_eq!(Wide::from(three).over(divisor), Wide::from(three / i128::from(divisor)));
            let float = three as f64;
            prop_assert!((Wide::from(three).to_f64() - float).abs() <= 4.0 * f64::EPSILON * float.abs());
        }

        #[test]
        fn a_large_product_divides_again(one: i128, two in 1u64..) {
            let product = Wide::from(one).times(&Wide::from(i128::from(two)));
            prop_assert_eq!(product.over(two), Wide::from(one));
            // (a + b)² = a² + 2ab + b², beyond 256 bits.
            let (a, b) = (product, Wide::from(one));
            let square = a.plus(&b).times(&a.plus(&b));
            let ab = a.times(&b);
            prop_assert_eq!(square, a.times(&a).plus(&ab).plus(&ab).plus(&b.times(&b)));
        }
    }
}
