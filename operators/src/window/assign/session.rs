//! Session windows: records of a key with no silence longer than a gap between them.

use std::fmt;
use std::time::Duration;

use super::{Assign, Refused, allowed, positive};
use crate::time::{EventTime, Span};
use crate::window::trigger::AtWatermark;

/// Windows that end when a key has been silent for a gap.
///
/// A record opens the window from its own moment up to one gap later. Windows of a key that share a
/// moment or follow each other without one between them merge, so two records exactly one gap
/// apart are in one session; unless the first one's has fired already, because the watermark was at its last
/// moment when the second came, at the next. Then, as in Flink, the second begins another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session<G = Duration> {
    gap: G,
}

/// A gap that each record says for itself.
#[derive(Clone, Copy)]
pub struct GapBy<F>(F);

impl<F> fmt::Debug for GapBy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GapBy(..)")
    }
}

impl Session {
    /// Sessions that end after a silence of `gap`.
    ///
    /// # Panics
    ///
    /// If the gap is under one microsecond. [`try_gap`](Self::try_gap) is for gaps that were not
    /// written in the program.
    pub fn gap(gap: Duration) -> Self {
        allowed(Self::try_gap(gap))
    }

    /// Sessions that end after a silence of `gap`.
    ///
    /// # Errors
    ///
    /// If the gap is under one microsecond.
    pub fn try_gap(gap: Duration) -> Result<Self, Refused> {
        positive("gap of a session window", gap).map(|_| Self { gap })
    }

    /// Sessions in which each record says how long a silence it tolerates after it.
    ///
    /// A gap under one microsecond counts as one.
    pub fn gap_by<F>(gap: F) -> Session<GapBy<F>> {
        Session { gap: GapBy(gap) }
    }
}

impl<V> Assign<V> for Session {
    type Trigger = AtWatermark;

    fn windows_of(&self, at: EventTime, _value: &V, windows: &mut Vec<Span>) {
        windows.push(Span::starting(at, self.gap));
    }

    fn trigger(&self) -> AtWatermark {
        AtWatermark
    }

    fn merging(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        "sessions".to_owned()
    }
}

impl<V, F: Fn(&V) -> Duration + 'static> Assign<V> for Session<GapBy<F>> {
    type Trigger = AtWatermark;

    fn windows_of(&self, at: EventTime, value: &V, windows: &mut Vec<Span>) {
        windows.push(Span::starting(at, self.gap.0(value)));
    }

    fn trigger(&self) -> AtWatermark {
        AtWatermark
    }

    fn merging(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        "sessions".to_owned()
    }
}
