//! The study's query as a plain timely program: `timely_tumbling -w 2 --size 10000`.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use tidemill_experiments::answer::report;
use tidemill_experiments::plain;
use tidemill_experiments::settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let settings = Settings::parse();
    let start = Instant::now();
    match plain::run(&settings) {
        Ok(answer) => {
            println!("{}", report("timely", settings.events, start.elapsed(), &answer));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
