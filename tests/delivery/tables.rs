//! Tables of PostgreSQL: rows that are appended, and rows that replace those of their key.

use std::fs;
use std::path::Path;

use serde::Serialize;
use tidemill::Result;
use tidemill::prelude::*;

use crate::servers::postgres::{Server, server};
use crate::survive::{Scene, scenes};
use crate::{SERVER, address, delivers, keyed, suffix};

/// A window of a key.
#[derive(Clone, Serialize)]
struct Total {
    key: u64,
    start_ms: i64,
    count: u64,
    sum: i64,
}

/// The windows of each key to a table that grows and to one that is brought up to date, and how many
/// records a key has had to two more.
pub(crate) fn build(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let (url, suffix) = (address(folder), suffix(folder));
    let table = |name: &str| format!("{name}_{suffix}");
    let records = flow.read(generate(11, scenes::record).rate(20_000.0).limit(40_000))?;
    let keyed = keyed(records);
    let totals = keyed.clone().window(Tumbling::new(seconds(2)));
    let totals = totals.aggregate((Count, Sum::of(|it: &i64| *it))).map(|pane| {
        let (count, sum) = pane.value;
        Total { key: pane.key, start_ms: pane.span.start().millis(), count, sum }
    });
    totals.clone().write(to_postgres(&url, table("totals")))?;
    totals.write(to_postgres(&url, table("replaced")).upsert(["key", "start_ms"]))?;
    let counts = keyed.aggregate(Count);
    let columns = ["key", "count"];
    counts.clone().write(to_postgres(&url, table("counts")).columns(columns))?;
    counts.write(to_postgres(&url, table("newest")).columns(columns).upsert(["key"]))
}

fn prepare(server: &Server, suffix: &str) {
    let total = "key bigint, start_ms bigint, count bigint, sum bigint";
    let tables = format!(
        "CREATE TABLE totals_{suffix} ({total});
         CREATE TABLE replaced_{suffix} ({total}, PRIMARY KEY (key, start_ms));
         CREATE TABLE counts_{suffix} (key bigint, count bigint);
         CREATE TABLE newest_{suffix} (key bigint PRIMARY KEY, count bigint)"
    );
    server.client().batch_execute(&tables).expect("tables are made");
}

/// All rows of all tables, as text.
fn read(server: &Server, suffix: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for table in ["totals", "replaced", "counts", "newest"] {
        let query = format!("SELECT row::text FROM {table}_{suffix} AS row");
        let rows = server.client().query(&query, &[]).expect("a query");
        all.extend(rows.iter().map(|row| (table.to_owned(), row.get(0))));
    }
    all
}

#[test]
fn tables_of_a_killed_job_are_those_of_an_undisturbed_one() {
    let Some(server) = server() else { return };
    let scene = Scene::new("tables");
    fs::write(scene.at(SERVER), server.url()).expect("written");
    delivers(&scene, (21, 9), |suffix| prepare(&server, suffix), |suffix| read(&server, suffix));
    let rows = read(&server, "undisturbed");
    let of = |table: &str| rows.iter().filter(|it| it.0 == table).count();
    assert_eq!((of("counts"), of("newest")), (40_000, 40), "each record counts");
    assert_eq!(of("totals"), of("replaced"));
}
