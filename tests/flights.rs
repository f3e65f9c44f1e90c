//! The example `flights` against a slow model: what it writes is what a person would find by hand.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use clap::Parser;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[allow(dead_code)]
#[path = "../examples/flights/main.rs"]
mod flights;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data");
const EPOCH_ROWS: usize = 100;
/// How far the watermark stays behind. Times are minutes since 1970 here.
const BEHIND: i64 = 240;

#[derive(Deserialize)]
struct Flight {
    dep_time: String,
    sched_dep_time: i64,
    dep_delay: String,
    carrier: String,
    flight: u32,
    origin: String,
    dest: String,
    time_hour: String,
}

/// Where from, when due, carrier, number, where to, and how much later it left.
type Late = (String, i64, String, u32, String, i64);

/// What the example should find: all delays of each window, and so on.
#[derive(Debug, Default)]
struct Model {
    windows: BTreeMap<(String, i64), Vec<i64>>,
    /// By start and airport; with the hour of New York's clock.
    hours: BTreeMap<(i64, String), (i64, Vec<i64>)>,
    cancelled: BTreeMap<(String, i64), u64>,
    late: Vec<Late>,
}

impl Model {
    fn new() -> Self {
        let mut model = Self::default();
        let (mut watermark, mut reached) = (i64::MIN, i64::MIN);
        let file = File::open(format!("{DATA}/flights-2013-01.csv.gz")).unwrap();
        let mut rows = csv::Reader::from_reader(GzDecoder::new(file));
        for (at, flight) in rows.deserialize::<Flight>().map(Result::unwrap).enumerate() {
            if at % EPOCH_ROWS == 0 {
                watermark = reached;
            }
            let due = minute(&flight.time_hour) + flight.sched_dep_time % 100;
            let clock = flight.sched_dep_time / 100 * 60 + flight.sched_dep_time % 100;
            if flight.dep_time == "NA" {
                let day = (due - 300).div_euclid(1440) * 1440 + 300;
                *model.cancelled.entry((flight.origin, day)).or_default() += 1;
                continue;
            }
            let delay: i64 = flight.dep_delay.parse().unwrap();
            model.add(flight, due, clock / 60, delay, watermark);
            if clock + delay < 1440 {
                reached = reached.max(due - BEHIND);
            }
        }
        model
    }

    /// A window takes a record while the watermark has not passed its last moment.
    fn add(&mut self, flight: Flight, due: i64, hour: i64, delay: i64, watermark: i64) {
        let origin = flight.origin;
        let starts = (0..6).map(|it| due.div_euclid(30) * 30 - 30 * it);
        for start in starts.filter(|start| start + 180 > watermark) {
            self.windows.entry((origin.clone(), start)).or_default().push(delay);
        }
        let start = due.div_euclid(60) * 60;
        if start + 60 > watermark {
            self.hours.entry((start, origin)).or_insert((hour, Vec::new())).1.push(delay);
        } else {
            let Flight { carrier, flight, dest, .. } = flight;
            self.late.push((origin, due, carrier, flight, dest, delay));
        }
    }

    /// For each hour: the number of days before it, their mean and the z-score, if there are seven.
    fn judge(&self) -> Vec<Option<(u64, f64, f64)>> {
        let mut pasts = BTreeMap::<_, Vec<f64>>::new();
        let mut judged = Vec::new();
        for ((_, origin), (hour, delays)) in &self.hours {
            if delays.len() < 5 {
                judged.push(None);
                continue;
            }
            let past = pasts.entry((origin, hour)).or_default();
            let days = past.len() as f64;
            let usual = past.iter().sum::<f64>() / days;
            let squares: f64 = past.iter().map(|it| (it - usual).powi(2)).sum();
            let z = (mean(delays) - usual) / (squares / (days - 1.0)).sqrt();
            judged.push((past.len() >= 7).then_some((past.len() as u64, usual, z)));
            past.push(mean(delays));
        }
        judged
    }
}

/// A moment such as `2013-01-01T10:00:00Z`, in minutes.
fn minute(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second() / 60
}

fn mean(delays: &[i64]) -> f64 {
    delays.iter().sum::<i64>() as f64 / delays.len() as f64
}

/// The rows of all parts in a folder.
fn rows<T: DeserializeOwned>(folder: &Path) -> Vec<T> {
    let parts = fs::read_dir(folder).unwrap().map(|part| part.unwrap().path());
    let mut rows = Vec::new();
    for part in parts {
        rows.extend(
            csv::Reader::from_path(part).unwrap().deserialize().map(Result::<T, _>::unwrap),
        );
    }
    rows
}

fn run(output: &Path, arguments: &[&str]) -> String {
    let output = output.to_str().unwrap();
    let all =
        ["flights", "--quiet", "--output", output].into_iter().chain(arguments.iter().copied());
    flights::run(&flights::Arguments::parse_from(all)).unwrap()
}

#[test]
fn the_answers_are_those_of_the_model_whatever_ran_before() {
    let model = Model::new();
    let place = tempfile::tempdir().unwrap();
    let mut printed = Vec::new();
    for workers in ["1", "2", "4", "1"] {
        printed.push(run(place.path(), &["-w", workers]));
        check_windows(&model, place.path());
        check_hours(&model, place.path());
        check_cancelled(&model, place.path());
        check_late(&model, place.path());
    }
    assert!(printed.iter().all(|it| *it == printed[0]), "{printed:#?}");
}

fn check_windows(model: &Model, output: &Path) {
    type Row = (String, String, String, usize, f64, f64);
    let found = rows::<Row>(&output.join("windows"));
    assert_eq!(found.len(), model.windows.len());
    for (origin, start, end, departures, mean_delay, p95_delay) in found {
        let mut delays = model.windows[&(origin, minute(&start))].clone();
        assert_eq!(minute(&end) - minute(&start), 180);
        assert_eq!(departures, delays.len());
        assert!((mean_delay - mean(&delays)).abs() < 1e-9);
        delays.sort_unstable();
        let exact = delays[(0.95 * (delays.len() - 1) as f64) as usize] as f64;
        assert!((p95_delay - exact).abs() <= 0.010_001 * exact.abs(), "{p95_delay} for {exact}");
    }
}

fn check_hours(model: &Model, output: &Path) {
    #[derive(Debug, Deserialize)]
    struct Row {
        origin: String,
        start: String,
        departures: usize,
        mean_delay: f64,
        days_before: Option<u64>,
        usual_delay: Option<f64>,
        z_score: Option<f64>,
    }
    let mut found = rows::<Row>(&output.join("hours"));
    found.sort_by_key(|row| (minute(&row.start), row.origin.clone()));
    assert_eq!(found.len(), model.hours.len());
    let mut unusual = Vec::new();
    for ((row, key), judged) in found.iter().zip(&model.hours).zip(model.judge()) {
        let ((start, origin), (_, delays)) = key;
        assert_eq!((minute(&row.start), &row.origin), (*start, origin));
        assert_eq!(row.departures, delays.len());
        assert!((row.mean_delay - mean(delays)).abs() < 1e-9);
        assert_eq!(row.days_before, judged.map(|it| it.0));
        if let Some((_, usual, z)) = judged {
            assert!((row.usual_delay.unwrap() - usual).abs() < 1e-9, "{row:?}");
            assert!((row.z_score.unwrap() - z).abs() < 1e-9 * (1.0 + z.abs()), "{row:?}");
            if z > 3.0 {
                unusual.push((*start, origin.clone()));
            }
        }
    }
    let mut flagged: Vec<_> = rows::<Row>(&output.join("unusual"))
        .into_iter()
        .map(|row| (minute(&row.start), row.origin))
        .collect();
    flagged.sort();
    assert_eq!(flagged, unusual);
}

fn check_cancelled(model: &Model, output: &Path) {
    let found = rows::<(String, String, u64)>(&output.join("cancelled"));
    let found: BTreeMap<_, _> =
        found.into_iter().map(|(origin, day, count)| ((origin, minute(&day)), count)).collect();
    assert_eq!(found, model.cancelled);
}

fn check_late(model: &Model, output: &Path) {
    type Row = (String, String, u32, String, String, f64);
    let found = rows::<Row>(&output.join("late")).into_iter();
    let mut found: Vec<Late> = found
        .map(|(origin, carrier, flight, dest, due, delay)| {
            (origin, minute(&due), carrier, flight, dest, delay as i64)
        })
        .collect();
    let mut late = model.late.clone();
    found.sort();
    late.sort();
    assert!(!late.is_empty());
    assert_eq!(found, late);
}

#[test]
fn the_report_fits_a_terminal_and_adds_up() {
    let place = tempfile::tempdir().unwrap();
    let text = run(place.path(), &["-w", "2"]);
    // The last line is the name of the folder.
    let lines: Vec<_> = text.trim_end().lines().collect();
    assert!(lines[..lines.len() - 1].iter().all(|it| it.chars().count() <= 80), "{text}");
    let all = lines.iter().find(|it| it.starts_with("all ")).unwrap();
    let all: Vec<_> = all.split_whitespace().collect();
    let late = Model::new().late.len().to_string();
    assert_eq!(all[1], "26,483");
    assert_eq!(all[3..5], ["521", &late]);
}

#[test]
fn unusual_hours_show_their_weather() {
    type Row = (String, String, u64, f64, u64, f64, f64, f64, f64, f64, f64);
    let place = tempfile::tempdir().unwrap();
    run(place.path(), &[]);
    let weather = fs::read_to_string(format!("{DATA}/weather-2013-01.csv")).unwrap();
    for row in rows::<Row>(&place.path().join("unusual")) {
        let observed = format!("{},{},", row.0, row.1);
        let line = weather.lines().find_map(|line| line.strip_prefix(&observed)).unwrap();
        let numbers: Vec<f64> = line.split(',').map(|it| it.parse().unwrap()).collect();
        assert_eq!(numbers, [row.7, row.8, row.9, row.10]);
    }
}

#[test]
fn the_picture_has_a_panel_for_each_airport() {
    let place = tempfile::tempdir().unwrap();
    run(place.path(), &[]);
    let picture = fs::read_to_string(place.path().join("delays.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    for text in ["EWR", "JFK", "LGA", "Jan 1", "Jan 31", "95th percentile"] {
        let shown = picture.lines().any(|line| line.trim() == text);
        assert!(shown, "no text `{text}` in the picture");
    }
}

#[test]
fn input_without_flights_is_no_error() {
    let place = tempfile::tempdir().unwrap();
    let empty = place.path().join("empty.csv");
    fs::write(&empty, "").unwrap();
    let text = run(place.path(), &["--input", empty.to_str().unwrap()]);
    assert_eq!(text, "No flight left.\n");
}
