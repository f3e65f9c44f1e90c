//! Whole jobs that write to servers and are killed: what the tables and streams hold in the end is what
//! an undisturbed run leaves there, nothing lost and nothing double. Each test runs this file again
//! as the job.

#![cfg(all(unix, any(feature = "nats", feature = "postgres")))]

#[path = "../child/mod.rs"]
mod child;
#[path = "../servers/mod.rs"]
mod servers;
#[path = "../survive/mod.rs"]
mod survive;

#[cfg(feature = "nats")]
mod streams;
#[cfg(feature = "postgres")]
mod tables;

use std::fs;
use std::path::Path;

use tidemill::prelude::*;

use survive::{Scene, scenes};

/// What a child does. Without the environment of one, this is a test that does nothing.
#[test]
fn scenario() {
    survive::play(|name, flow, folder| match name {
        #[cfg(feature = "postgres")]
        "tables" => tables::build(flow, folder),
        #[cfg(feature = "nats")]
        "streams" => streams::build(flow, folder),
        unknown => panic!("there is no scenario {unknown}"),
    });
}

/// The name of the file, beside the output of a child, with the server's address.
const SERVER: &str = "server";

/// The address of the server that a child is to use.
fn address(folder: &Path) -> String {
    fs::read_to_string(folder.with_file_name(SERVER)).expect("written before the child is started")
}

/// What distinguishes the tables and streams of one output from those of another.
fn suffix(folder: &Path) -> String {
    let name = folder.file_name().expect("an output has a name").to_string_lossy();
    name.replace('-', "_")
}

fn keyed<'s>(records: Stream<'s, scenes::Record>) -> Keyed<'s, u64, i64> {
    let at = |it: &scenes::Record| EventTime::from_millis(it.0);
    records.event_time(at, Disorder::up_to(millis(300))).key_value(|it| (it.1, it.2))
}

/// Runs a scene undisturbed and then killed so many times, on other numbers of workers each time, and
/// compares what `read` finds in the places of both.
fn delivers<T: Ord + std::fmt::Debug>(
    scene: &Scene,
    (seed, kills): (u64, usize),
    prepare: impl Fn(&str),
    read: impl Fn(&str) -> Vec<T>,
) {
    prepare("undisturbed");
    scene.run("undisturbed", "-w 1 --quiet").0.well();
    let mut whole = read("undisturbed");
    whole.sort();
    assert!(!whole.is_empty(), "the scene writes nothing");

    prepare(&format!("killed_{seed}"));
    let workers = [1, 2, 4, 2, 3];
    let arguments = |attempt: usize| {
        let workers = workers[attempt % workers.len()];
        format!("-w {workers} --checkpoint {{place}} --checkpoint-ms 40")
    };
    let (killed, _) = scene.killed(seed, kills, arguments);
    assert!(killed >= 6, "it was killed {killed} times only");
    let mut found = read(&format!("killed_{seed}"));
    found.sort();
    let differ = whole.iter().zip(&found).find(|(one, other)| one != other);
    let (expected, there) = (whole.len(), found.len());
    assert!(
        differ.is_none() && expected == there,
        "seed {seed}: {there} rows instead of {expected}; expected and found: {differ:?}"
    );
}
