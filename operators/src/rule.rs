//! Rules: what a stateful operator does, free of any engine.
//!
//! A [`Rule`] is plain state with four methods. It takes records, is told how far event time has
//! come, and can be saved and restored between two epochs. It knows no worker, capability or
//! channel; [`drive`](crate::drive) decides when each method is called, and a test calls them
//! directly.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// The state and logic of one operator on one worker.
///
/// The wiring keeps this order: every record of an epoch is [accepted](Self::accept), then the rule
/// [advances](Self::advance) to the watermark of that epoch, then it may be saved. While records of
/// an epoch are accepted, the watermark in force is that of the epoch before.
pub trait Rule<D>: 'static {
    /// What the rule emits.
    type Output: 'static;
    /// What leaves by the side: late or unmatched records. [`Infallible`](std::convert::Infallible)
    /// if nothing does.
    type Side: 'static;
    /// One entry of saved state. The entries of one key group together are that group's state.
    type Saved: Serialize + DeserializeOwned;

    /// Takes one record.
    fn accept(&mut self, record: D, out: &mut Outbox<Self::Output, Self::Side>);

    /// Takes all of `records`, in order: what the wiring calls. A rule whose state is larger than the
    /// caches of a processor can look several records ahead here.
    #[inline]
    fn accept_all(&mut self, records: &mut Vec<D>, out: &mut Outbox<Self::Output, Self::Side>) {
        for record in records.drain(..) {
            self.accept(record, out);
        }
    }

    /// Emits what the watermark completes. The watermark never goes back.
    ///
    /// A rule with much to emit stops once the outbox is [full](Outbox::full) and returns
    /// [`Advance::More`]; it is then called again with the same watermark.
    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance;

    /// Whether the rule is to advance at the end of every epoch, also of one in which nothing
    /// arrives: because it waits for the time of day. Asked when an epoch is complete.
    fn waits(&self) -> bool {
        false
    }

    /// Hands over everything that a fresh rule needs to continue from here: sections that did not
    /// change since the last save by [name](Snapshot::unchanged), the others with their entries.
    ///
    /// Called between epochs only, never between two calls of an unfinished `advance`. The rule
    /// keeps its state.
    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>);

    /// Takes back one entry. Called on a fresh rule before any record, after
    /// [`resume`](Self::resume). The entries of a key group come in the order of their sections;
    /// those of several key groups in any order.
    fn restore(&mut self, saved: Self::Saved);

    /// Tells a fresh rule that the entries that come next are those of the section with this number,
    /// and that the section can stay as it is, because no other worker owns any of it. Says whether the
    /// rule keeps account of that and may call the section [unchanged](Snapshot::unchanged) in its
    /// first save. If not, its first save must have all of its state.
    fn restoring(&mut self, _section: u64) -> bool {
        false
    }

    /// Tells a fresh rule that it has every entry. It says which parts of what was saved the program
    /// has no use for any more, by name; they are gone.
    ///
    /// # Errors
    ///
    /// Why what was saved cannot be used.
    fn restored(&mut self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    /// Tells a fresh rule the watermark that was in force when its state was saved.
    fn resume(&mut self, watermark: EventTime);
}

/// A record of one of two inputs: what a rule with two inputs takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Either<L, R> {
    /// A record of the first input.
    Left(L),
    /// A record of the second input.
    Right(R),
}

/// What succeeded is on the left, what failed on the right.
impl<L, R> From<Result<L, R>> for Either<L, R> {
    fn from(result: Result<L, R>) -> Self {
        match result {
            Ok(left) => Self::Left(left),
            Err(right) => Self::Right(right),
        }
    }
}

/// Whether a rule is through with a watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Advance {
    /// Everything that the watermark completes has been emitted.
    Done,
    /// The outbox is full and there is more to emit.
    More,
}

/// Receives the entries of a saved rule, in sections: pieces of state that are replaced as a whole.
///
/// A rule whose state is large is saved in sections so that what is written follows what changed: a
/// section for each window, or one for all keys and then one for each set of changes. A section
/// that is not mentioned in a save is gone.
pub trait Snapshot<S> {
    /// Whether the section `id` still stands as it was last saved. If so, the rule that has not
    /// changed it need not write it, and it counts as mentioned. If not, the rule begins it with
    /// [`section`](Self::section) and writes all of it.
    fn unchanged(&mut self, id: u64) -> bool;

    /// Begins the section `id`, in place of an earlier one of that number.
    fn section(&mut self, id: u64);

    /// Keeps `entry` in the section begun last, or in section 0, with the key group of the key
    /// whose [hash](crate::key::hash) this is.
    fn keyed(&mut self, hash: u64, entry: S);

    /// Keeps `entry` in that section for every worker: what is alike on all of them. It is given
    /// back once for each worker that kept it.
    fn everyone(&mut self, entry: S);
}

/// What a rule emits, until the wiring ships it.
///
/// Everything put in while an epoch is processed leaves with that epoch.
#[derive(Debug)]
pub struct Outbox<O, S> {
    /// Records for the output.
    pub main: Vec<O>,
    /// Records for the side output.
    pub side: Vec<S>,
}

impl<O, S> Outbox<O, S> {
    /// Records in an outbox at which [`Rule::advance`] should pause.
    pub const FULL: usize = 1024;

    /// An empty outbox.
    pub fn new() -> Self {
        Self { main: Vec::new(), side: Vec::new() }
    }

    /// Whether it is time to let the wiring ship what is here.
    #[inline]
    pub fn full(&self) -> bool {
        self.main.len() >= Self::FULL
    }
}

impl<O, S> Default for Outbox<O, S> {
    fn default() -> Self {
        Self::new()
    }
}
