//! What can be reached along links that come and go? A fixed point that is kept current.
//!
//! ```sh
//! cargo run --release --example reachability       # -w 2 for two workers, --help for the rest
//! ```
//!
//! Reads lines `+ from to` and `- from to`, a link that comes or goes (in the network of a small office
//! unless `--input` or `--listen` say otherwise), and prints after each what follows from it: which places
//! can be reached now from `internet` (`--from`), and which no longer. With `--output` the changes are
//! written as CSV, too: `place,change`.
//!
//! The idea is in `reach`: reached is what a root leads to, and whatever anything reached leads to. The
//! engine finds that fixed point once; from then on it does what a change takes. A link that goes takes
//! away what could be reached by it alone, also where the rest goes round in a circle.
//!
//! Each line is an epoch of its own here, unless `--epoch-rows` says otherwise: what is printed after it is
//! the exact answer for all lines so far, on any number of workers. To play with it, run it with
//! `--listen 127.0.0.1:9000`, and type lines into `nc 127.0.0.1 9000`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde::{Deserialize, Serialize};
use tidemill::connect::Sink;
use tidemill::prelude::*;

/// What can be reached along links that come and go?
#[derive(Clone, Debug, Parser)]
#[command(name = "reachability")]
pub(crate) struct Arguments {
    /// Where ways begin
    #[arg(long, value_name = "PLACE", num_args = 1.., default_value = "internet")]
    pub(crate) from: Vec<Place>,

    /// Files of lines `+ from to` and `- from to`, also .gz or .zst [default: an office]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,

    /// Wait for somebody who sends such lines to this address
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "input")]
    pub(crate) listen: Option<String>,

    /// Folder for the changes as CSV, replacing earlier ones
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// An office, and what happens there.
const OFFICE: [&str; 14] = [
    "+ internet router",
    "+ router switch",
    "+ switch laptop",
    "+ switch printer",
    "+ switch server",
    "+ server archive",
    "+ archive server",
    "- switch server",
    "+ internet tunnel",
    "+ tunnel server",
    "+ server switch",
    "- router switch",
    "- internet tunnel",
    "+ router switch",
];

/// A place in the network, and a link from one to another.
type Place = String;
type Link = (Place, Place);

/// What is told of an epoch, in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum News {
    Line(String),
    Unclear(String),
    Reached(Place),
    Lost(Place),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.settings.explain.is_none() && arguments.settings.process == 0 {
        println!("What can be reached from {}?\n", arguments.from.join(" or "));
    }
    match run(&arguments, to_stdout) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reachability: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the job, which gives a line of text for each epoch.
pub(crate) fn run<S: Sink<Record = String>>(
    arguments: &Arguments,
    report: impl Fn() -> S + Send + Sync + 'static,
) -> tidemill::Result<()> {
    let Arguments { from, input, listen, output, settings } = arguments.clone();
    let roots = BTreeSet::from_iter(from);
    Job::new("reachability", one_by_one(settings)).run(move |flow| {
        let lines = match &listen {
            Some(address) => flow.read(tcp_lines(address).listen())?,
            None if input.is_empty() => flow.read(iterate(|| OFFICE.map(String::from)))?,
            None => flow.read(text(input.clone()))?,
        };
        let (changes, unclear) = lines.clone().split(|line| match change(&line) {
            Some(change) => Either::Left(change),
            None => Either::Right(line),
        });
        let reached = reach(changes.changelog(), roots.clone()).changes();

        if let Some(folder) = &output {
            let rows = reached.clone().map(|(place, times)| (place, sign(times)));
            rows.write(to_csv(folder).columns(["place", "change"]).overwrite())?;
        }
        let answers = reached.map(|(place, times)| match times {
            1.. => News::Reached(place),
            _ => News::Lost(place),
        });
        let all = lines.map(News::Line).union(unclear.map(News::Unclear)).union(answers);
        all.each_epoch(|news| Some(told(&news))).write(report())
    })?;
    Ok(())
}

/// The places that ways from the roots lead to, other than roots.
fn reach<'s>(links: Collection<'s, Link>, roots: BTreeSet<Place>) -> Collection<'s, Place> {
    // A link that is there twice is there until it has gone twice.
    let links = links.distinct();
    let from_roots = roots.clone();
    let first = links.clone().filter(move |(from, _)| from_roots.contains(from));
    let first = first.map(|(_, to)| to).distinct();
    let reached = first.clone().iterate(|reached| {
        let (links, first) = (links.enter(&reached), first.enter(&reached));
        let next = reached.map(|it| (it, ())).join(links).map(|(_, ((), to))| to);
        next.concat(first).distinct()
    });
    reached.filter(move |place| !roots.contains(place))
}

/// The link that a line tells of, and how much more often it is there.
fn change(line: &str) -> Option<(Link, isize)> {
    let mut words = line.split_whitespace();
    let (sign, from, to) = (words.next()?, words.next()?, words.next()?);
    let times = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    words.next().is_none().then(|| ((from.to_owned(), to.to_owned()), times))
}

fn sign(times: isize) -> char {
    if times > 0 { '+' } else { '-' }
}

/// The lines of an epoch, and what follows from them.
fn told(news: &[News]) -> String {
    let (mut lines, mut unclear, mut reached, mut lost) = (vec![], vec![], vec![], vec![]);
    for it in news {
        match it {
            News::Line(line) => lines.push(line.as_str()),
            News::Unclear(line) => unclear.push(line.as_str()),
            News::Reached(place) => reached.push(place.as_str()),
            News::Lost(place) => lost.push(place.as_str()),
        }
    }
    let follows = [("cannot be understood", unclear), ("reached", reached), ("lost", lost)];
    let follows = follows.iter().filter(|(_, what)| !what.is_empty());
    let follows = follows.map(|(how, what)| format!("{how}: {}", what.join(", ")));
    let follows = follows.collect::<Vec<_>>().join("; ");
    format!("{:<24}{}", lines.join(", "), if follows.is_empty() { "no change" } else { &follows })
}

/// The settings asked for, with epochs of one line unless they say otherwise.
fn one_by_one(settings: Settings) -> Settings {
    if settings.epoch_rows.is_none() { settings.epoch_rows(1) } else { settings }
}
