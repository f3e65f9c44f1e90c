//! The settings of a job: from the command line, or set by a program.
//!
//! The flags that timely users know keep their letters: `-w` threads, `-n` processes, `-p` this
//! process, `-h` host file (so help is `--help` only). A program with flags of its own flattens
//! [`Settings`] into its clap parser and gets both in one `--help`:
//!
//! ```
//! use clap::Parser;
//! use tidemill::config::Settings;
//!
//! #[derive(Parser)]
//! struct Arguments {
//!     /// Files to read
//!     input: Vec<String>,
//!     #[command(flatten)]
//!     settings: Settings,
//! }
//!
//! let arguments = Arguments::parse_from(["program", "a.csv", "-w", "2", "--epoch-ms", "10"]);
//! assert_eq!(arguments.settings.workers, 2);
//! arguments.settings.check()?;
//! # Ok::<(), tidemill::Error>(())
//! ```

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{ArgAction, Args, FromArgMatches, ValueEnum};
use tidemill_operators::key::Groups;
use timely::{CommunicationConfig, WorkerConfig};

use crate::error::{Error, ErrorKind, Result};

mod checkpointing;
mod hosts;
mod network;

#[cfg(feature = "tls")]
pub(crate) use network::TlsFiles;
#[cfg(unix)]
pub(crate) use network::loopback;
pub use network::{Network, SECRET_VARIABLE};
pub(crate) use network::{SHORTEST_HEARTBEAT_MS, Secret};

pub use checkpointing::{Checkpointing, Restore};

/// Most key groups there can be.
const MOST_GROUPS: u32 = 32_768;

/// Where `--help` lists these flags. A heading for all that follow would catch a program's own.
const HEADING: &str = "Tidemill";

/// The settings that every job has.
///
/// [`check`](Self::check) refuses what does not go together; a job does so before it starts.
#[derive(Args, Clone, Debug)]
// Flattened into another parser this changes it: `-h` is taken, but its description stays its own.
#[command(disable_help_flag = true, about = None, long_about = None)]
#[non_exhaustive]
pub struct Settings {
    /// Worker threads in each process
    #[arg(help_heading = HEADING, short = 'w', long = "threads", value_name = "N")]
    #[arg(default_value_t = 1)]
    pub workers: usize,

    /// Processes that the job runs in
    #[arg(help_heading = HEADING, short = 'n', long, value_name = "N", default_value_t = 1)]
    pub processes: usize,

    /// Index of this process, from 0
    #[arg(help_heading = HEADING, short = 'p', long, value_name = "INDEX", default_value_t = 0)]
    pub process: usize,

    /// HOST:PORT of each process, a line each [default: localhost:2101, localhost:2102, ...]
    #[arg(help_heading = HEADING, short = 'h', long, value_name = "FILE")]
    pub hostfile: Option<PathBuf>,

    /// Longest time that an epoch takes in records, in milliseconds
    #[arg(help_heading = HEADING, long, value_name = "N", default_value_t = 50)]
    pub epoch_ms: u64,

    /// Records that an epoch takes in per worker at most [default: no limit]
    #[arg(help_heading = HEADING, long, value_name = "N")]
    pub epoch_rows: Option<u64>,

    /// Sources wait while this many epochs are unfinished
    #[arg(help_heading = HEADING, long, value_name = "N", default_value_t = 64)]
    pub in_flight_epochs: u64,

    /// Sources wait while this many megabytes are unfinished in each process
    #[arg(help_heading = HEADING, long, value_name = "N", default_value_t = 64)]
    pub in_flight_mb: u64,

    /// Key groups: the most workers that can ever share the keys
    #[arg(help_heading = HEADING, long, value_name = "N", default_value_t = Groups::DEFAULT.into())]
    pub max_parallelism: u32,

    /// Where and how often the job keeps its state, and what it continues from.
    #[command(flatten)]
    pub checkpoints: Checkpointing,

    /// How the processes trust and watch each other
    #[command(flatten)]
    pub network: Network,

    /// Keep keyed state that does not fit in memory below this folder while the job runs
    #[arg(help_heading = HEADING, long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// With --state-dir: megabytes of keyed state that an operator keeps in memory in each process
    #[arg(help_heading = HEADING, long, value_name = "N", default_value_t = 256)]
    pub state_mb: u64,

    /// Show the job as a graph (text unless said) and do not run it
    #[arg(help_heading = HEADING, long, value_name = "FORMAT")]
    #[arg(num_args = 0..=1, default_missing_value = "text")]
    pub explain: Option<Explain>,

    /// Show no progress, only a line at the end
    #[arg(help_heading = HEADING, long)]
    pub quiet: bool,

    /// Print help
    #[arg(help_heading = HEADING, long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// How `--explain` shows a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explain {
    /// As text for a terminal.
    Text,
    /// As a graph in Graphviz's language.
    Dot,
}

// Derived, the descriptions of the values would spread every flag of `--help` over several lines.
impl ValueEnum for Explain {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Dot]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Text => "text",
            Self::Dot => "dot",
        }))
    }
}

impl Default for Settings {
    /// One worker in one process, and what the flags default to.
    fn default() -> Self {
        let matches = command("", "").get_matches_from([""]);
        Self::from_arg_matches(&matches).expect("every flag has a default or is optional")
    }
}

impl Settings {
    /// The settings that the program of the job `name` was started with.
    ///
    /// If they ask for help, or are not understood, or contradict each other, this prints the help
    /// or the reason and ends the process, as command-line programs do.
    pub fn from_args(name: &str) -> Self {
        Self::try_parse_from(name, std::env::args_os()).unwrap_or_else(|it| it.exit())
    }

    /// The settings in `arguments`, the first of which is the path of the program.
    ///
    /// # Errors
    ///
    /// What `--help` prints; or which flag is unknown, or which setting cannot be.
    pub fn try_parse_from<I, A>(name: &str, arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = A>,
        A: Into<OsString>,
    {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let program = arguments.first().map(Path::new).and_then(Path::file_name);
        let program = program.map_or(name.into(), OsStr::to_string_lossy);
        let mut command = command(name, &program);
        let matches = command.try_get_matches_from_mut(arguments)?;
        let settings = Self::from_arg_matches(&matches)?;
        match settings.check() {
            Ok(()) => Ok(settings),
            Err(it) => {
                Err(command.error(clap::error::ErrorKind::ValueValidation, format!("{it:#}")))
            }
        }
    }

    /// The same settings with this many worker threads in each process.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// The same settings as process `process` of `processes`.
    #[must_use]
    pub fn processes(mut self, processes: usize, process: usize) -> Self {
        (self.processes, self.process) = (processes, process);
        self
    }

    /// The same settings with the addresses of the processes in a file.
    #[must_use]
    pub fn hostfile(mut self, file: impl Into<PathBuf>) -> Self {
        self.hostfile = Some(file.into());
        self
    }

    /// The same settings with epochs that take in records for `epoch_ms` milliseconds at most.
    #[must_use]
    pub fn epoch_ms(mut self, epoch_ms: u64) -> Self {
        self.epoch_ms = epoch_ms;
        self
    }

    /// The same settings with epochs that take in this many records per worker at most.
    #[must_use]
    pub fn epoch_rows(mut self, epoch_rows: u64) -> Self {
        self.epoch_rows = Some(epoch_rows);
        self
    }

    /// The same settings with sources that wait while this many epochs, or megabytes in each
    /// process, are unfinished.
    #[must_use]
    pub fn in_flight(mut self, epochs: u64, megabytes: u64) -> Self {
        (self.in_flight_epochs, self.in_flight_mb) = (epochs, megabytes);
        self
    }

    /// The same settings with this many key groups.
    #[must_use]
    pub fn max_parallelism(mut self, groups: u32) -> Self {
        self.max_parallelism = groups;
        self
    }

    /// The same settings with keyed state kept below this folder where it exceeds so many megabytes
    /// for an operator.
    #[must_use]
    pub fn state_on_disk(mut self, folder: impl Into<PathBuf>, megabytes: u64) -> Self {
        (self.state_dir, self.state_mb) = (Some(folder.into()), megabytes);
        self
    }

    /// Bytes of keyed state that an operator keeps in memory, if it can put more on disk.
    pub fn state_bytes(&self) -> u64 {
        self.state_mb.saturating_mul(1 << 20)
    }

    /// The same settings with checkpoints kept in this place.
    #[must_use]
    pub fn checkpoint(mut self, place: impl Into<String>) -> Self {
        self.checkpoints.place = Some(place.into());
        self
    }

    /// The same settings for a job that continues from a checkpoint.
    #[must_use]
    pub fn restore(mut self, from: Restore) -> Self {
        self.checkpoints.restore = Some(from);
        self
    }

    /// The same settings without a progress bar.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The longest time that an epoch takes in records.
    pub fn epoch(&self) -> Duration {
        Duration::from_millis(self.epoch_ms)
    }

    /// The bytes that may be unfinished in each process.
    pub fn in_flight_bytes(&self) -> u64 {
        self.in_flight_mb.saturating_mul(1 << 20)
    }

    /// The number of workers in all processes together.
    pub fn peers(&self) -> usize {
        self.workers.saturating_mul(self.processes)
    }

    /// Finds out whether a job can run with these settings. Reads the host file, if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Setting`], with the name of the setting that is out of range, contradicts
    /// another, or names a host file that cannot be used.
    pub fn check(&self) -> Result<()> {
        self.checkpoints.check()?;
        self.network.check(&self.addresses()?)
    }

    /// What timely needs to start the workers of this process.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check) does.
    pub fn timely(&self) -> Result<timely::Config> {
        let addresses = self.addresses()?;
        self.network.check(&addresses)?;
        let communication = match (self.processes, self.workers) {
            (1, 1) => CommunicationConfig::Thread,
            (1, workers) => CommunicationConfig::Process(workers),
            (_, threads) => CommunicationConfig::Cluster {
                threads,
                process: self.process,
                addresses,
                report: false,
                zerocopy: false,
            },
        };
        Ok(timely::Config { communication, worker: WorkerConfig::default() })
    }

    /// The addresses of all processes, once the numbers and the host file have been checked.
    pub(crate) fn addresses(&self) -> Result<Vec<String>> {
        self.check_numbers()?;
        match &self.hostfile {
            Some(file) => hosts::read(file, self.processes),
            None => hosts::local(self.processes),
        }
    }

    fn check_numbers(&self) -> Result<()> {
        let at_least_one = [
            ("-w/--threads", self.workers as u64),
            ("-n/--processes", self.processes as u64),
            ("--epoch-ms", self.epoch_ms),
            ("--epoch-rows", self.epoch_rows.unwrap_or(1)),
            ("--in-flight-epochs", self.in_flight_epochs),
            ("--in-flight-mb", self.in_flight_mb),
            ("--max-parallelism", u64::from(self.max_parallelism)),
        ];
        if let Some((flag, _)) = at_least_one.iter().find(|(_, value)| *value == 0) {
            return Err(refused(format!("{flag} is 0, but must be at least 1")));
        }
        if self.process >= self.processes {
            return Err(refused(format!(
                "-p/--process is {}, but of {} processes (-n/--processes) the last is {}",
                self.process,
                self.processes,
                self.processes - 1,
            )));
        }
        if self.max_parallelism > MOST_GROUPS {
            return Err(refused(format!(
                "--max-parallelism is {}, but can be {MOST_GROUPS} at most",
                self.max_parallelism,
            )));
        }
        if self.peers() > self.max_parallelism as usize {
            return Err(refused(format!(
                "--max-parallelism is {}, fewer than the {} workers (-n/--processes {} times \
                 -w/--threads {}), so some would never have a key",
                self.max_parallelism,
                self.peers(),
                self.processes,
                self.workers,
            )));
        }
        Ok(())
    }
}

/// An error about a setting.
fn refused(message: String) -> Error {
    Error::new(ErrorKind::Setting, message)
}

/// The parser of `program`, a program without flags of its own that runs the job `name`.
fn command(name: &str, program: &str) -> clap::Command {
    let examples = format!(
        "Examples:\n  \
         {program} -w 4                     four worker threads\n  \
         {program} -n 2 -p 0 -h hosts.txt   the first of two processes\n  \
         {program} --explain dot | dot -Tsvg > job.svg"
    );
    Settings::augment_args(clap::Command::new("tidemill"))
        .bin_name(program)
        .about(format!("{name}, a job for Tidemill"))
        .after_help(examples)
}

#[cfg(test)]
mod tests;
