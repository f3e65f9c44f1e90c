//! The command line of Tidemill: flags and what they lead to.

use std::process::ExitCode;

#[cfg(unix)]
use clap::{Parser, Subcommand};
#[cfg(unix)]
use tidemill::launch::Launch;

/// Runs Tidemill jobs
#[cfg(unix)]
#[derive(Debug, Parser)]
#[command(name = "tidemill", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[cfg(unix)]
#[derive(Debug, Subcommand)]
enum Command {
    /// Start the processes of a job, watch them, and start them again when one fails
    Launch(Launch),
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("error: the launcher needs the signals and process groups of a Unix system");
    ExitCode::from(2)
}

#[cfg(unix)]
fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Launch(launch) => launch.run(),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
