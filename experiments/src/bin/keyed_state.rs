//! How fast a process function reads, changes and writes small values of many keys, in memory and on
//! disk: `keyed_state --keys 1000000 --state-dir DIR --state-mb 256`. Prints the rate and the most
//! memory that the process held.

use std::convert::Infallible;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use tidemill::config::Settings;
use tidemill::prelude::{Context, Disorder, EventTime, Job, Process, Read, ValueState, iterate};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Reads, changes and writes a small value of a random key for each record.
#[derive(Parser)]
struct Arguments {
    /// How many records there are, after one for each key.
    #[arg(long, default_value_t = 10_000_000)]
    records: u64,
    /// How many keys there are.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Bytes of the value of each key.
    #[arg(long, default_value_t = 32)]
    bytes: usize,
    #[command(flatten)]
    settings: Settings,
}

/// Counts in the first bytes of a value.
struct Counting {
    bytes: usize,
    value: ValueState<Vec<u8>>,
}

impl Process for Counting {
    type Key = u64;
    type Record = ();
    type Output = u64;
    type Side = Infallible;

    fn on_record(&self, (): (), context: &mut Context<'_, u64, u64>) {
        let value = context.state(&self.value).or_insert_with(|| vec![0; self.bytes]);
        if let Some(first) = value.first_mut() {
            *first = first.wrapping_add(1);
        }
    }
}

fn main() -> ExitCode {
    let Arguments { records, keys, bytes, settings } = Arguments::parse();
    let start = Instant::now();
    let ran = Job::new("keyed-state", settings).run(move |flow| {
        let made = move || (0..keys).chain((0..records).map(move |it| scatter(it) % keys));
        _ = flow
            .read(iterate(made))?
            .event_time(|_| EventTime::from_secs(0), Disorder::ascending())
            .key_value(|key| (scatter(key), ()))
            .process(move |states| Counting { bytes, value: states.value("value") });
        Ok(())
    });
    if let Err(error) = ran {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let rate = (records + keys) as f64 / elapsed / 1e6;
    println!("{rate:.3} million records/s, {elapsed:.1} s, most memory {} MB", most_memory());
    ExitCode::SUCCESS
}

/// A number that looks random, another one for each number.
fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// The most memory that this process has held, in megabytes, where the system tells.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|it| it.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
