//! The wiring, under rules that say exactly what they were told and when.

mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use proptest::prelude::*;
use tidemill_operators::batch::Batch;
use tidemill_operators::drive::{RECORDS_AT_ONCE, drive_two};
use tidemill_operators::event::Event;
use tidemill_operators::event_time::Disorder;
use tidemill_operators::events::Events;
use tidemill_operators::key::{Groups, hash};
use tidemill_operators::keyed::Keyed;
use tidemill_operators::plan::Node;
use tidemill_operators::rule::{Advance, Either, Outbox, Rule, Snapshot};
use tidemill_operators::state::Memory;
use tidemill_operators::stream::Stream;
use tidemill_operators::time::{Epoch, EventTime};
use timely::communication::Push;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::progress::Stamp;

use support::{Cut, Epochs, Run, Tap, at, by_epoch, histories, on_workers, records, runs};

/// A moment and a key.
type Record = (i64, u8);
/// A key, its records so far, and the watermark at which that was said.
type Told = (u8, u64, i64);

/// Counts the records of each key; at each watermark says the count of those that changed, once or
/// more often.
struct Tally {
    counts: BTreeMap<u8, u64>,
    changed: BTreeMap<u8, usize>,
    often: usize,
}

impl Tally {
    fn new(often: usize) -> Self {
        Self { counts: BTreeMap::new(), changed: BTreeMap::new(), often }
    }

    fn count(&mut self, key: u8) {
        *self.counts.entry(key).or_default() += 1;
        self.changed.insert(key, self.often);
    }

    fn tell<S>(&mut self, watermark: EventTime, out: &mut Outbox<Event<Told>, S>) -> Advance {
        while let Some(mut entry) = self.changed.first_entry() {
            if out.full() {
                return Advance::More;
            }
            let told = (*entry.key(), self.counts[entry.key()], watermark.micros());
            out.main.push(Event::new(watermark, told));
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        Advance::Done
    }

    fn save(&self, to: &mut dyn Snapshot<(u8, u64)>) {
        assert!(self.changed.is_empty(), "state is saved between epochs only");
        self.counts.iter().for_each(|(key, count)| to.keyed(hash(key), (*key, *count)));
    }
}

impl Rule<Event<(u8, ())>> for Tally {
    type Output = Event<Told>;
    type Side = u8;
    type Saved = (u8, u64);

    fn accept(&mut self, record: Event<(u8, ())>, out: &mut Outbox<Event<Told>, u8>) {
        self.count(record.value.0);
        out.side.push(record.value.0);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outbox<Event<Told>, u8>) -> Advance {
        self.tell(watermark, out)
    }

    fn save(&mut self, to: &mut dyn Snapshot<(u8, u64)>) {
        Tally::save(self, to);
    }

    fn restore(&mut self, (key, count): (u8, u64)) {
        assert!(self.counts.insert(key, count).is_none(), "a key has one entry");
    }

    fn resume(&mut self, _: EventTime) {}
}

/// A tally of two inputs: records of the second count as keys of their own.
impl Rule<Either<u8, u8>> for Tally {
    type Output = Event<Told>;
    type Side = Infallible;
    type Saved = (u8, u64);

    fn accept(&mut self, record: Either<u8, u8>, _: &mut Outbox<Event<Told>, Infallible>) {
        match record {
            Either::Left(key) | Either::Right(key) => self.count(key),
        }
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Event<Told>, Infallible>,
    ) -> Advance {
        self.tell(watermark, out)
    }

    fn save(&mut self, to: &mut dyn Snapshot<(u8, u64)>) {
        Tally::save(self, to);
    }

    fn restore(&mut self, (key, count): (u8, u64)) {
        assert!(self.counts.insert(key, count).is_none(), "a key has one entry");
    }

    fn resume(&mut self, _: EventTime) {}
}

fn keyed(stream: Stream<'_, Record>) -> Keyed<'_, u8, ()> {
    stream.event_time(|it| at(it.0), Disorder::ascending()).key_value(|it| (it.1, ()))
}

/// For each epoch, what is said of the keys that had records in it.
fn model(run: &Run<Record>, often: usize) -> Vec<(Epoch, Told)> {
    let mut counts = BTreeMap::<u8, u64>::new();
    let mut told = Vec::new();
    let watermarks = run.watermarks(|it| it.0, 0);
    for (epoch, partitions) in run.epochs().iter().enumerate() {
        let mut changed = BTreeMap::new();
        for &(_, key) in partitions.iter().flatten() {
            let count = counts.entry(key).or_default();
            *count += 1;
            changed.insert(key, *count);
        }
        for (key, count) in changed {
            let it = (epoch as Epoch, (key, count, watermarks[epoch]));
            told.extend(std::iter::repeat_n(it, often));
        }
    }
    told
}

#[track_caller]
fn check(run: &Run<Record>, often: usize) {
    let told = run.go(move |stream, tap| {
        let (told, _) = keyed(stream).rule(Node::operator("tally"), Tally::new(often));
        tap.watch(told.values());
    });
    assert_eq!(by_epoch(told), model(run, often), "{run:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_rule_has_seen_exactly_the_epochs_before(
        run in runs(histories((0..50i64, 0..6u8), 1..7, 0..12)),
    ) {
        check(&run, 1);
    }

    #[test]
    fn a_rule_that_emits_a_lot_emits_all_of_it_with_its_epoch(
        run in runs(histories((0..50i64, 0..6u8), 1..4, 0..4)),
    ) {
        check(&run, 1_500);
    }

    #[test]
    fn what_leaves_by_the_side_keeps_its_epoch(
        run in runs(histories((0..50i64, 0..6u8), 1..5, 0..8)),
    ) {
        let seen = run.go(|stream, tap| {
            tap.watch(keyed(stream).rule(Node::operator("tally"), Tally::new(1)).1);
        });
        let epochs = run.epochs().iter().enumerate();
        let mut sent: Vec<_> = epochs
            .flat_map(|(epoch, it)| it.iter().flatten().map(move |it| (epoch as Epoch, it.1)))
            .collect();
        sent.sort();
        prop_assert_eq!(by_epoch(seen), sent);
    }

    #[test]
    fn two_inputs_are_one_history(run in runs(histories((0..50i64, 0..6u8), 1..7, 0..12))) {
        let told = run.go(|stream, tap| tap.watch(two(stream).values()));
        prop_assert_eq!(by_epoch(told), model(&run, 1));
    }
}

/// Takes keys to the workers that own them.
struct ByKey;

impl Distributor<Batch<u8>> for ByKey {
    fn partition<T: Clone, P: Push<Message<T, Batch<u8>>>>(
        &mut self,
        batch: &mut Batch<u8>,
        stamp: &Stamp<T>,
        pushers: &mut [P],
    ) {
        let groups = Groups::new(Groups::DEFAULT, pushers.len());
        for key in batch.records.drain(..) {
            let to = groups.worker(groups.group(hash(&key)));
            Message::push_at(&mut Batch::from(vec![key]), stamp.clone(), &mut pushers[to]);
        }
    }

    fn flush<T: Clone, P: Push<Message<T, Batch<u8>>>>(&mut self, _: &Stamp<T>, _: &mut [P]) {}
}

/// The tally of a stream that was taken apart into even and odd moments.
fn two(stream: Stream<'_, Record>) -> Events<'_, Told> {
    let events = stream.event_time(|it| at(it.0), Disorder::ascending());
    let flow = events.flow().clone();
    let (even, odd) = events.split(|it| match it.0 % 2 {
        0 => Either::Left(it.1),
        _ => Either::Right(it.1),
    });
    let (even, marks) = even.into_parts();
    let (odd, _) = odd.into_parts();
    let node = flow.add(Node::operator("two"), []);
    let pact = || DistributorPact(|_| ByKey);
    let left = (even.map(|it| it.value).batches(), pact());
    let right = (odd.map(|it| it.value).batches(), pact());
    let (told, _) = drive_two(&flow, node, left, right, marks.clone(), Tally::new(1));
    Events::from_parts(Stream::from_source(&flow, node, told, Default::default()), marks)
}

/// Eight epochs of two partitions, with all keys in each.
fn eight() -> Epochs<Record> {
    let partition = |epoch: i64| (0..6).map(move |key| (epoch * 10 + i64::from(key), key));
    (0..8).map(|epoch| (0..2).map(|_| partition(epoch).collect()).collect()).collect()
}

#[test]
fn records_that_came_early_are_not_in_the_state_of_the_epoch_before() {
    for cut in [0, 3, 7] {
        check(&Run::new(eight()).ending().flight(4).restart(cut, 1), 1);
        check(&Run::new(eight()).ending().workers(2).batch(2).flight(8).restart(cut, 2), 1);
    }
}

#[test]
fn state_moves_from_one_worker_to_two_to_four_and_back() {
    let run = Run::new(eight()).restart(1, 2).restart(3, 4).restart(5, 1).ending();
    check(&run, 1);
    check(&run.flight(3).batch(4), 40);
}

#[test]
fn a_restart_may_follow_another_at_once() {
    check(&Run::new(eight()).ending().restart(2, 4).restart(3, 2).restart(4, 1), 1);
}

#[test]
fn epochs_without_records_pass() {
    let mut epochs: Epochs<Record> = vec![vec![vec![]; 3]; 50];
    check(&Run::new(epochs.clone()).workers(2).clock(vec![0; 50]), 1);
    epochs[20][1].push((5, 1));
    epochs[40][2].push((6, 1));
    check(&Run::new(epochs.clone()).workers(4).clock(vec![0; 50]).ending(), 1);
    check(&Run::new(epochs).workers(2).clock(vec![0; 50]).restart(30, 4), 1);
}

#[test]
fn an_input_without_epochs_ends() {
    check(&Run::new(vec![]).workers(2), 1);
}

#[test]
fn a_keeper_in_memory_keeps_every_so_many_epochs() {
    let memory = Memory::every(3);
    let feed = |keeper: Memory, from: Epoch| {
        on_workers(
            2,
            keeper,
            |worker| vec![worker.to_string()],
            |stream: Stream<'_, Record>, tap: &Tap<Told>| {
                let (told, _) = keyed(stream).rule(Node::operator("tally"), Tally::new(1));
                tap.watch(told.values());
            },
            move |bench| {
                for epoch in from..8 {
                    let records = eight()[epoch as usize][bench.index()].clone();
                    bench.send(epoch, 0, records);
                    bench.advance(epoch + 1);
                    bench.settle(epoch);
                }
                bench.finish();
            },
        )
    };
    let whole = by_epoch(feed(memory.clone(), 0));
    for kept in [2, 5] {
        let rest: Vec<_> = whole.iter().copied().filter(|it| it.0 > kept).collect();
        assert_eq!(by_epoch(feed(memory.restored(kept), kept + 1)), rest);
    }
}

/// Counts calls, and says at each watermark as much as it was told to.
struct Busy {
    accepted: Arc<AtomicUsize>,
    left: usize,
}

impl Rule<Event<(u8, ())>> for Busy {
    type Output = Event<u8>;
    type Side = Infallible;
    type Saved = ();

    fn accept(&mut self, record: Event<(u8, ())>, _: &mut Outbox<Event<u8>, Infallible>) {
        assert_ne!(record.value.0, 13, "unlucky");
        self.accepted.fetch_add(1, SeqCst);
        self.left += 1;
    }

    fn advance(&mut self, at: EventTime, out: &mut Outbox<Event<u8>, Infallible>) -> Advance {
        while self.left > 0 {
            if out.full() {
                return Advance::More;
            }
            out.main.push(Event::new(at, 0));
            self.left -= 1;
        }
        Advance::Done
    }

    fn save(&mut self, _: &mut dyn Snapshot<()>) {}

    fn restore(&mut self, (): ()) {}

    fn resume(&mut self, _: EventTime) {}
}

#[test]
fn work_is_bounded_and_others_get_their_turn() {
    const BATCH: usize = 10_000;
    const BATCHES: usize = 50;
    let accepted = Arc::new(AtomicUsize::new(0));
    let given = Arc::new(AtomicUsize::new(0));
    let (ours, out) = (Arc::clone(&accepted), Arc::clone(&given));
    let most = RECORDS_AT_ONCE + BATCH;
    let seen = on_workers(
        1,
        Cut { memory: Memory::every(1), at: None },
        |_| vec!["0".into()],
        move |stream: Stream<'_, Record>, tap: &Tap<u8>| {
            let busy = Busy { accepted: Arc::clone(&ours), left: 0 };
            let out = Arc::clone(&out);
            let (told, _) = keyed(stream.clone()).rule(Node::operator("busy"), busy);
            let told = told.values().inspect(move |_| _ = out.fetch_add(1, SeqCst));
            tap.watch(told.filter(|_| false));
            tap.watch(stream.filter(|it| it.0 == -1).map(|it| it.1));
        },
        move |bench| {
            for _ in 0..BATCHES {
                bench.send(0, 0, vec![(0, 1); BATCH]);
            }
            bench.send(1, 0, vec![(-1, 7)]);
            bench.advance(2);
            let (mut before, mut turns) = ((0, 0), 0);
            while given.load(SeqCst) < BATCH * BATCHES {
                bench.step();
                let now = (accepted.load(SeqCst), given.load(SeqCst));
                let done = (now.0 - before.0).max(now.1 - before.1);
                assert!(done <= most, "{done} records in one turn");
                (before, turns) = (now, turns + 1);
                assert!(turns < 10_000, "operator `busy` is stuck");
            }
            assert!(turns > 2 * BATCH * BATCHES / most, "it took {turns} turns only");
            bench.finish();
        },
    );
    assert_eq!(records(seen), [7]);
}

/// Is not through with a watermark for so many calls, and has nothing to say meanwhile.
struct Quiet {
    calls: Arc<AtomicUsize>,
    left: usize,
}

impl Rule<Event<(u8, ())>> for Quiet {
    type Output = Event<u8>;
    type Side = Infallible;
    type Saved = ();

    fn accept(&mut self, _: Event<(u8, ())>, _: &mut Outbox<Event<u8>, Infallible>) {}

    fn advance(&mut self, at: EventTime, out: &mut Outbox<Event<u8>, Infallible>) -> Advance {
        self.calls.fetch_add(1, SeqCst);
        if self.left > 0 {
            self.left -= 1;
            return Advance::More;
        }
        out.main.push(Event::new(at, 3));
        Advance::Done
    }

    fn save(&mut self, _: &mut dyn Snapshot<()>) {}

    fn restore(&mut self, (): ()) {}

    fn resume(&mut self, _: EventTime) {}
}

#[test]
fn a_rule_that_is_never_through_and_says_nothing_starves_nobody() {
    /// Calls in one turn, each counted as an outbox that is full.
    const AT_ONCE: usize = RECORDS_AT_ONCE / Outbox::<(), ()>::FULL;
    const TURNS: usize = 20;
    let calls = Arc::new(AtomicUsize::new(0));
    let passed = Arc::new(AtomicUsize::new(0));
    let (ours, past) = (Arc::clone(&calls), Arc::clone(&passed));
    let seen = on_workers(
        1,
        Cut { memory: Memory::every(1), at: None },
        |_| vec!["0".into()],
        move |stream: Stream<'_, Record>, tap: &Tap<u8>| {
            let quiet = Quiet { calls: Arc::clone(&ours), left: TURNS * AT_ONCE };
            let past = Arc::clone(&past);
            let (told, _) = keyed(stream.clone()).rule(Node::operator("quiet"), quiet);
            tap.watch(told.values());
            tap.watch(stream.map(|it| it.1).inspect(move |_| _ = past.fetch_add(1, SeqCst)));
        },
        move |bench| {
            bench.send(0, 0, vec![(0, 1)]);
            bench.advance(1);
            let mut turns = 0;
            while calls.load(SeqCst) <= TURNS * AT_ONCE {
                // While it is at it, each record of a later epoch gets by in a turn or two.
                bench.send(1, 0, vec![(1, 2)]);
                let before = calls.load(SeqCst);
                bench.step();
                let done = calls.load(SeqCst) - before;
                assert!(done <= AT_ONCE, "{done} calls in one turn");
                turns += 1;
                assert!(turns < 10_000, "operator `quiet` is stuck");
                assert!(passed.load(SeqCst) + 2 >= turns, "others had no turn in {turns}");
            }
            assert!(turns >= TURNS, "it took {turns} turns only");
            bench.finish();
        },
    );
    let told: Vec<_> = by_epoch(seen).into_iter().filter(|it| it.1 == 3).collect();
    assert_eq!(told, [(0, 3), (1, 3)], "it says what it has to in each epoch");
}

#[test]
fn a_rule_that_panics_unwinds_and_hangs_nobody() {
    for workers in [1, 2, 4] {
        let unlucky = catch_unwind(move || {
            let mut epochs = eight();
            epochs[3][1].push((0, 13));
            Run::new(epochs).workers(workers).go(|stream, tap| {
                let busy = Busy { accepted: Arc::default(), left: 0 };
                tap.watch(keyed(stream).rule(Node::operator("busy"), busy).0.values());
            })
        });
        let panic = unlucky.expect_err("the rule panics");
        let text = panic.downcast_ref::<String>().expect("a panic with a message");
        assert!(text.contains("unlucky"), "{text}");
    }
}
