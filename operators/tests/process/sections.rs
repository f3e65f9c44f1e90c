//! What a rule saves, kept in memory by section, and the ways to lose some of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidemill_operators::rule::{Rule, Snapshot};
use tidemill_operators::state::{decode, encode};

/// The entries of sections, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sections {
    standing: BTreeMap<u64, Vec<Vec<u8>>>,
    lost: BTreeSet<u64>,
    mentioned: BTreeSet<u64>,
    at: u64,
    /// Entries written by the last save.
    pub(crate) written: usize,
}

impl<S: Serialize> Snapshot<S> for Sections {
    fn unchanged(&mut self, id: u64) -> bool {
        let stands = self.standing.contains_key(&id) && !self.lost.contains(&id);
        if stands {
            self.mentioned.insert(id);
        }
        stands
    }

    fn section(&mut self, id: u64) {
        self.standing.insert(id, Vec::new());
        self.mentioned.insert(id);
        self.at = id;
    }

    fn keyed(&mut self, _hash: u64, entry: S) {
        self.mentioned.insert(self.at);
        self.standing.entry(self.at).or_default().push(encode(&entry));
        self.written += 1;
    }

    fn everyone(&mut self, entry: S) {
        self.keyed(0, entry);
    }
}

impl Sections {
    /// Takes one save.
    pub(crate) fn take(&mut self, save: impl FnOnce(&mut Self)) {
        (self.at, self.written) = (0, 0);
        self.mentioned.clear();
        save(self);
        let mentioned = std::mem::take(&mut self.mentioned);
        self.standing.retain(|id, _| mentioned.contains(id));
        self.lost.clear();
    }

    /// Saves a rule.
    pub(crate) fn save<D, R: Rule<D>>(&mut self, rule: &mut R) {
        self.take(|to| rule.save(to));
    }

    /// Forgets the contents of a section.
    pub(crate) fn lose(&mut self, place: usize) {
        if let Some(id) = self.standing.keys().nth(place) {
            self.lost.insert(*id);
        }
    }

    /// How many sections there are.
    pub(crate) fn count(&self) -> usize {
        self.standing.len()
    }

    /// All entries, in the order of their sections.
    pub(crate) fn entries<S: DeserializeOwned>(&self) -> impl Iterator<Item = S> {
        let entries = self.standing.values().flatten();
        entries.map(|it| decode(it).expect("it was encoded from the same type"))
    }

    /// Gives a fresh rule what was saved, section by section.
    pub(crate) fn restore<D, R: Rule<D>>(&self, rule: &mut R) -> Result<Vec<String>, String> {
        self.each(|id, entries| {
            rule.restoring(id);
            entries.for_each(|entry| rule.restore(entry));
        });
        rule.restored()
    }

    /// Gives each section with its entries.
    pub(crate) fn each<S: DeserializeOwned>(
        &self,
        mut give: impl FnMut(u64, &mut dyn Iterator<Item = S>),
    ) {
        for (id, entries) in &self.standing {
            let decoded = |it: &Vec<u8>| decode(it).expect("it was encoded from the same type");
            give(*id, &mut entries.iter().map(decoded));
        }
    }
}
