//! Which packages break if this one goes? The dependencies of Debian, kept current as packages go and return.
//!
//! ```sh
//! cargo run --release --example debian -- --remove libssl3      # --help for the rest
//! ```
//!
//! Reads the packages of an installation and what they need (a desktop of 829 packages, or the files that
//! `--packages` and `--edges` name), and then changes: `- name`, a package goes, and `+ name`, it is back.
//! After each it prints which packages do not work any more, and which do again. With `--output` these
//! changes are written as CSV, too: `package,change`.
//!
//! A package works if it is there and each of its needs is met: by one at least of the packages that are
//! alternatives (`default-mta | mail-transport-agent`, or several that provide the same). Packages may need
//! each other in a circle, and then work together or not at all. So what works is a greatest fixed point, and
//! what is computed is the least one of what is *broken*: what is gone, and whatever has a need of
//! which everything that could meet it is broken. That is all of `broken`; the engine makes each
//! answer from the one before, by what the change touches.
//!
//! Each change is an epoch of its own here, unless `--epoch-rows` says otherwise. Versions and conflicts
//! are not looked at, recommendations neither.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::iter::once;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use serde::{Deserialize, Serialize};
use tidemill::connect::Sink;
use tidemill::prelude::*;
use tidemill::{Error, ErrorKind};

/// Which packages break if this one goes?
#[derive(Clone, Debug, Parser)]
#[command(name = "debian", after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Packages that go, one after the other [default: some changes that show what there is to see]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) remove: Vec<String>,

    /// File of changes: lines `- name`, it goes, and `+ name`, it is back
    #[arg(long, value_name = "FILE", conflicts_with = "remove")]
    pub(crate) changes: Option<PathBuf>,

    /// CSV file of packages: `id` and `name` [default: a desktop]
    #[arg(long, value_name = "FILE", hide_default_value = true, requires = "edges")]
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/debian-packages.csv.gz"))]
    pub(crate) packages: PathBuf,

    /// CSV file of what they need: `src` needs `dst`; those of one src, kind and group are alternatives
    #[arg(long, value_name = "FILE", hide_default_value = true, requires = "packages")]
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/debian-edges.csv.gz"))]
    pub(crate) edges: PathBuf,

    /// Folder for what breaks and works again as CSV, replacing earlier ones
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  debian -w 2
      a few changes of a desktop, with two worker threads
  debian --remove libssl3 python3
      what breaks without the one, and what more without the other
  debian --packages packages.csv.gz --edges edges.csv.gz --remove libc6
      the same of another installation, or of a whole archive";

/// What happens unless `--remove` or `--changes` say otherwise.
const DEMONSTRATION: [&str; 9] = [
    "- xterm",
    "- libreadline8",
    "- mawk",
    "+ libreadline8",
    "- libgtk-3-0",
    "+ xterm",
    "+ libgtk-3-0",
    "- libssl3",
    "+ libssl3",
];

/// A package, by its place in the list, and one of its needs.
type Package = u32;
type Need = (Package, u32);

/// Who is there, and which packages meet which needs.
#[derive(Debug)]
struct Archive {
    names: Vec<String>,
    meets: Vec<(Package, Need)>,
}

/// A package goes, or is back.
#[derive(Clone, Copy, Debug)]
struct Change {
    package: Package,
    goes: bool,
}

/// What is told of an epoch, in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum News {
    Goes(String),
    Returns(String),
    Breaks(String),
    Works(String),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.settings.explain.is_none() && arguments.settings.process == 0 {
        println!(
            "Packages go (-) and return (+): what does that break, and what does it bring back?\n"
        );
    }
    match run(&arguments, to_stdout) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("debian: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the job, which gives a line of text for each epoch.
pub(crate) fn run<S: Sink<Record = String>>(
    arguments: &Arguments,
    report: impl Fn() -> S + Send + Sync + 'static,
) -> tidemill::Result<()> {
    let archive = Arc::new(Archive::read(arguments)?);
    let changes = archive.changes(arguments)?;
    let output = arguments.output.clone();
    let settings = one_by_one(arguments.settings.clone());
    Job::new("debian", settings).run(move |flow| {
        // First everything is there, in an epoch of its own: the step without a change.
        let changes = changes.clone();
        let steps = iterate(move || once(None).chain(changes.clone().into_iter().map(Some)));
        let steps = flow.read(steps)?;
        let all = Arc::clone(&archive);
        let meets = steps.clone().flat_map(move |step| match step {
            None => all.meets.clone(),
            Some(_) => Vec::new(),
        });
        let changes = steps.flat_map(|step| step);
        // A package that goes twice is as gone as one that goes once.
        let gone = changes.clone().map(|it| (it.package, it.goes.then_some(())));
        let gone = gone.upserts().map(|(package, ())| package);
        let broken = broken(meets.inserts(), gone);

        let all = Arc::clone(&archive);
        let broken = broken.changes().map(move |(package, times)| (all.name(package), times > 0));
        if let Some(folder) = &output {
            let rows = broken.clone().map(|(name, breaks)| (name, if breaks { '-' } else { '+' }));
            rows.write(to_csv(folder).columns(["package", "change"]).overwrite())?;
        }
        let all = Arc::clone(&archive);
        let changes = changes.map(move |Change { package, goes }| {
            let name = all.name(package);
            if goes { News::Goes(name) } else { News::Returns(name) }
        });
        let broken = broken.map(|(name, breaks)| match breaks {
            true => News::Breaks(name),
            false => News::Works(name),
        });
        changes.union(broken).each_epoch(|news| Some(told(&news))).write(report())
    })?;
    Ok(())
}

/// The packages that are gone or do not work.
fn broken<'s>(
    meets: Collection<'s, (Package, Need)>,
    gone: Collection<'s, Package>,
) -> Collection<'s, Package> {
    let needs = meets.clone().map(|(_, need)| (need, ())).distinct();
    gone.clone().iterate(|broken| {
        let (meets, needs, gone) =
            (meets.enter(&broken), needs.enter(&broken), gone.enter(&broken));
        let met = meets.anti_join(broken).map(|(_, need)| need);
        let unmet = needs.anti_join(met.distinct());
        unmet.map(|((package, _), ())| package).concat(gone).distinct()
    })
}

/// A row of the file of packages.
#[derive(Deserialize)]
struct PackageRow {
    id: u32,
    name: String,
}

/// A row of the file of needs.
#[derive(Deserialize)]
struct EdgeRow {
    src: u32,
    dst: u32,
    kind: String,
    group: u32,
}

impl Archive {
    fn read(arguments: &Arguments) -> tidemill::Result<Self> {
        let packages = read_all(&csv::<PackageRow>(arguments.packages.clone()))?;
        let place = |(place, row): (usize, &PackageRow)| (row.id, place as Package);
        let places: HashMap<u32, Package> = packages.iter().enumerate().map(place).collect();
        let find = |id: u32| {
            let message = format!("{}: there is no package {id}", arguments.edges.display());
            places.get(&id).copied().ok_or_else(|| Error::new(ErrorKind::Read, message))
        };
        let mut numbers = HashMap::new();
        let mut meets = BTreeSet::new();
        for EdgeRow { src, dst, kind, group } in read_all(&csv::<EdgeRow>(arguments.edges.clone()))?
        {
            if kind != "depends" && kind != "pre-depends" {
                continue;
            }
            let next = numbers.len() as u32;
            let number = *numbers.entry((src, kind, group)).or_insert(next);
            // One package may meet a need by its name and by what it provides.
            meets.insert((find(dst)?, (find(src)?, number)));
        }
        let names = packages.into_iter().map(|it| it.name).collect();
        Ok(Self { names, meets: meets.into_iter().collect() })
    }

    fn name(&self, package: Package) -> String {
        self.names[package as usize].clone()
    }

    /// What is to happen.
    fn changes(&self, arguments: &Arguments) -> tidemill::Result<Vec<Change>> {
        let lines = match &arguments.changes {
            Some(file) => fs::read_to_string(file).map_err(|cause| {
                let message = format!("cannot read {}", file.display());
                Error::new(ErrorKind::Read, message).because(cause)
            })?,
            None if arguments.remove.is_empty() => DEMONSTRATION.join("\n"),
            None => arguments.remove.iter().map(|name| format!("- {name}\n")).collect(),
        };
        let places = self.names.iter().map(String::as_str).zip(0..).collect();
        lines.lines().map(|line| change(line, &places)).collect()
    }
}

fn change(line: &str, places: &HashMap<&str, Package>) -> tidemill::Result<Change> {
    let refused = |why: String| Error::new(ErrorKind::Setting, why);
    let (goes, name) = match line.split_once(' ') {
        Some(("-", name)) => (true, name.trim()),
        Some(("+", name)) => (false, name.trim()),
        _ => return Err(refused(format!("{line:?} is neither `- name` nor `+ name`"))),
    };
    let package = places.get(name).ok_or_else(|| refused(format!("there is no package {name}")))?;
    Ok(Change { package: *package, goes })
}

/// What happened in an epoch, and what follows from it.
fn told(news: &[News]) -> String {
    let (mut happened, mut breaks, mut works) = (Vec::new(), Vec::new(), Vec::new());
    let mut named = BTreeSet::new();
    for it in news {
        match it {
            News::Goes(name) | News::Returns(name) => {
                let sign = if matches!(it, News::Goes(_)) { '-' } else { '+' };
                happened.push(format!("{sign} {name}"));
                named.insert(name);
            }
            // Of what went or returned itself nothing more is to be said.
            News::Breaks(name) if !named.contains(name) => breaks.push(name.as_str()),
            News::Works(name) if !named.contains(name) => works.push(name.as_str()),
            News::Breaks(_) | News::Works(_) => {}
        }
    }
    let follows = [listed("breaks", &breaks), listed("brings back", &works)];
    let follows = follows.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let follows = if follows.is_empty() { "changes nothing else" } else { &follows };
    format!("{:<20}{follows}", happened.join(", "))
}

/// How many names there are, and the first of them.
fn listed(what: &str, names: &[&str]) -> Option<String> {
    const SHOWN: usize = 4;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    (!names.is_empty()).then(|| format!("{what} {}: {shown}{more}", names.len()))
}

/// The settings asked for, with epochs of one change unless they say otherwise.
fn one_by_one(settings: Settings) -> Settings {
    if settings.epoch_rows.is_none() { settings.epoch_rows(1) } else { settings }
}
