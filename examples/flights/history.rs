//! Each hour beside the same hour of earlier days: a process function.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

/// Hours with fewer departures are neither judged nor remembered.
const FEWEST_DEPARTURES: u64 = 5;
/// Earlier days without which there is nothing to compare with.
const FEWEST_DAYS: u64 = 7;

/// An airport and an hour of the day.
pub(crate) type Slot = (String, u16);

/// An hour of one day at an airport.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Hour {
    pub(crate) span: Span,
    pub(crate) departures: u64,
    pub(crate) mean: f64,
}

/// What the same hour of earlier days was like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Past {
    pub(crate) days: u64,
    /// The mean of their mean delays, and the standard deviation.
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
}

/// An hour with what it is to be compared with, if there is enough of that.
pub(crate) type Judged = (Slot, Hour, Option<Past>);

/// What is kept of the days before.
type Days = (Count, Mean<fn(&f64) -> f64>, Variance<fn(&f64) -> f64>);

/// Gives each hour with its past, and then adds it to the past.
///
/// The hours of a slot must come in the order of their times, and hours that end within one epoch
/// might not. Timers do, so each hour waits for one at its own time: that is soon, for the result of
/// a window is never ahead of the watermark.
///
/// State: a count, a mean and a variance per airport and hour of the day, never freed.
pub(crate) struct History {
    past: AggregatingState<f64, Days>,
    waiting: MapState<EventTime, Hour>,
}

impl History {
    pub(crate) fn new(states: &mut States) -> Self {
        states.name("history");
        let same: fn(&f64) -> f64 = |it| *it;
        let days = (Count, Mean::of(same), Variance::sample(same));
        Self { past: states.aggregating("past", days), waiting: states.map("waiting") }
    }
}

impl Process for History {
    type Key = Slot;
    type Record = Hour;
    type Output = Judged;
    type Side = Infallible;

    fn on_record(&self, hour: Hour, context: &mut Context<'_, Slot, Judged>) {
        let time = context.time();
        context.state(&self.waiting).insert(time, hour);
        context.set_event_timer(time);
    }

    fn on_event_timer(&self, time: EventTime, context: &mut Context<'_, Slot, Judged>) {
        let Some(hour) = context.state(&self.waiting).remove(&time) else { return };
        let mut judged = None;
        if hour.departures >= FEWEST_DEPARTURES {
            let mut past = context.state(&self.past);
            let known = past.get().filter(|(days, ..)| *days >= FEWEST_DAYS);
            past.add(&hour.mean);
            judged =
                known.map(|(days, mean, variance)| Past { days, mean, deviation: variance.sqrt() });
        }
        context.emit((context.key().clone(), hour, judged));
    }
}
