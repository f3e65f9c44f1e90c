//! Three questions about one graph that changes, from one arrangement of its edges or from three.
//!
//! Where do the edges of a thousand vertices lead; where do two edges in a row lead from them; and what
//! can be reached from vertex 0? After
//! [Shared Arrangements](https://doi.org/10.14778/3401960.3401974).

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use clap::Parser;
use mimalloc::MiMalloc;
use tidemill::collection::{Arrangement, Collection};
use tidemill::flow::Flow;
use tidemill::stream::Stream;
use tidemill_experiments::graphs::{Drawn, GraphSettings, STEP, Times, peak_megabytes};
use timely::dataflow::InputHandle;
use timely::dataflow::operators::Input;
use timely::worker::Worker;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Settings of the study.
#[derive(Parser, Clone, Debug)]
struct Settings {
    /// Let each question arrange the edges for itself.
    #[arg(long)]
    own: bool,
    #[command(flatten)]
    graph: GraphSettings,
}

type Links<'s> = Arrangement<'s, u32, u32>;
type Change = ((u32, u32), isize);

fn main() {
    let settings = Settings::parse();
    let config = timely::Config::process(settings.graph.workers);
    let drawn = Drawn::new(&settings.graph);
    let guards = timely::execute(config, move |worker| study(worker, &settings, &drawn));
    drop(guards.expect("the workers start"));
}

/// The ends of the edges that begin at these vertices.
fn step<'s>(from: Collection<'s, u32>, links: &Links<'s>) -> Collection<'s, u32> {
    from.map(|it| (it, ())).arrange("from").join(links).map(|(_, ((), to))| to)
}

/// What can be reached from these vertices.
fn reach<'s>(roots: Collection<'s, u32>, links: &Links<'s>) -> Collection<'s, u32> {
    roots.clone().iterate(|reached| {
        let (links, roots) = (links.enter(&reached), roots.enter(&reached));
        let next = reached.map(|it| (it, ())).arrange("reached").join(&links);
        next.map(|(_, ((), to))| to).concat(roots).distinct()
    })
}

fn study(worker: &mut Worker, settings: &Settings, drawn: &Drawn) {
    let (index, peers) = (worker.index(), worker.peers());
    let done = [0; 3].map(|_| Rc::new(Cell::new(0)));
    let told = Rc::new(Cell::new(0));
    let (mut input, mut questions) = worker.dataflow::<u64, _, _>(|scope| {
        let (input, changes) = scope.new_input::<Vec<Change>>();
        let (questions, from) = scope.new_input::<Vec<u32>>();
        let flow = Flow::new(scope);
        let edges = Stream::from_inner(&flow, changes).changelog();
        let from = Stream::from_inner(&flow, from).inserts();
        let shared = (!settings.own).then(|| edges.clone().arrange("edges"));
        let links = || shared.clone().unwrap_or_else(|| edges.clone().arrange("edges"));
        let one = step(from.clone(), &links());
        let second = links();
        let two = step(step(from.clone(), &second), &second);
        let reached = reach(from.filter(|it| *it == 0), &links());
        for (answer, done) in [one, two, reached].into_iter().zip(&done) {
            let (told, done) = (Rc::clone(&told), Rc::clone(done));
            answer.changes().watch(
                move |_, records| told.set(told.get() + records.drain(..).len() as u64),
                move |epoch| done.set(epoch),
            );
        }
        (input, questions)
    });
    if index == 0 {
        (0..1000).for_each(|it| questions.send(it));
    }
    let say = |text: String| {
        if index == 0 {
            println!("{text}");
        }
    };
    let mut epoch = 0;
    let mut settle = |worker: &mut Worker, input: &mut InputHandle<u64, _>| {
        epoch += 1;
        input.advance_to(epoch);
        questions.advance_to(epoch);
        input.flush();
        questions.flush();
        while done.iter().any(|it| it.get() < epoch) {
            worker.step();
        }
    };
    let before = peak_megabytes();
    let began = Instant::now();
    for (number, edge) in drawn.first.iter().skip(index).step_by(peers).enumerate() {
        input.send((*edge, 1));
        if number % STEP == 0 {
            worker.step();
        }
    }
    settle(worker, &mut input);
    let whose = if settings.own { "three arrangements" } else { "one arrangement" };
    say(format!(
        "{whose}: first answers {:?}, {} MB above {before} MB, {} told",
        began.elapsed(),
        peak_megabytes() - before,
        told.get()
    ));
    let mut swaps = drawn.swaps();
    for &batch in &settings.graph.batches {
        let mut times = Times::default();
        for _ in 0..settings.graph.rounds_of(batch) {
            for (number, (new, gone)) in swaps.by_ref().take(batch).enumerate() {
                if number % peers == index {
                    input.send((new, 1));
                    input.send((gone, -1));
                }
            }
            let began = Instant::now();
            settle(worker, &mut input);
            times.note(began);
        }
        say(times.line(&format!("{batch} swaps")));
    }
    say(format!("{} MB, {} told", peak_megabytes(), told.get()));
}
