//! Declaring keyed state: its names, its kinds, and how long it lives.
//!
//! A function of processes declares its states when it is made, and holds the handles that it gets
//! for them. A handle is a name for state, not the state itself: only the [`Context`] of a callback
//! has a current key, and [`Context::state`] gives the state of that key.
//!
//! [`Context`]: super::Context
//! [`Context::state`]: super::Context::state

use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cell::{Cell, Decode};
use crate::plan::Node;
use crate::time::EventTime;

/// What state can hold: anything that can be saved.
pub trait Stored: Serialize + DeserializeOwned + 'static {}
impl<T: Serialize + DeserializeOwned + 'static> Stored for T {}

/// How long an entry of state lives, in event time.
///
/// Each value, element of a list and entry of a map lives on its own. What has expired is never
/// seen. "Now" is the time of the record or timer at hand, or the watermark where that is further:
/// so whether something has expired is a matter of the input, not of the hour at which a job runs,
/// nor of how its input is cut into epochs unless records are out of order.
///
/// Memory is freed when the watermark has passed the end of a life by an eighth of its length, so
/// that a key is looked at a few times per life and not once for each of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    after: Duration,
    since: Since,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Write,
    Access,
}

impl Expiry {
    /// An entry lives for `life` after it was last written.
    pub const fn after_write(life: Duration) -> Self {
        Self { after: life, since: Since::Write }
    }

    /// An entry lives for `life` after it was last written or read.
    ///
    /// Reading then counts as a change, and is saved.
    pub const fn after_access(life: Duration) -> Self {
        Self { after: life, since: Since::Access }
    }

    pub(crate) fn counts_access(self) -> bool {
        self.since == Since::Access
    }

    /// The first moment at which what was touched then is not seen any more, unless that is beyond
    /// the end of time.
    pub(crate) fn end(self, touched: EventTime) -> Option<EventTime> {
        touched.checked_add(self.after)
    }

    /// Whether what was touched then is not seen any more.
    pub(crate) fn over(self, touched: EventTime, now: EventTime) -> bool {
        self.end(touched).is_some_and(|end| end <= now)
    }

    /// When to look for what has expired, if the next thing does so at `end`.
    pub(crate) fn cleanup(self, end: EventTime) -> EventTime {
        end.saturating_add(self.after / 8)
    }
}

/// A state of a function: one name, one kind.
pub(crate) struct Declared {
    pub(crate) name: Rc<str>,
    pub(crate) expiry: Option<Expiry>,
    pub(crate) decode: Decode,
}

/// Where a handle finds its state, and how long that lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) place: usize,
    pub(crate) expiry: Option<Expiry>,
}

/// The states of a function, declared one by one while the function is made.
///
/// The name of a state is what it is saved under: a program that is restored finds it again by
/// name, whatever the order of declarations. One method for each kind stands beside its handle:
/// [`value`](Self::value), [`list`](Self::list), [`map`](Self::map), [`reducing`](Self::reducing),
/// [`aggregating`](Self::aggregating).
#[derive(Default)]
pub struct States {
    name: Option<String>,
    pub(crate) declared: Vec<Declared>,
    expiry: Option<Expiry>,
}

impl std::fmt::Debug for States {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.declared.iter().map(|it| &it.name)).finish()
    }
}

impl States {
    /// No states yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the operator that runs the function: in plans and counters, and for what is saved.
    ///
    /// It is `process` otherwise. A name that is taken gets an ending; so a function whose state is
    /// to be found again after the program has changed should have a name of its own.
    pub fn name(&mut self, name: impl Into<String>) {
        self.name = Some(name.into());
    }

    /// The operator that runs the function.
    pub(crate) fn node(&self) -> Node {
        let name = self.name.as_deref().unwrap_or("process");
        let freed = "per key, until its states are cleared or expire and no timer is set";
        Node::operator(name).state(freed)
    }

    /// Gives a time to live to the state that is declared next:
    /// `states.expiring(Expiry::after_write(hours(1))).value("last")`.
    #[must_use = "declare a state that expires"]
    pub fn expiring(&mut self, expiry: Expiry) -> &mut Self {
        self.expiry = Some(expiry);
        self
    }

    /// Declares a state whose contents are a `C`.
    pub(crate) fn declare<C: Cell + Stored>(&mut self, name: &str) -> Slot {
        let taken = self.declared.iter().any(|it| &*it.name == name);
        assert!(!taken, "two states of a function are named `{name}`: give each a name of its own");
        let expiry = self.expiry.take();
        let decode: Decode = |bytes| Ok(Box::new(crate::state::decode::<C>(bytes)?));
        self.declared.push(Declared { name: name.into(), expiry, decode });
        Slot { place: self.declared.len() - 1, expiry }
    }
}
