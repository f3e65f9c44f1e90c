//! Windows over all of time: count windows and the global window.
//!
//! They have no bounds of their own. The panes they give span the records they were computed from,
//! first to last in event time, and travel at the last of these. No record is late for them.

use std::num::NonZeroU64;

use super::{Assign, Refused, allowed};
use crate::time::{EventTime, Span};
use crate::window::evict::{self, Newest};
use crate::window::trigger::{EveryRecords, Never, Purging};

/// Windows of a number of records of a key, in the order in which they arrive.
#[derive(Clone, Copy, Debug)]
pub enum Count {}

/// Runs of records without overlap: see [`Count::tumbling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountTumbling(EveryRecords);

/// The latest records, every so many: see [`Count::sliding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountSliding {
    kept: usize,
    every: EveryRecords,
}

impl Count {
    /// Each `records` records of a key, once they are there.
    ///
    /// Records that do not fill a run when the stream ends give nothing. A key whose last run is
    /// complete costs no state.
    ///
    /// # Panics
    ///
    /// If the number is zero.
    pub fn tumbling(records: u64) -> CountTumbling {
        CountTumbling(EveryRecords::new(records))
    }

    /// The latest `records` records of a key, whenever `every` more have arrived.
    ///
    /// The first panes hold fewer records; records after the last full `every` give nothing when
    /// the stream ends. A key keeps its latest records for as long as the stream lasts.
    ///
    /// # Panics
    ///
    /// If either number is zero.
    pub fn sliding(records: u64, every: u64) -> CountSliding {
        let kept = NonZeroU64::new(records)
            .ok_or(Refused::new("records of a sliding count window", "must be at least one"));
        let kept = usize::try_from(allowed(kept).get()).unwrap_or(usize::MAX);
        CountSliding { kept, every: EveryRecords::new(every) }
    }
}

impl<V> Assign<V> for CountTumbling {
    type Trigger = Purging<EveryRecords>;

    fn windows_of(&self, _at: EventTime, _value: &V, windows: &mut Vec<Span>) {
        windows.push(Span::ALWAYS);
    }

    fn trigger(&self) -> Purging<EveryRecords> {
        self.0.purging()
    }

    fn describe(&self) -> String {
        "windows of a number of records".to_owned()
    }
}

impl<V> Assign<V> for CountSliding {
    type Trigger = EveryRecords;

    fn windows_of(&self, _at: EventTime, _value: &V, windows: &mut Vec<Span>) {
        windows.push(Span::ALWAYS);
    }

    fn trigger(&self) -> EveryRecords {
        self.every
    }

    fn keeps(&self) -> Option<Newest> {
        Some(evict::count(self.kept))
    }

    fn describe(&self) -> String {
        format!("windows of {} records, sliding", self.kept)
    }
}

/// One window for everything of a key.
///
/// It fires only when its trigger says so, and without a trigger never, not even when the stream
/// ends; [`AtWatermark`](crate::window::trigger::AtWatermark) fires it once, at the end. Its
/// contents are kept until the trigger purges them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Global;

impl<V> Assign<V> for Global {
    type Trigger = Never;

    fn windows_of(&self, _at: EventTime, _value: &V, windows: &mut Vec<Span>) {
        windows.push(Span::ALWAYS);
    }

    fn trigger(&self) -> Never {
        Never
    }

    fn describe(&self) -> String {
        "one window for everything".to_owned()
    }
}
