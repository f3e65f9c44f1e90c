//! Assigners: which windows a record belongs to.
//!
//! [`Tumbling`], [`Sliding`] and [`Cumulative`] windows are aligned: their bounds depend on the clock
//! alone. A [`Session`] is bounded by silence, so its windows grow and merge. [`Count`] and
//! [`Global`] windows cover all of time and end by their trigger. Anything else is a type of the
//! user's own that implements [`Assign`].
//!
//! ```
//! use tidemill_operators::time::{EventTime, Span, seconds};
//! use tidemill_operators::window::{Assign, Sliding};
//!
//! let mut windows = Vec::new();
//! let at = EventTime::from_secs(-3);
//! Sliding::new(seconds(10), seconds(5)).windows_of(at, &"a value", &mut windows);
//! let from = |start| Span::starting(EventTime::from_secs(start), seconds(10));
//! assert_eq!(windows, [from(-5), from(-10)]);
//! ```

mod aligned;
mod session;
mod unbounded;

use std::fmt;
use std::time::Duration;

pub use aligned::{Cumulative, Sliding, Tumbling};
pub use session::{GapBy, Session};
pub use unbounded::{Count, CountSliding, CountTumbling, Global};

use crate::time::{EventTime, Span, micros_of};
use crate::window::evict::Newest;
use crate::window::trigger::Trigger;

/// Says which windows a record with a value `V` belongs to.
///
/// It must be a function of its arguments: a record that is read again after a restart belongs to
/// the same windows.
pub trait Assign<V>: 'static {
    /// The trigger of windows for which the user names none.
    type Trigger: Trigger<V>;

    /// Appends the windows of a record that happened `at` a moment, each once.
    ///
    /// A record without any window leaves by the side output, like a late one. A window that is
    /// [all of time](Span::ALWAYS) has no bounds of its own: its panes span the records they were
    /// computed from.
    fn windows_of(&self, at: EventTime, value: &V, windows: &mut Vec<Span>);

    /// The trigger of windows for which the user names none.
    fn trigger(&self) -> Self::Trigger;

    /// Whether windows of one key that share a moment, or follow each other without a gap, become
    /// one.
    fn merging(&self) -> bool {
        false
    }

    /// What to call these windows in the plan of a job.
    fn describe(&self) -> String {
        "windows of one's own".to_owned()
    }

    /// How many of the latest records a window keeps, if it drops the others before each firing.
    fn keeps(&self) -> Option<Newest> {
        None
    }

    /// These windows as aligned ones, if that is what they are: with their default trigger these
    /// have faster rules.
    fn aligned(&self) -> Option<Aligned> {
        None
    }
}

/// Windows whose bounds depend on the clock alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aligned {
    /// Side by side.
    Tumbling(Tumbling),
    /// Overlapping, or with gaps.
    Sliding(Sliding),
    /// Growing from the same start.
    Cumulative(Cumulative),
}

/// A setting of a window that cannot work, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    setting: &'static str,
    reason: &'static str,
}

impl Refused {
    pub(crate) const fn new(setting: &'static str, reason: &'static str) -> Self {
        Self { setting, reason }
    }

    /// The setting that is refused, such as `size of a tumbling window`.
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting, self.reason)
    }
}

impl std::error::Error for Refused {}

/// Stops the program with a refused setting, for constructors that promise a value.
pub(crate) fn allowed<T>(checked: Result<T, Refused>) -> T {
    checked.unwrap_or_else(|refused| panic!("{refused}"))
}

/// The length in whole microseconds, which must be at least one.
pub(crate) fn positive(setting: &'static str, length: Duration) -> Result<i64, Refused> {
    match micros_of(length) {
        0 => Err(Refused::new(setting, "must be at least one microsecond")),
        micros => Ok(micros),
    }
}
