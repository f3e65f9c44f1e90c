//! What spreads along edges, and what parts tell each other while it does.

use serde::{Deserialize, Serialize};

use super::edge::Load;
use super::queue::Queue;
use super::split::{Hook, Link};

/// The value of a vertex that has none: greater than all others.
pub(super) const NONE: u64 = u64::MAX;

/// What spreads.
pub(super) trait Spread: 'static {
    /// What it takes of the weights.
    type Weight: Load;
    /// In which order it is worked off.
    type Queue: Queue;
    /// How a value is shown.
    type Value: PartialEq + 'static;

    /// Whether vertices that no value reaches find their own among themselves: the least of their
    /// component.
    const SPLITS: bool;

    /// The value that a vertex has by itself.
    fn start(&self, id: u64) -> u64;

    /// What comes of a value along an edge: not less, or [`NONE`].
    fn along(&self, value: u64, weight: Self::Weight) -> u64;

    /// A value as users see it.
    fn shown(&self, value: u64) -> Self::Value;
}

/// What parts tell each other of vertices, by their ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Mail {
    /// The value that `from` had is lost, and with it what `to` took from it.
    Lost { to: u64, from: u64 },
    /// What does `to` offer `of`, along an edge of this weight?
    Ask { to: u64, of: u64, weight: u64 },
    /// `from` offers a value.
    Offer { to: u64, value: u64, from: u64 },
    /// The lost vertex `from`, of the piece `piece`, is next to `to`.
    Border { to: u64, piece: u64, from: u64 },
    /// Two pieces are joined by an edge.
    Link(Box<Link>),
    /// What a piece belongs to.
    Hook(Box<Hook>),
}
