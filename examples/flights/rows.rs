//! The rows that leave the dataflow, as they stand in the CSV files.

use serde::{Deserialize, Serialize};
use tidemill::event::Event;
use tidemill::prelude::*;
use tidemill::time::rfc3339;

use super::flight::Departure;
use super::history::{Hour, Past, Slot};
use super::weather::{Almanac, Weather};

/// An hour is unusual this many standard deviations above its past.
const UNUSUAL: f64 = 3.0;

/// Three hours at an airport.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WindowRow {
    pub(crate) origin: String,
    #[serde(with = "rfc3339")]
    pub(crate) start: EventTime,
    #[serde(with = "rfc3339")]
    pub(crate) end: EventTime,
    pub(crate) departures: u64,
    pub(crate) mean_delay: f64,
    pub(crate) p95_delay: f64,
}

/// One hour at an airport, beside the same hour of earlier days.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HourRow {
    pub(crate) origin: String,
    #[serde(with = "rfc3339")]
    pub(crate) start: EventTime,
    pub(crate) departures: u64,
    pub(crate) mean_delay: f64,
    pub(crate) days_before: Option<u64>,
    pub(crate) usual_delay: Option<f64>,
    pub(crate) z_score: Option<f64>,
    #[serde(rename = "weather.temp")]
    pub(crate) temp: Option<f64>,
    #[serde(rename = "weather.wind_speed")]
    pub(crate) wind_speed: Option<f64>,
    #[serde(rename = "weather.precip")]
    pub(crate) precip: Option<f64>,
    #[serde(rename = "weather.visib")]
    pub(crate) visib: Option<f64>,
}

/// The flights of one day that did not leave an airport.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CancelledRow {
    pub(crate) origin: String,
    #[serde(with = "rfc3339")]
    pub(crate) day: EventTime,
    pub(crate) cancelled: u64,
}

/// A departure that came when its hour was over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LateRow {
    pub(crate) origin: String,
    pub(crate) carrier: String,
    pub(crate) flight: u32,
    pub(crate) dest: String,
    #[serde(with = "rfc3339")]
    pub(crate) due: EventTime,
    pub(crate) delay: f64,
}

impl HourRow {
    pub(crate) fn new(
        ((origin, _), hour, past): (Slot, Hour, Option<Past>),
        weather: &Almanac,
    ) -> Self {
        let start = hour.span.start();
        let spread = past.filter(|it| it.deviation > 0.0);
        let Weather { temp, wind_speed, precip, visib } = weather.at(&origin, start);
        Self {
            origin,
            start,
            departures: hour.departures,
            mean_delay: hour.mean,
            days_before: past.map(|it| it.days),
            usual_delay: past.map(|it| it.mean),
            z_score: spread.map(|it| (hour.mean - it.mean) / it.deviation),
            temp,
            wind_speed,
            precip,
            visib,
        }
    }

    pub(crate) fn unusual(&self) -> bool {
        self.z_score.is_some_and(|it| it > UNUSUAL)
    }
}

impl LateRow {
    pub(crate) fn new(Event { at, value: (_, departure) }: Event<(Slot, Departure)>) -> Self {
        let Departure { origin, carrier, flight, dest, delay, .. } = departure;
        Self { origin, carrier, flight, dest, due: at, delay }
    }
}
