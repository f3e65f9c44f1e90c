//! How fast a job gets its keyed state back: `restore --megabytes 1000 -w 2 --checkpoint DIR`. A first
//! job fills the state of a process function and ends with a checkpoint; a second one continues from
//! it; with `--restore latest` there is only that one. With `--state-dir` both hold their state on disk.
//!
//! Prints the size of the state as it is saved, the rate at which a worker read, checked, unpacked,
//! decoded and took it in, and the time from the start of the second job until that was done, with the
//! seconds of processors that the process used until then: in its own code and in the kernel.

use std::convert::Infallible;
use std::process::ExitCode;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::Parser;
use serde::{Deserialize, Serialize};
use tidemill::Result;
use tidemill::config::{Restore, Settings};
use tidemill::prelude::{Context, Disorder, EventTime, Job, Process, Read, ValueState, iterate};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Fills keyed state, checkpoints it, and restores it.
#[derive(Parser)]
struct Arguments {
    /// Megabytes of values, 10^6 bytes each.
    #[arg(long, default_value_t = 100)]
    megabytes: u64,
    /// Bytes of the value of each key: two numbers and a text.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(16..))]
    bytes: u64,
    #[command(flatten)]
    settings: Settings,
}

/// What is remembered of a key.
#[derive(Clone, Serialize, Deserialize)]
struct Profile {
    visits: u64,
    spent: f64,
    note: String,
}

/// Remembers a profile for each key.
struct Filling {
    bytes: usize,
    profile: ValueState<Profile>,
}

impl Process for Filling {
    type Key = u64;
    type Record = ();
    type Output = u64;
    type Side = Infallible;

    fn on_record(&self, (): (), context: &mut Context<'_, u64, u64>) {
        let mut number = *context.key();
        let letters = std::iter::repeat_with(|| {
            number = scatter(number.wrapping_add(1));
            char::from(b'a' + (number % 26) as u8)
        });
        let note = letters.take(self.bytes - 16).collect();
        let profile = Profile { visits: number, spent: number as f64 / 100.0, note };
        context.state(&self.profile).set(profile);
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = fill(&arguments).and_then(|filled| restore(&arguments).map(|it| (filled, it)));
    match done {
        Ok((filled, restored)) => {
            println!("{restored}, first filled in {:.1} s", filled.as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fill(arguments: &Arguments) -> Result<Duration> {
    let start = Instant::now();
    if arguments.settings.checkpoints.restore.is_some() {
        return Ok(Duration::ZERO);
    }
    run(arguments, arguments.settings.clone(), &Arc::default())?;
    Ok(start.elapsed())
}

fn restore(arguments: &Arguments) -> Result<String> {
    let mut settings = arguments.settings.clone();
    settings.checkpoints.restore = Some(Restore::Latest);
    let (start, used, built) = (Instant::now(), used(), Arc::default());
    let (bytes, micros) = run(arguments, settings, &built)?;
    let (built, then) = built.lock().expect("nobody panics with it").unwrap_or((start, used));
    let until = built.duration_since(start).as_secs_f64();
    let (own, kernel) = (then.0 - used.0, then.1 - used.1);
    let (megabytes, seconds) = (bytes as f64 / 1e6, micros as f64 / 1e6);
    Ok(format!(
        "{megabytes:.0} MB restored at {:.0} MB/s per worker; the job went on after {until:.2} s, \
         {own:.2} s of processors and {kernel:.2} s in the kernel",
        megabytes / seconds
    ))
}

/// Runs the job, and returns the bytes it was given back and the microseconds its workers took.
fn run(
    arguments: &Arguments,
    settings: Settings,
    built: &Arc<Mutex<Option<(Instant, (f64, f64))>>>,
) -> Result<(u64, u64)> {
    let (keys, bytes) = (arguments.megabytes * 1_000_000 / arguments.bytes, arguments.bytes);
    let job = Job::new("restore", settings);
    let (metrics, built) = (job.metrics(), Arc::clone(built));
    job.run(move |flow| {
        _ = flow
            .read(iterate(move || 0..keys))?
            .event_time(|_| EventTime::from_secs(0), Disorder::ascending())
            .key_value(|key| (scatter(key), ()))
            .process(move |states| Filling {
                bytes: bytes as usize,
                profile: states.value("profile"),
            });
        // The state is back when the operators are built; the last worker to be so far counts.
        *built.lock().expect("nobody panics with it") = Some((Instant::now(), used()));
        Ok(())
    })?;
    let counted = metrics.checkpoints();
    Ok((counted.restored.get(), counted.restoring.get()))
}

/// The seconds of processors that this process has used, in its own code and in the kernel; nothing
/// where that cannot be found out.
fn used() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in brackets, may hold spaces. Times are in hundredths.
    let behind = text.rsplit_once(')').map_or("", |(_, it)| it);
    let mut hundredths = behind.split_whitespace().skip(11).map(|it| it.parse().unwrap_or(0.0));
    let mut next = || hundredths.next().unwrap_or(0.0) / 100.0;
    (next(), next())
}

/// A number that looks random, another one for each number.
fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
