//! The arguments of every study, so that two programs can be given the same ones.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tidemill::config::Restore;
use timely::{CommunicationConfig, Config, WorkerConfig};

/// Counts and sums per key in windows of event time over a stream of generated events.
#[derive(Parser, Clone, Debug)]
pub struct Settings {
    /// How many events to generate; with --csv, only what the rate is computed from.
    #[arg(long, default_value_t = 10_000_000)]
    pub events: u64,
    /// How many keys they are spread over.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub keys: u32,
    /// Length of a window in milliseconds.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub size: u32,
    /// Milliseconds from the start of a window to the next; one window after the other if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub slide: Option<u32>,
    /// Read the events from this file, as written by `write_events`.
    #[arg(long)]
    pub csv: Option<PathBuf>,
    /// Events that a worker reads between two watermarks.
    #[arg(long, default_value_t = 16_384)]
    pub advance_every: u64,
    /// How the hand-written program makes sliding windows of slices.
    #[arg(long, value_enum, default_value_t = Combine::Running)]
    pub combine: Combine,
    /// Milliseconds of event time that one worker may be ahead of the watermark before it waits for
    /// the others (Tidemill only); any number if not given.
    #[arg(long)]
    pub drift_ms: Option<u64>,
    /// Worker threads of this process.
    #[arg(short = 'w', long, default_value_t = 1)]
    pub workers: usize,
    /// How many processes there are, all on this machine.
    #[arg(short = 'n', long, default_value_t = 1)]
    pub processes: usize,
    /// Which of them this one is.
    #[arg(short = 'p', long, default_value_t = 0)]
    pub process: usize,
    /// Take checkpoints into this folder (Tidemill only).
    #[arg(long)]
    pub checkpoint: Option<String>,
    /// Milliseconds from one checkpoint to the next.
    #[arg(long, default_value = "1000")]
    pub checkpoint_ms: NonZeroU64,
    /// Continue from a checkpoint, such as `latest`.
    #[arg(long)]
    pub restore: Option<Restore>,
    /// The port of process 0; the others follow.
    #[arg(long, default_value_t = 2101)]
    pub port: u16,
    /// How Tidemill's processes trust and watch each other.
    #[command(flatten)]
    pub network: tidemill::config::Network,
}

/// How the tables of slices become the table of a window that fires.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// Adds up every slice of the window anew: right for any aggregate.
    Anew,
    /// Adds the slice that enters and subtracts the one that leaves: counts and sums allow it.
    Running,
}

impl Settings {
    /// Length of a window in milliseconds.
    pub fn size_ms(&self) -> i64 {
        i64::from(self.size)
    }

    /// Milliseconds from the start of a window to the next.
    pub fn slide_ms(&self) -> i64 {
        i64::from(self.slide.unwrap_or(self.size))
    }

    /// Whether windows overlap.
    pub fn sliding(&self) -> bool {
        self.slide_ms() != self.size_ms()
    }

    /// The same for a Tidemill job. Its processes meet at the ports from 2101 on.
    pub fn tidemill(&self) -> tidemill::config::Settings {
        let settings = tidemill::config::Settings::default().workers(self.workers).quiet();
        let mut settings = settings.processes(self.processes, self.process);
        settings.network = self.network.clone();
        settings.checkpoints.place = self.checkpoint.clone();
        settings.checkpoints.interval_ms = self.checkpoint_ms;
        settings.checkpoints.restore = self.restore.clone();
        settings
    }

    /// How timely is to be started.
    ///
    /// # Errors
    ///
    /// If a setting contradicts another.
    pub fn timely(&self) -> Result<Config, String> {
        if self.size_ms() % self.slide_ms() != 0 {
            return Err("--size must be a multiple of --slide".into());
        }
        if self.process >= self.processes || self.workers == 0 {
            return Err("-p must be less than -n, and -w at least 1".into());
        }
        let communication = match (self.processes, self.workers) {
            (1, 1) => CommunicationConfig::Thread,
            (1, threads) => CommunicationConfig::Process(threads),
            (processes, threads) => CommunicationConfig::Cluster {
                threads,
                process: self.process,
                addresses: (0..processes)
                    .map(|it| format!("127.0.0.1:{}", usize::from(self.port) + it))
                    .collect(),
                report: false,
                zerocopy: false,
            },
        };
        Ok(Config { communication, worker: WorkerConfig::default() })
    }
}
