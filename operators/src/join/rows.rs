//! Which rows a join gives: those of records that match, or also of records without a match.

use std::fmt::Debug;

/// Which rows a join of records `L` and `R` gives, and as what.
///
/// [`Inner`], [`LeftOuter`], [`RightOuter`] and [`FullOuter`] are all there are.
pub trait Rows<L, R>: Debug + 'static {
    /// A row.
    type Row: 'static;

    /// What the join is called, as in `left outer join`.
    const NAME: &'static str;

    /// Whether a record of the left side without a match gives a row.
    const LEFT: bool;

    /// Whether a record of the right side without a match gives a row.
    const RIGHT: bool;

    /// The row of two records that match.
    fn both(left: &L, right: &R) -> Self::Row;

    /// The row of a record of the left side without a match, if it gives one.
    fn left(_left: &L) -> Option<Self::Row> {
        None
    }

    /// The row of a record of the right side without a match, if it gives one.
    fn right(_right: &R) -> Option<Self::Row> {
        None
    }
}

/// Rows for records that match alone.
#[derive(Clone, Copy, Debug)]
pub enum Inner {}

/// Rows for records that match, and for those of the left side that do not.
#[derive(Clone, Copy, Debug)]
pub enum LeftOuter {}

/// Rows for records that match, and for those of the right side that do not.
#[derive(Clone, Copy, Debug)]
pub enum RightOuter {}

/// Rows for records that match, and for those of both sides that do not.
#[derive(Clone, Copy, Debug)]
pub enum FullOuter {}

impl<L: Clone + 'static, R: Clone + 'static> Rows<L, R> for Inner {
    type Row = (L, R);

    const NAME: &'static str = "inner join";
    const LEFT: bool = false;
    const RIGHT: bool = false;

    fn both(left: &L, right: &R) -> (L, R) {
        (left.clone(), right.clone())
    }
}

impl<L: Clone + 'static, R: Clone + 'static> Rows<L, R> for LeftOuter {
    type Row = (L, Option<R>);

    const NAME: &'static str = "left outer join";
    const LEFT: bool = true;
    const RIGHT: bool = false;

    fn both(left: &L, right: &R) -> Self::Row {
        (left.clone(), Some(right.clone()))
    }

    fn left(left: &L) -> Option<Self::Row> {
        Some((left.clone(), None))
    }
}

impl<L: Clone + 'static, R: Clone + 'static> Rows<L, R> for RightOuter {
    type Row = (Option<L>, R);

    const NAME: &'static str = "right outer join";
    const LEFT: bool = false;
    const RIGHT: bool = true;

    fn both(left: &L, right: &R) -> Self::Row {
        (Some(left.clone()), right.clone())
    }

    fn right(right: &R) -> Option<Self::Row> {
        Some((None, right.clone()))
    }
}

impl<L: Clone + 'static, R: Clone + 'static> Rows<L, R> for FullOuter {
    type Row = (Option<L>, Option<R>);

    const NAME: &'static str = "full outer join";
    const LEFT: bool = true;
    const RIGHT: bool = true;

    fn both(left: &L, right: &R) -> Self::Row {
        (Some(left.clone()), Some(right.clone()))
    }

    fn left(left: &L) -> Option<Self::Row> {
        Some((Some(left.clone()), None))
    }

    fn right(right: &R) -> Option<Self::Row> {
        Some((None, Some(right.clone())))
    }
}
