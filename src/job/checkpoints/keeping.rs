//! What a worker keeps of its operators, until all of it can be written.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use timely::scheduling::Activator;

use super::lineup::{Lineup, boundary};
use crate::checkpoint::{Manifest, SectionRef, Store};
use crate::config::Checkpointing;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Group;
use crate::state::{Keeper, Part, Section};
use crate::time::Epoch;

/// A checkpoint that a run continues from.
#[derive(Clone)]
pub(crate) struct Restored {
    pub(crate) store: Store,
    pub(crate) manifest: Arc<Manifest>,
    /// Whether all state is to be written anew.
    pub(crate) rewrites: bool,
}

/// The keeper of one worker.
pub(crate) struct Keeping {
    restored: Option<Restored>,
    operators: RefCell<Operators>,
    /// The bytes of state that were handed back to operators.
    recalled: Cell<u64>,
    refused: RefCell<Option<Error>>,
    /// Operators and the states that they have dropped.
    dropped: RefCell<Vec<(String, String)>>,
    /// The latest checkpoint that is committed.
    committed: Cell<Option<Epoch>>,
    /// The operators of sinks, which wait for that.
    sinks: RefCell<Vec<Activator>>,
}

struct Operators {
    /// The operators in the order in which they joined, with the types of their entries.
    names: Vec<(String, &'static str)>,
    lineup: Lineup<Vec<Section>>,
    /// Where the sections are that each has handed over, or was given back and may leave as they are.
    places: Vec<BTreeMap<u64, SectionRef>>,
}

/// What the operators of a worker have to write.
pub(crate) struct HandOver {
    /// The checkpoint, and up to where it would be the same.
    pub(crate) epochs: Range<Epoch>,
    pub(crate) operators: Vec<(String, Vec<Section>)>,
}

/// Where the state of an operator on a worker was written.
pub(crate) type Places = (String, String, Vec<SectionRef>);

impl Keeping {
    pub(crate) fn new(restored: Option<Restored>) -> Rc<Self> {
        let from = restored.as_ref().map_or(0, |it| it.manifest.epoch + 1);
        let lineup = Lineup::new(0, from);
        Rc::new(Self {
            restored,
            operators: RefCell::new(Operators { names: vec![], lineup, places: vec![] }),
            recalled: Cell::new(0),
            refused: RefCell::default(),
            dropped: RefCell::default(),
            committed: Cell::new(None),
            sinks: RefCell::default(),
        })
    }

    /// How many bytes of state were handed back to the operators of this worker.
    pub(crate) fn recalled(&self) -> u64 {
        self.recalled.get()
    }

    /// Whether this run continues an earlier one.
    pub(crate) fn continues(&self) -> bool {
        self.restored.is_some()
    }

    /// Has a sink's operator called whenever a checkpoint is committed.
    pub(crate) fn add_sink(&self, activator: Activator) {
        self.sinks.borrow_mut().push(activator);
    }

    pub(crate) fn committed(&self) -> Option<Epoch> {
        self.committed.get()
    }

    /// Says that a checkpoint is committed.
    pub(crate) fn commit(&self, epoch: Epoch) {
        self.committed.set(self.committed.get().max(Some(epoch)));
        self.sinks.borrow().iter().for_each(Activator::activate);
    }

    /// Finds out whether the operators of this program and the state that they were given belong
    /// together. Called when all of them are built.
    pub(crate) fn check(&self, allowed: &Checkpointing) -> Result<()> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        let Some(Restored { manifest, .. }) = &self.restored else { return Ok(()) };
        let operators = self.operators.borrow();
        let here = |name: &&String| operators.names.iter().any(|(it, _)| it == *name);
        let gone = named(manifest.operators.keys().filter(|name| !here(name)));
        if let Some(names) = gone.filter(|_| !allowed.allow_dropped_state) {
            return Err(refused(format!(
                "checkpoint {} holds state of {names}, which this program does not have: give it \
                 its name back, or drop the state with --allow-dropped-state",
                manifest.epoch
            )));
        }
        let dropped = self.dropped.take().into_iter().next();
        if let Some((name, state)) = dropped.filter(|_| !allowed.allow_dropped_state) {
            return Err(refused(format!(
                "checkpoint {} holds the state `{state}` of the operator `{name}`, which does not \
                 declare it: declare it again, or drop it with --allow-dropped-state",
                manifest.epoch
            )));
        }
        let names = operators.names.iter().map(|(name, _)| name);
        let new = named(names.filter(|name| !manifest.operators.contains_key(*name)));
        if let Some(names) = new.filter(|_| !allowed.allow_new_state) {
            return Err(refused(format!(
                "checkpoint {} holds no state of {names}: give it the name it had, or let it begin \
                 without state with --allow-new-state",
                manifest.epoch
            )));
        }
        Ok(())
    }

    /// What is to be written next, if all operators have come to it.
    pub(crate) fn take(&self) -> Option<HandOver> {
        let mut operators = self.operators.borrow_mut();
        let Operators { names, lineup, .. } = &mut *operators;
        // What an operator has for longer need not be written again.
        let rest =
            |it: &Vec<Section>| it.iter().map(|it| Section { id: it.id, parts: None }).collect();
        let (epochs, taken) = lineup.take(rest)?;
        let operators = names.iter().map(|(name, _)| name.clone()).zip(taken).collect();
        Some(HandOver { epochs, operators })
    }

    /// Notes where what was handed over has been written, and says where all of it is. `sections`
    /// are those of each operator, written or unchanged.
    pub(crate) fn written(
        &self,
        sections: &[Vec<u64>],
        places: Vec<(String, Vec<SectionRef>)>,
    ) -> Vec<Places> {
        let mut operators = self.operators.borrow_mut();
        let Operators { names, places: known, .. } = &mut *operators;
        let mut all = Vec::with_capacity(names.len());
        for (at, (name, written)) in places.into_iter().enumerate() {
            let written = written.into_iter().map(|it| (it.id, it));
            known[at].extend(written);
            known[at].retain(|id, _| sections[at].contains(id));
            all.push((name, names[at].1.to_owned(), known[at].values().cloned().collect()));
        }
        all
    }

    fn refuse_with(&self, error: Error) {
        self.refused.borrow_mut().get_or_insert(error);
    }
}

impl Keeper for Keeping {
    fn due(&self, completed: &Range<Epoch>) -> bool {
        completed.contains(&boundary(completed.start))
    }

    fn keep(&self, operator: &str, _worker: usize, completed: Range<Epoch>, saved: Vec<Section>) {
        let mut operators = self.operators.borrow_mut();
        let member = operators.names.iter().position(|(name, _)| name == operator);
        let member = member.expect("an operator recalls its state before it keeps any");
        operators.lineup.hand_over(member, completed, saved);
    }

    fn recall(
        &self,
        operator: &str,
        entries: &'static str,
        _worker: usize,
        groups: Range<Group>,
        each: &mut dyn FnMut(Part, Option<u64>),
    ) {
        let mut operators = self.operators.borrow_mut();
        operators.names.push((operator.to_owned(), entries));
        operators.lineup.join();
        operators.places.push(BTreeMap::new());
        let Some(Restored { store, manifest, rewrites }) = &self.restored else { return };
        let saved = manifest.operators.get(operator).filter(|_| !rewrites);
        if let Some((piece, places)) =
            saved.and_then(|it| it.alone(&groups)).zip(operators.places.last_mut())
        {
            places.extend(piece.sections.iter().map(|it| (it.id, it.clone())));
        }
        let read = store.read_each(manifest, operator, groups, |part, section| {
            self.recalled.set(self.recalled.get() + part.bytes.len() as u64);
            each(part, section.filter(|_| !rewrites));
        });
        if let Err(error) = read {
            let message = format!("cannot read the state of the operator `{operator}`");
            self.refuse_with(Error::new(ErrorKind::State, message).because(error));
        }
    }

    fn refuse(&self, operator: &str, why: String) {
        let names = &self.operators.borrow().names;
        let now = names.iter().find(|(name, _)| name == operator).map_or("?", |(_, it)| *it);
        let saved = self.restored.as_ref().and_then(|it| it.manifest.operators.get(operator));
        let saved = saved.map_or("?", |it| it.type_name.as_str());
        self.refuse_with(refused(format!(
            "the saved state of the operator `{operator}` does not fit this program: {why} (it was \
             saved as `{saved}` and is read as `{now}`)"
        )));
    }

    fn dropped(&self, operator: &str, state: &str) {
        self.dropped.borrow_mut().push((operator.to_owned(), state.to_owned()));
    }

    fn resume(&self) -> Epoch {
        self.restored.as_ref().map_or(0, |it| it.manifest.epoch + 1)
    }
}

/// Says which operators are meant, if any are.
fn named<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    let names: Vec<String> = names.map(|it| format!("`{it}`")).collect();
    match names.len() {
        0 => None,
        1 => Some(format!("the operator {}", names[0])),
        _ => Some(format!("the operators {}", names.join(", "))),
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::State, message)
}
