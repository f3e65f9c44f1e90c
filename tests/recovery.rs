//! Jobs that are killed and continue: what they have committed is what an undisturbed run writes.
//! Each test runs this file again as a child whose job is a scenario of [`scenario`].

#![cfg(unix)]

mod child;
mod survive;

use std::path::Path;

use tidemill::Result;
use tidemill::connect::Random;
use tidemill::prelude::*;

use survive::{Scene, assert_same};

/// What a child does. Without the environment of one, this is a test that does nothing.
#[test]
fn scenario() {
    survive::play(|name, flow, folder| match name {
        "windows" => windows(flow, folder),
        unknown => panic!("there is no scenario {unknown}"),
    });
}

/// A number of a key at a moment, out of order.
type Record = (i64, u64, i64);

fn record(index: u64, random: &mut Random) -> Record {
    (index as i64 * 10 - random.below(300) as i64, random.below(40), random.below(1_000) as i64)
}

/// Every kind of window, and a rolling aggregate, each to a folder of its own.
fn windows(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let events = flow
        .read(generate(11, record).rate(40_000.0).limit(60_000))?
        .event_time(|it| EventTime::from_millis(it.0), Disorder::up_to(millis(300)));
    let keyed = || events.clone().key_value(|it| (it.1, it.2));
    let line = |pane: Pane<u64, _>| format!("{} {} {:?}", pane.key, pane.span, pane.value);
    let sums = (Count, Sum::of(|it: &i64| *it));
    let (tumbling, late) = keyed().window(Tumbling::new(seconds(2))).with_late().aggregate(sums);
    tumbling.map(line).write(to_text(folder.join("tumbling")))?;
    late.map(|it| format!("{it:?}")).write(to_text(folder.join("late")))?;
    let sliding = keyed().window(Sliding::new(seconds(6), seconds(2))).aggregate(sums);
    sliding.map(line).write(to_text(folder.join("sliding")))?;
    let sessions = keyed().window(Session::gap(millis(900))).aggregate(sums);
    sessions.map(line).write(to_text(folder.join("sessions")))?;
    // The number of a record in its key, whatever the order of records, is each number once.
    let rolling = keyed().aggregate(Count);
    rolling.map(|(key, value)| format!("{key} {value:?}")).write(to_text(folder.join("rolling")))
}

#[test]
fn a_job_with_checkpoints_writes_what_one_without_does() {
    let scene = Scene::new("windows");
    let whole = scene.undisturbed();
    for workers in [1, 2] {
        let arguments = format!("-w {workers} --checkpoint {{place}} --checkpoint-ms 50");
        let (ended, output) = scene.run(&format!("out-{workers}"), &arguments);
        ended.well();
        assert_same(&output, &whole, &format!("{workers} workers"));
    }
}

#[test]
fn a_killed_job_goes_on_where_it_was() {
    let scene = Scene::new("windows");
    let whole = scene.undisturbed();
    for (seed, workers) in [(1, 1), (2, 2), (3, 4)] {
        let arguments = format!("-w {workers} --checkpoint {{place}} --checkpoint-ms 40");
        let (kills, output) = scene.killed(seed, 5, |_| arguments.clone());
        assert!(kills > 0, "it was never killed");
        assert_same(&output, &whole, &format!("seed {seed}, {workers} workers"));
    }
}
