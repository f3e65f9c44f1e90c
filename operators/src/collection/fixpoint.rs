//! Fixed points of one or several collections that are defined by each other, with a limit.

use std::fmt;
use std::rc::Rc;

use differential_dataflow::AsCollection;
use differential_dataflow::lattice::Lattice;
use differential_dataflow::operators::iterate::VecVariable;
use timely::dataflow::Scope;
use timely::dataflow::operators::vec::Map;
use timely::order::Product;
use timely::progress::Timestamp;

use super::guard::{Bound, guarded};
use super::{Collection, Diff, Record, Round};
use crate::flow::Site;
use crate::plan::{Node, NodeId, Routing};
use crate::stream::Stream;
use crate::time::Epoch;

/// How a loop is called, and how many rounds it may take.
#[derive(Clone, Debug)]
pub struct Loop {
    name: String,
    bound: Bound,
}

impl Loop {
    /// A loop of this name, which takes as many rounds as there are until nothing changes.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), bound: Bound::None }
    }

    /// Fails if the loop has not come to its fixed point after so many rounds: see
    /// [`Alarm`](crate::flow::Alarm). What it has come to does not leave.
    ///
    /// # Panics
    ///
    /// If there are no rounds.
    #[must_use]
    pub fn at_most(self, rounds: u64) -> Self {
        assert!(rounds > 0, "the most rounds of the loop `{}` must be at least one", self.name);
        Self { bound: Bound::AtMost(rounds), ..self }
    }

    /// Ends after so many rounds, whether or not something would still change: what leaves is what
    /// comes of applying the step this many times.
    ///
    /// # Panics
    ///
    /// If there are no rounds.
    #[must_use]
    pub fn exactly(self, rounds: u64) -> Self {
        assert!(rounds > 0, "the rounds of the loop `{}` must be at least one", self.name);
        Self { bound: Bound::Exactly(rounds), ..self }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn bound(&self) -> Bound {
        self.bound
    }
}

/// A loop of this name, without a limit.
impl From<&str> for Loop {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

/// How many changes one round of a loop made in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Convergence {
    /// The round: in round 0 the step is applied to what the loop starts with.
    pub round: u64,
    /// How many records it changed, other than the same round of the epoch before did.
    pub changes: u64,
}

/// The inside of a loop while it is built: see [`Collection::fixpoint`].
pub struct Inside<'scope, 'inner, T: Timestamp + Lattice> {
    site: Rc<Site>,
    outer: Scope<'scope, T>,
    scope: Scope<'inner, Round<T>>,
    settings: Loop,
}

/// A collection that a loop defines: see [`Collection::fixpoint`].
///
/// It is [set](Self::set) once, to what it is in the next round.
#[must_use = "a variable of a loop must be set"]
pub struct Variable<'scope, 'inner, D: Clone + 'static, T: Timestamp + Lattice = Epoch> {
    unset: Unset,
    now: Collection<'inner, D, Round<T>>,
    start: Collection<'inner, D, Round<T>>,
    again: VecVariable<'inner, Round<T>, D, Diff>,
    outer: Scope<'scope, T>,
    settings: Loop,
}

/// The name of the loop, while a variable of it is not set.
struct Unset(Option<String>);

impl Drop for Unset {
    fn drop(&mut self) {
        if let Some(name) = self.0.take().filter(|_| !std::thread::panicking()) {
            panic!("a variable of the loop `{name}` is not set: say what it is in the next round");
        }
    }
}

impl<T: Timestamp + Lattice> fmt::Debug for Inside<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside").field("of", &self.settings.name).finish_non_exhaustive()
    }
}

impl<D: Clone + 'static, T: Timestamp + Lattice> fmt::Debug for Variable<'_, '_, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variable").field("now", &self.now).finish_non_exhaustive()
    }
}

impl<'scope, D: Record, T: Timestamp + Lattice> Collection<'scope, D, T> {
    /// The fixed point of several collections that are defined by each other, or of one.
    ///
    /// `build` builds the inside of a loop. It is given the loop and a variable that starts as this
    /// collection, and makes further ones by [`Inside::variable`]. What each is
    /// [now](Variable::now) is used to say what it is next, which it is [set](Variable::set) to;
    /// that gives what leaves the loop. All variables change together, round by round, until none
    /// does any more.
    ///
    /// # Guarantees
    ///
    /// As [`iterate`](Self::iterate), of all variables together.
    ///
    /// # Errors
    ///
    /// If the loop takes [more rounds](Loop::at_most) than it may: see [`Alarm`](crate::flow::Alarm).
    /// The error names the loop, and nothing of that epoch leaves the flow.
    ///
    /// # Panics
    ///
    /// If a variable is not set.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill_operators::collection::Loop;
    /// use tidemill_operators::flow::Flow;
    /// use tidemill_operators::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// // What can be reached from 0 by an even number of steps, and by an odd one.
    /// let (even, odd) = timely::example(|scope| {
    ///     let flow = Flow::new(scope);
    ///     let edges = [(0, 1), (1, 2), (2, 3), (3, 1)].to_stream(scope);
    ///     let edges = Stream::from_inner(&flow, edges).inserts();
    ///     let start = Stream::from_inner(&flow, [0].to_stream(scope)).inserts();
    ///     let none = start.clone().filter(|_| false);
    ///     let both = start.clone().fixpoint(Loop::named("parity").at_most(100), |inside, even| {
    ///         let odd = inside.variable(none);
    ///         let (edges, start) = (inside.enter(&edges), inside.enter(&start));
    ///         let [even_now, odd_now] = [&even, &odd].map(|it| it.now().map(|it| (it, ())));
    ///         let from_odd = odd_now.join(edges.clone()).map(|(_, ((), to))| to);
    ///         let from_even = even_now.join(edges).map(|(_, ((), to))| to);
    ///         (even.set(from_odd.concat(start).distinct()), odd.set(from_even.distinct()))
    ///     });
    ///     (both.0.changes().inner().capture(), both.1.changes().inner().capture())
    /// });
    /// assert_eq!(even.extract(), [(0, vec![(0, 1), (1, 1), (2, 1), (3, 1)])]);
    /// assert_eq!(odd.extract(), [(0, vec![(1, 1), (2, 1), (3, 1)])]);
    /// ```
    pub fn fixpoint<R>(
        self,
        settings: Loop,
        build: impl for<'inner> FnOnce(&Inside<'scope, 'inner, T>, Variable<'scope, 'inner, D, T>) -> R,
    ) -> R {
        let outer = self.inner.scope();
        let name = settings.name.clone();
        outer.scoped(&name, |scope| {
            let inside = Inside { site: Rc::clone(&self.site), outer, scope, settings };
            let first = inside.variable(self);
            build(&inside, first)
        })
    }
}

impl<'scope, 'inner, T: Timestamp + Lattice> Inside<'scope, 'inner, T> {
    /// One more collection that the loop defines, and what it is at the start.
    pub fn variable<D: Record>(
        &self,
        start: Collection<'scope, D, T>,
    ) -> Variable<'scope, 'inner, D, T> {
        let node = Node::operator(&self.settings.name);
        let node = match self.settings.bound {
            Bound::None => node,
            bound => node.note(bound.to_string()),
        };
        let (node, _) = start.followed_by(node, Routing::Local);
        let start = self.brought_in(start, node);
        let step = Product::new(Default::default(), 1);
        let (again, changed) = VecVariable::new(self.scope, step);
        let now = Collection { inner: changed.concat(start.inner.clone()), ..start.clone() };
        let unset = Unset(Some(self.settings.name.clone()));
        Variable { unset, now, start, again, outer: self.outer, settings: self.settings.clone() }
    }

    /// Brings a collection into the loop, where it is the same in each round.
    #[must_use]
    pub fn enter<D: Clone + 'static>(
        &self,
        outside: &Collection<'scope, D, T>,
    ) -> Collection<'inner, D, Round<T>> {
        let (node, _) = outside.followed_by(Node::operator("enter"), Routing::Local);
        self.brought_in(outside.clone(), node)
    }

    fn brought_in<D: Clone + 'static>(
        &self,
        outside: Collection<'scope, D, T>,
        node: NodeId,
    ) -> Collection<'inner, D, Round<T>> {
        let inner = outside.inner.enter(self.scope);
        Collection { site: Rc::clone(&self.site), node, inner }
    }
}

impl<'scope, 'inner, D: Record, T: Timestamp + Lattice> Variable<'scope, 'inner, D, T> {
    /// What the collection is in the round that is being built.
    #[must_use]
    pub fn now(&self) -> Collection<'inner, D, Round<T>> {
        self.now.clone()
    }

    /// Says what the collection is in the next round, and gives its fixed point, outside.
    ///
    /// Changes are consolidated before they go round.
    pub fn set(self, next: Collection<'inner, D, Round<T>>) -> Collection<'scope, D, T> {
        self.set_and_show(next).0
    }

    /// As [`set`](Self::set); gives also what goes round.
    fn set_and_show(
        mut self,
        next: Collection<'inner, D, Round<T>>,
    ) -> (Collection<'scope, D, T>, Collection<'inner, D, Round<T>>) {
        self.unset.0 = None;
        let (site, node) = (Rc::clone(&self.start.site), self.start.node);
        let next = next.consolidate();
        site.lead_back(next.node, node);
        let changed = next.inner.clone().concat(self.start.inner.negate());
        let name = self.settings.name;
        self.again.set(guarded(changed, self.settings.bound, name, Rc::clone(&site)));
        let inner = next.inner.clone().leave(self.outer);
        (Collection { site, node, inner }, next)
    }
}

impl<'scope, 'inner, D: Record> Variable<'scope, 'inner, D> {
    /// As [`set`](Self::set), with a report of how the loop converges: for each epoch and round how
    /// many records of this variable changed.
    ///
    /// # Guarantees
    ///
    /// The report of an epoch leaves when it is complete. What a round has in common with the same round
    /// of the epoch before is no work, and is not counted. A round without changes is not in the report,
    /// so the last one that is says up to which round there was something to do. What a run that
    /// continues does to come where the run before was is not reported.
    pub fn set_reporting(
        self,
        next: Collection<'inner, D, Round<Epoch>>,
    ) -> (Collection<'scope, D>, Stream<'scope, Convergence>) {
        let outer = self.outer;
        let (result, round) = self.set_and_show(next);
        let changes = round.inner.inner.map(|(_, at, _)| (at.inner, at, 1));
        let inner = changes.as_collection().leave(outer).consolidate_stream();
        let changes = Collection { site: round.site, node: round.node, inner }.changes();
        let report = changes.map(|(round, changes): (u64, Diff)| Convergence {
            round,
            changes: changes.unsigned_abs() as u64,
        });
        (result, report)
    }
}
