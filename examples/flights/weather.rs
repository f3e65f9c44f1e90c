//! The weather of each hour, kept in memory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use tidemill::Result;
use tidemill::prelude::*;
use tidemill::time::rfc3339;

/// What was observed in one hour, as far as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Weather {
    /// Degrees Fahrenheit.
    pub(crate) temp: Option<f64>,
    /// Miles an hour.
    pub(crate) wind_speed: Option<f64>,
    /// Inches of rain or snow.
    pub(crate) precip: Option<f64>,
    /// How far one could see, in miles; 10 at most.
    pub(crate) visib: Option<f64>,
}

#[derive(Deserialize)]
struct Row {
    origin: String,
    #[serde(with = "rfc3339")]
    time_hour: EventTime,
    temp: Option<f64>,
    wind_speed: Option<f64>,
    precip: Option<f64>,
    visib: Option<f64>,
}

/// The weather by airport and hour. Clones share it, so each worker has one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Almanac(Arc<HashMap<(String, EventTime), Weather>>);

impl Almanac {
    /// Reads all of a file, by the same source that a job would read.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let rows = read_all(&csv::<Row>(path).absent("NA"))?;
        let hours = rows.into_iter().map(|row| {
            let Row { temp, wind_speed, precip, visib, .. } = row;
            ((row.origin, row.time_hour), Weather { temp, wind_speed, precip, visib })
        });
        Ok(Self(Arc::new(hours.collect())))
    }

    /// The weather at an airport in the hour that begins at `start`; empty if nobody looked.
    pub(crate) fn at(&self, airport: &str, start: EventTime) -> Weather {
        self.0.get(&(airport.to_owned(), start)).copied().unwrap_or_default()
    }
}
