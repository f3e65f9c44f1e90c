//! The graph study in Tidemill: first answer, then changes of 1 and of 1000 edges.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use clap::Parser;
use mimalloc::MiMalloc;
use tidemill::flow::Flow;
use tidemill::graph::{DAMPING, Edge, Graph, Update};
use tidemill::stream::Stream;
use tidemill_experiments::graphs::{Algorithm, Edges, GraphSettings, Times, peak_megabytes};
use timely::dataflow::InputHandle;
use timely::dataflow::operators::Input;
use timely::worker::Worker;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

type Change = (Edge, isize);

fn main() {
    let settings = GraphSettings::parse();
    let config = timely::Config::process(settings.workers);
    let guards = timely::execute(config, move |worker| study(worker, &settings));
    drop(guards.expect("the workers start"));
}

fn count<V: 'static>(
    updates: Stream<'_, Update<V>>,
    counted: &Rc<Cell<u64>>,
    done: &Rc<Cell<u64>>,
) {
    let (counted, done) = (Rc::clone(counted), Rc::clone(done));
    updates.watch(
        move |_, records| counted.set(counted.get() + records.drain(..).len() as u64),
        move |epoch| done.set(epoch),
    );
}

fn study(worker: &mut Worker, settings: &GraphSettings) {
    let (index, peers) = (worker.index(), worker.peers());
    let (done, counted) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let mut input = worker.dataflow::<u64, _, _>(|scope| {
        let (input, changes) = scope.new_input::<Vec<Change>>();
        let changes = Stream::from_inner(&Flow::new(scope), changes).changelog();
        let graph = Graph::directed(changes);
        match settings.algorithm {
            Algorithm::Bfs => count(graph.bfs(0).updates(), &counted, &done),
            Algorithm::Wcc => count(graph.wcc().updates(), &counted, &done),
            Algorithm::Pagerank => {
                count(graph.pagerank(DAMPING, 1e-6).updates(), &counted, &done);
            }
            Algorithm::Iterations => {
                count(graph.pagerank_iterations(DAMPING, 20).updates(), &counted, &done);
            }
        }
        input
    });
    let mut edges = Edges::new(settings);
    let first: Vec<_> = edges.by_ref().take(settings.edges as usize).collect();
    let say = |text: String| {
        if index == 0 {
            println!("{text}");
        }
    };
    let mut epoch = 0;
    let mut settle = |worker: &mut Worker, input: &mut InputHandle<u64, _>| {
        epoch += 1;
        input.advance_to(epoch);
        input.flush();
        while done.get() < epoch {
            worker.step();
        }
    };
    let began = Instant::now();
    for (from, to) in first.iter().skip(index).step_by(peers) {
        input.send((Edge::new(*from, *to), 1));
    }
    say(format!("tidemill {:?}: loaded {:?}", settings.algorithm, began.elapsed()));
    settle(worker, &mut input);
    say(format!(
        "first answer {:?}, {} MB, {} told",
        began.elapsed(),
        peak_megabytes(),
        counted.get()
    ));
    let mut old = first.into_iter();
    for (batch, rounds) in [(1, settings.rounds), (1000, settings.rounds / 10)] {
        let mut times = Times::default();
        for _ in 0..rounds {
            let swaps = edges.by_ref().zip(old.by_ref()).take(batch).enumerate();
            for (number, (new, gone)) in swaps {
                if number % peers == index {
                    input.send((Edge::new(new.0, new.1), 1));
                    input.send((Edge::new(gone.0, gone.1), -1));
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
