//! Rolling folds: after each record, what its key has come to so far.

use std::convert::Infallible;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{Key, Keyed, Value};
use crate::aggregate::{Aggregate, Reduce};
use crate::event::Event;
use crate::events::Events;
use crate::key::hash;
use crate::plan::Node;
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::state::journal::{Entries, Journal, Noted};
use crate::time::EventTime;

impl<'scope, K: Key, V: Value> Keyed<'scope, K, V> {
    /// Gives, for each record, the aggregate of its key over all records up to it.
    ///
    /// Records of a key are folded in the order they arrive, which is not the order of their times.
    ///
    /// # Cost
    ///
    /// One hash lookup and one fold per record. State: one aggregate per key, **never freed**.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::aggregate::Sum;
    /// use tidemill_operators::event_time::Disorder;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::EventTime;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let sums = timely::example(|scope| {
    ///     let numbers = (1..=4u64).to_stream(scope);
    ///     Stream::from_inner(&Flow::new(scope), numbers)
    ///         .event_time(|it| EventTime::from_secs(*it as i64), Disorder::ascending())
    ///         .key_by(|it| it % 2)
    ///         .aggregate(Sum::of(|it: &u64| *it))
    ///         .values()
    ///         .inner()
    ///         .capture()
    /// });
    /// // Extracting sorts what was captured.
    /// assert_eq!(sums.extract(), [(0, vec![(0, 2), (0, 6), (1, 1), (1, 4)])]);
    /// ```
    pub fn aggregate<A: Aggregate<V>>(self, aggregate: A) -> Events<'scope, (K, A::Output)> {
        let node = Node::operator("aggregate").state("one aggregate per key, never freed");
        self.rule(node, Roll { aggregate, keys: Keys::default(), journal: Journal::default() }).0
    }

    /// Gives, for each record, `combine` of all records of its key up to it.
    ///
    /// # Cost
    ///
    /// As [`aggregate`](Self::aggregate): one value per key, **never freed**.
    pub fn reduce(self, combine: impl Fn(&V, &V) -> V + Clone + 'static) -> Events<'scope, (K, V)> {
        self.aggregate(Reduce::by(combine))
            .map(|(key, combined)| (key, combined.expect("a key that was seen has a value")))
    }
}

struct Roll<K, S, A> {
    aggregate: A,
    keys: Keys<K, S>,
    journal: Journal<K>,
}

/// The aggregate of each key, and when it was noted as changed.
type Keys<K, S> = HashMap<K, (Noted, S), FixedState>;

impl<K: Key, S: Clone> Entries<K, (K, S)> for Keys<K, S> {
    fn count(&self) -> usize {
        self.len()
    }

    fn all(&mut self, give: &mut dyn FnMut(u64, (K, S))) {
        for (key, (_, state)) in self {
            give(hash(key), (key.clone(), state.clone()));
        }
    }

    fn one(&mut self, key: &K) -> (u64, (K, S)) {
        let (_, state) = &self[key];
        (hash(key), (key.clone(), state.clone()))
    }
}

impl<K: Key, V: Value, A: Aggregate<V>> Rule<Event<(K, V)>> for Roll<K, A::State, A> {
    type Output = Event<(K, A::Output)>;
    type Side = Infallible;
    type Saved = (K, A::State);

    fn accept(
        &mut self,
        Event { at, value: (key, value) }: Event<(K, V)>,
        out: &mut Outbox<Self::Output, Infallible>,
    ) {
        let (noted, state) = match self.keys.get_mut(&key) {
            Some(known) => known,
            None => {
                let new = (Noted::default(), self.aggregate.start());
                self.keys.entry(key.clone()).insert(new).into_mut()
            }
        };
        self.journal.note(noted, || key.clone());
        self.aggregate.add(state, at, &value);
        out.main.push(Event::new(at, (key, self.aggregate.finish(state))));
    }

    fn advance(&mut self, _: EventTime, _: &mut Outbox<Self::Output, Infallible>) -> Advance {
        Advance::Done
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        self.journal.save(to, &mut self.keys);
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.journal.restoring(section);
        true
    }

    fn restore(&mut self, (key, state): Self::Saved) {
        self.journal.restored(|| key.clone());
        self.keys.insert(key, (Noted::default(), state));
    }

    fn resume(&mut self, _: EventTime) {}
}
