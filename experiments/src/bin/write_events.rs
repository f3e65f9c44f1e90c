//! Writes the generated events as CSV, and says what the query over them must answer.
//!
//! `write_events --events 10000000 --csv events.csv`; the answer is computed by the study's model.

use std::fs::File;
use std::io::{self, BufWriter};
use std::process::ExitCode;

use clap::Parser;
use tidemill_experiments::answer::model;
use tidemill_experiments::events::{event, write_csv};
use tidemill_experiments::settings::Settings;

fn main() -> ExitCode {
    let settings = Settings::parse();
    match write(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(settings: &Settings) -> io::Result<()> {
    let (events, keys) = (settings.events, settings.keys);
    let Some(path) = &settings.csv else {
        return Err(io::Error::other("--csv says where the events are to be written"));
    };
    write_csv(BufWriter::with_capacity(1 << 20, File::create(path)?), events, keys)?;
    println!("model: {}", model((0..events).map(|i| event(i, keys)), settings));
    Ok(())
}
