//! Internal consistency: what holds of the inputs at every epoch holds of every output at every epoch,
//! with joins, windows, aggregates and loops in between, on any number of workers and across
//! kills. Each test runs this file again as a child whose job is a scenario of [`scenario`].

#![cfg(unix)]

mod child;
mod survive;

use survive::collections::{assert_consistent, bank, graph};
use survive::{Scene, rows};

/// What a child does. Without the environment of one, this is a test that does nothing.
#[test]
fn scenario() {
    survive::play(|name, flow, folder| match name {
        "bank" => bank(flow, folder),
        "graph" => graph(flow, folder),
        unknown => panic!("there is no scenario {unknown}"),
    });
}

#[track_caller]
fn check(name: &'static str, moving: &str, seeds: [u64; 2]) {
    let scene = Scene::new(name);
    let whole = scene.undisturbed();
    assert!(whole[moving].len() > 500, "{name}: only {} changes", whole[moving].len());
    assert_consistent(&whole, &whole, "undisturbed");
    for workers in [1, 2, 4] {
        let (ended, output) =
            scene.run(&format!("out-{workers}"), &format!("-w {workers} --quiet"));
        ended.well();
        assert_consistent(&rows(&output), &whole, &format!("{workers} workers"));
    }
    for seed in seeds {
        let workers = |attempt: usize| [1, 2, 4][(attempt + seed as usize) % 3];
        let (kills, output) = scene.killed(seed, 4, |attempt| {
            format!("-w {} --quiet --checkpoint {{place}} --checkpoint-ms 40", workers(attempt))
        });
        assert!(kills > 0, "it was never killed");
        assert_consistent(&rows(&output), &whole, &format!("killed, seed {seed}"));
    }
}

#[test]
fn money_is_neither_made_nor_lost_at_any_epoch() {
    check("bank", "balances", [1, 2]);
}

#[test]
fn every_vertex_is_in_one_component_at_any_epoch() {
    check("graph", "labels", [3, 4]);
}
