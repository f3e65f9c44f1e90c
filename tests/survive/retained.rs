//! Collections of what is not too old, or of windows, that are killed; and graphs.

use std::path::Path;

use serde::Serialize;
use tidemill::Result;
use tidemill::connect::Random;
use tidemill::graph::{Edge, Graph, Update};
use tidemill::prelude::*;

/// A number that no other record has, a key and an amount: out of order by up to a second.
type Sale = (u64, u8, i64);

fn sales<'s>(flow: &Flow<'s>) -> Result<Events<'s, Sale>> {
    let sale = |index: u64, random: &mut Random| {
        let at = index as i64 * 10 - random.below(1_000) as i64;
        (at, (index, random.below(20) as u8, random.below(100) as i64))
    };
    let sales = flow.read(generate(41, sale).rate(12_000.0).limit(18_000))?;
    let events = sales.event_time(|it| EventTime::from_millis(it.0), Disorder::up_to(seconds(1)));
    Ok(events.map(|it| it.1))
}

/// Each sale as it comes and as it goes a minute later; and for each window and key what it came to
/// for certain. With few rows in an epoch all of that is the same however epochs are cut.
pub(crate) fn retained(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let sales = sales(flow)?;
    let lasting = sales.clone().lasting(minutes(1));
    // At the end of time everything goes at once: what comes just then is never seen.
    let seen = lasting.filter(|sale| sale.0 < 16_000).changes();
    let lines = seen.map(|(sale, times)| format!("{sale:?} {times}"));
    lines.write(to_text(folder.join("lasting")))?;

    let windows = sales.windowed(Sliding::new(seconds(10), seconds(5)));
    let by_key = windows.map(|(verdict, (_, key, amount))| ((verdict, key), amount));
    let sums = by_key.aggregate((Count, Sum::of(|amount: &i64| *amount)));
    let sums = sums.map(|((verdict, key), sums)| (verdict, (key, sums)));
    let certain = sums.verdicts().filter(|((verdict, _), _)| verdict.certain());
    let line = |((verdict, sums), _): ((Verdict, _), isize)| {
        let _: &(u8, (isize, i64)) = &sums;
        format!("{} {sums:?}", verdict.span())
    };
    certain.map(line).write(to_text(folder.join("windowed")))
}

/// Edges of the graph at a time, and how many come in all.
const EDGES: u64 = 90;
const CHANGES: u64 = 6_000;

/// Steps from a vertex and components of a graph to which edges come and from which as many go, one in
/// each epoch: then every run says the same of each epoch.
pub(crate) fn spreading(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let edge = |index: u64| {
        let mut random = Random::new(index);
        Edge::new(random.below(70), random.below(70))
    };
    let changes = iterate(move || {
        (0..CHANGES).map(move |index| match (index / 2, index % 2) {
            (come, 0) => (edge(come), 1),
            (come, _) if come >= EDGES => (edge(come - EDGES), -1),
            (come, _) => (edge(come), 0),
        })
    });
    let edges = flow.read(changes)?.changelog();
    let graph = Graph::undirected(edges);
    let steps = graph.bfs(0).updates().map(line);
    steps.write(to_text(folder.join("steps")))?;
    graph.wcc().updates().map(line).write(to_text(folder.join("components")))
}

/// What changed, but for the epoch: its number depends on when checkpoints were taken.
fn line<V: Serialize + std::fmt::Debug>(update: Update<V>) -> String {
    format!("{} {:?} {:?}", update.vertex, update.old, update.new)
}
