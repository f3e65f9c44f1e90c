//! Bulk iteration: the data stay where they are, a model goes round.
//!
//! A [collection](Collection) is dealt out once, by key, and each worker holds its part. In each epoch
//! that changes it, a model goes round: it is sent to every worker, each computes on its part what the
//! model says of it, the first worker combines what all have computed and updates the model, until it
//! has converged. That is how most learners work, and algorithms that look at all of a graph in each
//! round. Where a round concerns few keys, let [messages](super::Rounds) go round instead.
//!
//! What is promised of it, and what it costs, says [`Collection::bulk`].

use std::fmt;
use std::num::NonZeroUsize;

use timely::ExchangeData;

use super::route;
use crate::collection::{Bound, Collection, Diff, Loop, Record};
use crate::fixpoint::Owners;
use crate::plan::{Kind, Node, Routing};
use crate::stream::Stream;
use crate::time::Epoch;

mod contents;
mod desk;
mod kept;
mod lead;
mod part;
mod wiring;

pub use contents::Contents;

/// A round of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// The epoch.
    pub epoch: Epoch,
    /// The round, counted from 0.
    pub round: u64,
}

/// What is computed on each worker's part of the data, and what is made of it.
///
/// A rule: it knows no worker, capability or channel. One is made on each worker. Epochs may be in
/// flight together, so what goes from round to round of an epoch is in the model, which every worker
/// has, or in the data of the epoch, which are its worker's own; the rule itself changes with its part only.
pub trait Iteration<D>: 'static {
    /// What an epoch computes on: a version of the part that stays as it is when the part changes.
    /// An `Rc` of it is cheap, where [`Rc::make_mut`](std::rc::Rc::make_mut) makes a copy of what is
    /// still in use. It may hold more, that changes from round to round.
    type Data: 'static;
    /// What goes round.
    type Model: ExchangeData + Clone;
    /// What a worker computes in a round.
    type Partial: ExchangeData;
    /// What is told of a round: how well the model fits, or how far it has moved.
    type Measure: 'static;

    /// Applies to the part what changes in an epoch: each record once at most, in their own order.
    fn accept(&mut self, changes: Vec<(D, Diff)>);

    /// The part as it is now. Called once for each epoch that goes round, on every worker.
    fn data(&mut self) -> Self::Data;

    /// The model of the first round, unless the epoch [starts warm](Start::Warm). Called on the first
    /// worker, as [`combine`](Self::combine) and [`update`](Self::update) are.
    fn start(&self) -> Self::Model;

    /// What the model says of the data. A part without data, too, has an answer.
    fn compute(&self, at: Turn, data: &mut Self::Data, model: &Self::Model) -> Self::Partial;

    /// Adds what the next worker computed to what those before it did.
    fn combine(&self, all: &mut Self::Partial, next: Self::Partial);

    /// Makes the next model, from what all workers computed with this one.
    fn update(
        &self,
        at: Turn,
        model: Self::Model,
        all: Self::Partial,
    ) -> Update<Self::Model, Self::Measure>;
}

/// What comes of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update<M, S> {
    /// The model after it.
    pub model: M,
    /// What is told of it.
    pub measure: S,
    /// Whether that is the last one.
    pub converged: bool,
}

impl<M, S> Update<M, S> {
    /// This model goes round again.
    pub fn again(model: M, measure: S) -> Self {
        Self { model, measure, converged: false }
    }

    /// This is the final model of the epoch.
    pub fn converged(model: M, measure: S) -> Self {
        Self { model, measure, converged: true }
    }
}

/// What an epoch starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the rule's [first model](Iteration::start): the answer follows from the contents alone, however
    /// they came to be. Epochs do not wait for each other: so many may go round at a time.
    Cold {
        /// The most epochs that go round at a time. Each beyond the first may hold a version of the
        /// data of its own.
        in_flight: NonZeroUsize,
    },
    /// With the final model of the epoch before that went round, the very first with the rule's first
    /// model. Few rounds are needed after few changes; the answer depends on how the input was cut into
    /// epochs. Epochs go round one after the other.
    Warm,
}

impl Start {
    /// A cold start, with two epochs in flight: the workers compute for one while the results of the other
    /// are on their way, and no more than one version of the data is held beside the newest.
    pub const COLD: Self = Self::cold(2);

    /// A cold start, with so many epochs in flight at most.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub const fn cold(in_flight: usize) -> Self {
        let in_flight = NonZeroUsize::new(in_flight);
        Self::Cold { in_flight: in_flight.expect("at least one epoch must be in flight") }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cold { in_flight } => write!(f, "cold start, {in_flight} epochs in flight"),
            Self::Warm => f.write_str("warm start"),
        }
    }
}

/// Why an epoch goes round no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The model has converged.
    Converged,
    /// It has taken [exactly](Loop::exactly) the rounds that it was given.
    Limit,
}

/// What an epoch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outcome<M> {
    /// The epoch.
    pub epoch: Epoch,
    /// How many rounds it took.
    pub rounds: u64,
    /// Why there were no more.
    pub end: End,
    /// The final model.
    pub model: M,
}

/// What is told of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Report<S> {
    /// Which one.
    pub at: Turn,
    /// Why it was the last one, if it was.
    pub end: Option<End>,
    /// What the rule says of it.
    pub measure: S,
}

impl<'scope, D: Record> Collection<'scope, D> {
    /// Deals the records out to the workers by a [hash](crate::key::hash), and lets a model go round in each
    /// epoch in which they change. `rule` makes the [`Iteration`] of each worker. Gives the final model of
    /// each epoch, and a report of each round, both from the first worker.
    ///
    /// The outcome of an epoch leaves when it has come to its end, which may be before those of
    /// earlier epochs; the report of a round leaves at once. Epochs for which there is no room in flight
    /// wait, and hold back the sources as all do that are not complete. Given [exactly](Loop::exactly) so many
    /// rounds it takes them all, whatever the rule says of them.
    ///
    /// # Guarantees
    ///
    /// * An epoch computes on exactly what the collection holds at its end, also while later epochs are under
    ///   way. An epoch in which nothing changes does not go round, and nothing leaves.
    /// * Partial results are combined in the order of workers, and each part is given its changes an epoch
    ///   at a time, without those that cancel, in their own order. So with the same number of workers the same
    ///   floating-point answer comes out bit by bit, whatever was faster. A run that continues after a
    ///   restart gives a part all its records at once: to give the same answer, keep them in an
    ///   order of their own, as [`Contents`] does. **With another number of workers** records are
    ///   summed up in other groups: answers that depend on the order of additions then differ in their last
    ///   digits, and so may the number of rounds.
    /// * Whether the model has converged is decided once, by the first worker, for all.
    /// * An iteration that starts [cold](Start::Cold) saves nothing: what a run that continues needs is in
    ///   the collection, where that entered. One that starts [warm](Start::Warm) saves the final model of the
    ///   latest epoch. Either way such a run takes in the contents without a round, and goes on with the next
    ///   epoch that changes them; nothing is delivered twice.
    ///
    /// # Cost
    ///
    /// A round costs each worker its share of the computing, the first worker a combination for each worker,
    /// and two messages for each worker: a copy of the model and a partial result. Nobody waits for the
    /// engine to agree that a round is over: the first worker counts. A call is not interrupted: other
    /// operators of the worker wait for it. State: what the rule holds, and for each epoch in flight beyond
    /// the first what a version of that costs; the model, and on the first worker a partial result for
    /// each worker.
    ///
    /// # Errors
    ///
    /// If an epoch takes [more rounds](Loop::at_most) than it may: see [`Alarm`](crate::flow::Alarm).
    /// The error names the loop, and the epoch has no outcome.
    ///
    /// # Example
    ///
    /// A line through points, by the method of least squares, in steps down the gradient.
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// use tidemill_operators::collection::{Diff, Loop};
    /// use tidemill_operators::fixpoint::{Contents, Iteration, Start, Turn, Update};
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::key::hash;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// type Point = (i32, i32);
    ///
    /// #[derive(Default)]
    /// struct Line {
    ///     points: Contents<Point>,
    /// }
    ///
    /// impl Iteration<Point> for Line {
    ///     type Data = Rc<Vec<(Point, Diff)>>;
    ///     type Model = (f64, f64);
    ///     /// The gradient, how many points there are, and the sum of squared errors.
    ///     type Partial = [f64; 4];
    ///     type Measure = f64;
    ///
    ///     fn accept(&mut self, changes: Vec<(Point, Diff)>) {
    ///         self.points.accept(changes);
    ///     }
    ///
    ///     fn data(&mut self) -> Self::Data {
    ///         self.points.version()
    ///     }
    ///
    ///     fn start(&self) -> (f64, f64) {
    ///         (0.0, 0.0)
    ///     }
    ///
    ///     fn compute(&self, _: Turn, points: &mut Self::Data, line: &(f64, f64)) -> [f64; 4] {
    ///         let mut all = [0.0; 4];
    ///         for ((x, y), times) in points.iter() {
    ///             let (x, y, times) = (f64::from(*x), f64::from(*y), *times as f64);
    ///             let error = line.0 * x + line.1 - y;
    ///             self.combine(&mut all, [error * x, error, 1.0, error * error].map(|it| it * times));
    ///         }
    ///         all
    ///     }
    ///
    ///     fn combine(&self, all: &mut [f64; 4], next: [f64; 4]) {
    ///         all.iter_mut().zip(next).for_each(|(all, next)| *all += next);
    ///     }
    ///
    ///     fn update(
    ///         &self,
    ///         _: Turn,
    ///         (slope, height): (f64, f64),
    ///         [by_slope, by_height, count, loss]: [f64; 4],
    ///     ) -> Update<(f64, f64), f64> {
    ///         let step = 0.1 / count.max(1.0);
    ///         let line = (slope - step * by_slope, height - step * by_height);
    ///         match loss < 1e-9 {
    ///             true => Update::converged(line, loss),
    ///             false => Update::again(line, loss),
    ///         }
    ///     }
    /// }
    ///
    /// let (lines, close) = timely::example(|scope| {
    ///     let points = (-2..3).map(|x| (x, 3 * x + 1)).to_stream(scope);
    ///     let points = Stream::from_inner(&Flow::new(scope), points).inserts();
    ///     let descent = Loop::named("line").at_most(1000);
    ///     let (lines, losses) = points.bulk(descent, Start::COLD, hash, |_| Line::default());
    ///     let rounded = |it: (f64, f64)| ((it.0 * 1e3).round() as i64, (it.1 * 1e3).round() as i64);
    ///     let lines = lines.map(move |it| (rounded(it.model), it.rounds));
    ///     let close = losses.filter(|it| it.measure < 1e-9).map(|it| it.at.round);
    ///     (lines.inner().capture(), close.inner().capture())
    /// });
    /// let (line, rounds) = lines.extract()[0].1[0];
    /// assert_eq!(line, (3000, 1000));
    /// assert_eq!(close.extract(), [(0, vec![rounds - 1])]);
    /// ```
    pub fn bulk<I: Iteration<D>>(
        self,
        settings: Loop,
        start: Start,
        by: impl Fn(&D) -> u64 + 'static,
        rule: impl FnOnce(Owners) -> I,
    ) -> (Stream<'scope, Outcome<I::Model>>, Stream<'scope, Report<I::Measure>>) {
        let flow = self.flow();
        let peers = flow.scope().peers();
        let held = Node::operator(settings.name()).state("its part of the data, until deleted");
        let held = held.note(start.to_string());
        let held = match settings.bound() {
            Bound::None => held,
            bound => held.note(bound.to_string()),
        };
        let node = flow.add(held, [(self.node(), Routing::ByKey(String::new()))]);
        let name = flow.name_of(node);
        let owners = Owners::new(flow.site().groups, flow.scope().index());
        let both = move |record: &D| {
            let owner = by(record);
            (owner, owner)
        };
        let routed = route::to_owners(self.inner().inner, owners.clone(), both);
        let counts = flow.counts(node, Kind::Operator);
        let (site, settings) = (flow.site(), (settings, start));
        let desk = desk::Desk::new(site, &name, peers, settings, rule(owners), counts);
        let (outcomes, reports) = wiring::go_round(&flow, &name, routed, desk);
        let outcomes = Stream { flow: flow.clone(), inner: outcomes, node, partitions: None };
        (outcomes, Stream { flow, inner: reports, node, partitions: None })
    }
}
