//! How late do flights leave New York? Three answers about one month of departures, in event time.
//!
//! ```sh
//! cargo run --release --example flights            # -w 2 for two workers, --help for the rest
//! ```
//!
//! It prints, and writes to `target/flights` as CSV and as the picture `delays.svg`:
//!
//! - for each airport, every half hour: how many flights left that were due in the three hours
//!   before, their mean delay and its 95th percentile (`windows/`);
//! - each airport's hours beside the same hour of earlier days, and those whose mean delay is
//!   more than three standard deviations above theirs, with the weather (`hours/`,
//!   `unusual/`);
//! - cancelled flights by airport and day (`cancelled/`);
//! - the records that came too late for their hour (`late/`).
//!
//! A flight's event time is the moment it was **due** to leave. The file lists flights by the clock
//! at which they did leave, so a record comes late by the delay of its flight. The watermark stays
//! four hours behind (`--behind`): of January's 26,483 departures 14 come so late that their hour is
//! closed. They are among the most delayed of all, so the means of their hours are too good: that is
//! what a watermark costs, and why late records are shown rather than lost.
//!
//! What is late depends on when the watermark moves, which is when an epoch ends. So epochs are of a
//! hundred rows here unless `--epoch-rows` says otherwise, and the answer does not depend on the
//! speed of the machine nor on the number of workers.
//!
//! The rooms: `flight` (what is read), `dataflow` (what is computed), `history` (a process
//! function), `rows` (what is written), `weather`, `clock`, `report` and `picture` (what is shown).

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tidemill::prelude::*;

mod clock;
mod dataflow;
mod flight;
mod history;
mod picture;
mod report;
mod rows;
mod weather;

use dataflow::Found;

/// How late do flights leave New York? Departures of January 2013, or of other files
#[derive(Clone, Debug, Parser)]
#[command(name = "flights", after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// CSV files of flights, also .gz or .zst [default: January 2013]
    #[arg(long, value_name = "FILE", num_args = 1.., hide_default_value = true)]
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/flights-2013-01.csv.gz"))]
    pub(crate) input: Vec<PathBuf>,

    /// CSV file of hourly weather, for unusual hours [default: January 2013]
    #[arg(long, value_name = "FILE", hide_default_value = true)]
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/weather-2013-01.csv"))]
    pub(crate) weather: PathBuf,

    /// Folder for CSV files and the picture, replacing earlier ones
    #[arg(long, value_name = "DIR", default_value = "target/flights")]
    pub(crate) output: PathBuf,

    /// How far the watermark stays behind the flights that have left
    #[arg(long, value_name = "SPAN", default_value = "4h")]
    #[arg(value_parser = humantime::parse_duration)]
    pub(crate) behind: Duration,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

const EXAMPLES: &str = "\
Epochs are of 100 rows unless --epoch-rows says otherwise: then which records
come too late does not depend on the speed of the machine.

Examples:
  flights -w 2
      with two worker threads
  flights --input flights.csv.gz --weather weather.csv.gz --behind 1y
      the full year as nycflights13 has it, whose months are out of order
  flights --checkpoint state --restore latest
      from where a run with the same arguments was killed, or anew
  flights --explain
      the dataflow, without running it";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(shown) => {
            print!("{shown}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("flights: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the job, draws the picture and gives the text to print.
pub(crate) fn run(arguments: &Arguments) -> tidemill::Result<String> {
    let job = Job::new("flights", settings(&arguments.settings));
    job.run(dataflow::plan(arguments)?)?;
    // One process reports for all.
    if arguments.settings.explain.is_some() || arguments.settings.process > 0 {
        return Ok(String::new());
    }
    let found = Found::read(&arguments.output)?;
    let picture = arguments.output.join("delays.svg");
    picture::draw(&found, &picture)?;
    Ok(report::text(&found, &arguments.output))
}

/// The settings asked for, with epochs that are counted in rows rather than timed.
fn settings(asked: &Settings) -> Settings {
    const ROWS: u64 = 100;
    const LONGEST_MS: u64 = 60_000;
    match asked.epoch_rows {
        Some(_) => asked.clone(),
        None => asked.clone().epoch_rows(ROWS).epoch_ms(asked.epoch_ms.max(LONGEST_MS)),
    }
}
