//! What a rule saves, collected by section and key group.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Owner, Part, Section, encode, encode_into};
use crate::key::{Group, Groups};
use crate::rule::Snapshot;
use crate::time::EventTime;

/// The sections of a rule as they are handed over.
#[derive(Debug)]
pub(crate) struct Saving {
    groups: Groups,
    /// The sections that were handed over last.
    standing: BTreeSet<u64>,
    made: BTreeMap<u64, Option<Vec<Part>>>,
    /// The section that entries go to.
    at: Option<u64>,
    /// Its entries of each group, at its place: a group is looked up for every entry.
    open: Vec<Vec<u8>>,
    /// Its entries for every worker.
    everyone: Vec<u8>,
}

/// What an operator keeps for every worker.
#[derive(Serialize, Deserialize)]
pub(crate) enum ForEveryone {
    /// Its watermark.
    Watermark(EventTime),
    /// Entries of its rule, one after the other.
    Entries(Vec<u8>),
}

impl Saving {
    /// For keys in `groups`, where the keeper has nothing yet.
    pub(crate) fn new(groups: Groups) -> Self {
        let (standing, made) = (BTreeSet::new(), BTreeMap::new());
        Self { groups, standing, made, at: None, open: Vec::new(), everyone: Vec::new() }
    }

    /// Notes that the keeper has a section from an earlier run.
    pub(crate) fn stands(&mut self, id: u64) {
        self.standing.insert(id);
    }

    /// What was saved since this was asked last, which the keeper has from now on.
    pub(crate) fn take(&mut self) -> Vec<Section> {
        self.close();
        let made = std::mem::take(&mut self.made);
        self.standing = made.keys().copied().collect();
        made.into_iter().map(|(id, parts)| Section { id, parts }).collect()
    }

    fn begin(&mut self, id: u64) {
        self.close();
        self.at = Some(id);
        self.open.resize_with(self.groups.count().into(), Vec::new);
    }

    fn close(&mut self) {
        let Some(id) = self.at.take() else { return };
        let full = (0..).zip(&mut self.open).filter(|(_, bytes)| !bytes.is_empty());
        let part = |(group, bytes): (Group, &mut Vec<u8>)| Part {
            owner: Owner::Group(group),
            bytes: std::mem::take(bytes),
        };
        let mut parts: Vec<_> = full.map(part).collect();
        if !self.everyone.is_empty() {
            let entries = ForEveryone::Entries(std::mem::take(&mut self.everyone));
            parts.push(Part { owner: Owner::Everyone, bytes: encode(&entries) });
        }
        self.made.insert(id, Some(parts));
    }
}

impl<S: Serialize> Snapshot<S> for Saving {
    fn unchanged(&mut self, id: u64) -> bool {
        let stands = self.standing.contains(&id);
        if stands {
            self.made.insert(id, None);
        }
        stands
    }

    fn section(&mut self, id: u64) {
        self.begin(id);
    }

    fn keyed(&mut self, hash: u64, entry: S) {
        if self.at.is_none() {
            self.begin(0);
        }
        encode_into(&mut self.open[usize::from(self.groups.group(hash))], &entry);
    }

    fn everyone(&mut self, entry: S) {
        if self.at.is_none() {
            self.begin(0);
        }
        encode_into(&mut self.everyone, &entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::decode_all;

    #[test]
    fn entries_come_back_from_their_group() {
        let groups = Groups::new(8, 1);
        let mut saving = Saving::new(groups);
        (0..100u32).for_each(|key| saving.keyed(crate::key::hash(&key), (key, "state")));
        let sections = saving.take();
        assert_eq!(sections.len(), 1);
        let mut back = Vec::new();
        for part in sections.into_iter().filter_map(|it| it.parts).flatten() {
            let read = decode_all(&part.bytes, |(key, state): (u32, String)| {
                assert_eq!(part.owner, Owner::Group(groups.group(crate::key::hash(&key))));
                assert_eq!(state, "state");
                back.push(key);
            });
            read.expect("it was just written");
        }
        back.sort();
        assert_eq!(back, Vec::from_iter(0..100));
    }

    #[test]
    fn only_what_was_handed_over_can_stand() {
        let mut saving = Saving::new(Groups::new(8, 1));
        let to: &mut dyn Snapshot<u8> = &mut saving;
        assert!(!to.unchanged(7));
        to.section(7);
        to.keyed(0, 1);
        assert!(
            matches!(&saving.take()[..], [Section { id: 7, parts: Some(parts) }] if parts.len() == 1)
        );
        assert!(Snapshot::<u8>::unchanged(&mut saving, 7));
        assert_eq!(saving.take(), [Section { id: 7, parts: None }]);
        assert_eq!(saving.take(), []);
        assert!(!Snapshot::<u8>::unchanged(&mut saving, 7), "it was not mentioned in between");
    }
}
