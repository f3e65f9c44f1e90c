//! A record with the moment it happened.

use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// A value and its event time: what flows along [`Events`](crate::events::Events).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Event<D> {
    /// When it happened.
    pub at: EventTime,
    /// What happened.
    pub value: D,
}

impl<D> Event<D> {
    /// `value`, which happened `at` a moment.
    pub const fn new(at: EventTime, value: D) -> Self {
        Self { at, value }
    }

    /// The same moment with another value.
    pub fn map<T>(self, change: impl FnOnce(D) -> T) -> Event<T> {
        Event { at: self.at, value: change(self.value) }
    }
}
