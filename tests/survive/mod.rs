//! Jobs in child processes that are killed and continue.

// Each test file that uses this room uses another part of it.
#![allow(dead_code)]

pub(crate) mod collections;
pub(crate) mod joins;
pub(crate) mod retained;
pub(crate) mod scenes;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use tempfile::TempDir;
use tidemill::Result;
use tidemill::checkpoint::faults::{Fault, Faulty};
use tidemill::connect::Random;
use tidemill::prelude::*;

use crate::child::{Ended, run, start};

const SCENARIO: &str = "TIDEMILL_TEST_SCENARIO";
const ARGUMENTS: &str = "TIDEMILL_TEST_ARGUMENTS";
const FOLDER: &str = "TIDEMILL_TEST_FOLDER";
pub(crate) const FAULT: &str = "TIDEMILL_TEST_FAULT";

/// What a child says when it listens to signals and builds its dataflow.
pub(crate) const BUILT: &str = "the dataflow is built";

/// Does what the environment of a child says: runs the job of a scenario. Otherwise nothing.
pub(crate) fn play(build: fn(&str, &Flow<'_>, &Path) -> Result<()>) {
    let Ok(name) = std::env::var(SCENARIO) else { return };
    let arguments = std::env::var(ARGUMENTS).expect("given with the scenario");
    let arguments = ["test"].into_iter().chain(arguments.split_whitespace());
    let settings = Settings::try_parse_from("test", arguments).unwrap_or_else(|it| it.exit());
    let folder = PathBuf::from(std::env::var(FOLDER).expect("given with the scenario"));
    let mut job = Job::new(name.clone(), settings);
    if let Ok(fault) = std::env::var(FAULT) {
        job = job.store(dying(&fault, &folder.with_extension("checkpoints")));
    }
    let done = job.run(move |flow| {
        println!("\n{BUILT}");
        build(&name, flow, &folder)
    });
    match done {
        Ok(_) => std::process::exit(0),
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::exit(1);
        }
    }
}

/// A store in a folder with a fault, such as `crash 3`. When it crashes, so does the process.
fn dying(fault: &str, place: &Path) -> Arc<dyn ObjectStore> {
    let (kind, at) = fault.split_once(' ').expect("a kind and a number");
    let kind = match kind {
        "crash" => Fault::Crash,
        "after" => Fault::CrashAfter,
        "tear" => Fault::Tear,
        "lose" => Fault::LoseAnswer,
        "full" => Fault::Full(3),
        _ => panic!("there is no fault {kind}"),
    };
    fs::create_dir_all(place).expect("a folder");
    let folder = LocalFileSystem::new_with_prefix(place).expect("a store");
    let faulty = Arc::new(Faulty::new(Arc::new(folder), at.parse().expect("a number"), kind));
    let watched = Arc::clone(&faulty);
    std::thread::spawn(move || {
        while !watched.crashed() {
            std::thread::sleep(Duration::from_micros(100));
        }
        std::process::abort();
    });
    faulty
}

/// A scenario and the folder that it is played in.
pub(crate) struct Scene {
    name: &'static str,
    folder: TempDir,
}

/// What is in the folders of an output: the lines of all visible files, sorted.
pub(crate) type Rows = BTreeMap<String, Vec<String>>;

impl Scene {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, folder: tempfile::tempdir().expect("a folder") }
    }

    /// A place inside.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A child that plays the scene in a folder of its own. `{place}` in the arguments stands for
    /// the place of its checkpoints.
    pub(crate) fn command(&self, output: &Path, arguments: &str) -> Command {
        let place = output.with_extension("checkpoints");
        let arguments = arguments.replace("{place}", place.to_str().expect("a path of a test"));
        let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
        command.args(["--exact", "scenario", "--nocapture"]);
        command.env(SCENARIO, self.name).env(ARGUMENTS, arguments).env(FOLDER, output);
        command
    }

    /// What a run without checkpoints on one worker writes.
    pub(crate) fn undisturbed(&self) -> Rows {
        self.undisturbed_with("")
    }

    /// The same with these arguments, too.
    pub(crate) fn undisturbed_with(&self, arguments: &str) -> Rows {
        let output = self.at("undisturbed");
        run(&mut self.command(&output, &format!("-w 1 --quiet {arguments}"))).well();
        let rows = rows(&output);
        assert!(rows.values().any(|lines| !lines.is_empty()), "the scene writes nothing");
        rows
    }

    /// Runs a child to its end in an output folder.
    pub(crate) fn run(&self, output: &str, arguments: &str) -> (Ended, PathBuf) {
        let output = self.at(output);
        (run(&mut self.command(&output, arguments)), output)
    }

    /// Kills so many children, each after a moment that the seed gives, and lets the last one come
    /// to its end. `arguments` are those of each child; says how often it was in time, and where
    /// the output is.
    pub(crate) fn killed(
        &self,
        seed: u64,
        kills: usize,
        arguments: impl Fn(usize) -> String,
    ) -> (usize, PathBuf) {
        let output = self.at(&format!("killed-{seed}"));
        let mut random = Random::new(seed);
        let mut killed = 0;
        for attempt in 0..=kills {
            let restore = if attempt == 0 { "" } else { " --restore latest" };
            let mut command = self.command(&output, &(arguments(attempt) + restore));
            if attempt == kills {
                run(&mut command).well();
                break;
            }
            let child = start(&mut command);
            std::thread::sleep(Duration::from_millis(50 + random.below(400)));
            killed += usize::from(child.kill());
        }
        (killed, output)
    }
}

/// Compares an output with what it should be, and shows the first difference.
pub(crate) fn assert_same(output: &Path, whole: &Rows, case: &str) {
    let found = rows(output);
    assert!(found.keys().eq(whole.keys()), "{case}: folders {:?}", found.keys());
    for (folder, lines) in whole {
        let found = &found[folder];
        let differ = lines.iter().zip(found).find(|(one, other)| one != other);
        let (expected, there) = (lines.len(), found.len());
        assert!(
            differ.is_none() && expected == there,
            "{case}: {folder} has {there} rows instead of {expected}; expected and found: {differ:?}"
        );
    }
}

/// The rows of each folder of an output. Readers do not see hidden files.
pub(crate) fn rows(output: &Path) -> Rows {
    let mut rows = Rows::new();
    for folder in entries(output).into_iter().filter(|it| seen(it)) {
        let mut lines = Vec::new();
        let files = if folder.is_dir() { entries(&folder) } else { vec![folder.clone()] };
        for file in files {
            if seen(&file) {
                let text = fs::read_to_string(&file).expect("a visible file can be read");
                assert!(text.is_empty() || text.ends_with('\n'), "{} is cut", file.display());
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        // The single files of several workers are one output.
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        let name = name.split(['-', '.']).next().unwrap_or_default().to_owned();
        rows.entry(name).or_default().append(&mut lines);
    }
    rows.values_mut().for_each(|lines| lines.sort());
    rows
}

/// Whether readers see it.
fn seen(path: &Path) -> bool {
    !path.file_name().expect("a name").to_string_lossy().starts_with('.')
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|it| panic!("{}: {it}", folder.display()));
    entries.map(|it| it.expect("an entry").path()).collect()
}
