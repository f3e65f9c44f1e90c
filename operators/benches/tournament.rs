//! What a change costs in a key of a thousand and of a million values: the least of them, the ten
//! greatest, and sums, by tournament and by differences, beside a reduce that looks at all of them.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use criterion::{Criterion, criterion_group, criterion_main};
use tidemill_operators::aggregate::{Count, Sum};
use tidemill_operators::collection::{Collection, Diff};
use tidemill_operators::flow::Flow;
use tidemill_operators::stream::Stream;
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::dataflow::InputHandleVec;
use timely::dataflow::operators::Input;
use timely::worker::Worker;

/// Values of one key.
type Values<'s> = Collection<'s, ((), u64)>;

/// A worker with one key of so many values, and what is computed of them.
struct Bench {
    worker: Worker,
    input: InputHandleVec<u64, (((), u64), Diff)>,
    reached: Rc<Cell<u64>>,
    epoch: u64,
}

/// Values that are spread over all there are.
fn value(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Bench {
    fn new(
        values: u64,
        build: impl for<'s> FnOnce(Values<'s>) -> Collection<'s, ((), u64)>,
    ) -> Self {
        let mut worker =
            Worker::new(WorkerConfig::default(), Allocator::Thread(Thread::default()), None);
        let mut input = InputHandleVec::new();
        let reached = Rc::new(Cell::new(0));
        let told = Rc::clone(&reached);
        worker.dataflow(|scope| {
            let flow = Flow::new(scope);
            let values = Stream::from_inner(&flow, scope.input_from(&mut input)).changelog();
            build(values).changes().watch(|_, _| {}, move |epoch| told.set(epoch));
        });
        (0..values).for_each(|it| input.send((((), value(it)), 1)));
        let mut bench = Self { worker, input, reached, epoch: 0 };
        bench.settle();
        bench
    }

    fn settle(&mut self) {
        self.epoch += 1;
        self.input.advance_to(self.epoch);
        self.input.flush();
        while self.reached.get() < self.epoch {
            self.worker.step();
        }
    }

    /// Takes one value away, another in its place, each in an epoch of its own.
    fn change(&mut self, number: u64, values: u64) {
        let gone = value(black_box(number % values));
        self.input.send((((), gone), -1));
        self.settle();
        self.input.send((((), gone), 1));
        self.settle();
    }
}

fn reduced(values: Values<'_>) -> Collection<'_, ((), u64)> {
    values.reduce(|(), values, least| least.extend(values.first().map(|(it, _)| (**it, 1))))
}

fn summed(values: Values<'_>) -> Collection<'_, ((), u64)> {
    values.aggregate((Count, Sum::of(|it: &u64| *it))).map(|((), (_, sum))| ((), sum))
}

fn changes(criterion: &mut Criterion) {
    type Build = for<'s> fn(Values<'s>) -> Collection<'s, ((), u64)>;
    let verbs: [(&str, Build); 4] = [
        ("min", |values| values.min()),
        ("top 10", |values| values.top(10)),
        ("sum", summed),
        ("reduce", reduced),
    ];
    for (verb, build) in verbs {
        let mut group = criterion.benchmark_group(verb);
        group.sample_size(10);
        for values in [1_000, 1_000_000] {
            let mut bench = Bench::new(values, build);
            let mut number = 0;
            group.bench_function(format!("one of {values} goes and comes"), |it| {
                it.iter(|| {
                    number += 7919;
                    bench.change(number, values);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, changes);
criterion_main!(benches);
