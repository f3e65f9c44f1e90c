//! A job that keeps pace with the clock, for `recovery.py` to kill: event *i* is due `i / rate` seconds
//! after `--begin`, whichever run reads it. Counts by key in windows of 100 ms, and prints the end of
//! each window as soon as results of it come, with the time of day, both in milliseconds, and the
//! number of the process.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use tidemill::Result;
use tidemill::config::Settings;
use tidemill::connect::{Polled, Reader, Source, Wake};
use tidemill::prelude::{Count, Disorder, EventTime, Job, Read, Tumbling, millis};

/// Counts events that are due one after the other.
#[derive(Parser)]
struct Arguments {
    /// Events in a second.
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// How many keys they are spread over.
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// When the first event is due, in milliseconds since the Unix epoch.
    #[arg(long)]
    begin: u64,
    #[command(flatten)]
    settings: Settings,
}

fn main() -> ExitCode {
    let Arguments { rate, keys, begin, settings } = Arguments::parse();
    let ran = Job::new("paced", settings).run(move |flow| {
        let mut last = i64::MIN;
        _ = flow
            .read(Paced { rate, begin })?
            .event_time(
                move |event| EventTime::from_millis((begin + event * 1_000 / rate) as i64),
                Disorder::ascending(),
            )
            .key_value(move |event| (event % keys, ()))
            .window(Tumbling::new(millis(100)))
            .aggregate(Count)
            .inspect(move |at, _| {
                let end = at.millis() + 1;
                if end > last {
                    last = end;
                    println!("window {end} at {} by {}", now_ms(), std::process::id());
                }
            });
        Ok(())
    });
    match ran {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |it| it.as_millis() as u64)
}

/// The events as they become due.
struct Paced {
    rate: u64,
    begin: u64,
}

impl Source for Paced {
    type Record = u64;

    fn partitions(&self, lanes: usize) -> Result<Vec<String>> {
        Ok((0..lanes).map(|lane| format!("{lane}/{lanes}")).collect())
    }

    fn open(
        &self,
        partition: &str,
        position: Option<&[u8]>,
        _wake: Wake,
    ) -> Result<Box<dyn Reader<Record = u64>>> {
        let (lane, lanes) = partition.split_once('/').expect("as it was named");
        let number = |text: &str| text.parse::<u64>().expect("as it was named");
        let saved = position.and_then(|it| it.try_into().ok()).map(u64::from_le_bytes);
        let next = saved.unwrap_or(number(lane));
        Ok(Box::new(Due { next, step: number(lanes), rate: self.rate, begin: self.begin }))
    }

    fn bounded(&self) -> bool {
        false
    }

    fn name(&self) -> String {
        "paced".into()
    }
}

struct Due {
    next: u64,
    step: u64,
    rate: u64,
    begin: u64,
}

impl Reader for Due {
    type Record = u64;

    fn poll(&mut self, most: usize, records: &mut Vec<u64>) -> Result<Polled> {
        let due = now_ms().saturating_sub(self.begin) * self.rate / 1_000;
        let end = due.min(self.next + most as u64 * self.step);
        let before = records.len();
        while self.next < end {
            records.push(self.next);
            self.next += self.step;
        }
        Ok(if records.len() > before { Polled::Ready } else { Polled::Pending })
    }

    fn position(&self) -> Vec<u8> {
        self.next.to_le_bytes().to_vec()
    }

    fn bytes(&self) -> u64 {
        0
    }
}
