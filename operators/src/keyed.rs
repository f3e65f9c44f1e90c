//! Keyed events: a key beside each record, and all records of a key on one worker.

use std::fmt;
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;
use timely::ExchangeData;

use crate::drive::drive;
use crate::event::Event;
use crate::events::Events;
use crate::flow::Flow;
use crate::key::hash;
use crate::plan::{Node, NodeId, Routing};
use crate::rule::Rule;
use crate::stream::Stream;

mod roll;
mod two;

pub use two::OfTwo;

/// A key: anything ordered, hashed and serialised that can be sent to another worker.
///
/// Keys that are equal are serialised alike: where a key belongs follows from its serde form (`-0.0` and
/// `0.0` are two keys to it). That form stays the same for as long as saved state is kept.
pub trait Key: ExchangeData + Serialize + DeserializeOwned + Clone + Ord + Hash {}
impl<K: ExchangeData + Serialize + DeserializeOwned + Clone + Ord + Hash> Key for K {}

/// A value that can be sent to another worker and saved.
pub trait Value: ExchangeData + Serialize + DeserializeOwned + Clone {}
impl<V: ExchangeData + Serialize + DeserializeOwned + Clone> Value for V {}

/// Events with keys, whose stateful verbs treat each key apart.
///
/// Made by [`Events::key_by`]. Records move to the worker that owns their key when a stateful verb
/// follows.
pub struct Keyed<'scope, K, V> {
    pub(crate) events: Events<'scope, (K, V)>,
}

impl<K: Clone + 'static, V: Clone + 'static> Clone for Keyed<'_, K, V> {
    fn clone(&self) -> Self {
        Self { events: self.events.clone() }
    }
}

impl<K, V> fmt::Debug for Keyed<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("events", &self.events).finish()
    }
}

impl<'scope, D: 'static> Events<'scope, D> {
    /// Puts a key beside each record.
    pub fn key_by<K: Key>(self, key: impl Fn(&D) -> K + 'static) -> Keyed<'scope, K, D> {
        self.key_value(move |record| (key(&record), record))
    }

    /// Takes each record apart into a key and the value that matters from here on.
    ///
    /// Cheaper than [`key_by`](Self::key_by) where the value is smaller than the record: less is
    /// sent between workers, and the key is moved rather than cloned.
    pub fn key_value<K: Key, V: 'static>(
        self,
        mut apart: impl FnMut(D) -> (K, V) + 'static,
    ) -> Keyed<'scope, K, V> {
        let stream = self.stream.narrow("key_by", move |records, made| {
            made.extend(records.drain(..).map(|event| event.map(&mut apart)));
        });
        Keyed { events: Events { stream, marks: self.marks } }
    }
}

impl<'scope, K: Key, V: 'static> Keyed<'scope, K, V> {
    /// Applies `change` to each value.
    #[must_use]
    pub fn map_values<T: 'static>(
        self,
        mut change: impl FnMut(V) -> T + 'static,
    ) -> Keyed<'scope, K, T> {
        Keyed { events: self.events.map(move |(key, value)| (key, change(value))) }
    }

    /// The events with their keys.
    pub fn pairs(self) -> Events<'scope, (K, V)> {
        self.events
    }
}

impl<'scope, K: Key, V: Value> Keyed<'scope, K, V> {
    /// Runs a rule of one's own over the records of each worker's keys, as the operator `node`.
    ///
    /// Returns the output, as events with the same watermark, and the side output. All ready-made
    /// verbs are made of this one.
    pub fn rule<O: 'static, R>(
        self,
        node: Node,
        rule: R,
    ) -> (Events<'scope, O>, Stream<'scope, R::Side>)
    where
        R: Rule<Event<(K, V)>, Output = Event<O>>,
    {
        self.rule_of(node, |_, _| rule)
    }

    /// As [`rule`](Self::rule), with a rule that is made once its operator has its place in the plan.
    pub(crate) fn rule_of<O: 'static, R>(
        self,
        node: Node,
        rule: impl FnOnce(&Flow<'scope>, NodeId) -> R,
    ) -> (Events<'scope, O>, Stream<'scope, R::Side>)
    where
        R: Rule<Event<(K, V)>, Output = Event<O>>,
    {
        let Events { stream, marks } = self.events;
        let flow = stream.flow;
        let node = flow.add(node, [(stream.node, Routing::ByKey(String::new()))]);
        let rule = rule(&flow, node);
        let groups = flow.site().groups;
        let pact = crate::batch::by_key(groups, |event: &Event<(K, V)>| hash(&event.value.0));
        let (main, side) = drive(&flow, node, stream.inner, pact, marks.clone(), rule);
        let side = Stream { flow: flow.clone(), inner: side, node, partitions: None };
        let stream = Stream { flow, inner: main, node, partitions: None };
        (Events { stream, marks }, side)
    }
}
