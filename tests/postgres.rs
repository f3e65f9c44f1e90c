//! Tables of PostgreSQL as sinks, on a server of the tests' own: types, upserts, crashes, errors.

#![cfg(all(feature = "postgres", unix))]

mod child;
mod servers;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tidemill::connect::{Sink, Writer};
use tidemill::prelude::*;
use tidemill::{Error, ErrorKind};

use servers::postgres::{Server, server};

/// A sink that does not wait long.
fn sink<T: Serialize + Send + 'static>(server: &Server, table: &str) -> PostgresSink<T> {
    let retry = Retry::fixed(5, Duration::from_millis(20));
    to_postgres(server.url(), table).retry(retry)
}

/// The values of a query with one text column.
fn texts(server: &Server, query: &str) -> Vec<Option<String>> {
    let rows = server.client().query(query, &[]).expect("a query");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The numbers of a table with one column, in order.
fn numbers(server: &Server, table: &str) -> Vec<i64> {
    let query = format!("SELECT number FROM {table} ORDER BY number");
    let rows = server.client().query(&query, &[]).expect("a query");
    rows.iter().map(|row| row.get(0)).collect()
}

/// How many rows are staged for a sink.
fn staged(server: &Server, sink: &str) -> i64 {
    let mut client = server.client();
    let tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE $1";
    let tables = client.query(tables, &[&format!("tidemill_staged_{sink}_%")]).expect("a query");
    let count = |table: &str| format!("SELECT count(*) FROM \"{table}\"");
    let counts = tables.iter().map(|row| client.query_one(&count(row.get(0)), &[]));
    counts.map(|row| row.expect("a count").get::<_, i64>(0)).sum()
}

fn create(server: &Server, statements: &str) {
    server.client().batch_execute(statements).expect("tables are made");
}

#[derive(Clone, Serialize)]
struct Number {
    number: i64,
}

type Pen = Box<dyn Writer<Record = Number>>;

fn pen(sink: &PostgresSink<Number>, worker: usize, peers: usize) -> Pen {
    sink.open(worker, peers).expect("the sink opens")
}

fn write(pen: &mut Pen, numbers: impl IntoIterator<Item = i64>) {
    let mut numbers = numbers.into_iter().map(|number| Number { number }).collect();
    pen.write(&mut numbers).expect("written");
    assert!(numbers.is_empty());
}

#[test]
fn values_arrive_with_the_types_of_their_columns() {
    #[derive(Clone, Serialize)]
    struct Place {
        x: f32,
    }
    #[derive(Clone, Serialize)]
    struct Row {
        id: u64,
        text: Option<String>,
        float: f64,
        big: u128,
        at: &'static str,
        json: &'static str,
        place: Place,
        flag: bool,
    }
    let Some(server) = server() else { return };
    create(
        &server,
        "CREATE TABLE \"Typed\" (id bigint PRIMARY KEY, text text, \"float\" double precision,
         big numeric, at timestamptz, json jsonb, \"place.x\" real, flag boolean,
         made text DEFAULT 'by default')",
    );
    let sink = sink::<Row>(&server, "Typed");
    let row = |id, text: Option<&str>, float| Row {
        id,
        text: text.map(str::to_owned),
        float,
        big: u128::MAX,
        at: "2026-01-02T03:04:05.678901Z",
        json: r#"{"a": [1, "x,y"]}"#,
        place: Place { x: 0.1 },
        flag: id == 1,
    };
    let rows = vec![
        row(1, None, f64::NAN),
        row(2, Some(""), f64::NEG_INFINITY),
        row(3, Some("\\N"), -0.1),
        row(4, Some("a\t\"b\"\r\n, ü\\."), f64::MIN_POSITIVE),
    ];
    Job::new("test", Settings::default().quiet())
        .run(move |flow| {
            let rows = rows.clone();
            flow.read(iterate(move || rows.clone()))?.write(sink.clone())
        })
        .expect("the job runs");
    let seen =
        |column: &str| texts(&server, &format!("SELECT {column} FROM \"Typed\" ORDER BY id"));
    let some = |texts: [&str; 4]| texts.map(|it| Some(it.to_owned()));
    let mut expected = some(["", "", "\\N", "a\t\"b\"\r\n, ü\\."]);
    expected[0] = None;
    assert_eq!(seen("text"), expected);
    assert_eq!(
        seen("\"float\"::text"),
        some(["NaN", "-Infinity", "-0.1", "2.2250738585072014e-308"])
    );
    assert_eq!(seen("big::text")[0], Some(u128::MAX.to_string()));
    assert_eq!(seen("json->'a'->>1"), some(["x,y"; 4]));
    let micros = "(extract(epoch FROM at) * 1000000)::bigint::text";
    assert_eq!(seen(micros), some(["1767323045678901"; 4]));
    assert_eq!(
        seen("\"place.x\"::text || flag"),
        some(["0.1true", "0.1false", "0.1false", "0.1false"])
    );
    assert_eq!(seen("made"), some(["by default"; 4]));
}

#[test]
fn the_newest_row_of_a_key_stays() {
    let Some(server) = server() else { return };
    for workers in [1, 2, 4] {
        let table = format!("newest_{workers}");
        create(
            &server,
            &format!("CREATE TABLE {table} (key bigint PRIMARY KEY, count bigint, untouched text)"),
        );
        let sink = sink::<(u64, u64)>(&server, &table).columns(["key", "count"]).upsert(["key"]);
        let settings = Settings::default().workers(workers).epoch_rows(100).quiet();
        Job::new("test", settings)
            .run(move |flow| {
                flow.read(generate(1, |index, random| (random.below(20), index)).limit(5_000))?
                    .event_time(|_| EventTime::from_millis(0), Disorder::ascending())
                    .key_by(|it| it.0)
                    .window(tidemill::window::Global)
                    .trigger(trigger::EveryRecords::new(1))
                    .aggregate(Count)
                    .map(|pane| (pane.key, pane.value))
                    .write(sink.clone())
            })
            .expect("the job runs");
        let mut expected = BTreeMap::<u64, u64>::new();
        let sink = collect::<u64>();
        let keys = sink.clone();
        Job::new("model", Settings::default().quiet())
            .run(move |flow| {
                flow.read(generate(1, |_, random| random.below(20)).limit(5_000))?
                    .write(sink.clone())
            })
            .expect("the job runs");
        keys.take().into_iter().for_each(|key| *expected.entry(key).or_default() += 1);
        let rows = server.client().query(&format!("SELECT key, count FROM {table}"), &[]);
        let rows = rows.expect("a query");
        let seen =
            rows.iter().map(|row| (row.get::<_, i64>(0) as u64, row.get::<_, i64>(1) as u64));
        assert_eq!(BTreeMap::from_iter(seen), expected, "{workers} workers");
        assert_eq!(staged(&server, &table), 0);
    }
}

#[test]
fn prepared_rows_show_once_they_are_committed_and_only_once() {
    let Some(server) = server() else { return };
    create(&server, "CREATE TABLE once (number bigint)");
    let sink = sink(&server, "once");
    let mut first = pen(&sink, 0, 2);
    write(&mut first, 0..3);
    let one = first.prepare().expect("prepared");
    write(&mut first, 3..5);
    first.flush().expect("flushed");
    let two = first.prepare().expect("prepared");
    assert!(first.prepare().expect("prepared").is_empty(), "there is nothing to commit");
    assert_eq!(numbers(&server, "once"), [0; 0]);
    first.commit(&one).expect("committed");
    first.commit(&one).expect("committed again");
    assert_eq!(numbers(&server, "once"), [0, 1, 2]);
    drop(first);
    // Another worker of another run commits everything, in no particular order.
    let mut other = pen(&sink, 1, 2);
    for prepared in [&[][..], &two, &one, &two] {
        other.commit(prepared).expect("committed");
    }
    assert_eq!(numbers(&server, "once"), [0, 1, 2, 3, 4]);
    write(&mut other, 5..7);
    let three = other.prepare().expect("prepared");
    for _ in 0..2 {
        other.abort(&three).expect("aborted");
    }
    other.abort(&[]).expect("nothing is aborted");
    let gone = other.commit(&three).expect_err("its rows are gone");
    assert_eq!(gone.kind(), ErrorKind::State);
    assert!(gone.to_string().contains("0 of the 2 rows prepared for table once"), "{gone}");
    assert_eq!(numbers(&server, "once"), [0, 1, 2, 3, 4]);
    assert_eq!(staged(&server, "once"), 0);
}

/// One run of a job that is checkpointed every ten numbers: it continues from `saved`, which holds
/// how far it had read and what it had prepared, and does `steps` before it crashes. Says whether it
/// came to its end.
struct Run<'a> {
    sink: &'a PostgresSink<Number>,
    steps: usize,
}

#[derive(Clone, Default)]
struct Saved {
    read: i64,
    prepared: Vec<Vec<u8>>,
}

const ALL: i64 = 35;

impl Run<'_> {
    fn step(&mut self) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        Some(())
    }

    fn go(mut self, saved: &mut Option<Saved>, workers: usize) -> Option<()> {
        let mut pens = Vec::from_iter((0..workers).map(|worker| pen(self.sink, worker, workers)));
        let mut read = 0;
        if let Some(saved) = saved.clone() {
            read = saved.read;
            for (place, prepared) in saved.prepared.iter().enumerate() {
                self.step()?;
                pens[(place + 1) % workers].commit(prepared).expect("committed");
            }
            pens.iter_mut().for_each(|pen| pen.commit(&[]).expect("nothing is committed"));
        }
        while read < ALL {
            let until = (read + 10).min(ALL);
            for (worker, pen) in pens.iter_mut().enumerate() {
                self.step()?;
                write(pen, (read..until).filter(|it| *it as usize % workers == worker));
            }
            let mut prepared = Vec::new();
            for pen in &mut pens {
                self.step()?;
                prepared.push(pen.prepare().expect("prepared"));
            }
            self.step()?;
            read = until;
            *saved = Some(Saved { read, prepared: prepared.clone() });
            for (pen, prepared) in pens.iter_mut().zip(&prepared) {
                self.step()?;
                pen.commit(prepared).expect("committed");
            }
        }
        pens.iter_mut().for_each(|pen| pen.close().expect("closed"));
        Some(())
    }
}

#[test]
fn a_crash_at_any_step_neither_loses_nor_doubles_a_row() {
    let Some(server) = server() else { return };
    for (upsert, change) in [(false, [2, 2]), (true, [2, 1]), (false, [1, 3])] {
        let table = format!("crash_{upsert}_{}_{}", change[0], change[1]);
        create(&server, &format!("CREATE TABLE {table} (number bigint UNIQUE)"));
        let sink = sink(&server, &table);
        let sink = if upsert { sink.upsert(["number"]) } else { sink };
        let expected = Vec::from_iter(0..ALL);
        let mut crashes = 0;
        for steps in 0.. {
            create(&server, &format!("TRUNCATE {table}"));
            let mut saved = None;
            let ended = Run { sink: &sink, steps }.go(&mut saved, change[0]);
            if ended.is_none() {
                crashes += 1;
                Run { sink: &sink, steps: usize::MAX }.go(&mut saved, change[1]).expect("it ends");
            }
            assert_eq!(numbers(&server, &table), expected, "crash after {steps} steps");
            assert_eq!(staged(&server, &table), 0, "crash after {steps} steps");
            if ended.is_some() {
                break;
            }
        }
        assert!(crashes > 12, "{crashes} crashes");
    }
}

#[test]
fn a_lost_connection_is_opened_again() {
    let Some(server) = server() else { return };
    create(&server, "CREATE TABLE lost (number bigint)");
    let lose = || {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                      WHERE application_name = 'to be lost'";
        server.client().batch_execute(others).expect("they are ended");
    };
    let url = format!("{} application_name='to be lost'", server.url());
    let sink = to_postgres(url, "lost").retry(Retry::fixed(5, Duration::from_millis(20)));
    let mut pen = pen(&sink, 0, 1);
    lose();
    write(&mut pen, 0..3);
    lose();
    let one = pen.prepare().expect("prepared");
    lose();
    pen.commit(&one).expect("committed");
    write(&mut pen, 3..6);
    let two = pen.prepare().expect("prepared");
    lose();
    pen.abort(&two).expect("aborted");
    write(&mut pen, 6..8);
    lose();
    pen.close().expect("closed");
    assert_eq!(numbers(&server, "lost"), [0, 1, 2, 6, 7]);
}

#[test]
fn more_rows_than_fit_the_buffer_wait_for_the_first_flush() {
    let Some(server) = server() else { return };
    create(&server, "CREATE TABLE large (number bigint)");
    let many = 400_000;
    let mut pen = pen(&sink(&server, "large"), 0, 1);
    write(&mut pen, 0..many);
    assert_eq!(numbers(&server, "large").len(), 0, "nobody said that they may be shown");
    pen.flush().expect("flushed");
    assert!(numbers(&server, "large").into_iter().eq(0..many));
    write(&mut pen, many..2 * many);
    assert!(numbers(&server, "large").len() > many as usize, "what is full is sent");
    pen.close().expect("closed");
    assert!(numbers(&server, "large").into_iter().eq(0..2 * many));
    assert_eq!(staged(&server, "large"), 0);
}

/// The error of writing these records without checkpoints.
fn refused<T: Serialize + Send + 'static>(sink: &PostgresSink<T>, mut records: Vec<T>) -> Error {
    let mut writer = match sink.open(0, 1) {
        Ok(writer) => writer,
        Err(error) => return error,
    };
    writer.write(&mut records).and_then(|()| writer.flush()).expect_err("it is refused")
}

#[test]
fn errors_name_the_table_the_column_and_the_row() {
    let Some(server) = server() else { return };
    create(
        &server,
        "CREATE TABLE strict (id integer PRIMARY KEY, shown integer NOT NULL CHECK (shown < 100))",
    );
    type Row = (&'static str, Option<&'static str>);
    let sink = || sink::<Row>(&server, "strict").columns(["id", "shown"]);
    let bad = |id: &'static str, shown| vec![("1", Some("1")), (id, shown), ("3", Some("3"))];
    let cases = [
        // A value of another type, one that is missing, one that is too large, one that is there.
        (
            sink(),
            bad("2", Some("x")),
            "cannot write to table strict, row 2,x",
            "column shown: \"x\"",
        ),
        (sink(), bad("2", None), "row 2,\\N", "null value in column \"shown\""),
        (sink(), bad("2", Some("100")), "row 2,100", "strict_shown_check"),
        (sink(), bad("1", Some("1")), "row 1,1", "Key (id)=(1) already exists"),
        (sink().upsert(["id"]), bad("2", Some("x")), "row 2,x", "column shown: \"x\""),
        (sink().upsert(["id"]), bad("2", None), "row 2,\\N", "null value in column \"shown\""),
        (sink().upsert(["id"]), bad("2", Some("100")), "table strict", "strict_shown_check"),
    ];
    for (sink, records, place, reason) in cases {
        let error = refused(&sink, records);
        assert_eq!(error.kind(), ErrorKind::Malformed, "{error:#}");
        let said = format!("{error:#}");
        assert!(error.to_string().contains(place) && said.contains(reason), "{said}");
    }
    assert_eq!(texts(&server, "SELECT id::text FROM strict").len(), 0);
}

#[test]
fn a_table_that_cannot_be_written_is_refused_with_the_remedy() {
    let Some(server) = server() else { return };
    create(&server, "CREATE TABLE bare (a integer, b integer)");
    let bare = || sink::<(i32, i32)>(&server, "bare");
    let cases = [
        (sink(&server, "nowhere"), "there is no table nowhere"),
        (bare(), "give the sink `columns`"),
        (bare().columns(["a", "c"]), "column \"c\" of relation \"bare\" does not exist"),
        (bare().columns(["a", "c"]).upsert(["a"]), "table bare has no column c"),
        (bare().columns(["a", "b"]).upsert(["a"]), "no unique or exclusion constraint"),
        (bare().columns(["a", "b"]).upsert(["c"]), "`upsert` of table bare names c"),
        (bare().columns(["a"]), "does not have 1 fields"),
        (to_postgres("host=/nowhere", "bare").retry(Retry::never()), "cannot find table bare"),
        (to_postgres("no url", "bare"), "the url of the sink postgres bare"),
        (to_postgres(server.url(), "a..b"), "there is no table a..b"),
    ];
    for (sink, reason) in cases {
        let said = format!("{:#}", refused(&sink, vec![(1, 2)]));
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn the_example_writes_the_same_rows_however_often_it_runs() {
    let Some(server) = server() else { return };
    let columns = "page text, minute timestamptz, clicks bigint, PRIMARY KEY (page, minute)";
    create(&server, &format!("CREATE TABLE clicks ({columns})"));
    for workers in ["1", "2"] {
        let mut example = child::example("postgres");
        let ended = child::run(example.args(["--quiet", "-w", workers, "--url", &server.url()]));
        assert_eq!(ended.well().out, "85 rows");
        let counts = texts(&server, "SELECT count(*) || ' ' || sum(clicks) FROM clicks");
        assert_eq!(counts, [Some("85 100000".to_owned())]);
    }
}
