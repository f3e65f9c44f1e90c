//! Who passes money round in a circle? Fraud rings among the transfers of the last hour.
//!
//! ```sh
//! cargo run --release --example rings              # -w 2 for two workers, --help for the rest
//! ```
//!
//! Makes up ten hours of transfers between accounts, up to five seconds out of order: customers pay shops,
//! shops pay suppliers, and now and then a few accounts pass money round. It prints each such *ring*
//! as it appears and vanishes, and every hour how much there is of what. With `--output` the rings are
//! written as CSV, too: `accounts,change`.
//!
//! A ring is a strongly connected component of more than one account: from each of them money came to each
//! other. The edges of that graph are the transfers of the last hour (`--last`): `lasting` takes each away when
//! the watermark says that it is too old. So the window is *inside* the recursion: a ring vanishes when one
//! of the transfers that closed it expires, whatever else is there.
//!
//! After five hours business is slow, and the sizes that are printed every hour shrink with it. So do
//! checkpoints, which hold what has not expired; in memory, what comes gets the room of what expired.
//!
//! Epochs are of thirty transfers here, unless `--epoch-rows` says otherwise, so that what is printed
//! does not depend on the speed of the machine nor on the number of workers.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde::{Deserialize, Serialize};
use tidemill::connect::{Random, Sink};
use tidemill::graph::{Edge, Graph};
use tidemill::metrics::Snapshot;
use tidemill::prelude::*;

/// Who passes money round in a circle? Fraud rings among the transfers of the last hour
#[derive(Clone, Debug, Parser)]
#[command(name = "rings")]
pub(crate) struct Arguments {
    /// How long a transfer counts
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    #[arg(value_parser = humantime::parse_duration)]
    pub(crate) last: Duration,

    /// How many transfers to make up
    #[arg(long, value_name = "N", default_value_t = 9_900)]
    pub(crate) transfers: u64,

    /// Folder for the rings as CSV, replacing earlier ones
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// Money that goes from one account to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) at: EventTime,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// The accounts of a ring, in order.
pub(crate) type Ring = Vec<u64>;

/// What is told of an epoch, in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum News {
    /// Transfers came up to this moment.
    Until(EventTime),
    Vanishes(Ring),
    Appears(Ring),
    /// How many there are of something, after each hour.
    Holds(Thing, isize),
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Thing {
    Transfers,
    Accounts,
    Rings,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.settings.explain.is_none() && arguments.settings.process == 0 {
        println!("Accounts that pass money round: a ring appears (+) and vanishes (-)\n");
    }
    match run(&arguments, to_stdout, |news| told(&news)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rings: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the job, whose report is what `tell` makes of the news of each epoch.
pub(crate) fn run<T: Send + 'static, S: Sink<Record = T>>(
    arguments: &Arguments,
    report: impl Fn() -> S + Send + Sync + 'static,
    tell: impl Fn(Vec<News>) -> Vec<T> + Copy + Send + Sync + 'static,
) -> tidemill::Result<Snapshot> {
    let Arguments { last, transfers, output, settings } = arguments.clone();
    let settings = counted(settings);
    Job::new("rings", settings).run(move |flow| {
        let transfers = flow
            .read(iterate(move || made_up(transfers)))?
            .event_time(|it| it.at, Disorder::up_to(seconds(5)));

        let edges = transfers.clone().map(|it| Edge::new(it.from, it.to)).lasting(last);
        let (components, rings) = components_and_rings(edges.clone());
        let changes = rings.clone().changes();
        if let Some(folder) = &output {
            let rows = changes.clone().map(|(ring, times)| (text_of(&ring), sign(times)));
            rows.write(to_csv(folder).columns(["accounts", "change"]).overwrite())?;
        }

        let sizes = edges
            .map(|_| (Thing::Transfers, ()))
            .concat(components.map(|_| (Thing::Accounts, ())))
            .concat(rings.map(|_| (Thing::Rings, ())))
            .aggregate(Count);
        // An answer for each hour, when it is over.
        let hours = transfers.clone().key_value(|_| ((), ())).window(Tumbling::new(hours(1)));
        let hours = hours.aggregate(Count).values().map(|pane| pane.span.end());
        let sizes = sizes.snapshot(hours).map(|found| {
            let (thing, count) = found.record;
            News::Holds(thing, count)
        });
        let rings = changes.map(|(ring, times)| match times {
            1.. => News::Appears(ring),
            _ => News::Vanishes(ring),
        });
        let until = transfers.values().map(|it| News::Until(it.at));
        until.union(rings).union(sizes).each_epoch(tell).write(report())
    })
}

/// Of each account, the least one of its component; and the components of several.
pub(crate) fn components_and_rings<'scope>(
    transfers: Collection<'scope, Edge>,
) -> (Collection<'scope, (u64, u64)>, Collection<'scope, Ring>) {
    let components = Graph::directed(transfers).scc().collection();
    let by_least = components.clone().map(|(account, least)| (least, account));
    let rings = by_least.reduce(|_, accounts, ring| {
        if accounts.len() > 1 {
            ring.push((accounts.iter().map(|(account, _)| **account).collect(), 1));
        }
    });
    (components, rings.map(|(_, ring): (u64, Ring)| ring))
}

const CUSTOMERS: u64 = 1_000;
const SHOPS: u64 = 100;
const SUPPLIERS: u64 = 10;

/// Transfers that are the same every time: at first one in two seconds, and in the last five hours one in
/// twenty.
pub(crate) fn made_up(count: u64) -> impl Iterator<Item = Transfer> {
    (0..count).map(move |index| {
        let mut random = Random::new(index);
        let busy = count * 10 / 11;
        let second = 2 * index.min(busy) + 20 * index.saturating_sub(busy);
        let late_ms = random.below(5_000) as i64;
        let at = EventTime::from_millis(1_000 * second as i64 + 5_000 - late_ms);
        let (from, to) = in_a_ring(index).unwrap_or_else(|| match random.below(5) {
            0 => (CUSTOMERS + random.below(SHOPS), CUSTOMERS + SHOPS + random.below(SUPPLIERS)),
            _ => (random.below(CUSTOMERS), CUSTOMERS + random.below(SHOPS)),
        });
        Transfer { at, from, to }
    })
}

/// Of each six hundred transfers a few are a ring of three to six customers.
fn in_a_ring(index: u64) -> Option<(u64, u64)> {
    let (ring, place) = (index / 600, index % 600);
    let mut random = Random::new(u64::MAX - ring);
    let members: Vec<u64> = (0..3 + random.below(4)).map(|_| random.below(CUSTOMERS)).collect();
    let turn = (place / 20) as usize;
    let from = members.get(turn).filter(|_| place % 20 == 7)?;
    Some((*from, members[(turn + 1) % members.len()]))
}

/// The lines for an epoch, if there is anything to tell.
fn told(news: &[News]) -> Vec<String> {
    let until =
        news.iter().filter_map(|it| if let News::Until(at) = it { Some(*at) } else { None });
    let until = until.max().map_or("the end ".to_owned(), clock);
    let (mut lines, mut sizes) = (Vec::new(), Vec::new());
    for it in news {
        match it {
            News::Until(_) => {}
            News::Vanishes(ring) => lines.push(format!("{until}  - {}", text_of(ring))),
            News::Appears(ring) => lines.push(format!("{until}  + {}", text_of(ring))),
            News::Holds(Thing::Transfers, count) => sizes.push(format!("{count} transfers")),
            News::Holds(Thing::Accounts, count) => sizes.push(format!("{count} accounts")),
            News::Holds(Thing::Rings, count) => sizes.push(format!("{count} rings")),
        }
    }
    if !sizes.is_empty() {
        lines.push(format!("{until}  held: {}", sizes.join(", ")));
    }
    lines
}

/// The time of day.
fn clock(at: EventTime) -> String {
    let second = at.millis() / 1_000;
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

fn text_of(ring: &[u64]) -> String {
    ring.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}

fn sign(times: isize) -> char {
    if times > 0 { '+' } else { '-' }
}

/// The settings asked for, with epochs that are counted in transfers rather than timed.
fn counted(settings: Settings) -> Settings {
    match settings.epoch_rows {
        Some(_) => settings,
        None => settings.epoch_rows(30).epoch_ms(60_000),
    }
}
