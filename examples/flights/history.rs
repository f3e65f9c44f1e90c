//! Each hour beside the same hour of earlier days: a rule of one's own.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tidemill::aggregate::{Aggregate, Count, Mean, Variance};
use tidemill::event::Event;
use tidemill::key::hash;
use tidemill::prelude::*;
use tidemill::rule::{Advance, Outbox, Rule, Snapshot};

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

/// Gives each hour with its past, if there is enough of it, and then adds it to the past.
///
/// The hours of a slot must come in the order of their times, and hours that end within one epoch
/// might not. So they wait for the end of the epoch, which is soon.
///
/// State: a count, a mean and a variance per airport and hour of the day.
pub(crate) struct History<A: Aggregate<f64>> {
    aggregate: A,
    pasts: HashMap<Slot, A::State>,
    waiting: Vec<Event<(Slot, Hour)>>,
}

/// A history without a past.
pub(crate) fn history() -> History<impl Aggregate<f64, Output = (u64, f64, f64)>> {
    let aggregate = (Count, Mean::of(|it: &f64| *it), Variance::sample(|it: &f64| *it));
    History { aggregate, pasts: HashMap::new(), waiting: Vec::new() }
}

impl<A: Aggregate<f64, Output = (u64, f64, f64)>> History<A> {
    fn judge(&mut self, slot: &Slot, hour: Hour) -> Option<Past> {
        if hour.departures < FEWEST_DEPARTURES {
            return None;
        }
        let state = self.pasts.entry(slot.clone()).or_insert_with(|| self.aggregate.start());
        let (days, mean, variance) = self.aggregate.finish(state);
        self.aggregate.add(state, hour.span.start(), &hour.mean);
        (days >= FEWEST_DAYS).then(|| Past { days, mean, deviation: variance.sqrt() })
    }
}

impl<A: Aggregate<f64, Output = (u64, f64, f64)>> Rule<Event<(Slot, Hour)>> for History<A> {
    type Output = Event<(Slot, Hour, Option<Past>)>;
    type Side = std::convert::Infallible;
    type Saved = (Slot, A::State);

    fn accept(&mut self, hour: Event<(Slot, Hour)>, _: &mut Outbox<Self::Output, Self::Side>) {
        self.waiting.push(hour);
    }

    fn advance(
        &mut self,
        _watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        // A window's result is never ahead of the watermark: all that wait are complete.
        self.waiting.sort_by_key(|event| Reverse(event.at));
        while let Some(Event { at, value: (slot, hour) }) = self.waiting.pop() {
            let past = self.judge(&slot, hour);
            out.main.push(Event::new(at, (slot, hour, past)));
            if out.full() {
                return Advance::More;
            }
        }
        Advance::Done
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        for (slot, state) in &self.pasts {
            to.keyed(hash(slot), (slot.clone(), state.clone()));
        }
    }

    fn restore(&mut self, (slot, state): Self::Saved) {
        self.pasts.insert(slot, state);
    }

    fn resume(&mut self, _watermark: EventTime) {}
}
