//! The calls that an operator has in flight: which is made next, and which results may leave.
//!
//! Plain state that knows no future: a record is taken out to be called with, and its result is put
//! back under the same ticket. What a batch holds (its capability) is given up once all its results
//! have left.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::vec;

use crate::time::Epoch;

/// Which record a result is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    lot: u64,
    place: usize,
}

/// The batches whose records wait to be called with, or whose results are not complete. `H` is what
/// the results need to leave.
pub(super) struct Pending<R, S, H> {
    ordered: bool,
    most: usize,
    in_flight: usize,
    /// Batches by their order of arrival.
    lots: BTreeMap<u64, Lot<R, S, H>>,
    /// The number that the next batch gets.
    arriving: u64,
    /// The first batch that has records to call with.
    starting: u64,
    /// Batches that have results which may leave in any order.
    fruitful: Vec<u64>,
    /// How many batches of each epoch there are.
    epochs: BTreeMap<Epoch, usize>,
}

struct Lot<R, S, H> {
    epoch: Epoch,
    hold: H,
    partition: u32,
    records: vec::IntoIter<R>,
    results: Results<S>,
}

/// What a batch has of its results.
struct Results<S> {
    /// In order: a place for each call that was begun and whose result has not left, and the number
    /// of the first of them.
    places: VecDeque<Option<S>>,
    first: usize,
    /// Without order: results that may leave.
    ready: Vec<S>,
    /// Calls in flight.
    awaited: usize,
}

impl<R, S, H> Lot<R, S, H> {
    fn finished(&self) -> bool {
        let Results { places, ready, awaited, .. } = &self.results;
        self.records.len() == 0 && places.is_empty() && ready.is_empty() && *awaited == 0
    }
}

impl<R, S, H> Pending<R, S, H> {
    /// Nothing pending; at most `most` calls are to be in flight.
    pub(super) fn new(ordered: bool, most: NonZeroUsize) -> Self {
        Self {
            ordered,
            most: most.get(),
            in_flight: 0,
            lots: BTreeMap::new(),
            arriving: 0,
            starting: 0,
            fruitful: Vec::new(),
            epochs: BTreeMap::new(),
        }
    }

    /// Takes in a batch of an epoch.
    pub(super) fn push(&mut self, epoch: Epoch, hold: H, partition: u32, records: Vec<R>) {
        if records.is_empty() {
            return;
        }
        let results = Results { places: VecDeque::new(), first: 0, ready: Vec::new(), awaited: 0 };
        let lot = Lot { epoch, hold, partition, records: records.into_iter(), results };
        self.lots.insert(self.arriving, lot);
        self.arriving += 1;
        *self.epochs.entry(epoch).or_default() += 1;
    }

    /// The next record to call with, unless enough calls are in flight.
    pub(super) fn start(&mut self) -> Option<(Ticket, R)> {
        while self.in_flight < self.most && self.starting < self.arriving {
            let Some((record, lot)) = self.lots.get_mut(&self.starting).and_then(|lot| {
                let record = lot.records.next()?;
                Some((record, lot))
            }) else {
                self.starting += 1;
                continue;
            };
            let place = lot.results.first + lot.results.places.len();
            if self.ordered {
                lot.results.places.push_back(None);
            }
            lot.results.awaited += 1;
            self.in_flight += 1;
            return Some((Ticket { lot: self.starting, place }, record));
        }
        None
    }

    /// Takes the result of a call.
    pub(super) fn complete(&mut self, ticket: Ticket, result: S) {
        self.in_flight -= 1;
        let lot = self.lots.get_mut(&ticket.lot).expect("a batch stays until its calls are done");
        lot.results.awaited -= 1;
        if self.ordered {
            lot.results.places[ticket.place - lot.results.first] = Some(result);
        } else {
            if lot.results.ready.is_empty() {
                self.fruitful.push(ticket.lot);
            }
            lot.results.ready.push(result);
        }
    }

    /// Sends the results that may leave, with what their batch holds and its partition.
    pub(super) fn release(&mut self, mut send: impl FnMut(&H, u32, Vec<S>)) {
        for number in std::mem::take(&mut self.fruitful) {
            let lot = self.lots.get_mut(&number).expect("a batch stays until its results left");
            send(&lot.hold, lot.partition, std::mem::take(&mut lot.results.ready));
            if lot.finished() {
                self.give_up(number);
            }
        }
        while self.ordered
            && let Some((&number, lot)) = self.lots.iter_mut().next()
        {
            let Results { places, first, .. } = &mut lot.results;
            let known = places.iter().take_while(|place| place.is_some()).count();
            if known > 0 {
                *first += known;
                send(&lot.hold, lot.partition, places.drain(..known).flatten().collect());
            }
            if !lot.finished() {
                return;
            }
            self.give_up(number);
        }
    }

    fn give_up(&mut self, number: u64) {
        let Some(lot) = self.lots.remove(&number) else { return };
        if let Some(count) = self.epochs.get_mut(&lot.epoch) {
            *count -= 1;
            if *count == 0 {
                self.epochs.remove(&lot.epoch);
            }
        }
    }

    /// The earliest epoch of which something is pending.
    pub(super) fn earliest(&self) -> Option<Epoch> {
        self.epochs.first_key_value().map(|(epoch, _)| *epoch)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    /// What a batch holds: says when it was given up.
    struct Hold<'a>(usize, &'a RefCell<Vec<usize>>);

    impl Drop for Hold<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }

    /// Makes the calls of these batches, `(epoch, partition, records)`, with results arriving in the
    /// order that `choices` takes them out of those in flight, and checks every promise on the way.
    fn check(ordered: bool, most: usize, batches: &[(u64, u32, usize)], choices: &[usize]) {
        let given_up = RefCell::default();
        let mut pending = Pending::new(ordered, NonZeroUsize::new(most).expect("at least one"));
        let mut model = Vec::new();
        for (batch, &(epoch, partition, count)) in batches.iter().enumerate() {
            let records = Vec::from_iter((0..count).map(|record| (batch, record)));
            model.extend(records.iter().map(|it| (*it, partition)));
            pending.push(epoch, Hold(batch, &given_up), partition, records);
        }
        let (mut flying, mut left) = (Vec::new(), Vec::new());
        let mut choices = choices.iter().cycle();
        loop {
            while let Some(call) = pending.start() {
                flying.push(call);
                assert!(flying.len() <= most, "too many calls in flight");
            }
            pending.release(|hold, partition, results| {
                assert!(!results.is_empty(), "an empty batch leaves");
                assert!(results.iter().all(|it: &(usize, usize)| it.0 == hold.0));
                left.extend(results.into_iter().map(|it| (it, partition)));
            });
            let open = |batch: &usize| {
                let of = |results: &[((usize, usize), u32)]| {
                    results.iter().filter(|it| it.0.0 == *batch).count()
                };
                of(&left) < of(&model)
            };
            let still = (0..batches.len()).filter(open);
            assert_eq!(pending.earliest(), still.map(|batch| batches[batch].0).min());
            if flying.is_empty() {
                break;
            }
            let choice = choices.next().expect("a cycle") % flying.len();
            let (ticket, record) = flying.swap_remove(choice);
            pending.complete(ticket, record);
        }
        if !ordered {
            left.sort();
            model.sort();
        }
        assert_eq!(left, model);
        let mut given_up = given_up.take();
        given_up.sort();
        let all = (0..batches.len()).filter(|batch| batches[*batch].2 > 0);
        let empty = (0..batches.len()).filter(|batch| batches[*batch].2 == 0);
        let mut expected = Vec::from_iter(all.chain(empty));
        expected.sort();
        assert_eq!(given_up, expected, "each batch is given up once");
    }

    #[test]
    fn a_slow_first_call_holds_back_only_ordered_results() {
        for ordered in [true, false] {
            let mut pending = Pending::new(ordered, NonZeroUsize::new(3).expect("three"));
            pending.push(1, (), 0, vec!['a', 'b']);
            pending.push(2, (), 0, vec!['c', 'd']);
            let calls = Vec::from_iter(std::iter::from_fn(|| pending.start()));
            assert_eq!(calls.len(), 3);
            for (ticket, record) in calls.into_iter().skip(1) {
                pending.complete(ticket, record);
            }
            let mut left = Vec::new();
            pending.release(|(), _, results| left.extend(results));
            assert_eq!(left, if ordered { vec![] } else { vec!['b', 'c'] });
            assert_eq!(pending.earliest(), Some(1));
        }
    }

    proptest! {
        #[test]
        fn results_leave_once_and_in_order_if_asked(
            ordered: bool,
            most in 1usize..6,
            batches in prop::collection::vec((0u64..4, 0u32..3, 0usize..8), 0..8),
            choices in prop::collection::vec(0usize..8, 1..12),
        ) {
            check(ordered, most, &batches, &choices);
        }
    }
}
