//! The study's query as a Tidemill job: `tidemill_tumbling -w 2 --size 10000`.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use tidemill::connect::{Polled, Reader, Source, Wake, csv};
use tidemill::prelude::{
    Count, Disorder, EventTime, Events, Job, Pane, Read, Sliding, Sum, Tumbling, millis,
};
use tidemill_experiments::answer::{Answer, Row, report};
use tidemill_experiments::events::{DISORDER_MS, Event};
use tidemill_experiments::feed::Feed;
use tidemill_experiments::settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let settings = Settings::parse();
    let start = Instant::now();
    match run(&settings) {
        Ok(answer) => {
            println!("{}", report("tidemill", settings.events, start.elapsed(), &answer));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings) -> tidemill::Result<Answer> {
    let answer = Arc::<Mutex<Answer>>::default();
    let (total, settings) = (Arc::clone(&answer), settings.clone());
    let job = Job::new("tumbling", settings.tidemill());
    let metrics = job.metrics();
    job.run(move |flow| {
        let events = match &settings.csv {
            Some(file) => flow.read(csv::<Event>(file.clone()))?,
            None => flow.read(Generated(settings.clone()))?,
        };
        let disorder = Disorder::up_to(millis(DISORDER_MS as u64));
        let disorder = match settings.drift_ms {
            Some(drift) => disorder.aligned(millis(drift)),
            None => disorder,
        };
        let events = events.event_time(|event| EventTime::from_millis(event.at_ms), disorder);
        let mut part = Part { answer: Answer::default(), total: Arc::clone(&total) };
        _ = windows(events, &settings).inspect(move |_at, pane| {
            let (count, sum) = pane.value;
            let start_ms = pane.span.start().millis();
            part.add(&Row { key: pane.key, start_ms, count, sum });
        });
        Ok(())
    })?;
    let latency = |q| metrics.epoch_latency(q).unwrap_or_default();
    eprintln!("epochs took {:?} (median), {:?} (99th percentile)", latency(0.5), latency(0.99));
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(*answer)
}

fn windows<'scope>(
    events: Events<'scope, Event>,
    settings: &Settings,
) -> Events<'scope, Pane<u32, (u64, i64)>> {
    let keyed = events.key_value(|event| (event.key, event.value));
    let size = millis(u64::from(settings.size));
    let count_and_sum = (Count, Sum::of(|value: &i64| *value));
    match settings.slide {
        None => keyed.window(Tumbling::new(size)).aggregate(count_and_sum),
        Some(slide) => {
            let slide = millis(u64::from(slide));
            keyed.window(Sliding::new(size, slide)).aggregate(count_and_sum)
        }
    }
}

/// One worker's part of the answer, which joins the total when the job has ended.
struct Part {
    answer: Answer,
    total: Arc<Mutex<Answer>>,
}

impl Part {
    fn add(&mut self, row: &Row) {
        self.answer.add(row);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.total.lock().unwrap_or_else(PoisonError::into_inner).merge(&self.answer);
    }
}

/// The generated events, as a source of one's own.
struct Generated(Settings);

impl Source for Generated {
    type Record = Event;

    fn partitions(&self, lanes: usize) -> tidemill::Result<Vec<String>> {
        Ok((0..lanes).map(|lane| format!("{lane}/{lanes}")).collect())
    }

    fn open(
        &self,
        partition: &str,
        position: Option<&[u8]>,
        _wake: Wake,
    ) -> tidemill::Result<Box<dyn Reader<Record = Event>>> {
        let (lane, lanes) = partition.split_once('/').expect("as it was named");
        let number = |text: &str| text.parse::<usize>().expect("as it was named");
        let mut feed = Feed::open(&self.0, number(lane), number(lanes)).map_err(|error| {
            tidemill::Error::new(tidemill::ErrorKind::Read, "cannot generate").because(error)
        })?;
        if let Some(position) = position.and_then(|it| it.try_into().ok()) {
            feed.seek(u64::from_le_bytes(position));
        }
        Ok(Box::new(Generating(feed)))
    }

    fn bounded(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        "generated".into()
    }
}

struct Generating(Feed);

impl Reader for Generating {
    type Record = Event;

    fn poll(&mut self, most: usize, records: &mut Vec<Event>) -> tidemill::Result<Polled> {
        let before = records.len();
        self.0.fill(most, records).map_err(|error| {
            tidemill::Error::new(tidemill::ErrorKind::Read, "cannot generate").because(error)
        })?;
        Ok(if records.len() > before { Polled::Ready } else { Polled::Ended })
    }

    fn position(&self) -> Vec<u8> {
        self.0.position().map_or_else(Vec::new, |next| next.to_le_bytes().to_vec())
    }

    fn bytes(&self) -> u64 {
        0
    }
}
