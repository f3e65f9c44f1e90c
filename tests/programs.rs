//! The examples that take checkpoints, killed and continued: the files that they leave, and what they
//! print in the end, are those of a run that nobody disturbed.

#![cfg(unix)]

mod child;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidemill::connect::Random;
use tidemill::graph::TOLERANCE;

use child::{example, run, start};

/// What a program leaves: the sorted rows of its files, by folder, and what it prints but for the
/// places in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    rows: BTreeMap<String, Vec<String>>,
    printed: String,
}

/// A program and what it is told.
struct Program {
    name: &'static str,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Program {
    fn new(name: &'static str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
        Self { name, arguments, folder }
    }

    fn command(&self, output: &Path) -> Command {
        let mut command = example(self.name);
        command.args(&self.arguments).arg("--quiet").arg("--output").arg(output);
        command
    }

    /// What an undisturbed run leaves.
    fn undisturbed(&self) -> Left {
        let output = self.folder.path().join("undisturbed");
        let ended = run(&mut self.command(&output)).well();
        let left = left(&output, &ended.out);
        assert!(left.rows.values().all(|rows| !rows.is_empty()), "{:?}", left.rows.keys());
        left
    }

    /// What is left when it is killed so many times before it may end: mostly a while after it has taken
    /// a checkpoint, at times before that. When it is through before that, it begins anew.
    fn killed(&self, seed: u64, kills: usize) -> Left {
        let mut random = Random::new(seed);
        let mut killed = 0;
        for round in 0..10 {
            let output = self.folder.path().join(format!("killed-{seed}-{round}"));
            let mut begun = false;
            while killed < kills && self.kill_one(&output, begun, &mut random) {
                (killed, begun) = (killed + 1, true);
            }
            if killed == kills && begun {
                let ended = run(&mut self.attempt(&output, begun, &mut random)).well();
                return left(&output, &ended.out);
            }
        }
        panic!("{} is through too soon: it was killed {killed} times", self.name);
    }

    /// A command that goes on where the one before was.
    fn attempt(&self, output: &Path, begun: bool, random: &mut Random) -> Command {
        let mut command = self.command(output);
        command.arg("--checkpoint").arg(output.with_extension("state"));
        command.args(["--checkpoint-ms", "1"]);
        command.args(["-w", ["1", "2", "4"][random.below(3) as usize]]);
        if begun {
            command.args(["--restore", "latest"]);
        }
        command
    }

    /// Starts it and kills it; says whether it was still running.
    fn kill_one(&self, output: &Path, begun: bool, random: &mut Random) -> bool {
        let epochs = output.with_extension("state").join(self.name).join("epochs");
        let before = newest(&epochs);
        let mut child = start(&mut self.attempt(output, begun, random));
        if random.below(4) > 0 {
            let deadline = Instant::now() + Duration::from_secs(60);
            while child.is_running() && newest(&epochs) <= before {
                assert!(Instant::now() < deadline, "{} takes no checkpoint", self.name);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        std::thread::sleep(Duration::from_micros(random.below(30_000)));
        child.kill()
    }

    /// Kills it again and again: what it leaves and prints in the end is what an undisturbed run does.
    #[track_caller]
    fn check(&self, seeds: impl IntoIterator<Item = u64>, kills: usize) {
        let (whole, found) = self.check_files(seeds, kills);
        found.iter().for_each(|found| assert_eq!(found.printed, whole.printed));
    }

    /// The same of the files alone, for one that prints as it goes: gives what was left undisturbed, and
    /// for each seed.
    #[track_caller]
    fn check_files(&self, seeds: impl IntoIterator<Item = u64>, kills: usize) -> (Left, Vec<Left>) {
        self.check_rows(seeds, kills, str::eq)
    }

    /// The same of rows that need not be equal.
    #[track_caller]
    fn check_rows(
        &self,
        seeds: impl IntoIterator<Item = u64>,
        kills: usize,
        same: impl Fn(&str, &str) -> bool,
    ) -> (Left, Vec<Left>) {
        let whole = self.undisturbed();
        let check = |seed| {
            let found = self.killed(seed, kills);
            assert!(
                found.rows.keys().eq(whole.rows.keys()),
                "seed {seed}: {:?}",
                found.rows.keys()
            );
            for (name, rows) in &whole.rows {
                let found = &found.rows[name];
                let differ = rows.iter().zip(found).find(|(one, other)| !same(one, other));
                let (expected, there) = (rows.len(), found.len());
                assert!(
                    differ.is_none() && expected == there,
                    "seed {seed}: {name} has {there} rows instead of {expected}; expected and \
                     found: {differ:?}"
                );
            }
            found
        };
        let found = seeds.into_iter().map(check).collect();
        (whole, found)
    }
}

/// The newest checkpoint that is committed.
fn newest(epochs: &Path) -> Option<u64> {
    let committed = entries(epochs).into_iter().filter(|it| it.join("manifest.json").is_file());
    committed.filter_map(|it| it.file_name()?.to_str()?.parse().ok()).max()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).into_iter().flatten();
    listed.filter_map(|it| Some(it.ok()?.path())).collect()
}

fn left(output: &Path, printed: &str) -> Left {
    let mut left = Left::default();
    gather(output, "", &mut left.rows);
    left.rows.values_mut().for_each(|rows| rows.sort());
    left.printed = printed.replace(&output.display().to_string(), "");
    left
}

/// The rows of the visible files, those of all parts of a folder together, without their headers.
fn gather(folder: &Path, name: &str, rows: &mut BTreeMap<String, Vec<String>>) {
    for path in entries(folder) {
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        if file.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            gather(&path, &file, rows);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a visible file can be read");
        assert!(text.ends_with('\n'), "{} is cut", path.display());
        let part = file.split('-').next().unwrap_or_default();
        let all = rows.entry(format!("{name}/{part}")).or_default();
        all.extend(text.lines().skip(1).map(str::to_owned));
    }
}

#[test]
fn windows_leave_the_same_files() {
    let input = TempDir::new().expect("a folder");
    let mut random = Random::new(7);
    let mut text = "at,key,value\n".to_owned();
    for index in 0..60_000 {
        let (at, key) = (index * 10 - random.below(300) as i64, random.below(40));
        text += &format!("{at},{key},{}\n", random.below(1_000));
    }
    // Later than anything else may be, in every run.
    text += "-100000000,late,1\n";
    let path = input.path().join("input.csv");
    fs::write(&path, text).expect("written");
    let input = path.to_str().expect("a path of a test");
    let common = ["--input", input, "--at", "at", "--key", "key", "--value", "value"];
    let slowly = ["--disorder=300ms", "--epoch-rows=10", "--in-flight-epochs=1"];
    for (seed, windows) in [
        (1, &["--window=sliding", "--size=6s", "--slide=2s"][..]),
        (2, &["--window=session", "--gap=900ms"]),
        (3, &["--window=tumbling", "--size=2s"]),
    ] {
        let arguments = [&common[..], &slowly, windows].concat();
        Program::new("windows", &arguments).check([seed], 6);
    }
}

#[test]
fn flights_leave_the_same_files() {
    // What is late depends on how the input is cut into epochs: here nothing is.
    let arguments = ["--behind", "1d", "--epoch-rows", "3", "--in-flight-epochs", "1"];
    let program = Program::new("flights", &arguments);
    program.check([4, 5], 6);
}

#[test]
fn sessions_leave_the_same_files() {
    let arguments = ["--epoch-rows", "1", "--in-flight-epochs", "1"];
    let program = Program::new("sessions", &arguments);
    program.check([6, 7], 5);
}

#[test]
fn reachability_leaves_the_same_changes() {
    let input = TempDir::new().expect("a folder");
    let mut random = Random::new(9);
    let mut text = String::new();
    for _ in 0..3_000 {
        let sign = ["+", "+", "-"][random.below(3) as usize];
        text += &format!("{sign} {} {}\n", random.below(30), random.below(30));
    }
    let path = input.path().join("links.txt");
    fs::write(&path, text).expect("written");
    let arguments = ["--from", "0", "--input", path.to_str().expect("a path of a test")];
    Program::new("reachability", &arguments).check_files([9], 5);
}

#[test]
fn rings_leave_the_same_changes() {
    // What a ring is after each transfer does not depend on when checkpoints are taken.
    let arguments = ["--epoch-rows", "1", "--transfers", "2000", "--last", "10m"];
    Program::new("rings", &arguments).check_files([10], 5);
}

#[test]
fn packages_leave_the_same_changes() {
    let input = TempDir::new().expect("a folder");
    let names = ["libssl3", "xterm", "mawk", "libgtk-3-0", "libreadline8", "adduser"];
    let mut random = Random::new(11);
    let mut gone = [false; 6];
    let mut text = String::new();
    for _ in 0..1_000 {
        let at = random.below(6) as usize;
        text += &format!("{} {}\n", if gone[at] { '+' } else { '-' }, names[at]);
        gone[at] = !gone[at];
    }
    let path = input.path().join("changes.txt");
    fs::write(&path, text).expect("written");
    let arguments = ["--changes", path.to_str().expect("a path of a test")];
    Program::new("debian", &arguments).check_files([11], 5);
}

#[test]
fn events_leave_with_the_same_ranks() {
    let input = TempDir::new().expect("a folder");
    let mut random = Random::new(12);
    let mut text = String::new();
    for index in 0..6_000 {
        let second = index / 3 + random.below(20);
        let at =
            format!("2015-01-01T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60);
        let (who, whose, which) = (random.below(60), random.below(40), random.below(3));
        text += &format!(
            "{{\"created_at\": \"{at}\", \"type\": \"WatchEvent\", \"actor\": {{\"login\": \"p{who}\"}}, \
             \"repo\": {{\"name\": \"p{whose}/r{which}\"}}}}\n"
        );
    }
    let path = input.path().join("events.json");
    fs::write(&path, text).expect("written");
    let path = path.to_str().expect("a path of a test");
    let arguments = ["--input", path, "--epoch-rows", "20", "--in-flight-epochs", "1"];
    // Ranks are exact to a tolerance, within which a run that continues may find others.
    let same = |one: &str, other: &str| {
        let [one, other] = [one, other].map(|it| it.rsplit_once(',').expect("several columns"));
        let rank = |it: &str| it.parse::<f64>().expect("a rank");
        let (rank, expected) = (rank(one.1), rank(other.1));
        one.0 == other.0 && (rank - expected).abs() <= 2.0 * TOLERANCE * expected
    };
    Program::new("social", &arguments).check_rows([12], 5, same);
}

#[test]
fn a_year_of_flights_leaves_the_same_files() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/events/nycflights13");
    let (flights, weather) = (shared.join("flights.csv.gz"), shared.join("weather.csv.gz"));
    if !flights.is_file() || !weather.is_file() {
        println!("skipped: there is no {}", shared.display());
        return;
    }
    let [flights, weather] = [&flights, &weather].map(|it| it.to_str().expect("a path of a test"));
    // The months of the file are out of order.
    let arguments = ["--input", flights, "--weather", weather, "--behind", "1y"];
    Program::new("flights", &arguments).check([8], 6);
}
