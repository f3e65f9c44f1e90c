//! A worker's part of the data, in a version for each epoch that is going round.

use std::collections::BTreeMap;

use super::{Iteration, Turn};
use crate::collection::Diff;
use crate::time::Epoch;

/// What waits to be applied, and what the epochs that are going round compute on.
pub(super) struct Part<D, I: Iteration<D>> {
    /// The changes of complete epochs that have not begun.
    changes: BTreeMap<Epoch, Vec<(D, Diff)>>,
    going: BTreeMap<Epoch, I::Data>,
    begun: Option<Epoch>,
}

impl<D, I: Iteration<D>> Part<D, I> {
    pub(super) fn new() -> Self {
        Self { changes: BTreeMap::new(), going: BTreeMap::new(), begun: None }
    }

    /// Takes all changes of an epoch.
    pub(super) fn accept(&mut self, epoch: Epoch, changes: Vec<(D, Diff)>) {
        self.changes.insert(epoch, changes);
    }

    /// Computes a round. The first of an epoch takes the data as they are at its end.
    pub(super) fn compute(&mut self, rule: &mut I, at: Turn, model: &I::Model) -> I::Partial {
        if at.round == 0 {
            assert!(self.begun < Some(at.epoch), "epochs begin in order");
            self.begun = Some(at.epoch);
            while let Some(next) = self.changes.first_entry().filter(|it| *it.key() <= at.epoch) {
                rule.accept(next.remove());
            }
            self.going.insert(at.epoch, rule.data());
        }
        let data =
            self.going.get_mut(&at.epoch).expect("an epoch goes round from its first round on");
        rule.compute(at, data, model)
    }

    /// Lets go of the data of an epoch that is over.
    pub(super) fn end(&mut self, epoch: Epoch) {
        self.going.remove(&epoch);
    }
}
