//! Streams of NATS JetStream as sources and sinks, on a server of the tests' own: what is read
//! again, what is published once, and what is refused.

#![cfg(all(feature = "nats", unix))]

mod child;
mod servers;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, Context};
use tidemill::connect::{Decode, InputFormat, Polled, Reader, Sink, Source, Wake, Writer};
use tidemill::prelude::*;
use tidemill::{ErrorKind, Result};
use tokio::runtime::Runtime;

use servers::nats::{Server, server};

const PATIENCE: Duration = Duration::from_secs(60);

/// A client for looking on.
struct Onlooker {
    runtime: Runtime,
    context: Context,
}

fn onlooker(server: &Server) -> Onlooker {
    let runtime = Runtime::new().expect("a runtime");
    let connecting = async { async_nats::connect(server.url()).await.map(jetstream::new) };
    let context = runtime.block_on(connecting).expect("the server runs");
    Onlooker { runtime, context }
}

impl Onlooker {
    /// Makes a stream that takes these subjects.
    fn create(&self, name: &str, subjects: &[&str]) {
        self.create_with(Config {
            name: name.to_owned(),
            subjects: subjects.iter().map(|it| (*it).to_owned()).collect(),
            ..Default::default()
        });
    }

    fn create_with(&self, config: Config) {
        self.runtime.block_on(self.context.create_stream(config)).expect("a stream is made");
    }

    /// Publishes a message, and says whether it was dropped because of its id.
    fn publish(&self, subject: &str, id: Option<&str>, payload: &str) -> bool {
        let message = PublishMessage::build().payload(payload.to_owned().into());
        let message = id.into_iter().fold(message, |message, id| message.message_id(id));
        self.runtime.block_on(async {
            let sent = self.context.send_publish(subject.to_owned(), message).await;
            sent.expect("sent").await.expect("acknowledged").duplicate
        })
    }

    /// The messages of a stream, in order.
    fn messages(&self, stream: &str) -> Vec<String> {
        self.runtime.block_on(async {
            let mut stream = self.context.get_stream(stream).await.expect("it is there");
            let last = stream.info().await.expect("it is there").state.last_sequence;
            let mut messages = Vec::new();
            for sequence in 1..=last {
                let message = stream.get_raw_message(sequence).await.expect("it is there");
                messages.push(String::from_utf8(message.payload.to_vec()).expect("text"));
            }
            messages
        })
    }
}

fn source(server: &Server, stream: &str) -> NatsSource<tidemill::connect::TextInput> {
    from_nats(server.url(), stream).retry(Retry::never()).bounded()
}

fn sink(server: &Server, subject: &str) -> NatsSink<u64, tidemill::connect::JsonlOutput> {
    to_nats(server.url(), subject).retry(Retry::fixed(5, Duration::from_millis(20)))
}

/// A wake that the test waits for, at most a while.
fn bell() -> (Wake, Receiver<()>) {
    let (ring, rung) = channel();
    (Arc::new(move || ring.send(()).unwrap_or_default()), rung)
}

type Texts = Box<dyn Reader<Record = String>>;

/// Reads on until there are `count` records, or the end.
fn read(reader: &mut Texts, rung: &Receiver<()>, count: usize) -> Result<Vec<String>> {
    let mut records = Vec::new();
    while records.len() < count {
        // A few at a time, to stop within messages too.
        let most = (count - records.len()).min(3);
        match reader.poll(most, &mut records)? {
            Polled::Ready => {}
            Polled::Pending => rung.recv_timeout(PATIENCE).expect("a wake comes"),
            Polled::Ended => break,
        }
    }
    Ok(records)
}

fn open<F: InputFormat<Record = String, Decode: Decode>>(
    source: &NatsSource<F>,
    partition: &str,
    position: Option<&[u8]>,
) -> Result<(Texts, Receiver<()>)> {
    let (wake, rung) = bell();
    Ok((source.open(partition, position, wake)?, rung))
}

#[test]
fn what_a_job_publishes_another_one_reads() {
    let Some(server) = server() else { return };
    let onlooker = onlooker(&server);
    for workers in [1, 2, 4] {
        let (name, subject) = (format!("NUMBERS{workers}"), format!("numbers{workers}"));
        onlooker.create(&name, &[&format!("{subject}.*")]);
        let settings = Settings::default().workers(workers).quiet();
        let chosen = subject.clone();
        let sink = sink(&server, &subject).subject_by(move |it| {
            format!("{chosen}.{}", if it % 3 == 0 { "fizz" } else { "other" })
        });
        Job::new("out", settings.clone())
            .run(move |flow| {
                flow.read(generate(1, |index, _| index).limit(3_000))?.write(sink.clone())
            })
            .expect("the job runs");

        let read = |source: NatsSource<tidemill::connect::TextInput>| {
            let seen = collect::<u64>();
            let sink = seen.clone();
            let source = source.jsonl::<u64>();
            Job::new("in", settings.clone())
                .run(move |flow| flow.read(source.clone())?.write(sink.clone()))
                .expect("the job runs");
            seen.sorted()
        };
        let all = Vec::from_iter(0..3_000);
        assert_eq!(read(source(&server, &name)), all, "{workers} workers");
        let apart = [format!("{subject}.fizz"), format!("{subject}.other")];
        assert_eq!(read(source(&server, &name).subjects(apart)), all, "{workers} workers");
        let fizz = Vec::from_iter((0..3_000).filter(|it| it % 3 == 0));
        let some = source(&server, &name).subjects([format!("{subject}.fizz")]);
        assert_eq!(read(some), fizz, "{workers} workers");
    }
}

#[test]
fn reading_goes_on_where_it_was() {
    let Some(server) = server() else { return };
    let onlooker = onlooker(&server);
    onlooker.create("LINES", &["lines.*"]);
    // Messages of several lines, of one, and of none.
    let mut expected = Vec::new();
    for number in 0..6 {
        let lines = Vec::from_iter((0..number % 4).map(|line| format!("{number}.{line}")));
        onlooker.publish(&format!("lines.{}", number % 2), None, &lines.join("\n"));
        expected.extend(lines);
    }
    let source = source(&server, "LINES");
    for count in 0..=expected.len() {
        let (mut reader, rung) = open(&source, ">", None).expect("it opens");
        assert_eq!(read(&mut reader, &rung, count).expect("read"), expected[..count]);
        let position = reader.position();
        drop(reader);
        let (mut reader, rung) = open(&source, ">", Some(&position)).expect("it opens");
        assert_eq!(read(&mut reader, &rung, usize::MAX).expect("read"), expected[count..]);
        let bytes = reader.bytes();
        let (mut again, rung) = open(&source, ">", Some(&reader.position())).expect("it opens");
        assert!(read(&mut again, &rung, usize::MAX).expect("read").is_empty(), "{bytes} bytes");
    }
    let (mut reader, rung) = open(&source, "lines.1", None).expect("it opens");
    let odd = expected.iter().filter(|it| it.starts_with(['1', '3', '5']));
    assert_eq!(read(&mut reader, &rung, usize::MAX).expect("read"), Vec::from_iter(odd.cloned()));
    let (mut reader, rung) = open(&source, "lines.none", None).expect("it opens");
    assert!(read(&mut reader, &rung, usize::MAX).expect("read").is_empty());
}

#[test]
fn messages_that_come_later_are_read_as_they_come() {
    let Some(server) = server() else { return };
    let onlooker = onlooker(&server);
    onlooker.create("LATER", &["later"]);
    let source = from_nats(server.url(), "LATER");
    let (mut reader, rung) = open(&source, ">", None).expect("it opens");
    for number in 0..3 {
        assert_eq!(reader.poll(9, &mut Vec::new()).expect("polled"), Polled::Pending);
        onlooker.publish("later", None, &format!("{number}"));
        assert_eq!(read(&mut reader, &rung, 1).expect("read"), [number.to_string()]);
    }
}

#[test]
fn malformed_messages_follow_the_policy() {
    let Some(server) = server() else { return };
    let onlooker = onlooker(&server);
    onlooker.create("BROKEN", &["broken"]);
    ["\"a\"", "\"b\"\nx\n\"c\"", "\"d\""]
        .iter()
        .for_each(|text| assert!(!onlooker.publish("broken", None, text)));
    let source = source(&server, "BROKEN").jsonl::<String>();
    let (mut reader, rung) = open(&source, ">", None).expect("it opens");
    let stopped = read(&mut reader, &rung, usize::MAX).expect_err("it is malformed");
    let expected = "stream BROKEN, message 2, byte 4: expected value at column 1";
    assert_eq!((stopped.kind(), &*stopped.to_string()), (ErrorKind::Malformed, expected));
    let skipping = source.on_malformed(OnMalformed::Skip);
    let (mut reader, rung) = open(&skipping, ">", None).expect("it opens");
    assert_eq!(read(&mut reader, &rung, usize::MAX).expect("read"), ["a", "b", "c", "d"]);
    assert_eq!(reader.malformed(), 1);
}

#[test]
fn messages_that_are_gone_are_not_passed_over() {
    let Some(server) = server() else { return };
    let onlooker = onlooker(&server);
    let config = |name: &str, subject: &str| Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        max_messages: 3,
        ..Default::default()
    };
    onlooker.create_with(config("SHORT", "short"));
    let publish = |text: &str| assert!(!onlooker.publish("short", None, text));
    publish("a");
    let source = source(&server, "SHORT");
    let (mut reader, rung) = open(&source, ">", None).expect("it opens");
    assert_eq!(read(&mut reader, &rung, 9).expect("read"), ["a"]);
    let position = reader.position();
    ["b", "c", "d"].iter().for_each(|text| publish(text));
    let (mut reader, rung) = open(&source, ">", Some(&position)).expect("all are there");
    assert_eq!(read(&mut reader, &rung, 9).expect("read"), ["b", "c", "d"]);
    let last = reader.position();
    publish("e");
    let gone = open(&source, ">", Some(&position)).err().expect("`b` is gone");
    assert_eq!(gone.kind(), ErrorKind::State);
    let expected = "stream SHORT cannot be read on at message 2: it has dropped those before 3; \
                    start without the checkpoint";
    assert_eq!(gone.to_string(), expected);
    onlooker.runtime.block_on(onlooker.context.delete_stream("SHORT")).expect("deleted");
    onlooker.create_with(config("SHORT", "short"));
    let anew = open(&source, ">", Some(&last)).err().expect("it is another stream");
    assert!(anew.to_string().contains("made anew"), "{anew}");
}

fn pen(sink: &NatsSink<u64, tidemill::connect::JsonlOutput>) -> Box<dyn Writer<Record = u64>> {
    sink.open(0, 1).expect("the sink opens")
}

fn numbers(onlooker: &Onlooker, stream: &str) -> Vec<u64> {
    onlooker.messages(stream).iter().map(|it| it.parse().expect("a number")).collect()
}

#[test]
fn prepared_rows_are_published_when_committed_and_only_once() {
    let Some(server) = server() else { return };
    let onlooker = onlooker(&server);
    // A window that is soon over: what follows must not lean on it.
    onlooker.create_with(Config {
        name: "ONCE".to_owned(),
        subjects: vec!["once".to_owned(), "probe".to_owned()],
        duplicate_window: Duration::from_millis(100),
        ..Default::default()
    });
    let seen = || {
        let numbers = onlooker.messages("ONCE");
        numbers.iter().filter_map(|it| it.parse::<u64>().ok()).collect::<Vec<_>>()
    };
    let sink = sink(&server, "once");
    let mut first = pen(&sink);
    first.write(&mut vec![0, 1, 2]).expect("written");
    let one = first.prepare().expect("prepared");
    first.write(&mut vec![3]).expect("written");
    first.flush().expect("flushed");
    let two = first.prepare().expect("prepared");
    assert!(first.prepare().expect("prepared").is_empty(), "there is nothing to commit");
    assert!(seen().is_empty());
    first.commit(&one).expect("committed");
    assert_eq!(seen(), [0, 1, 2]);
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    onlooker.publish("probe", Some("id"), "probe");
    while onlooker.publish("probe", Some("id"), "probe") {
        assert!(Instant::now() < deadline, "the window does not end");
    }
    let mut other = pen(&sink);
    for prepared in [&one[..], &two, &[], &two, &one] {
        other.commit(prepared).expect("committed");
    }
    assert_eq!(seen(), [0, 1, 2, 3]);
    other.write(&mut vec![4]).expect("written");
    let three = other.prepare().expect("prepared");
    other.abort(&three).expect("aborted");
    other.write(&mut vec![5]).expect("written");
    other.close().expect("closed");
    assert_eq!(seen(), [0, 1, 2, 3, 5]);
}

#[test]
fn a_commit_that_broke_off_is_made_good_by_the_ids() {
    let Some(server) = server() else { return };
    let onlooker = onlooker(&server);
    onlooker.create("BROKEOFF", &["brokeoff"]);
    let sink = sink(&server, "brokeoff");
    let mut writer = pen(&sink);
    writer.write(&mut Vec::from_iter(0..1_000)).expect("written");
    let prepared = writer.prepare().expect("prepared");
    writer.commit(&prepared).expect("committed");
    drop(writer);
    // As if the job had died before it could note the commit, twice.
    let all = Vec::from_iter(0..1_000);
    for _ in 0..2 {
        let mut writer = pen(&sink);
        forget_commits(&onlooker, &prepared);
        writer.commit(&prepared).expect("committed");
        assert_eq!(numbers(&onlooker, "BROKEOFF"), all);
    }
}

/// Removes what is noted of the writer that prepared this.
fn forget_commits(onlooker: &Onlooker, prepared: &[u8]) {
    let (id, _): (String, u64) = postcard::take_from_bytes(prepared).expect("it begins so").0;
    onlooker.runtime.block_on(async {
        let commits = onlooker.context.get_stream("tidemill_commits").await.expect("it is there");
        let purged = commits.purge().filter(format!("tidemill.commits.{id}")).await;
        assert_eq!(purged.expect("purged").purged, 1, "{id} is noted");
    });
}

#[test]
fn places_that_are_not_there_are_refused_by_name() {
    let Some(server) = server() else { return };
    let cases = [
        open(&source(&server, "NOWHERE"), ">", None).err(),
        open(&source(&server, "NOWHERE"), "some", None).err(),
        sink(&server, "nowhere").open(0, 1).err(),
        open(&from_nats("nats://127.0.0.1:1", "S").retry(Retry::never()), ">", None).err(),
    ];
    let expected = [
        "cannot read stream NOWHERE",
        "cannot read stream NOWHERE, subject some",
        "no stream takes subject nowhere: create one first",
        "cannot connect to the server of stream S",
    ];
    assert_eq!(cases.map(|it| it.expect("it is refused").to_string()), expected);
    let csv =
        from_nats(server.url(), "S").format(tidemill::connect::CsvInput::<(u8, u8)>::default());
    assert_eq!(csv.partitions(1).expect_err("it has a header").kind(), ErrorKind::Setting);
}

#[test]
fn the_example_reads_what_it_wrote() {
    let Some(server) = server() else { return };
    onlooker(&server).create("READINGS", &["readings.*"]);
    let mut example = child::example("nats");
    let ended = child::run(example.args(["--quiet", "-w", "2", "--url", server.url()])).well();
    let lines = Vec::from_iter(ended.out.lines());
    assert_eq!(lines.len(), 3, "{ended:?}");
    assert!(lines.iter().all(|it| it.starts_with("sensor ")), "{ended:?}");
    assert!(lines.iter().all(|it| it.contains("from 400 readings")), "{ended:?}");
}
