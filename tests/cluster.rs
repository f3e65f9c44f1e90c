//! Jobs of several processes, any of which is killed at any moment: what they have committed is
//! what an undisturbed run on one worker writes. Each test runs this file again as the processes.

#![cfg(unix)]

mod child;
mod survive;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tidemill::checkpoint::{Ended, Manifest, Store};
use tidemill::connect::Random;

use child::{Running, start};
use survive::{BUILT, Rows, Scene, assert_same, collections, rows, scenes};

/// What a child does. Without the environment of one, this is a test that does nothing.
#[test]
fn scenario() {
    survive::play(|name, flow, folder| match name {
        "windows" => scenes::windows(flow, folder),
        "timers" => scenes::timers(flow, folder),
        "graph" => collections::graph(flow, folder),
        unknown => panic!("there is no scenario {unknown}"),
    });
}

/// A host file for so many processes on ports that nobody else uses.
fn hosts(path: &Path, processes: usize) {
    let free = |_| TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listeners: Vec<TcpListener> = (0..processes).map(free).collect();
    let line = |it: &TcpListener| format!("{}\n", it.local_addr().expect("it is bound"));
    fs::write(path, listeners.iter().map(line).collect::<String>()).expect("written");
}

/// A job that is started again and again, with another number of processes each time.
struct Cluster<'a> {
    scene: &'a Scene,
    output: PathBuf,
    random: Random,
    begun: bool,
}

impl Cluster<'_> {
    fn start(&mut self, processes: usize, workers: usize) -> Vec<Running> {
        let file = self.output.with_extension("hosts");
        hosts(&file, processes);
        let restore = if self.begun { "--restore latest" } else { "" };
        self.begun = true;
        let command = |index| {
            let arguments = format!(
                "-n {processes} -p {index} -h {} -w {workers} --checkpoint {{place}} \
                 --checkpoint-ms 40 {restore}",
                file.display()
            );
            self.scene.command(&self.output, &arguments)
        };
        (0..processes).map(|index| start(&mut command(index))).collect()
    }

    /// Kills one of the processes after a while; says whether it was still running. Once they have met,
    /// the others end by themselves. Before, they wait for the one that is gone, and are stopped as
    /// whoever watches over them would.
    fn kill_one(&mut self, mut running: Vec<Running>) -> bool {
        let met = self.random.below(4) > 0;
        if met {
            running.iter_mut().for_each(|it| _ = it.line_with(BUILT));
        }
        std::thread::sleep(Duration::from_millis(self.random.below(if met { 500 } else { 60 })));
        let victim = self.random.below(running.len() as u64) as usize;
        let killed = running.swap_remove(victim).kill();
        for other in running {
            if met {
                let ended = other.wait();
                assert!(killed || ended.status.success(), "{ended:?}");
            } else {
                other.kill();
            }
        }
        killed
    }
}

/// Kills a process of the scene so many times. When the job comes to its end in between, what it has
/// committed is compared, and it begins anew.
fn survives(name: &'static str, seed: u64, kills: usize, compare: fn(&Path, &Rows, &str)) {
    let scene = Scene::new(name);
    let whole = scene.undisturbed();
    let shapes = [(2, 1), (2, 2), (3, 1), (1, 4)];
    let (mut killed, mut round) = (0, 0);
    while killed < kills {
        let output = scene.at(&format!("round-{round}"));
        let random = Random::new(seed * 1_000 + round);
        let mut cluster = Cluster { scene: &scene, output: output.clone(), random, begun: false };
        loop {
            let (processes, workers) = shapes[killed % shapes.len()];
            let running = cluster.start(processes, workers);
            if killed == kills {
                running.into_iter().for_each(|it| _ = it.wait().well());
                break;
            }
            if !cluster.kill_one(running) {
                break;
            }
            killed += 1;
        }
        compare(&output, &whole, &format!("seed {seed}, round {round}"));
        round += 1;
    }
}

#[test]
fn windows_and_sessions_survive_kills() {
    survives("windows", 1, 20, assert_same);
}

#[test]
fn timers_and_two_inputs_survive_kills() {
    survives("timers", 2, 16, assert_same);
}

#[test]
fn a_fixpoint_survives_kills() {
    let consistent = |output: &Path, whole: &Rows, case: &str| {
        collections::assert_consistent(&rows(output), whole, case);
    };
    survives("graph", 3, 16, consistent);
}

/// The newest checkpoint, if it is after an epoch.
fn newest(store: &Store, after: Option<u64>) -> Option<Manifest> {
    let (newest, skipped) = store.newest_whole().expect("the store can be read");
    assert!(skipped.is_empty(), "{skipped:?}");
    newest.filter(|it| Some(it.epoch) > after)
}

/// Goes on with a scene on one, three and two processes, each killed once it has taken a checkpoint of
/// its own but for the last.
fn rescaled(name: &'static str, seed: u64) {
    let scene = Scene::new(name);
    let whole = scene.undisturbed();
    let output = scene.at("rescaled");
    let place = output.with_extension("checkpoints");
    let store = Store::open(place.to_str().expect("a path of a test"), name).expect("a store");
    let random = Random::new(seed);
    let mut cluster = Cluster { scene: &scene, output: output.clone(), random, begun: false };
    let mut last = None;
    for processes in [1, 3] {
        let mut running = cluster.start(processes, 1);
        running.iter_mut().for_each(|it| _ = it.line_with(BUILT));
        let deadline = Instant::now() + Duration::from_secs(60);
        while store.epochs().expect("the store can be read").first().copied() <= last {
            assert!(Instant::now() < deadline, "{processes} processes take no checkpoint");
            std::thread::sleep(Duration::from_millis(2));
        }
        let victim = cluster.random.below(processes as u64) as usize;
        assert!(running.swap_remove(victim).kill(), "{processes} processes are through too soon");
        running.into_iter().for_each(|it| _ = it.wait().badly());
        let manifest = newest(&store, last).expect("there is a checkpoint");
        assert_eq!((manifest.workers, manifest.ended), (processes, None));
        last = Some(manifest.epoch);
    }
    cluster.start(2, 1).into_iter().for_each(|it| _ = it.wait().well());
    let manifest = newest(&store, last).expect("there is a last checkpoint");
    assert_eq!((manifest.workers, manifest.ended), (2, Some(Ended::Finished)));
    assert_same(&output, &whole, name);
}

#[test]
fn one_three_and_two_processes_go_on_with_the_same_state() {
    rescaled("windows", 4);
    rescaled("timers", 5);
}
