//! The graph study on differential dataflow, as its examples have it.

use std::time::Instant;

use clap::Parser;
use differential_dataflow::VecCollection;
use differential_dataflow::algorithms::graphs::{bfs::bfs, propagate::propagate_at};
use differential_dataflow::input::{Input, InputSession};
use mimalloc::MiMalloc;
use tidemill_experiments::graphs::{Algorithm, Edges, GraphSettings, Times, peak_megabytes};
use timely::dataflow::ProbeHandle;
use timely::worker::Worker;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    let settings = GraphSettings::parse();
    let config = timely::Config::process(settings.workers);
    let guards = timely::execute(config, move |worker| study(worker, &settings));
    drop(guards.expect("the workers start"));
}

type Vertices<'s> = VecCollection<'s, u64, (u32, u32), isize>;

fn components(edges: Vertices<'_>) -> Vertices<'_> {
    let both = edges.clone().map(|(from, to)| (to, from)).concat(edges);
    let own = both.clone().map(|(from, _)| (from, from)).consolidate();
    propagate_at(both, own, |label| u64::from(*label))
}

fn study(worker: &mut Worker, settings: &GraphSettings) {
    let (index, peers) = (worker.index(), worker.peers());
    let probe = ProbeHandle::new();
    let mut input = worker.dataflow::<u64, _, _>(|scope| {
        let (input, edges) = scope.new_collection::<(u32, u32), isize>();
        match settings.algorithm {
            Algorithm::Bfs => {
                let (mut roots_in, roots) = scope.new_collection::<u32, isize>();
                roots_in.insert(0);
                _ = bfs(edges, roots).consolidate().probe_with(&probe);
            }
            _ => _ = components(edges).consolidate().probe_with(&probe),
        }
        input
    });
    let mut edges = Edges::new(settings).map(|(from, to)| (from as u32, to as u32));
    let first: Vec<_> = edges.by_ref().take(settings.edges as usize).collect();
    let say = |text: String| {
        if index == 0 {
            println!("{text}");
        }
    };
    let mut epoch = 0;
    let mut settle = |worker: &mut Worker, input: &mut InputSession<u64, (u32, u32), isize>| {
        epoch += 1;
        input.advance_to(epoch);
        input.flush();
        while probe.less_than(&epoch) {
            worker.step();
        }
    };
    let began = Instant::now();
    first.iter().skip(index).step_by(peers).for_each(|it| input.insert(*it));
    settle(worker, &mut input);
    say(format!(
        "differential {:?}: first answer {:?}, {} MB",
        settings.algorithm,
        began.elapsed(),
        peak_megabytes()
    ));
    let mut old = first.into_iter();
    for (batch, rounds) in [(1, settings.rounds), (1000, settings.rounds / 10)] {
        let mut times = Times::default();
        for _ in 0..rounds {
            let swaps = edges.by_ref().zip(old.by_ref()).take(batch).enumerate();
            for (number, (new, gone)) in swaps {
                if number % peers == index {
                    input.insert(new);
                    input.remove(gone);
                }
            }
            let began = Instant::now();
            settle(worker, &mut input);
            times.note(began);
        }
        say(times.line(&format!("{batch} swaps")));
    }
    say(format!("{} MB", peak_megabytes()));
}
