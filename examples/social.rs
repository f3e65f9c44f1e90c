//! Whose work do important people look at? A social graph from events, joined with a PageRank of itself.
//!
//! ```sh
//! cargo run --release --example social             # -w 2 for two workers, --help for the rest
//! cargo run --release --example social -- --input 2015-01-01-0.json.gz
//! ```
//!
//! Reads what people do in each other's repositories (stars, forks, comments, pushes): the public events of
//! [GH Archive](https://www.gharchive.org), a file for each hour, or an hour of an invented village where
//! there is none. What happened in the last quarter of an hour (`--last`) is a graph that leads from who does
//! something to whose repository it is. Its PageRank says how important everybody is just then.
//!
//! It is used twice. Every ten minutes a table is printed of the repositories that the most important people
//! have worked on: a *join of collections*, whose sums follow the ranks. And each event is written to
//! `target/social` (`--output`) as CSV with the rank that its actor has at that moment: a *lookup join*
//! of the stream, whose rows stay what they are. Ranks are per thousand.
//!
//! Everything that is needed is retracted as it gets old: events, edges, people, ranks and sums.
//!
//! Epochs are of a hundred events here, unless `--epoch-rows` says otherwise, so that what is printed
//! does not depend on the speed of the machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde::{Deserialize, Serialize};
use tidemill::connect::{Random, Sink};
use tidemill::graph::{DAMPING, Edge, Graph, Real, TOLERANCE};
use tidemill::key::hash;
use tidemill::prelude::*;
use tidemill::time::rfc3339;

/// Whose work do important people look at?
#[derive(Clone, Debug, Parser)]
#[command(name = "social")]
pub(crate) struct Arguments {
    /// Files of events as GH Archive has them, also .gz or .zst [default: an invented hour]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,

    /// How long an event counts
    #[arg(long, value_name = "SPAN", default_value = "15m")]
    #[arg(value_parser = humantime::parse_duration)]
    pub(crate) last: Duration,

    /// How often to print a table
    #[arg(long, value_name = "SPAN", default_value = "10m")]
    #[arg(value_parser = humantime::parse_duration)]
    pub(crate) every: Duration,

    /// Repositories in a table
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) top: usize,

    /// Folder for the events with the ranks of their actors, replacing earlier ones
    #[arg(long, value_name = "DIR", default_value = "target/social")]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// An event as GH Archive has it, as far as it matters here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    #[serde(with = "rfc3339")]
    pub(crate) created_at: EventTime,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) actor: Actor,
    pub(crate) repo: Repository,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Actor {
    pub(crate) login: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Repository {
    /// Whose it is, and how it is called: `owner/name`.
    pub(crate) name: String,
}

/// An event with the rank that its actor has when it comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ranked {
    #[serde(with = "rfc3339")]
    pub(crate) at: EventTime,
    pub(crate) actor: String,
    pub(crate) kind: String,
    pub(crate) repository: String,
    pub(crate) rank: f64,
}

/// A line of a table: until when, the ranks of all who did something, the repository and how often.
pub(crate) type Line = (EventTime, Real, String, isize);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.settings.explain.is_none() && arguments.settings.process == 0 {
        let last = humantime::format_duration(arguments.last);
        println!("Repositories by the ranks (per thousand) of those who did something there");
        println!("in the last {last}\n");
    }
    match run(&arguments, to_stdout, |lines| Some(table(&lines))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("social: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the job, whose report is what `tell` makes of the lines of a table.
pub(crate) fn run<T: Send + 'static, S: Sink<Record = T>>(
    arguments: &Arguments,
    report: impl Fn() -> S + Send + Sync + 'static,
    tell: impl Fn(Vec<Line>) -> Option<T> + Copy + Send + Sync + 'static,
) -> tidemill::Result<()> {
    let Arguments { input, last, every, top, output, settings } = arguments.clone();
    let settings = counted(settings);
    Job::new("social", settings).run(move |flow| {
        let events = match input.is_empty() {
            true => flow.read(iterate(invented))?,
            false => flow.read(jsonl::<Event>(input.clone()))?,
        };
        let events = events
            .event_time(|it| it.created_at, Disorder::up_to(seconds(30)))
            .filter(|it| owner(&it.repo.name) != it.actor.login);

        let recent = events.clone().map(|it| (it.actor.login, it.repo.name)).lasting(last);
        let ranks = ranks(recent.clone());

        // Every event in its own epoch, with the rank as it is then.
        let ranked = events.clone().key_by(|it| it.actor.login.clone()).lookup_join(ranks.clone());
        let ranked = ranked.left_outer().joined().pairs().timed().map(|event| {
            let (actor, (Event { kind, repo, .. }, rank)) = event.value;
            let rank = rank.map_or(0.0, |it: Real| it.0);
            Ranked { at: event.at, actor, kind, repository: repo.name, rank }
        });
        ranked.write(to_csv(output.clone()).overwrite())?;

        // All recent events, with the ranks as they are now.
        let rank = |rank: &Real| rank.0;
        let weights = recent.join(ranks).map(|(_, (repository, rank))| (repository, rank));
        let weights = weights.aggregate((Sum::of(rank), Count));
        let weights = weights.map(|(name, (weight, events))| ((), (Real(*weight), name, events)));
        let ticks = events.key_value(|_| ((), ())).window(Tumbling::new(every)).aggregate(Count);
        let tables = weights.top(top).snapshot(ticks.values().map(|pane| pane.span.end()));
        let lines = tables.map(|found| {
            let (_, (weight, name, events)) = found.record;
            (found.request, weight, name, events)
        });
        lines.each_epoch(tell).write(report())
    })?;
    Ok(())
}

/// How important everybody is who has to do with what is going on, per thousand.
fn ranks<'s>(recent: Collection<'s, (String, String)>) -> Collection<'s, (String, Real)> {
    let acts = recent.map(|(actor, repository)| (actor, owner(&repository).to_owned()));
    // The vertices of a graph are numbers.
    let people = acts.clone().flat_map(|(actor, owner)| [actor, owner]).distinct();
    let people = people.map(|name| (hash(&name), name));
    let edges = acts.map(|(actor, owner)| Edge::new(hash(&actor), hash(&owner)));
    let ranks = Graph::directed(edges).pagerank(DAMPING, TOLERANCE).collection();
    people.join(ranks).map(|(_, (name, rank))| (name, Real(1_000.0 * rank.0)))
}

/// Whose repository it is.
pub(crate) fn owner(repository: &str) -> &str {
    repository.split('/').next().unwrap_or_default()
}

/// An hour in a village of two hundred: three thousand events, in order but for some seconds. Some
/// people's repositories are more popular than others', and popularity changes after half an hour.
pub(crate) fn invented() -> impl Iterator<Item = Event> {
    const NAMES: [&str; 10] =
        ["ada", "bob", "cleo", "dan", "eve", "finn", "gus", "hana", "ivo", "june"];
    const THINGS: [&str; 4] = ["garden", "kitchen", "lighthouse", "orchestra"];
    const KINDS: [&str; 4] = ["WatchEvent", "ForkEvent", "IssueCommentEvent", "PushEvent"];
    // Noon of the first of May 2026, in milliseconds.
    const NOON: i64 = 1_777_636_800_000;
    let name = |person: u64| format!("{}{}", NAMES[person as usize % 10], person / 10);
    (0..3_000).map(move |index| {
        let mut random = Random::new(index);
        let actor = random.below(200);
        // The product of two numbers is small more often than not.
        let popular = random.below(15) * random.below(15);
        let owner = if index < 1_500 { popular % 200 } else { 199 - popular % 200 };
        let thing = THINGS[(owner + random.below(2)) as usize % 4];
        let late_ms = random.below(20_000) as i64;
        Event {
            created_at: EventTime::from_millis(NOON + 1_200 * index as i64 + 20_000 - late_ms),
            kind: KINDS[random.below(4) as usize].to_owned(),
            actor: Actor { login: name(actor) },
            repo: Repository { name: format!("{}/{thing}", name(owner)) },
        }
    })
}

/// The table of one moment: the best first.
fn table(lines: &[Line]) -> String {
    let until = lines.first().map(|it| it.0.to_string()).unwrap_or_default();
    let mut text = format!("{until}\n  rank of actors  events  repository\n");
    for (_, weight, name, events) in lines.iter().rev() {
        text += &format!("{:>16.1}{events:>8}  {name}\n", weight.0);
    }
    text
}

/// The settings asked for, with epochs that are counted in events rather than timed.
fn counted(settings: Settings) -> Settings {
    match settings.epoch_rows {
        Some(_) => settings,
        None => settings.epoch_rows(100).epoch_ms(60_000),
    }
}
