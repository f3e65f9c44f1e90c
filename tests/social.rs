//! The example `social` against a slow model: PageRank by many iterations over the events that are not too
//! old, for every epoch.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Parser;
use tidemill::graph::TOLERANCE;
use tidemill::prelude::*;

#[allow(dead_code)]
#[path = "../examples/social.rs"]
mod social;

use social::{Event, Line, Ranked, owner};

const EPOCH: usize = 100;
const LAST: i64 = 15 * 60 * 1_000_000;
const DELAY: i64 = 30_000_000;
const TOP: usize = 8;

/// Ranks per thousand in the graph of these acts.
fn pagerank(acts: &BTreeSet<(&str, &str)>) -> BTreeMap<String, f64> {
    let people: BTreeSet<&str> = acts.iter().flat_map(|it| [it.0, it.1]).collect();
    let places: BTreeMap<&str, usize> = people.iter().copied().zip(0..).collect();
    let ways = acts.iter().map(|it| (places[it.0], places[it.1]));
    let ways: Vec<(usize, usize)> = ways.collect();
    let count = people.len() as f64;
    let mut leads = vec![0.0; people.len()];
    ways.iter().for_each(|it| leads[it.0] += 1.0);
    let mut ranks = vec![1.0 / count; people.len()];
    for _ in 0..200 {
        let left: f64 = ranks.iter().zip(&leads).filter(|it| *it.1 == 0.0).map(|it| it.0).sum();
        let mut next = vec![(0.15 + 0.85 * left) / count; people.len()];
        ways.iter().for_each(|(from, to)| next[*to] += 0.85 * ranks[*from] / leads[*from]);
        ranks = next;
    }
    people.into_iter().zip(ranks).map(|(name, rank)| (name.to_owned(), 1_000.0 * rank)).collect()
}

/// What is to be found.
struct Model {
    /// Of each event the rank of its actor in its epoch.
    ranked: Vec<(String, f64)>,
    /// For each table, the repositories with the weights of their events and their number.
    tables: BTreeMap<EventTime, BTreeMap<String, (f64, isize)>>,
}

fn model(events: &[Event], every: i64) -> Model {
    let mut model = Model { ranked: Vec::new(), tables: BTreeMap::new() };
    let mut tick = events.iter().map(|it| it.created_at.micros()).min().unwrap() / every + 1;
    let mut watermark = i64::MIN;
    let others = |it: &Event| owner(&it.repo.name) != it.actor.login;
    for (epoch, new) in events.chunks(EPOCH).enumerate() {
        let came = &events[..epoch * EPOCH + new.len()];
        // What was too old when it came never counted.
        let latest = came.iter().map(|it| it.created_at.micros()).max().unwrap();
        watermark = watermark.max(latest - DELAY - 1);
        let there: Vec<&Event> = came
            .iter()
            .filter(|it| it.created_at.micros() + LAST > watermark && others(it))
            .collect();
        let acts = there.iter().map(|it| (it.actor.login.as_str(), owner(&it.repo.name))).collect();
        let ranks = pagerank(&acts);
        let new = new.iter().filter(|it| others(it));
        model.ranked.extend(new.map(|it| (it.actor.login.clone(), ranks[&it.actor.login])));
        while tick * every - 1 <= watermark {
            let mut table = BTreeMap::<String, (f64, isize)>::new();
            for it in &there {
                let (weight, count) = table.entry(it.repo.name.clone()).or_default();
                *weight += ranks[&it.actor.login];
                *count += 1;
            }
            model.tables.insert(EventTime::from_micros(tick * every), table);
            tick += 1;
        }
    }
    model
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 2.0 * TOLERANCE * other.abs()
}

#[track_caller]
fn check(input: Option<&Path>, events: &[Event], every: &str, micros: i64, workers: &[usize]) {
    let expected = model(events, micros);
    assert!(expected.tables.len() > 3, "there are few tables");
    for workers in workers {
        let output = tempfile::tempdir().unwrap();
        let folder = output.path().join("events");
        let mut given = format!(
            "social --quiet -w {workers} --epoch-ms 60000 --every {every} --output {}",
            folder.display()
        );
        if let Some(input) = input {
            given += &format!(" --input {}", input.display());
        }
        let tables = collect::<Vec<Line>>();
        let sink = tables.clone();
        let arguments = social::Arguments::parse_from(given.split(' '));
        social::run(&arguments, move || sink.clone(), Some).unwrap();

        let ranked = read_all(&csv::<Ranked>(&folder)).unwrap();
        compare_events(ranked, &expected.ranked);
        let found: BTreeMap<EventTime, Vec<Line>> =
            tables.take().into_iter().map(|lines| (lines[0].0, lines)).collect();
        for (tick, table) in &expected.tables {
            compare_table(&found[tick], table);
        }
        // One more may come with the end of time, when there is nothing any more.
        assert_eq!(found.len(), expected.tables.len(), "{workers} workers");
    }
}

/// The rows of the file are those of the model, as a multiset.
fn compare_events(ranked: Vec<Ranked>, expected: &[(String, f64)]) {
    let mut found: Vec<_> = ranked.into_iter().map(|it| (it.actor, it.rank)).collect();
    let mut expected = expected.to_vec();
    let order = |one: &(String, f64), other: &(String, f64)| {
        one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))
    };
    found.sort_by(order);
    expected.sort_by(order);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found.0 == expected.0 && close(found.1, expected.1), "{found:?} {expected:?}");
    }
}

/// The lines of a table are of the heaviest repositories; of those that weigh the same, of any.
fn compare_table(lines: &[Line], expected: &BTreeMap<String, (f64, isize)>) {
    let mut weights: Vec<f64> = expected.values().map(|it| it.0).collect();
    weights.sort_by(|one, other| other.total_cmp(one));
    weights.truncate(TOP);
    assert_eq!(lines.len(), weights.len());
    // The lines of an epoch come in their own order: the lightest first.
    for (line, weight) in lines.iter().rev().zip(weights) {
        let (its_weight, events) = expected[&line.2];
        assert!(close(line.1.0, its_weight) && line.3 == events, "{line:?}");
        assert!(close(line.1.0, weight), "{line:?} should weigh {weight}");
    }
}

#[test]
fn the_village_has_the_ranks_of_the_model() {
    let events: Vec<Event> = social::invented().collect();
    check(None, &events, "10m", 600_000_000, &[1, 2, 4]);
}

#[test]
fn an_hour_of_github_has_the_ranks_of_the_model() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = "shared/data/events/gharchive-2015-01-01-0.json.gz";
    let mut files = here.ancestors().skip(1).map(|it| it.join(name));
    let Some(file): Option<PathBuf> = files.find(|it| it.is_file()) else {
        println!("skipped: {name} is not here");
        return;
    };
    let events = read_all(&jsonl::<Event>(&file)).unwrap();
    check(Some(&file), &events, "10m", 600_000_000, &[2]);
}
