//! The graph study on differential dataflow, as its examples have it.

use std::time::Instant;

use clap::Parser;
use differential_dataflow::AsCollection;
use differential_dataflow::VecCollection;
use differential_dataflow::algorithms::graphs::{bfs::bfs, propagate::propagate_at};
use differential_dataflow::input::{Input, InputSession};
use differential_dataflow::operators::iterate::Variable;
use mimalloc::MiMalloc;
use tidemill_experiments::graphs::{Algorithm, Drawn, GraphSettings, STEP, Times, peak_megabytes};
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::vec::Filter;
use timely::order::Product;
use timely::worker::Worker;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() {
    let settings = GraphSettings::parse();
    let config = timely::Config::process(settings.workers);
    let drawn = Drawn::new(&settings);
    let guards = timely::execute(config, move |worker| study(worker, &settings, &drawn));
    drop(guards.expect("the workers start"));
}

type Vertices<'s> = VecCollection<'s, u64, (u32, u32), isize>;

fn components(edges: Vertices<'_>) -> Vertices<'_> {
    let both = edges.clone().map(|(from, to)| (to, from)).concat(edges);
    let own = both.clone().map(|(from, _)| (from, from)).consolidate();
    propagate_at(both, own, |label| u64::from(*label))
}

/// PageRank in so many iterations, by walkers: how many are at a vertex is how often it is there. Five of six
/// go on, in equal shares and rounded down; a sixth of a million begins at each vertex anew.
fn ranks(edges: Vertices<'_>, iterations: u32) -> VecCollection<'_, u64, u32, isize> {
    let outer = edges.scope();
    let vertices = edges.clone().flat_map(|(from, to)| [from, to]).distinct();
    let degrees = edges.clone().map(|(from, _)| from).count();
    outer.iterative::<u32, _, _>(|inner| {
        let (edges, degrees) = (edges.enter(inner), degrees.enter(inner));
        let vertices = vertices.enter(inner);
        let first = vertices.clone().explode(|it| [(it, 6_000_000)]);
        let anew = vertices.explode(|it| [(it, 1_000_000)]);
        let (variable, walkers) = Variable::new_from(first, Product::new(0, 1));
        let going = degrees
            .semijoin(walkers)
            .threshold(|(_, degree), here| 5 * here / (6 * degree))
            .map(|(vertex, _)| vertex);
        let arrived = edges.semijoin(going).map(|(_, to)| to).concat(anew).consolidate();
        let arrived = arrived.inner.filter(move |(_, time, _)| time.inner < iterations);
        let arrived = arrived.as_collection();
        variable.set(arrived.clone());
        arrived.leave(outer)
    })
}

fn study(worker: &mut Worker, settings: &GraphSettings, drawn: &Drawn) {
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
            Algorithm::Iterations | Algorithm::Pagerank => {
                _ = ranks(edges, 20).consolidate().probe_with(&probe);
            }
            Algorithm::Wcc => _ = components(edges).consolidate().probe_with(&probe),
        }
        input
    });
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
    for (number, edge) in drawn.first.iter().skip(index).step_by(peers).enumerate() {
        input.insert(*edge);
        if number % STEP == 0 {
            input.flush();
            worker.step();
        }
    }
    settle(worker, &mut input);
    say(format!(
        "differential {:?}: first answer {:?}, {} MB",
        settings.algorithm,
        began.elapsed(),
        peak_megabytes()
    ));
    let mut swaps = drawn.swaps();
    let mut swap = |input: &mut InputSession<u64, (u32, u32), isize>, batch: usize| {
        for (number, (new, gone)) in swaps.by_ref().take(batch).enumerate() {
            if number % peers == index {
                input.insert(new);
                input.remove(gone);
            }
        }
    };
    for &batch in &settings.batches {
        let mut times = Times::default();
        for _ in 0..settings.rounds_of(batch) {
            swap(&mut input, batch);
            let began = Instant::now();
            settle(worker, &mut input);
            times.note(began);
        }
        say(times.line(&format!("{batch} swaps")));
    }
    say(format!("{} MB", peak_megabytes()));
}
