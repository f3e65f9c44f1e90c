//! Windows over CSV files, from the command line: the tool behind acceptance checks.
//!
//! Reads rows with a time, a key and a number, cuts them into windows of event time per key, and
//! writes one row per firing, `key,start_ms,end_ms,count,sum,min,max`, to `windows.csv`; records that
//! came too late for every window they belong to go to `late.csv` as they came. `--help` says the
//! rest:
//!
//! ```sh
//! cargo run --release --example windows -- --input clicks.csv --output out \
//!     --at time --key user --value price --window sliding --size 1m --slide 10s --disorder 2s -w 2
//! ```

use std::fs;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use tidemill::prelude::*;
use tidemill::window::Assign;
use tidemill::{Error, ErrorKind, Result};

#[path = "windows/arguments.rs"]
mod arguments;
#[path = "windows/number.rs"]
mod number;
#[path = "windows/output.rs"]
mod output;
#[path = "windows/rows.rs"]
mod rows;
#[path = "windows/text.rs"]
mod text;

use arguments::{Arguments, Windows};
use output::{LateRows, OnFirst, PaneRows, Row};
use rows::{Measure, Record, Rows};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let windows = arguments.windows().unwrap_or_else(|refused| Arguments::refuse(refused));
    match run(arguments, windows) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments, windows: Windows) -> Result<()> {
    let settings = arguments.settings.clone();
    if settings.explain.is_none() && settings.process == 0 {
        prepare(&arguments)?;
    }
    let rows = Rows::new(&arguments);
    let job = Job::new("windows", settings);
    job.run(move |flow| {
        let input =
            Files::new(arguments.input.clone(), rows.clone()).on_malformed(arguments.policy());
        let keyed = flow
            .read(input)?
            .event_time(|record: &Record| record.at, Disorder::up_to(arguments.disorder))
            .key_value(|record| (record.key, record.measure));
        match windows {
            Windows::Tumbling(windows) => totals(keyed, windows, &arguments, &rows),
            Windows::Sliding(windows) => totals(keyed, windows, &arguments, &rows),
            Windows::Cumulative(windows) => totals(keyed, windows, &arguments, &rows),
            Windows::Session(windows) => totals(keyed, windows, &arguments, &rows),
        }
    })?;
    Ok(())
}

/// Makes the output folder, and removes the dead letters of an earlier run, which are appended to, unless
/// this one continues it.
fn prepare(arguments: &Arguments) -> Result<()> {
    let cannot = |what: &str, cause: io::Error| {
        let message = format!("cannot {what} {}", arguments.output.display());
        Error::new(ErrorKind::Write, message).because(cause)
    };
    fs::create_dir_all(&arguments.output).map_err(|it| cannot("create the folder", it))?;
    if arguments.settings.checkpoints.restore.is_some() {
        return Ok(());
    }
    match fs::remove_file(arguments.dead_letters()) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(cannot("remove old dead letters from", cause))
        }
        _ => Ok(()),
    }
}

/// Adds up the numbers of each key and window, and writes what fires and what is late.
fn totals<'scope>(
    keyed: Keyed<'scope, text::Text, Measure>,
    windows: impl Assign<Measure>,
    arguments: &Arguments,
    rows: &Rows,
) -> Result<()> {
    let sum = Sum::of(|it: &Measure| it.number.exact());
    let min = Min::of(|it: &Measure| it.number);
    let max = Max::of(|it: &Measure| it.number);
    let (panes, late) = keyed
        .window(windows)
        .allow_lateness(arguments.lateness)
        .with_late()
        .aggregate((Count, sum, min, max));

    // One worker writes, so that there is one file however many workers there are.
    let file = |name| arguments.output.join(name);
    let panes_file = to_files(file("windows.csv"), PaneRows).single_file().overwrite();
    panes.values().map(Row::of).gather().write(OnFirst(panes_file))?;
    let late_rows = LateRows::new(rows.header());
    let late_file = to_files(file("late.csv"), late_rows).single_file().overwrite();
    late.map(|event| event.value.1.line).gather().write(OnFirst(late_file))
}
