//! What is printed: totals, the worst three hours, the unusual hours.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::clock::new_york;
use super::dataflow::Found;
use super::rows::{HourRow, WindowRow};

/// Lines above, below and under the header, and none between rows.
const RULES: &str = "  ── ──      ──    ";
/// Lines of a table.
const WORST: usize = 10;
const UNUSUAL: usize = 15;
/// Windows with fewer departures say little.
const FEWEST_DEPARTURES: u64 = 10;

/// The report, 80 columns wide at most.
pub(crate) fn text(found: &Found, output: &Path) -> String {
    let mut text = String::new();
    let (Some(first), Some(last)) = (found.hours.first(), found.hours.last()) else {
        return "No flight left.\n".to_owned();
    };
    let unusual: Vec<_> = found.hours.iter().filter(|it| it.unusual()).collect();
    let day = "%b %-d, %Y";
    let (first, last) = (new_york(first.start, day), new_york(last.start, day));
    section(&mut text, &format!("Departures from {first} to {last}"), &totals(found));
    section(
        &mut text,
        "The worst three hours, no two of them overlapping at an airport",
        &worst_windows(&found.windows),
    );
    section(
        &mut text,
        "The most unusual hours, against the same hour of earlier days",
        &most_unusual(&unusual),
    );
    let left = unusual.len().saturating_sub(UNUSUAL);
    if left > 0 {
        text += &format!("and {left} more, in the folder `unusual`\n");
    }
    text += "\nTimes are New York's, delays in minutes. ";
    text += &format!("CSV files and delays.svg are in\n{}\n", output.display());
    text
}

fn section(text: &mut String, title: &str, table: &Table) {
    writeln!(text, "\n{title}\n{table}").expect("text takes all that is written");
}

/// A table whose columns are right-aligned except for the first few.
fn table(header: &[&str], texts: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(RULES).set_header(header);
    table.set_content_arrangement(ContentArrangement::Disabled);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if at >= texts {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[derive(Default)]
struct Total {
    departures: u64,
    delay: f64,
    cancelled: u64,
    late: u64,
    unusual: u64,
}

fn totals(found: &Found) -> Table {
    let mut airports = BTreeMap::<&str, Total>::new();
    for hour in &found.hours {
        let total = airports.entry(&hour.origin).or_default();
        total.departures += hour.departures;
        total.delay += hour.mean_delay * hour.departures as f64;
        total.unusual += u64::from(hour.unusual());
    }
    for row in &found.cancelled {
        airports.entry(&row.origin).or_default().cancelled += row.cancelled;
    }
    for row in &found.late {
        // Too late for its hour, but it did leave.
        let total = airports.entry(&row.origin).or_default();
        total.departures += 1;
        total.delay += row.delay;
        total.late += 1;
    }
    let mut table = table(
        &["Airport", "Departures", "Mean delay", "Cancelled", "Late records", "Unusual hours"],
        1,
    );
    let mut all = Total::default();
    for (airport, total) in &airports {
        table.add_row(total.cells(airport));
        all.departures += total.departures;
        all.delay += total.delay;
        all.cancelled += total.cancelled;
        all.late += total.late;
        all.unusual += total.unusual;
    }
    if airports.len() > 1 {
        table.add_row(all.cells("all"));
    }
    table
}

impl Total {
    fn cells(&self, airport: &str) -> Vec<String> {
        let mean = self.delay / self.departures as f64;
        vec![
            airport.to_owned(),
            thousands(self.departures),
            format!("{mean:.1}"),
            thousands(self.cancelled),
            thousands(self.late),
            thousands(self.unusual),
        ]
    }
}

/// The windows with the greatest mean delay. Those that overlap one that is worse are left out:
/// they are the same evening again.
fn worst_windows(windows: &[WindowRow]) -> Table {
    let mut ranked: Vec<_> =
        windows.iter().filter(|it| it.departures >= FEWEST_DEPARTURES).collect();
    ranked.sort_by(|a, b| b.mean_delay.total_cmp(&a.mean_delay));
    let mut worst = Vec::<&WindowRow>::new();
    for window in ranked {
        let same = |it: &&WindowRow| {
            it.origin == window.origin && it.start < window.end && window.start < it.end
        };
        if !worst.iter().any(same) {
            worst.push(window);
        }
        if worst.len() == WORST {
            break;
        }
    }
    let mut table = table(
        &["Airport", "Flights due", "between", "Departures", "Mean\ndelay", "95th\npercentile"],
        3,
    );
    for it in worst {
        table.add_row([
            it.origin.clone(),
            new_york(it.start, "%a %b %e"),
            format!("{} and {}", new_york(it.start, "%H:%M"), new_york(it.end, "%H:%M")),
            it.departures.to_string(),
            format!("{:.0}", it.mean_delay),
            format!("{:.0}", it.p95_delay),
        ]);
    }
    table
}

fn most_unusual(unusual: &[&HourRow]) -> Table {
    let mut ranked = unusual.to_vec();
    let z = |it: &HourRow| it.z_score.unwrap_or(0.0);
    ranked.sort_by(|a, b| z(b).total_cmp(&z(a)));
    let mut table = table(
        &[
            "Airport",
            "Hour",
            "Flights",
            "Mean\ndelay",
            "Usual\ndelay",
            "z\nscore",
            "°F",
            "Wind\nmph",
            "Rain\nin",
            "Sight\nmi",
        ],
        2,
    );
    for it in ranked.into_iter().take(UNUSUAL) {
        let number = |value: Option<f64>, places: usize| {
            value.map_or("-".to_owned(), |it| format!("{it:.places$}"))
        };
        table.add_row([
            it.origin.clone(),
            new_york(it.start, "%a %b %e %H:%M"),
            it.departures.to_string(),
            format!("{:.0}", it.mean_delay),
            number(it.usual_delay, 0),
            number(it.z_score, 1),
            number(it.temp, 0),
            number(it.wind_speed, 0),
            number(it.precip, 2),
            number(it.visib, 1),
        ]);
    }
    table
}

/// A number with a comma before each three digits.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
