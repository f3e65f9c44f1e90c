//! Bulk iteration: partitioned data that stay on their workers while something smaller goes round.
//!
//! A [collection](Collection) that is too large to go round a [loop](Collection::iterate) itself is
//! dealt out once, by key, and each worker holds its part in plain state of its own. What goes round is
//!
//! * **a model**, by [`Collection::bulk`]: every worker computes what it says of its part, the first
//!   combines that, updates the model and decides whether it has converged. For learners, and for all that
//!   looks at all data in each round. Several epochs may be in flight. See [`Iteration`];
//! * **messages** of one part to another, by [`Collection::rounds`], in as many rounds as the changes of
//!   an epoch need. For graphs, where few parts concern each other and little is to be done after a
//!   small change. See [`Rounds`].
//!
//! # Guarantees of rounds of messages
//!
//! * Epochs are applied in order, each to the end: a part sees the changes of an epoch when those of all
//!   epochs before have been worked off by every part.
//! * A [round](Rounds::round) begins when all parts are through with the rounds before it, and has every
//!   message that was sent to it. An epoch ends when no message is on its way and no part waits for a
//!   round: nobody has to count.
//! * What leaves at an epoch leaves when it has ended. State is not saved: as everything that is derived
//!   from a collection, a part is rebuilt by a run that continues, from what entered.
//! * A rule that never stops sending messages or asking for rounds keeps its epoch incomplete for ever,
//!   and nothing of this or a later epoch leaves. [`Loop::at_most`] ends such a run with an error.
//!
//! # Cost of rounds of messages
//!
//! A round without messages between parts costs nothing to those that are not in it. A round with
//! messages costs the engine's agreement that it is over, some ten microseconds between threads. A call
//! of a part is not interrupted: other operators of the worker wait for it.

use differential_dataflow::AsCollection;
use timely::ExchangeData;
use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use crate::batch::Batch;
use crate::collection::{Collection, Diff, Loop};
use crate::plan::{Kind, Node, Routing};
use crate::stream::Stream;
use crate::time::Epoch;

mod bulk;
mod limit;
mod owners;
mod post;
mod route;
mod turns;
mod wiring;

pub use bulk::{Contents, End, Iteration, Outcome, Report, Start, Turn, Update};
pub use owners::Owners;
pub use post::Post;

/// A place in the course of an epoch. A message that is sent in a round arrives in the next step of its
/// phase; a phase begins when all parts have worked off the phase before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round {
    /// The part of the work, of the rule's choice.
    pub phase: u32,
    /// The round within it.
    pub step: u32,
}

impl Round {
    /// The first round of a phase.
    pub const fn of_phase(phase: u32) -> Self {
        Self { phase, step: 0 }
    }

    /// The round in which messages of this round arrive.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { phase: self.phase, step: self.step + 1 }
    }

    /// The engine's counter of rounds: phases are far apart.
    fn number(self) -> u64 {
        u64::from(self.phase) << 32 | u64::from(self.step)
    }

    fn of_number(number: u64) -> Self {
        Self { phase: (number >> 32) as u32, step: number as u32 }
    }
}

/// One worker's part of the data, and what is done with it.
///
/// A rule: it knows no worker, capability or channel. In each epoch that concerns it, it is given the
/// changes of its part; is called for rounds, beginning with the [first](Round::default) if there
/// were changes, and then for each round in which messages arrive for it or that it asked for; and is told
/// to finish.
///
/// **What makes it end is up to the rule.** An epoch goes on while a message is on its way or a part has
/// asked for a round; nothing of it leaves until there is neither. While it goes on, other operators of
/// the worker have their turns, but no later epoch completes. Have messages carry something that only falls
/// or only grows to a bound, as distances and components do, or count the steps of a
/// [`Round`]; and give the loop a [limit](Loop::at_most) against one's own mistakes.
pub trait Rounds<D>: 'static {
    /// What parts tell each other.
    type Message: ExchangeData;
    /// What leaves.
    type Output: 'static;

    /// Takes changes of an epoch, in no particular order: once or several times before its first round,
    /// which is called if there are any.
    fn accept(&mut self, changes: Vec<(D, Diff)>);

    /// Works off a round. Gives the round for which it wants to be called next, whether there are
    /// messages or not; a later one.
    fn round(
        &mut self,
        round: Round,
        mail: Vec<Self::Message>,
        post: &mut Post<Self::Message>,
    ) -> Option<Round>;

    /// Ends an epoch in which it was called.
    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Self::Output>);
}

impl<'scope, D: ExchangeData + Clone> Collection<'scope, D> {
    /// Deals the records out to the owners of two keys each, given as [hashes](crate::key::hash), and
    /// works off what changes with one [`Rounds`] on each worker: what `rule` makes. A record both of
    /// whose keys have the same owner is given to it once.
    ///
    /// A run that continues gives what is computed of the contents once more, at the epoch that it
    /// continues from: see [`Stream::anew`].
    ///
    /// # Errors
    ///
    /// If a part is called for [more rounds](Loop::at_most) of an epoch than it may: see
    /// [`Alarm`](crate::flow::Alarm). The error names the loop, and nothing of that epoch leaves.
    ///
    /// # Panics
    ///
    /// If the loop is to take [exactly](Loop::exactly) so many rounds: what is on its way then would be
    /// lost.
    ///
    /// # Example
    ///
    /// Who has the greatest number: each part tells all others the greatest of its own.
    ///
    /// ```
    /// use tidemill_operators::collection::Diff;
    /// use tidemill_operators::fixpoint::{Owners, Post, Round, Rounds};
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::key::hash;
    /// use tidemill_operators::stream::Stream;
    /// use tidemill_operators::time::Epoch;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// struct Greatest {
    ///     owners: Owners,
    ///     greatest: u64,
    /// }
    ///
    /// impl Rounds<u64> for Greatest {
    ///     type Message = u64;
    ///     type Output = (usize, u64);
    ///
    ///     fn accept(&mut self, changes: Vec<(u64, Diff)>) {
    ///         let numbers = changes.into_iter().map(|(number, _)| number);
    ///         self.greatest = numbers.fold(self.greatest, u64::max);
    ///     }
    ///
    ///     fn round(&mut self, _: Round, mail: Vec<u64>, post: &mut Post<u64>) -> Option<Round> {
    ///         let before = self.greatest;
    ///         self.greatest = mail.into_iter().fold(before, u64::max);
    ///         if self.greatest > before || before > 0 && post.is_empty() {
    ///             let others = (0..self.owners.peers()).filter(|it| *it != self.owners.index());
    ///             others.for_each(|it| post.to(it, self.greatest));
    ///         }
    ///         None
    ///     }
    ///
    ///     fn finish(&mut self, _: Epoch, out: &mut Vec<(usize, u64)>) {
    ///         out.push((self.owners.index(), self.greatest));
    ///     }
    /// }
    ///
    /// let greatest = timely::example(|scope| {
    ///     let numbers = Stream::from_inner(&Flow::new(scope), [3, 9, 4u64].to_stream(scope));
    ///     let greatest = numbers.inserts().rounds(
    ///         "greatest",
    ///         |number| (hash(number), hash(number)),
    ///         |owners| Greatest { owners, greatest: 0 },
    ///     );
    ///     greatest.inner().capture()
    /// });
    /// assert_eq!(greatest.extract(), [(0, vec![(0, 9)])]);
    /// ```
    pub fn rounds<R: Rounds<D>>(
        self,
        settings: impl Into<Loop>,
        keys: impl Fn(&D) -> (u64, u64) + 'static,
        rule: impl FnOnce(Owners) -> R,
    ) -> Stream<'scope, R::Output> {
        let flow = self.flow();
        let settings = settings.into();
        let held = Node::operator(settings.name()).state("its part of the data, until deleted");
        let node = flow.add(held, [(self.node(), Routing::ByKey(String::new()))]);
        let owners = Owners::new(flow.site().groups, flow.scope().index());
        let routed = route::to_owners(self.inner().inner, owners.clone(), keys);
        let counts = flow.counts(node, Kind::Operator);
        let limit = limit::Limit::new(&settings, flow.site());
        let turns = turns::Turns::new(rule(owners), flow.scope().peers(), limit, counts);
        let inner = wiring::go_round(&flow, &flow.name_of(node), routed, turns);
        Stream { flow, inner, node, partitions: None }
    }
}

impl<'scope, D: 'static> Stream<'scope, D> {
    /// Without what a run that continues has computed anew: only what was not delivered before.
    #[must_use]
    pub fn anew(self) -> Self {
        let first = self.flow.keeper().resume();
        let node = self.flow.add(Node::operator("exit"), [(self.node, Routing::Local)]);
        self.then(node, |batches| {
            batches.unary::<NoopBuilder<Batch<D>>, _, _, _>(Pipeline, "exit", move |_, _| {
                move |input, output| {
                    input.for_each(|capability, batch| {
                        if capability.least().is_some_and(|epoch| *epoch >= first) {
                            output.session_with_builder(&capability).give_container(batch);
                        }
                    });
                }
            })
        })
    }
}

impl<'scope, D: Clone + 'static> Stream<'scope, (D, Epoch, Diff)> {
    /// The collection whose changes these are: each with its epoch, which is not before the one that it
    /// travels with. Nothing is saved of it: it is derived, and rebuilt by a run that continues.
    pub fn derived(self) -> Collection<'scope, D> {
        let (flow, node) = (self.flow.clone(), self.node);
        Collection::made_by(&flow, node, self.inner().as_collection())
    }
}
