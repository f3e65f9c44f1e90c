//! The example `sessions` against a slow model: sessions as a person would mark them on a list.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use clap::Parser;
use flate2::read::GzDecoder;
use serde::Deserialize;

#[allow(dead_code)]
#[path = "../examples/sessions.rs"]
mod sessions;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/edits-2015-09-12.csv.gz");

#[derive(Deserialize)]
struct Edit {
    time: jiff::Timestamp,
    user: String,
    page: String,
    added: u64,
}

/// A user, the first and the last moment, how many edits and pages, and what was added.
type Found = (String, i64, i64, u64, usize, u64);

/// Cuts the edits of each user wherever half an hour passed without one.
fn model() -> Vec<Found> {
    let mut rows = csv::Reader::from_reader(GzDecoder::new(File::open(DATA).unwrap()));
    let mut users = BTreeMap::<String, Vec<Edit>>::new();
    for edit in rows.deserialize::<Edit>().map(Result::unwrap) {
        users.entry(edit.user.clone()).or_default().push(edit);
    }
    let at = |edit: &Edit| edit.time.as_microsecond();
    let mut found = Vec::new();
    for (user, edits) in users {
        for session in edits.chunk_by(|a, b| at(b) - at(a) < 1_800_000_000) {
            let pages: BTreeSet<_> = session.iter().map(|it| &it.page).collect();
            found.push((
                user.clone(),
                at(&session[0]),
                at(&session[session.len() - 1]),
                session.len() as u64,
                pages.len(),
                session.iter().map(|it| it.added).sum(),
            ));
        }
    }
    found.sort();
    found
}

#[test]
fn sessions_are_those_of_the_model() {
    let expected = model();
    // What an earlier run wrote is replaced.
    let output = tempfile::tempdir().unwrap();
    for arguments in ["-w 1", "-w 2 --epoch-rows 10", "-w 1 --epoch-rows 1000", "-w 4"] {
        let folder = output.path().display().to_string();
        let given = ["sessions", "--quiet", "--output", &folder].into_iter();
        let arguments = sessions::Arguments::parse_from(given.chain(arguments.split(' ')));
        let found = sessions::run(&arguments).unwrap();
        let mut found: Vec<Found> = found
            .into_iter()
            .map(|it| (it.user, it.start.micros(), it.end.micros(), it.edits, it.pages, it.added))
            .collect();
        found.sort();
        assert_eq!(found, expected);
    }
}
