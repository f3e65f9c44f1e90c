//! Joins of streams: records of two inputs that have the same key.
//!
//! | verb | a record meets | rows leave |
//! |---|---|---|
//! | [`interval_join`] | records of the other side near it in time | at once; outer ones later |
//! | [`window_join`] | records of the other side in its windows | when the window ends |
//! | [`temporal_join`] | the version valid at its time | when the watermark reaches it |
//! | [`lookup_join`] | what a collection holds when its epoch ends | with the epoch |
//!
//! [`interval_join`]: crate::keyed::Keyed::interval_join
//! [`window_join`]: crate::keyed::Keyed::window_join
//! [`temporal_join`]: crate::keyed::Keyed::temporal_join
//! [`lookup_join`]: crate::keyed::Keyed::lookup_join
//!
//! Which rows there are says a method before the join is built: those of records that match alone,
//! or also those of records of the [left](LeftOuter), the [right](RightOuter) or [both](FullOuter)
//! sides that match nothing.
//!
//! # Guarantees
//!
//! * What a join gives is a function of its inputs and their epochs. The rows of an epoch come in
//!   no particular order.
//! * The watermark of a join is the lesser of those of its inputs. Where rows of a time leave only
//!   when the watermark has passed it, what follows is told a watermark that is so much behind: no
//!   row is late when it leaves, but those of windows that fire again.
//! * A record that comes too late meets nothing and leaves by the side output, where it is counted.
//!   When it is too late says each verb.
//! * A record that is there twice is in two rows for each of its partners.

mod agenda;
mod interval;
mod lookup;
mod rows;
mod temporal;
mod window;

pub use interval::{Interval, IntervalJoin, Intervals, Offset, Saved, earlier, later};
pub use lookup::{Lookup, LookupJoin, StreamLookup};
pub use rows::{FullOuter, Inner, LeftOuter, RightOuter, Rows};
pub use temporal::{CorrectingJoin, LateForVersions, SavedHistory, Temporal, TemporalJoin};
pub use window::{WindowJoin, WindowsWithLate};

use crate::rule::Outbox;
use crate::time::EventTime;

/// Rows in an outbox at which records let others be shipped before they look for partners.
const MOST: usize = 16 * Outbox::<(), ()>::FULL;

/// Whether the watermark says that nothing is to come at a moment. At the start of time it says
/// nothing.
fn reached(watermark: EventTime, moment: EventTime) -> bool {
    watermark > EventTime::MIN && moment <= watermark
}
