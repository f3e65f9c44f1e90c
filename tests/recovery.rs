//! Jobs that are killed and continue: what they have committed is what an undisturbed run writes.
//! Each test runs this file again as a child whose job is a scenario of [`scenario`].

#![cfg(unix)]

mod child;
mod survive;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidemill::Result;
use tidemill::checkpoint::Store;
use tidemill::prelude::*;

use child::{run, start};
use survive::joins::joins;
use survive::retained::{retained, spreading};
use survive::{BUILT, FAULT, Scene, assert_same, scenes};

/// What a child does. Without the environment of one, this is a test that does nothing.
#[test]
fn scenario() {
    survive::play(|name, flow, folder| match name {
        "windows" => scenes::windows(flow, folder),
        "short" => short(flow, folder),
        "joins" => joins(flow, folder),
        "retained" => retained(flow, folder),
        "spreading" => spreading(flow, folder),
        unknown => panic!("there is no scenario {unknown}"),
    });
}

/// A few seconds of event time with a window and a running count.
fn short(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let events = flow
        .read(generate(5, scenes::record).rate(20_000.0).limit(6_000))?
        .event_time(|it| EventTime::from_millis(it.0), Disorder::up_to(millis(300)))
        .key_value(|it| (it.1, it.2));
    let tumbling = events.clone().window(Tumbling::new(seconds(5))).aggregate(Count);
    tumbling
        .map(|pane| format!("{} {} {}", pane.key, pane.span, pane.value))
        .write(to_text(folder.join("tumbling")))?;
    let rolling = events.aggregate(Count).map(|it| format!("{it:?}"));
    rolling.write(to_text(folder.join("rolling.txt")).single_file())
}

#[test]
fn a_crash_at_any_write_of_a_checkpoint_changes_nothing() {
    let scene = Scene::new("short");
    let whole = scene.undisturbed();
    let (mut died, mut faults) = (0, 0);
    for fault in ["crash", "after", "tear", "lose", "full"] {
        // If the first manifest of all is torn there is nothing whole to go on with.
        let first = if fault == "tear" { 4 } else { 0 };
        for at in first..first + 9 {
            let output = scene.at(&format!("{fault}-{at}"));
            let arguments = "-w 1 --checkpoint-ms 60";
            let mut first = scene.command(&output, arguments);
            let ended = run(first.env(FAULT, format!("{fault} {at}")));
            let through = ended.status.success();
            if !through {
                let place = output.with_extension("checkpoints");
                let arguments = format!("-w 2 --checkpoint {} --restore latest", place.display());
                run(&mut scene.command(&output, &arguments)).well();
                died += 1;
            }
            assert_same(&output, &whole, &format!("{fault} at write {at}"));
            faults += 1;
        }
    }
    assert!(died >= 15 && faults > died, "{died} of {faults} died");
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

/// Kills a scene again and again, on changing numbers of workers, and compares all it wrote, row for row.
#[track_caller]
fn outlives_kills(name: &'static str, workers: &[usize], common: &str, seeds: [u64; 2]) {
    let scene = Scene::new(name);
    let whole = scene.undisturbed_with(common);
    for (folder, rows) in &whole {
        assert!(rows.len() > 500, "{name}: {folder} has only {} rows", rows.len());
    }
    for seed in seeds {
        let (kills, output) = scene.killed(seed, 4, |attempt| {
            let workers = workers[(attempt + seed as usize) % workers.len()];
            format!("-w {workers} --quiet --checkpoint {{place}} --checkpoint-ms 40 {common}")
        });
        assert!(kills > 0, "it was never killed");
        assert_same(&output, &whole, &format!("{name}, seed {seed}"));
    }
}

#[test]
fn killed_joins_of_streams_go_on_where_they_were() {
    outlives_kills("joins", &[1, 2, 4], "", [5, 6]);
}

#[test]
fn killed_collections_of_recent_rows_and_windows_go_on_where_they_were() {
    outlives_kills("retained", &[1, 2, 4], "--epoch-rows 200", [7, 8]);
}

#[test]
fn killed_graphs_go_on_where_they_were() {
    outlives_kills("spreading", &[1, 2, 4], "--epoch-rows 1", [9, 10]);
}

#[test]
fn other_numbers_of_workers_go_on_with_the_same_state() {
    let scene = Scene::new("windows");
    let whole = scene.undisturbed();
    let workers = [1, 4, 2, 3];
    let arguments =
        |attempt| format!("-w {} --checkpoint {{place}} --checkpoint-ms 40", workers[attempt]);
    let (kills, output) = scene.killed(4, 3, arguments);
    assert_eq!(kills, 3, "it was over too soon");
    assert_same(&output, &whole, "1, 4, 2 and 3 workers");
}

#[test]
fn an_interrupted_job_goes_on_with_its_windows_open() {
    let scene = Scene::new("windows");
    let whole = scene.undisturbed();
    let output = scene.at("interrupted");
    let arguments = "-w 2 --checkpoint {place} --checkpoint-ms 30000";
    let mut child = start(&mut scene.command(&output, arguments));
    child.line_with(BUILT);
    std::thread::sleep(Duration::from_millis(300));
    child.signal("INT");
    let err = child.wait().well().err;
    assert!(err.contains("stopped after"), "{err}");
    let ended = run(&mut scene.command(&output, &format!("{arguments} --restore latest"))).well();
    assert!(ended.err.contains("continues from checkpoint 999999"), "{}", ended.err);
    assert_same(&output, &whole, "interrupted");
}

#[test]
fn a_damaged_checkpoint_is_passed_over_for_the_one_before() {
    let scene = Scene::new("windows");
    let whole = scene.undisturbed();
    let arguments = "-w 2 --checkpoint {place} --checkpoint-ms 40";
    let output = scene.at("damaged");
    let mut child = start(&mut scene.command(&output, arguments));
    child.line_with(BUILT);
    let epochs = output.with_extension("checkpoints").join("windows/epochs");
    while manifests(&epochs).len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill();
    let (_, newest) = manifests(&epochs).pop_last().expect("there are two");
    let text = fs::read_to_string(&newest).expect("a manifest");
    fs::write(&newest, &text[..text.len() / 2]).expect("it can be cut");
    let ended = run(&mut scene.command(&output, &format!("{arguments} --restore latest"))).well();
    assert!(ended.err.contains("cannot be used"), "{}", ended.err);
    assert_same(&output, &whole, "damaged");
}

/// The manifests of the checkpoints that there are, by their epochs.
fn manifests(epochs: &Path) -> BTreeMap<u64, PathBuf> {
    let folders = fs::read_dir(epochs).into_iter().flatten();
    let manifest = |folder: PathBuf| {
        let epoch = folder.file_name()?.to_str()?.parse().ok()?;
        Some((epoch, folder.join("manifest.json"))).filter(|(_, it)| it.is_file())
    };
    folders.filter_map(|it| manifest(it.ok()?.path())).collect()
}

#[test]
fn what_cannot_be_restored_is_refused_by_name() {
    let scene = Scene::new("windows");
    let output = scene.at("refused");
    let arguments = "--quiet --checkpoint {place}";
    run(&mut scene.command(&output, arguments)).well();
    let again =
        |scene: &Scene, arguments: &str| run(&mut scene.command(&output, arguments)).badly();
    for (arguments, says) in [
        ("--checkpoint {place}", vec!["--restore latest"]),
        ("--checkpoint {place} --restore 5", vec!["5"]),
        ("--checkpoint {place} --restore /nowhere", vec!["/nowhere"]),
        ("--restore latest", vec!["--checkpoint"]),
        (
            "--checkpoint {place} --restore latest --max-parallelism 64",
            vec!["--max-parallelism 4096"],
        ),
    ] {
        let err = again(&scene, arguments);
        assert!(says.iter().all(|it| err.contains(it)), "{arguments}: {err}");
    }
}

#[test]
fn a_savepoint_is_made_on_request_and_by_signal() {
    let scene = Scene::new("windows");
    let whole = scene.undisturbed();
    let output = scene.at("saved");
    let arguments = "-w 2 --checkpoint {place} --checkpoint-ms 30000";
    let child = start(&mut scene.command(&output, arguments));
    let place = output.with_extension("checkpoints");
    let asked = Store::open(place.to_str().expect("a path of a test"), "windows")
        .and_then(|store| {
            let to = scene.at("savepoint");
            store.request_savepoint(to.to_str(), Duration::from_secs(60))
        })
        .expect("the job answers");
    child.kill();

    // What was committed after the savepoint is taken back.
    let arguments = format!("-w 1 --checkpoint {{place}} --restore {asked}");
    let mut child = start(&mut scene.command(&output, &arguments));
    child.line_with(BUILT);
    child.signal("USR1");
    let ended = child.wait().well();
    assert!(ended.err.contains("windows: savepoint "), "{}", ended.err);
    assert!(place.join("windows/savepoints").is_dir());
    assert_same(&output, &whole, "saved");
}
