//! Edges, and the real numbers on them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// A real number with a total order, so that a [collection](crate::collection) can hold it: that of
/// [`f64::total_cmp`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Real(pub f64);

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Real {}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Real {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Hash for Real {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An edge of a graph. One that leads from a vertex to itself says only that the vertex is there.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Edge {
    /// Where it begins.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// How long it is: for those algorithms that ask.
    pub weight: Real,
}

impl Edge {
    /// An edge without a weight.
    pub const fn new(from: u64, to: u64) -> Self {
        Self::weighted(from, to, 1.0)
    }

    /// An edge with a weight.
    pub const fn weighted(from: u64, to: u64, weight: f64) -> Self {
        Self { from, to, weight: Real(weight) }
    }

    /// What says that a vertex is there, whether it has edges or not.
    pub const fn vertex(id: u64) -> Self {
        Self::new(id, id)
    }
}

/// What of an edge's weight an algorithm keeps.
pub(super) trait Load: Copy + Eq + Ord + Hash + Default + 'static {
    fn of(weight: Real) -> Self;
    fn bits(self) -> u64;
    fn of_bits(bits: u64) -> Self;
}

impl Load for () {
    fn of(_: Real) -> Self {}

    fn bits(self) -> u64 {
        0
    }

    fn of_bits(_: u64) -> Self {}
}

impl Load for Real {
    fn of(weight: Real) -> Self {
        weight
    }

    fn bits(self) -> u64 {
        self.0.to_bits()
    }

    fn of_bits(bits: u64) -> Self {
        Self(f64::from_bits(bits))
    }
}
