//! What is computed: the dataflow.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill::Result;
use tidemill::prelude::*;

use super::Arguments;
use super::flight::{Departure, Flight};
use super::history::{History, Hour};
use super::rows::{CancelledRow, HourRow, LateRow, WindowRow};
use super::weather::Almanac;

/// The rows of a job that has ended, in the order of their times and airports.
pub(crate) struct Found {
    pub(crate) windows: Vec<WindowRow>,
    pub(crate) hours: Vec<HourRow>,
    pub(crate) cancelled: Vec<CancelledRow>,
    pub(crate) late: Vec<LateRow>,
}

/// What builds the dataflow on each worker. Reads the weather first.
pub(crate) fn plan(
    arguments: &Arguments,
) -> Result<impl Fn(&Flow<'_>) -> Result<()> + Send + Sync + 'static> {
    let weather = Almanac::read(&arguments.weather)?;
    let (input, behind) = (arguments.input.clone(), arguments.behind);
    let to = Output(arguments.output.clone());
    Ok(move |flow: &Flow<'_>| {
        let flights = flow
            .read(csv::<Flight>(input.clone()).absent("NA"))?
            .event_time(Flight::due, Flight::disorder(behind));
        let (departures, cancelled) = flights.split(Flight::outcome);
        last_three_hours(departures.clone(), &to)?;
        beside_the_past(departures, weather.clone(), &to)?;
        by_day(cancelled, &to)
    })
}

/// Per airport, every half hour: departures, mean and 95th percentile delay of three hours.
fn last_three_hours(departures: Events<'_, Departure>, to: &Output) -> Result<()> {
    let delay = |it: &Departure| it.delay;
    let rows = departures
        .key_by(|it| it.origin.clone())
        .window(Sliding::new(hours(3), minutes(30)))
        .name("last three hours")
        .aggregate((Count, Mean::of(delay), Quantiles::of([0.95], delay)))
        .map(|Pane { key, span, value: (departures, mean_delay, [p95_delay]) }| WindowRow {
            origin: key,
            start: span.start(),
            end: span.end(),
            departures,
            mean_delay,
            p95_delay,
        });
    rows.write(to.csv("windows"))
}

/// Per airport and hour: the mean delay beside that of the same hour of earlier days.
fn beside_the_past(departures: Events<'_, Departure>, weather: Almanac, to: &Output) -> Result<()> {
    let (hours, late) = departures
        .key_by(|it| (it.origin.clone(), it.hour))
        .window(Tumbling::new(hours(1)))
        .name("hours")
        .with_late()
        .aggregate((Count, Mean::of(|it: &Departure| it.delay)));
    let judged = hours
        .key_value(|Pane { key, span, value: (departures, mean) }| {
            (key, Hour { span, departures, mean })
        })
        .process(History::new);
    let rows = judged.map(move |judged| HourRow::new(judged, &weather));
    rows.clone().write(to.csv("hours"))?;
    rows.filter(HourRow::unusual).write(to.csv("unusual"))?;
    late.map(LateRow::new).write(to.csv("late"))
}

/// Per airport and day: how many flights did not leave.
fn by_day(cancelled: Events<'_, String>, to: &Output) -> Result<()> {
    let rows = cancelled
        .key_by(String::clone)
        // A day begins when it is midnight in New York in winter.
        .window(Tumbling::new(days(1)).offset(hours(5)))
        .name("days")
        .aggregate(Count)
        .map(|Pane { key, span, value }| CancelledRow {
            origin: key,
            day: span.start(),
            cancelled: value,
        });
    rows.write(to.csv("cancelled"))
}

/// The folder of the CSV files.
struct Output(PathBuf);

impl Output {
    /// A folder with a file of each worker that has rows.
    fn csv<T: Serialize + Send + 'static>(&self, folder: &str) -> FileSink<T, CsvOutput> {
        to_csv(self.0.join(folder)).overwrite()
    }
}

impl Found {
    /// Reads what the job has written: a run that continued another one has all of it there.
    pub(crate) fn read(output: &Path) -> Result<Self> {
        let mut found = Self {
            windows: rows(&output.join("windows"))?,
            hours: rows(&output.join("hours"))?,
            cancelled: rows(&output.join("cancelled"))?,
            late: rows(&output.join("late"))?,
        };
        found.windows.sort_by(|a, b| (a.start, &a.origin).cmp(&(b.start, &b.origin)));
        found.hours.sort_by(|a, b| (a.start, &a.origin).cmp(&(b.start, &b.origin)));
        found.cancelled.sort_by(|a, b| (a.day, &a.origin).cmp(&(b.day, &b.origin)));
        found.late.sort_by(|a, b| (a.due, &a.origin, a.flight).cmp(&(b.due, &b.origin, b.flight)));
        Ok(found)
    }
}

/// The rows of all files in a folder. Without rows there is no file.
fn rows<T: DeserializeOwned + 'static>(folder: &Path) -> Result<Vec<T>> {
    let visible = |it: DirEntry| !it.file_name().to_string_lossy().starts_with('.');
    let any = fs::read_dir(folder).is_ok_and(|mut files| files.any(|it| it.is_ok_and(visible)));
    if any { read_all(&csv::<T>(folder)) } else { Ok(Vec::new()) }
}
