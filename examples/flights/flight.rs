//! What is read: one row for each flight that was to leave.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;
use tidemill::time::rfc3339;

/// A row of the file, as far as it is needed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Flight {
    /// When it left by New York's clock, 517 for 5:17; nothing if it was cancelled.
    dep_time: Option<u16>,
    sched_dep_time: u16,
    /// Minutes, negative if it left early.
    dep_delay: Option<f64>,
    carrier: String,
    flight: u32,
    origin: String,
    dest: String,
    /// The hour in which it was due to leave.
    #[serde(with = "rfc3339")]
    time_hour: EventTime,
}

/// A flight that left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Departure {
    pub(crate) origin: String,
    /// The hour of the day in which it was due, by New York's clock.
    pub(crate) hour: u16,
    pub(crate) carrier: String,
    pub(crate) flight: u32,
    pub(crate) dest: String,
    pub(crate) delay: f64,
}

impl Flight {
    /// The moment at which it was due to leave.
    pub(crate) fn due(&self) -> EventTime {
        self.time_hour.saturating_add(minutes((self.sched_dep_time % 100).into()))
    }

    /// How far time has come by the file, with a watermark that stays some time `behind`.
    ///
    /// Rows are sorted by day and by the clock at departure, so a flight that left after midnight
    /// stands at the *front* of the day it was due on, almost a day ahead of time, and a cancelled
    /// one at the end. Only the others say how late it is.
    pub(crate) fn disorder(behind: Duration) -> Disorder<Self> {
        Disorder::punctuated(move |due, flight: &Self| {
            flight.left_on_its_day().then(|| due.saturating_sub(behind))
        })
    }

    fn left_on_its_day(&self) -> bool {
        let due = f64::from(self.sched_dep_time / 100 * 60 + self.sched_dep_time % 100);
        self.dep_delay.is_some_and(|delay| due + delay < 24.0 * 60.0)
    }

    /// The departure, or the airport of a flight that was cancelled.
    pub(crate) fn outcome(self) -> Either<Departure, String> {
        let Self { sched_dep_time, carrier, flight, origin, dest, .. } = self;
        match self.dep_time.and(self.dep_delay) {
            Some(delay) => {
                let hour = sched_dep_time / 100;
                Either::Left(Departure { origin, hour, carrier, flight, dest, delay })
            }
            None => Either::Right(origin),
        }
    }
}
