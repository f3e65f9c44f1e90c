//! The jobs over collections that are killed, and what must hold of all they say.

use std::collections::BTreeMap;
use std::path::Path;

use tidemill::Result;
use tidemill::collection::Record;
use tidemill::connect::Random;
use tidemill::prelude::*;

use super::Rows;

/// When, from which account and to which something is transferred: always 1.
type Transfer = (i64, u8, u8);

/// A transfer between ten accounts, up to ten seconds out of order.
fn transfer(index: u64, random: &mut Random) -> Transfer {
    let at = index as i64 * 5 - random.below(10_000) as i64;
    (at, random.below(10) as u8, random.below(10) as u8)
}

fn sums<K: Record>(amounts: Collection<'_, (K, i64)>) -> Collection<'_, (K, i64)> {
    amounts.reduce(|_, amounts, sum| {
        sum.push((amounts.iter().map(|(amount, times)| **amount * *times as i64).sum(), 1));
    })
}

/// Writes how often each record is added or taken away, behind what it says.
fn write<D: Record>(
    collection: Collection<'_, D>,
    folder: &Path,
    line: impl Fn(&D) -> String + 'static,
) -> Result<()> {
    let lines = collection.changes().map(move |(record, diff)| format!("{} {diff}", line(&record)));
    lines.write(to_text(folder))
}

/// The sum of each account in each window of ten seconds.
fn windowed<'s>(entries: Events<'s, (u8, i64)>) -> Collection<'s, ((i64, u8), i64)> {
    let windows = entries.key_value(|it| it).window(Tumbling::new(seconds(10)));
    let sums = windows.aggregate(Sum::of(|amount: &i64| *amount));
    sums.map(|it| ((it.span.start().millis(), it.key), it.value)).values().inserts()
}

/// Credits and debits as aggregates of their own, joined to balances, and these summed up: of all
/// transfers so far, and of those of each window. Nothing is made or lost by a transfer.
pub(crate) fn bank(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let events = flow
        .read(generate(23, transfer).rate(20_000.0).limit(30_000))?
        .event_time(|it| EventTime::from_millis(it.0), Disorder::up_to(seconds(10)));
    // Who only pays has a credit of zero, and who only receives a debit.
    let credits = |(_, from, to): Transfer| [(to, 1), (from, 0)];
    let debits = |(_, from, to): Transfer| [(from, 1), (to, 0)];

    let transfers = events.clone().values().inserts();
    let received = sums(transfers.clone().flat_map(credits));
    let paid = sums(transfers.flat_map(debits));
    let balances = received.join(paid).map(|(account, (credit, debit))| (account, credit - debit));
    write(balances.clone(), &folder.join("balances"), |it| format!("{} {}", it.0, it.1))?;
    let total = sums(balances.map(|(_, balance)| ((), balance)));
    write(total, &folder.join("total"), |it| it.1.to_string())?;

    let received = windowed(events.clone().flat_map(credits));
    let paid = windowed(events.flat_map(debits));
    let balances = received.join(paid);
    let balances = balances.map(|((window, _), (credit, debit))| (window, credit - debit));
    write(sums(balances), &folder.join("windows"), |it| format!("{} {}", it.0, it.1))
}

/// Edges of the graph at a time.
const EDGES: u64 = 80;

type Edge = (u8, u8);

fn edge(index: u64) -> Edge {
    let mut random = Random::new(index);
    (random.below(60) as u8, random.below(60) as u8)
}

/// Components of a graph to which edges come and from which as many go, and how many vertices are
/// in none or in several: none at any time.
pub(crate) fn graph(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let numbers = flow.read(generate(0, |index, _| index).rate(4_000.0).limit(6_000))?;
    let changes = numbers.flat_map(|it| {
        let gone = it.checked_sub(EDGES).map(|gone| (edge(gone), -1));
        [(edge(it), 1)].into_iter().chain(gone)
    });
    let edges = changes.changelog().distinct();
    let edges = edges.flat_map(|(from, to)| [(from, to), (to, from)]);
    let vertices = edges.clone().map(|(vertex, _)| vertex).distinct();
    let labels = vertices.clone().map(|it| (it, it)).iterate(|labels| {
        let (edges, vertices) = (edges.enter(&labels), vertices.enter(&labels));
        let passed_on = labels.join(edges).map(|(_, (label, to))| (to, label));
        let all = passed_on.concat(vertices.map(|it| (it, it)));
        all.reduce(|_, labels, least| least.push((*labels[0].0, 1)))
    });
    write(labels.clone(), &folder.join("labels"), |it| format!("{} {}", it.0, it.1))?;
    let more = vertices.map(|_| ((), 1)).concat(labels.map(|_| ((), -1)));
    write(sums(more), &folder.join("total"), |it| it.1.to_string())
}

/// The contents that the changes in a folder come to.
fn contents(rows: &Rows, folder: &str) -> BTreeMap<String, i64> {
    let mut contents = BTreeMap::new();
    for row in &rows[folder] {
        let (record, diff) = row.rsplit_once(' ').expect("a row ends with a number");
        *contents.entry(record.to_owned()).or_default() += diff.parse::<i64>().expect("a number");
    }
    contents.retain(|_, times| *times != 0);
    contents
}

/// Whatever was said of the totals, each was zero; and what changed has come to the same as in an
/// undisturbed run.
#[track_caller]
pub(crate) fn assert_consistent(found: &Rows, whole: &Rows, case: &str) {
    assert!(found.keys().eq(whole.keys()), "{case}: folders {:?}", found.keys());
    for row in found.iter().filter(|it| it.0 == "total").flat_map(|(_, rows)| rows) {
        assert!(row.starts_with("0 "), "{case}: a total was {row}");
    }
    for row in found.iter().filter(|it| it.0 == "windows").flat_map(|(_, rows)| rows) {
        assert!(row.ends_with(" 0 1"), "{case}: the total of a window was {row}");
    }
    for folder in whole.keys() {
        assert_eq!(contents(found, folder), contents(whole, folder), "{case}: {folder}");
    }
}
