//! One order for all aggregates that order values, with a place for NaN.

use std::cmp::Ordering;

/// Whether `value` has a place among others of its type: NaN does not, being unlike itself.
#[inline]
pub(super) fn comparable<V: PartialOrd>(value: &V) -> bool {
    value.partial_cmp(value).is_some()
}

/// A total order: as `PartialOrd` has it, with values unlike themselves after all others.
#[inline]
pub(super) fn compare<V: PartialOrd>(left: &V, right: &V) -> Ordering {
    left.partial_cmp(right).unwrap_or_else(|| comparable(right).cmp(&comparable(left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_comes_after_infinity() {
        let mut values = [f64::NAN, 1.0, f64::INFINITY, f64::NEG_INFINITY, -f64::NAN, 0.0];
        values.sort_by(compare);
        assert_eq!(values[..4], [f64::NEG_INFINITY, 0.0, 1.0, f64::INFINITY]);
        assert!(values[4].is_nan() && values[5].is_nan());
    }
}
