//! The graph study in Tidemill: first answer, then changes of few and of many edges.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use clap::Parser;
use mimalloc::MiMalloc;
use tidemill::flow::Flow;
use tidemill::graph::{DAMPING, Edge, Graph, Update};
use tidemill::stream::Stream;
use tidemill_experiments::graphs::{Algorithm, Drawn, GraphSettings, STEP, Times, peak_megabytes};
use timely::dataflow::InputHandle;
use timely::dataflow::operators::Input;
use timely::worker::Worker;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

type Change = (Edge, isize);

fn main() {
    let settings = GraphSettings::parse();
    let config = timely::Config::process(settings.workers);
    let drawn = Drawn::new(&settings);
    let guards = timely::execute(config, move |worker| study(worker, &settings, &drawn));
    drop(guards.expect("the workers start"));
}

fn edge(from: u32, to: u32) -> Edge {
    Edge::new(u64::from(from), u64::from(to))
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

fn study(worker: &mut Worker, settings: &GraphSettings, drawn: &Drawn) {
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
                count(graph.pagerank(DAMPING, settings.tolerance).updates(), &counted, &done);
            }
            Algorithm::Iterations => {
                count(graph.pagerank_iterations(DAMPING, 20).updates(), &counted, &done);
            }
        }
        input
    });
    let say = |text: String| {
        if index == 0 {
            println!("{text}");
        }
    };
    let mut epoch = 0;
    let mut settle = |worker: &mut Worker, input: &mut InputHandle<u64, _>, flight: u64| {
        epoch += 1;
        input.advance_to(epoch);
        input.flush();
        while done.get() + flight < epoch {
            worker.step();
        }
    };
    let began = Instant::now();
    for (number, (from, to)) in drawn.first.iter().skip(index).step_by(peers).enumerate() {
        input.send((edge(*from, *to), 1));
        if number % STEP == 0 {
            worker.step();
        }
    }
    say(format!("tidemill {:?}: loaded {:?}", settings.algorithm, began.elapsed()));
    settle(worker, &mut input, 0);
    say(format!(
        "first answer {:?}, {} MB, {} told",
        began.elapsed(),
        peak_megabytes(),
        counted.get()
    ));
    let mut swaps = drawn.swaps();
    let mut swap = |input: &mut InputHandle<u64, _>, batch: usize| {
        for (number, (new, gone)) in swaps.by_ref().take(batch).enumerate() {
            if number % peers == index {
                input.send((edge(new.0, new.1), 1));
                input.send((edge(gone.0, gone.1), -1));
            }
        }
    };
    for &batch in &settings.batches {
        let mut times = Times::default();
        for _ in 0..settings.rounds_of(batch) {
            swap(&mut input, batch);
            let began = Instant::now();
            settle(worker, &mut input, 0);
            times.note(began);
        }
        say(times.line(&format!("{batch} swaps")));
    }
    let began = Instant::now();
    for _ in 0..settings.sustained {
        swap(&mut input, 1000);
        settle(worker, &mut input, 4);
    }
    if settings.sustained > 0 {
        settle(worker, &mut input, 0);
        let rate = settings.sustained as f64 * 2000.0 / began.elapsed().as_secs_f64();
        say(format!("sustained: {rate:.0} changes/s"));
    }
    say(format!("{} MB", peak_megabytes()));
}
