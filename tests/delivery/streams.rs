//! Streams of NATS JetStream: messages that are read on where the job was, and published once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::{self, stream::Config};
use tidemill::Result;
use tidemill::connect::read_all;
use tidemill::prelude::*;
use tokio::runtime::Runtime;

use crate::servers::nats::{Server, server};
use crate::survive::{Scene, scenes};
use crate::{SERVER, address, delivers, keyed, suffix};

const RECORDS: u64 = 16_000;

/// Subjects of the stream that is read.
const SUBJECTS: u64 = 4;

/// Reads a stream, and publishes the windows of each key and how many records a key has had.
pub(crate) fn build(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let (url, suffix) = (address(folder), suffix(folder));
    let subjects = (0..SUBJECTS).map(|it| format!("records.{it}"));
    let source = from_nats(&url, "RECORDS").subjects(subjects).jsonl::<scenes::Record>().bounded();
    // A function that takes its time, so that the job is killed before the stream is read.
    let records = flow.read(source)?.inspect(|record| {
        if record.0 % 20 == 0 {
            std::thread::sleep(Duration::from_millis(4));
        }
    });
    let keyed = keyed(records);
    let totals = keyed.clone().window(Tumbling::new(seconds(2)));
    let totals = totals.aggregate((Count, Sum::of(|it: &i64| *it)));
    let totals = totals.map(|pane| (pane.key, pane.span.start().millis(), pane.value));
    totals.write(to_nats(&url, format!("totals.{suffix}")))?;
    keyed.aggregate(Count).write(to_nats(&url, format!("counts.{suffix}")))
}

/// Makes streams of these names, each with its subjects.
fn create(server: &Server, streams: &[(&str, &str)]) {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = async_nats::connect(server.url()).await.expect("the server runs");
        let context = jetstream::new(client);
        for (name, subject) in streams {
            let (name, subjects) = ((*name).to_owned(), vec![(*subject).to_owned()]);
            let made = context.create_stream(Config { name, subjects, ..Config::default() });
            made.await.expect("a stream is made");
        }
    });
}

fn prepare(server: &Server, suffix: &str) {
    let (totals, counts) = (format!("totals.{suffix}"), format!("counts.{suffix}"));
    let names = [format!("TOTALS_{suffix}"), format!("COUNTS_{suffix}")];
    create(server, &[(&names[0], &totals), (&names[1], &counts)]);
}

/// All messages of the streams that a job has written.
fn read(server: &Server, suffix: &str) -> Vec<(String, String)> {
    let of = |name: &str| {
        let source = from_nats(server.url(), format!("{name}_{suffix}")).bounded();
        let messages = read_all(&source).expect("the stream can be read");
        messages.into_iter().map(|it| (name.to_owned(), it)).collect::<Vec<_>>()
    };
    [of("TOTALS"), of("COUNTS")].concat()
}

#[test]
fn messages_of_a_killed_job_are_those_of_an_undisturbed_one() {
    let Some(server) = server() else { return };
    let scene = Scene::new("streams");
    fs::write(scene.at(SERVER), server.url()).expect("written");
    create(&server, &[("RECORDS", "records.*")]);
    let to = to_nats(server.url(), "records.0")
        .subject_by(|it: &scenes::Record| format!("records.{}", it.1 % SUBJECTS));
    let feed = Job::new("feed", Settings::default().quiet());
    feed.run(move |flow| flow.read(generate(12, scenes::record).limit(RECORDS))?.write(to.clone()))
        .expect("the stream is filled");

    delivers(&scene, (22, 9), |suffix| prepare(&server, suffix), |suffix| read(&server, suffix));
    let messages = read(&server, "undisturbed");
    let counts = messages.iter().filter(|it| it.0 == "COUNTS").count();
    assert_eq!(counts as u64, RECORDS, "each record counts");
}
