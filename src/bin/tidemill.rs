//! The command line of Tidemill: flags and what they lead to.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tidemill::Result;
use tidemill::checkpoint::Store;
use tidemill::graph_tool::GraphTool;
#[cfg(unix)]
use tidemill::launch::Launch;

/// Runs Tidemill jobs and looks after their checkpoints
#[derive(Debug, Parser)]
#[command(name = "tidemill", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the processes of a job, watch them, and start them again when one fails
    #[cfg(unix)]
    Launch(Launch),
    /// Compute something of a graph, and how it changes as edges come and go
    Graph(Box<GraphTool>),
    /// List the checkpoints of a job, newest first, and whether each is whole
    Checkpoints(Kept),
    /// Have a running job make a savepoint: a full copy of its state that nothing removes
    Savepoint(Savepoint),
}

/// Where a job keeps its checkpoints.
#[derive(Args, Debug)]
struct Kept {
    /// What the job was given as --checkpoint
    place: String,
    /// The name of the job
    job: String,
}

#[derive(Args, Debug)]
struct Savepoint {
    #[command(flatten)]
    kept: Kept,
    /// Folder or URL for it [default: savepoints/EPOCH in the job's folder]
    #[arg(long, value_name = "PLACE")]
    to: Option<String>,
    /// Seconds to wait for the job
    #[arg(long, value_name = "N", default_value_t = 60)]
    wait: u64,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        #[cfg(unix)]
        Command::Launch(launch) => launch.run(),
        Command::Graph(tool) => tool.run().map(|()| 0),
        Command::Checkpoints(kept) => list(&kept),
        Command::Savepoint(wanted) => save(&wanted),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn list(kept: &Kept) -> Result<u8> {
    let listed = Store::open(&kept.place, &kept.job)?.list()?;
    listed.iter().for_each(|it| println!("{it}"));
    if listed.is_empty() {
        println!("no checkpoints of {} in {}", kept.job, kept.place);
    }
    Ok(u8::from(listed.iter().any(|it| it.found.is_err())))
}

fn save(wanted: &Savepoint) -> Result<u8> {
    let store = Store::open(&wanted.kept.place, &wanted.kept.job)?;
    let patience = Duration::from_secs(wanted.wait);
    println!("{}", store.request_savepoint(wanted.to.as_deref(), patience)?);
    Ok(0)
}
