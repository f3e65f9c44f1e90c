//! Where the state of operators is kept between two runs.
//!
//! An operator asks its [`Keeper`] whether an epoch that it has completed is to be kept, and if so
//! hands over its state in [`Section`]s, which are replaced as a whole, each in [`Part`]s, cut by who
//! will want them: a key group, a partition of a source, or everyone. When it starts it asks for
//! what was kept under its name. The crate keeps state in memory only ([`Memory`]); a durable keeper
//! lives above it.
//!
//! # When the program changes
//!
//! State is written with the names of fields ([`encode`]). Fields may be added with
//! `#[serde(default)]`, removed and moved, and integers may become wider. For any other change, read
//! the forms of both programs:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidemill_operators::state::{decode, encode};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! #[serde(from = "Saved")]
//! struct Balance {
//!     cents: i64,
//! }
//!
//! /// Everything that was ever saved.
//! #[derive(Deserialize)]
//! #[serde(untagged)]
//! enum Saved {
//!     Cents { cents: i64 },
//!     Euros { euros: f64 },
//! }
//!
//! impl From<Saved> for Balance {
//!     fn from(saved: Saved) -> Self {
//!         match saved {
//!             Saved::Cents { cents } => Self { cents },
//!             Saved::Euros { euros } => Self { cents: (euros * 100.0).round() as i64 },
//!         }
//!     }
//! }
//!
//! #[derive(Serialize)]
//! struct Earlier {
//!     euros: f64,
//! }
//!
//! assert_eq!(decode(&encode(&Earlier { euros: 1.25 })), Ok(Balance { cents: 125 }));
//! assert_eq!(decode(&encode(&Balance { cents: 7 })), Ok(Balance { cents: 7 }));
//! ```

use std::ops::Range;

use crate::key::Group;
use crate::time::Epoch;

pub mod backend;
mod form;
pub mod journal;
mod memory;
mod sections;

pub use form::{decode, decode_all, encode, encode_into};
pub use memory::Memory;
pub(crate) use sections::{ForEveryone, Saving};

/// Keeps the state of operators and recalls it. One is shared by the operators of a worker.
pub trait Keeper {
    /// Whether one of `completed` is an epoch to be kept. Every worker is told the same.
    fn due(&self, completed: &Range<Epoch>) -> bool;

    /// Keeps the state of `operator` on `worker`, which is the same at the end of each of
    /// `completed`. If that ends with [`Epoch::MAX`], it is the last state of the operator.
    fn keep(&self, operator: &str, worker: usize, completed: Range<Epoch>, saved: Vec<Section>);

    /// Hands over to `worker` everything kept under the name of `operator` by all workers, that is for
    /// everyone, for a partition, or for one of `groups`: first what is not for groups. What was kept in a
    /// later section of a worker comes later. Not all of it need be in memory at a time.
    ///
    /// A part for a group comes with the number of its section if all of that was kept by one worker and
    /// is for `groups`, and so is everything else that is for them. Then the operator may name the section
    /// as unchanged when it is kept next, and need not hand it over again.
    ///
    /// Every operator that keeps state asks this once, when it is built: that is how a keeper learns
    /// whose state it will be given. `entries` names the type of its entries.
    fn recall(
        &self,
        operator: &str,
        entries: &'static str,
        worker: usize,
        groups: Range<Group>,
        each: &mut dyn FnMut(Part, Option<u64>),
    );

    /// Whether anything is ever kept. If not, operators need not hold what they would hold for that
    /// alone.
    fn keeps(&self) -> bool {
        true
    }

    /// Says that what was recalled cannot be used by `operator`, and why: the run must not go on.
    fn refuse(&self, operator: &str, why: String);

    /// Says that `operator` has no use any more for a part of what was recalled, a state that the
    /// program does not declare, and has dropped it. Unless that is allowed, the run must not go on.
    fn dropped(&self, operator: &str, state: &str) {
        self.refuse(operator, format!("it has no state named `{state}` any more"));
    }

    /// The first epoch that this run is to process: one after the epoch that is recalled.
    fn resume(&self) -> Epoch {
        0
    }
}

/// A piece of an operator's state that is replaced as a whole, known by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its number, of the operator's choice.
    pub id: u64,
    /// What it holds; nothing if it is as the operator last gave it, or was given it back. Sections that
    /// are not mentioned any more are gone.
    pub parts: Option<Vec<Part>>,
}

/// A piece of an operator's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Who will want it.
    pub owner: Owner,
    /// What it is, in the operator's own encoding.
    pub bytes: Vec<u8>,
}

impl Part {
    /// Whether a worker that owns `groups` wants this.
    pub fn is_for(&self, groups: &Range<Group>) -> bool {
        match &self.owner {
            Owner::Group(group) => groups.contains(group),
            Owner::Everyone | Owner::Partition(_) => true,
        }
    }

    /// Whether this is for the worker that owns a key group.
    pub fn is_for_group(&self) -> bool {
        matches!(self.owner, Owner::Group(_))
    }
}

/// Who a piece of state is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Every worker.
    Everyone,
    /// The worker that owns this key group.
    Group(Group),
    /// The worker that reads this partition of a source.
    Partition(String),
}

/// Keeps nothing and recalls nothing.
#[derive(Debug, Default)]
pub struct Forgetful;

impl Keeper for Forgetful {
    fn keeps(&self) -> bool {
        false
    }

    fn due(&self, _completed: &Range<Epoch>) -> bool {
        false
    }

    fn keep(&self, _operator: &str, _worker: usize, _completed: Range<Epoch>, _: Vec<Section>) {}

    fn recall(
        &self,
        _: &str,
        _entries: &'static str,
        _worker: usize,
        _: Range<Group>,
        _: &mut dyn FnMut(Part, Option<u64>),
    ) {
    }

    fn refuse(&self, operator: &str, why: String) {
        unreachable!("`{operator}` recalled nothing, and refused it: {why}")
    }
}
