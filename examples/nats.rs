//! Publishes readings of three sensors to a stream of NATS JetStream, then reads them back and prints
//! the mean of each.
//!
//! The first job publishes to a subject for each sensor; the second reads the stream from its
//! beginning to its end, the subjects side by side. It needs a server and the stream:
//!
//! ```sh
//! nats-server -js &
//! nats stream add READINGS --subjects 'readings.*' --defaults
//! cargo run --features nats --example nats -- --url nats://localhost:4222
//! ```

use clap::Parser;
use serde::{Deserialize, Serialize};
use tidemill::prelude::*;

#[derive(Parser)]
struct Arguments {
    /// The server, as in nats://localhost:4222.
    #[arg(long)]
    url: String,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Serialize, Deserialize)]
struct Reading {
    sensor: u64,
    at_ms: i64,
    celsius: f64,
}

fn main() -> tidemill::Result<()> {
    let Arguments { url, settings } = Arguments::parse();
    let to = to_nats(&url, "readings").subject_by(|it: &Reading| format!("readings.{}", it.sensor));
    Job::new("publish", settings.clone()).run(move |flow| {
        let readings = generate(7, |index, random| Reading {
            sensor: index % 3,
            at_ms: 100 * index as i64,
            celsius: 20.0 + random.below(100) as f64 / 10.0,
        });
        flow.read(readings.limit(1_200))?.write(to.clone())
    })?;

    let means = collect::<String>();
    let sink = means.clone();
    let subjects = (0..3).map(|sensor| format!("readings.{sensor}"));
    let from = from_nats(&url, "READINGS").subjects(subjects).jsonl::<Reading>().bounded();
    Job::new("read", settings).run(move |flow| {
        flow.read(from.clone())?
            .event_time(|it| EventTime::from_millis(it.at_ms), Disorder::ascending())
            .key_value(|it| (it.sensor, it.celsius))
            .window(tidemill::window::Global)
            .trigger(trigger::AtWatermark)
            .aggregate((Mean::of(|celsius: &f64| *celsius), Count))
            .map(|pane| {
                let (mean, count) = pane.value;
                format!("sensor {}: {mean:.1} °C from {count} readings", pane.key)
            })
            .write(sink.clone())
    })?;
    means.sorted().iter().for_each(|line| println!("{line}"));
    Ok(())
}
