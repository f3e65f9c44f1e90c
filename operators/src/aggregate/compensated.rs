//! Summation that carries its own rounding errors along.
//!
//! Each addition splits exactly into a rounded sum and its error (Knuth's two-sum), and the errors
//! are added up beside the sum (<https://doi.org/10.1137/030601818>, algorithm 4.4). With `ε` the
//! rounding unit 2⁻⁵³, the sum `S` of `n` numbers `x` comes out within `ε·|S| + n²·ε²·Σ|x|`, in
//! whatever order and tree they are added.

use serde::{Deserialize, Serialize};

/// A sum and the rounding errors it has made so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compensated {
    sum: f64,
    error: f64,
}

impl Compensated {
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        let added = sum - self.sum;
        self.error += (self.sum - (sum - added)) + (value - added);
        self.sum = sum;
    }

    #[inline]
    pub(super) fn merge(&mut self, other: &Self) {
        self.add(other.sum);
        self.error += other.error;
    }

    /// The sum with its errors put right.
    #[inline]
    pub(super) fn total(&self) -> f64 {
        // Once an infinity or NaN is in, the sum alone says so and the errors mean nothing.
        if self.error.is_finite() { self.sum + self.error } else { self.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(values: &[f64]) -> f64 {
        let mut sum = Compensated::default();
        values.iter().for_each(|it| sum.add(*it));
        sum.total()
    }

    #[test]
    fn small_terms_outlive_large_ones_that_cancel() {
        assert_eq!(total(&[1e16, 1.0, 1.0, -1e16]), 2.0);
        assert_eq!(total(&[0.1; 10]), 1.0);
    }

    #[test]
    fn infinities_and_nan_sum_as_in_arithmetic() {
        assert_eq!(total(&[1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert_eq!(total(&[f64::NEG_INFINITY, 5.0]), f64::NEG_INFINITY);
        assert!(total(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert!(total(&[f64::NAN, 1.0]).is_nan());
    }
}
