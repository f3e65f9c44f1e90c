//! What a job costs that waits for input: `idle -w 2 --seconds 20`. A source listens on a socket that
//! stays silent, with windows behind it; prints the share of one core that the process used.

use std::io::Write;
use std::net::TcpListener;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser;
use tidemill::config::Settings;
use tidemill::connect::tcp_lines;
use tidemill::prelude::{Count, Disorder, EventTime, Job, Read, Tumbling, millis};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Waits for lines that do not come.
#[derive(Parser)]
struct Arguments {
    /// For how long the job is watched, after two seconds to start.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    #[command(flatten)]
    settings: Settings,
}

/// Clock ticks of `/proc` in a second, as Linux shows them to every program.
const TICKS: f64 = 100.0;

fn main() -> ExitCode {
    let Arguments { seconds, settings } = Arguments::parse();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("it is bound").to_string();
    thread::spawn(move || {
        let (mut peer, _) = silent.accept().expect("the job connects");
        peer.write_all(b"1\n").expect("the job reads");
        thread::sleep(Duration::from_secs(2));
        let before = processor_time();
        thread::sleep(Duration::from_secs(seconds));
        let used = (processor_time() - before) / TICKS;
        println!("{:.2} % of a core over {seconds} s", 100.0 * used / seconds as f64);
        // Closing the line ends the job.
    });
    let ran = Job::new("idle", settings).run(move |flow| {
        _ = flow
            .read(tcp_lines(address.clone()))?
            .event_time(|_| EventTime::from_secs(0), Disorder::ascending())
            .key_value(|line| (line.len(), ()))
            .window(Tumbling::new(millis(1000)))
            .aggregate(Count);
        Ok(())
    });
    if let Err(error) = ran {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The processor time of this process so far, in clock ticks, where the system tells.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in brackets, may hold spaces; user and system time come 12 fields on.
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<f64>().ok()).sum()
}
