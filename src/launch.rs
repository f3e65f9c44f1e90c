//! The launcher: starts the processes of a job, watches them, and starts them again.
//!
//! `tidemill launch -n 3 -w 2 -- PROGRAM ARGUMENTS` runs `PROGRAM ARGUMENTS -n 3 -w 2 -p 0 -h FILE` and so
//! on, on this machine unless a host file names others. What they print is passed on line by line
//! behind the index of the process.
//!
//! # Guarantees
//!
//! - When one process fails the others are stopped, gently first, and the [`Policy`] decides whether
//!   all start again: with `--restore latest` if the program is given `--checkpoint`.
//! - `Ctrl-C` and `SIGTERM` are passed on, and waited for; a second one kills.
//! - No process outlives the launcher: each ends when its standard input does.
//! - Local processes prove to each other a secret that is drawn for each launch, unless there is one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cluster::random;
use crate::config::SECRET_VARIABLE;
use crate::error::Result;

mod child;
mod hosts;
mod output;
mod plan;
mod policy;
mod supervise;

pub use policy::Policy;

use hosts::Hosts;
use plan::Plan;

/// What `tidemill launch` is told.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
#[non_exhaustive]
pub struct Launch {
    /// Processes to start [default: one for each line of the host file, or 1]
    #[arg(short = 'n', long, value_name = "N")]
    pub processes: Option<usize>,

    /// Worker threads in each process
    #[arg(short = 'w', long = "threads", value_name = "N", default_value_t = 1)]
    pub workers: usize,

    /// HOST:PORT of each process, a line each [default: free ports of this machine]
    #[arg(long, value_name = "FILE")]
    pub hosts: Option<PathBuf>,

    /// When to start again: none, fixed:ATTEMPTS:DELAY, exponential:FIRST:LONGEST:FACTOR or
    /// rate:FAILURES:INTERVAL [default: exponential:1s:60s:2.0 with --checkpoint, otherwise none]
    #[arg(long, value_name = "POLICY")]
    pub restart: Option<Policy>,

    /// Time for the others to end by themselves when one process has failed
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub grace: Duration,

    /// Starts a command on another machine: run as PROGRAM -T -o BatchMode=yes -- HOST COMMAND
    #[arg(long, value_name = "PROGRAM", default_value = "ssh")]
    pub ssh: OsString,

    /// The program of the job and its arguments; -n -w -p -h are added
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub program: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  tidemill launch -n 2 -- ./clicks --input clicks.csv
      two processes on this machine

  tidemill launch -n 3 -w 2 --restart fixed:3:10s -- ./clicks --checkpoint saved
      started again up to 3 times, from the last checkpoint

  tidemill launch --hosts hosts.txt -- /opt/clicks --checkpoint s3://bucket/clicks
      on the machines of hosts.txt, by ssh: the program and hosts.txt must be at the same
      place on all of them

Press Ctrl-C to stop the job in good order, twice to kill it.";

impl Launch {
    /// Runs the job to its end and gives the exit status: 0, or that of the process that failed
    /// first (128 and the signal, if one ended it).
    ///
    /// # Errors
    ///
    /// If a setting cannot be used, or a process cannot be started.
    pub fn run(&self) -> Result<u8> {
        let hosts = Hosts::new(self.hosts.as_deref(), self.processes)?;
        let mut plan = Plan::new(self, hosts.count());
        if !plan.brings_secret() {
            plan.secret = Some(match std::env::var(SECRET_VARIABLE) {
                Ok(secret) => secret,
                Err(_) => drawn()?,
            });
        }
        let policy = self.restart.unwrap_or(if plan.checkpoints() {
            Policy::Exponential {
                initial: Duration::from_secs(1),
                max: Duration::from_secs(60),
                factor: 2.0,
                stable: Duration::from_secs(60 * 60),
            }
        } else {
            Policy::Never
        });
        supervise::run(&plan, &hosts, policy, self.grace)
    }
}

/// A secret for one launch.
fn drawn() -> Result<String> {
    let bytes: [u8; 32] = random()?;
    Ok(bytes.iter().map(|it| format!("{it:02x}")).collect())
}

/// An error about how a launch was asked for.
fn refused(message: impl Into<String>) -> crate::error::Error {
    crate::error::Error::new(crate::error::ErrorKind::Setting, message)
}
