//! What is drawn: delays over the month, a panel for each airport.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use tidemill::time::{EventTime, hours, minutes};
use tidemill::{Error, ErrorKind, Result};

use super::clock::new_york;
use super::dataflow::Found;
use super::rows::{HourRow, WindowRow};

const WIDTH: u32 = 1200;
const HEADING: u32 = 76;
const PANEL: u32 = 222;
const FOOT: u32 = 34;
/// More airports than this are left out.
const MOST_PANELS: usize = 8;
/// Windows with fewer departures say little.
const FEWEST_DEPARTURES: u64 = 10;

/// Colours that the colour-blind can tell apart as well.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 90, 160), RGBColor(200, 80, 0), RGBColor(0, 125, 95), RGBColor(150, 70, 140)];
const INK: RGBColor = RGBColor(51, 51, 51);
const FAINT: RGBColor = RGBColor(226, 226, 226);
const UNUSUAL: RGBColor = RGBColor(255, 196, 61);

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failed = DrawingAreaErrorKind<std::io::Error>;

/// Draws the picture into an SVG file.
pub(crate) fn draw(found: &Found, path: &Path) -> Result<()> {
    let svg = svg(found).map_err(|cause| {
        Error::new(ErrorKind::Write, "the picture cannot be drawn").because(cause.to_string())
    })?;
    let cannot = |cause| {
        Error::new(ErrorKind::Write, format!("cannot write {}", path.display())).because(cause)
    };
    std::fs::write(path, svg).map_err(cannot)
}

fn svg(found: &Found) -> Result<String, Failed> {
    let mut airports = BTreeMap::<&str, (Vec<&WindowRow>, Vec<&HourRow>)>::new();
    for row in found.windows.iter().filter(|it| it.departures >= FEWEST_DEPARTURES) {
        airports.entry(&row.origin).or_default().0.push(row);
    }
    for row in found.hours.iter().filter(|it| it.unusual()) {
        airports.entry(&row.origin).or_default().1.push(row);
    }
    let scale = Scale::of(found);
    let panels = airports.len().min(MOST_PANELS);
    let mut text = String::new();
    {
        let size = (WIDTH, HEADING + PANEL * panels as u32 + FOOT);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE)?;
        let (heading, body) = root.split_vertically(HEADING);
        head(&heading, &scale)?;
        let last = panels.saturating_sub(1);
        let mut rest = body;
        for (at, (airport, (windows, unusual))) in airports.iter().take(panels).enumerate() {
            let foot = if at == last { FOOT } else { 0 };
            let (area, below) = rest.split_vertically(PANEL + foot);
            rest = below;
            let colour = COLOURS[at % COLOURS.len()];
            panel(&area, airport, colour, &scale, foot, windows, unusual)?;
        }
        root.present()?;
    }
    Ok(text)
}

/// The axes that all panels share: days since the first midnight, and minutes.
struct Scale {
    midnight: EventTime,
    days: f64,
    most: f64,
}

impl Scale {
    fn of(found: &Found) -> Self {
        let starts = || found.windows.iter().map(|it| it.start);
        let first = starts().min().unwrap_or_default();
        let into: u64 = new_york(first, "%H").parse().unwrap_or(0);
        let into = hours(into) + minutes(new_york(first, "%M").parse().unwrap_or(0));
        let midnight = first.saturating_sub(into);
        let worst =
            |it: &WindowRow| if it.departures < FEWEST_DEPARTURES { 0.0 } else { it.p95_delay };
        let most = found.windows.iter().map(worst).fold(60.0, f64::max);
        let mut scale = Self { midnight, days: 1.0, most: (most / 50.0).ceil() * 50.0 };
        let last = found.windows.iter().map(|it| it.end).max();
        scale.days = last.map_or(1.0, |last| scale.day(last));
        scale
    }

    fn day(&self, at: EventTime) -> f64 {
        (at.micros() - self.midnight.micros()) as f64 / 86_400e6
    }

    fn date(&self, day: f64, format: &str) -> String {
        // Noon is on the right day also where a day has 23 or 25 hours.
        let noon = (day.round() * 86_400e6) as i64 + 43_200_000_000;
        new_york(EventTime::from_micros(self.midnight.micros() + noon), format)
    }
}

fn words(size: u32, colour: RGBColor, anchor: Pos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour).pos(anchor)
}

const LEFT: Pos = Pos { h_pos: HPos::Left, v_pos: VPos::Center };
const RIGHT: Pos = Pos { h_pos: HPos::Right, v_pos: VPos::Center };

/// The title and the legend.
fn head(area: &Panel<'_>, scale: &Scale) -> Result<(), Failed> {
    let (first, last) =
        (scale.date(0.0, "%B %-d"), scale.date(scale.days.floor() - 1.0, "%B %-d, %Y"));
    let title = format!("How late flights left New York, {first} to {last}");
    area.draw(&Text::new(title, (24, 26), words(23, INK, LEFT)))?;
    let y = 58;
    let label = |at: i32, label: &str| {
        area.draw(&Text::new(label.to_owned(), (at, y), words(14, INK, LEFT)))
    };
    label(24, "minutes, over the three hours before")?;
    area.draw(&PathElement::new([(308, y), (334, y)], INK.stroke_width(2)))?;
    label(342, "mean delay")?;
    area.draw(&Rectangle::new([(444, y - 6), (470, y + 6)], INK.mix(0.18).filled()))?;
    area.draw(&PathElement::new([(444, y - 6), (470, y - 6)], INK.mix(0.5)))?;
    label(478, "95th percentile")?;
    area.draw(&Rectangle::new([(616, y - 8), (623, y + 8)], UNUSUAL.filled()))?;
    label(632, "unusual hour: more than 3 standard deviations above the same hour of earlier days")
}

/// One airport.
fn panel(
    area: &Panel<'_>,
    airport: &str,
    colour: RGBColor,
    scale: &Scale,
    foot: u32,
    windows: &[&WindowRow],
    unusual: &[&HourRow],
) -> Result<(), Failed> {
    let lowest = -20.0;
    let mut chart = ChartBuilder::on(area)
        .margin_left(8)
        .margin_right(24)
        .margin_top(30)
        .margin_bottom(8)
        .set_label_area_size(LabelAreaPosition::Left, 46)
        .set_label_area_size(LabelAreaPosition::Bottom, foot)
        .build_cartesian_2d(0.0..scale.days, lowest..scale.most)?;
    for hour in unusual {
        // At least a pixel or two, also in a picture of a year.
        let wide = f64::max(1.0 / 24.0, 1.5 * scale.days / f64::from(WIDTH));
        let from = scale.day(hour.start);
        let span = [(from, lowest), (from + wide, scale.most)];
        chart.draw_series([Rectangle::new(span, UNUSUAL.filled())])?;
    }
    let step = if scale.days > 62.0 { 12 } else { 16 };
    chart
        .configure_mesh()
        .x_labels(step)
        .y_labels(6)
        .x_label_formatter(&|day| scale.date(*day, "%b %-d"))
        .y_label_formatter(&|it| format!("{it:.0}"))
        .label_style(words(13, INK, LEFT))
        .bold_line_style(FAINT)
        .light_line_style(TRANSPARENT)
        .axis_style(FAINT)
        .draw()?;
    for run in runs(windows) {
        let points = |value: fn(&WindowRow) -> f64| {
            run.iter().map(move |it| (scale.day(it.end), value(it))).collect::<Vec<_>>()
        };
        let high = AreaSeries::new(points(|it| it.p95_delay), 0.0, colour.mix(0.18));
        chart.draw_series(high.border_style(colour.mix(0.45)))?;
        chart.draw_series(LineSeries::new(points(|it| it.mean_delay), colour.stroke_width(2)))?;
    }
    area.draw(&Text::new(airport.to_owned(), (54, 17), words(18, colour, LEFT)))?;
    let note = most_unusual(unusual).unwrap_or_default();
    area.draw(&Text::new(note, (WIDTH as i32 - 24, 18), words(13, INK, RIGHT)))
}

/// The most unusual hour in words, with its weather.
fn most_unusual(unusual: &[&HourRow]) -> Option<String> {
    let hour = unusual
        .iter()
        .max_by(|a, b| a.z_score.partial_cmp(&b.z_score).unwrap_or(Ordering::Equal))?;
    let when = new_york(hour.start, "%B %-d, %-H:%M");
    let usual = hour.usual_delay?;
    let mut note =
        format!("most unusual: {when}, {:.0} minutes late, usually {usual:.0}", hour.mean_delay);
    let mut add = |value: Option<f64>, before: &str, places: usize, unit: &str| {
        if let Some(it) = value {
            note += &format!(", {before}{it:.places$} {unit}");
        }
    };
    add(hour.temp, "", 0, "°F");
    add(hour.wind_speed, "wind ", 0, "mph");
    add(hour.precip.filter(|it| *it > 0.0), "rain ", 2, "in");
    add(hour.visib, "sight ", 1, "miles");
    Some(note)
}

/// The windows without the nights: lines do not go through hours in which nothing leaves.
fn runs<'a>(windows: &'a [&'a WindowRow]) -> impl Iterator<Item = &'a [&'a WindowRow]> {
    windows.chunk_by(|a, b| b.start <= a.start.saturating_add(minutes(30)))
}
