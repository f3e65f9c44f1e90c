//! Assigning event time: when each record happened, and how far time has come.
//!
//! [`Stream::event_time`](crate::stream::Stream::event_time) reads the moment off each record. How far time has come is told per
//! partition of the source by a [`Disorder`], and per worker by the least of its partitions; it
//! becomes known to all workers when the epoch ends. [`Stream::processing_time`](crate::stream::Stream::processing_time) takes the time of
//! day instead.

use std::rc::Rc;
use std::time::Duration;

use crate::time::{EventTime, micros_of};

mod assign;
mod ledger;
mod times;

/// How much out of order the records of a partition are, and so how far event time has come.
///
/// The watermark of a partition follows from the records seen up to the end of an epoch:
///
/// | | watermark |
/// |---|---|
/// | [`up_to`](Self::up_to)`(d)` | the greatest time seen, less `d`, less one microsecond |
/// | [`ascending`](Self::ascending) | the greatest time seen, less one microsecond |
/// | [`punctuated`](Self::punctuated)`(f)` | the greatest moment that `f` found in a record |
/// | [`unbounded`](Self::unbounded) | none until the partition ends |
///
/// A partition that has ended holds nothing back; one of which nothing was read yet holds
/// everything back, unless it counts as [idle](Self::idle_after).
pub struct Disorder<D> {
    pub(crate) kind: Kind<D>,
    pub(crate) idle_after: Option<i64>,
    pub(crate) drift: Option<i64>,
}

pub(crate) enum Kind<D> {
    UpTo(i64),
    Punctuated(Rc<dyn Fn(EventTime, &D) -> Option<EventTime>>),
    Unbounded,
}

impl<D> Disorder<D> {
    /// Records come at most `delay` of event time after later ones (Flink's bounded
    /// out-of-orderness).
    pub fn up_to(delay: Duration) -> Self {
        Self { kind: Kind::UpTo(micros_of(delay)), idle_after: None, drift: None }
    }

    /// Records of a partition come in the order of their times (Flink's monotonous timestamps).
    pub fn ascending() -> Self {
        Self::up_to(Duration::ZERO)
    }

    /// Some records say how far time has come: `mark` returns the moment such that no event at or
    /// before it is to come (Flink's punctuated watermarks).
    pub fn punctuated(mark: impl Fn(EventTime, &D) -> Option<EventTime> + 'static) -> Self {
        Self { kind: Kind::Punctuated(Rc::new(mark)), idle_after: None, drift: None }
    }

    /// Nothing is known until the input ends: windows fire at the end of a bounded input.
    pub fn unbounded() -> Self {
        Self { kind: Kind::Unbounded, idle_after: None, drift: None }
    }

    /// A partition without records for this long, by the time of day, holds nothing back until its
    /// next record.
    #[must_use]
    pub fn idle_after(self, silence: Duration) -> Self {
        Self { idle_after: Some(micros_of(silence)), ..self }
    }

    /// A partition whose watermark is more than `drift` ahead of the stream's is not read until
    /// the others have caught up (Flink's watermark alignment). Bounds what windows hold open when
    /// partitions are read at different speeds.
    #[must_use]
    pub fn aligned(self, drift: Duration) -> Self {
        Self { drift: Some(micros_of(drift)), ..self }
    }
}
