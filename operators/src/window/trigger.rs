//! Triggers: when a window gives a result.
//!
//! A trigger is asked for every record of a window, and whenever event time has come to a moment that
//! it asked to be [woken at](Watch::wake_at). It answers with a [`Decision`]. It is a description: what
//! it remembers about one window of one key is its [`State`](Trigger::State), which is saved with
//! the window, merged with it and dropped with it.
//!
//! The ready-made triggers do what the triggers of these names do in Apache Flink:
//! [`AtWatermark`] (`EventTimeTrigger`), [`EveryRecords`] (`CountTrigger`), [`Continuous`]
//! (`ContinuousEventTimeTrigger`), [`Delta`] (`DeltaTrigger`), [`Purging`] (`PurgingTrigger`) and
//! [`Never`].
//!
//! ```
//! use tidemill_operators::time::EventTime;
//! use tidemill_operators::window::trigger::{Decision, Trigger, Watch};
//!
//! /// Fires at every record above a limit, and purges when the window ends.
//! struct Alarm(u64);
//!
//! impl Trigger<u64> for Alarm {
//!     type State = ();
//!     fn start(&self) {}
//!     fn on_record(&self, _: &mut (), _: EventTime, value: &u64, watch: &mut Watch<'_>) -> Decision {
//!         watch.wake_at(watch.span().last());
//!         if *value > self.0 { Decision::Fire } else { Decision::Continue }
//!     }
//!     fn on_moment(&self, _: &mut (), _: EventTime, _: &mut Watch<'_>) -> Decision {
//!         Decision::Purge
//!     }
//! }
//! ```

mod ready;

pub use ready::{AtWatermark, Continuous, Delta, EveryRecords, Never, Purging};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::time::{EventTime, Span};

/// Decides when the windows of records with a value `V` fire.
pub trait Trigger<V>: 'static {
    /// What is remembered about one window of one key.
    type State: Clone + Serialize + DeserializeOwned + 'static;

    /// What is remembered about a new window.
    fn start(&self) -> Self::State;

    /// Decides after a record was added to the window. Late records that the window still takes
    /// count too.
    fn on_record(
        &self,
        state: &mut Self::State,
        at: EventTime,
        value: &V,
        watch: &mut Watch<'_>,
    ) -> Decision;

    /// Decides when the watermark has come to the moment `at` that was asked for.
    ///
    /// The watermark may already be further. To be woken again, ask for a moment after `at`.
    fn on_moment(&self, state: &mut Self::State, at: EventTime, watch: &mut Watch<'_>) -> Decision;

    /// Whether this trigger may serve windows that merge. If not, it is refused for them when the
    /// job is built.
    fn merges(&self) -> bool {
        false
    }

    /// Takes over the `others` that merge into this window, or a longer span if there are none.
    ///
    /// The moments that the windows had asked for are forgotten; ask for those of the merged one.
    /// The record that made the windows merge follows.
    fn on_merge(
        &self,
        _state: &mut Self::State,
        _others: Vec<Self::State>,
        _watch: &mut Watch<'_>,
    ) {
    }

    /// Whether the state is as good as a new one, so that a window which holds no records and
    /// waits for no moment can be forgotten.
    fn spent(&self, _state: &Self::State) -> bool {
        false
    }
}

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Nothing.
    Continue,
    /// It gives its result and keeps its contents. An empty window gives none.
    Fire,
    /// Its contents are dropped without a result.
    Purge,
    /// It gives its result, and its contents are dropped.
    FireAndPurge,
}

impl Decision {
    /// Whether the window gives its result.
    pub fn fires(self) -> bool {
        matches!(self, Self::Fire | Self::FireAndPurge)
    }

    /// Whether the contents are dropped.
    pub fn purges(self) -> bool {
        matches!(self, Self::Purge | Self::FireAndPurge)
    }
}

/// What a trigger sees of its window and of time.
#[derive(Debug)]
pub struct Watch<'a> {
    span: Span,
    watermark: EventTime,
    moments: &'a mut Vec<EventTime>,
}

impl<'a> Watch<'a> {
    /// A view of a window over `span`, with the `moments` asked for so far in rising order.
    pub fn new(span: Span, watermark: EventTime, moments: &'a mut Vec<EventTime>) -> Self {
        Self { span, watermark, moments }
    }

    /// The moments that the window covers.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The watermark in force.
    pub fn watermark(&self) -> EventTime {
        self.watermark
    }

    /// Asks for a call when the watermark reaches `moment`. Asking twice is asking once.
    ///
    /// A moment that has passed comes at the end of the epoch. Moments after the window is dropped
    /// do not come.
    pub fn wake_at(&mut self, moment: EventTime) {
        if let Err(place) = self.moments.binary_search(&moment) {
            self.moments.insert(place, moment);
        }
    }

    /// Takes back that `moment` was asked for.
    pub fn forget(&mut self, moment: EventTime) {
        if let Ok(place) = self.moments.binary_search(&moment) {
            self.moments.remove(place);
        }
    }
}
