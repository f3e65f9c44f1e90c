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
    at: u64,
    made: BTreeMap<u64, Option<Made>>,
}

/// The entries of a section.
#[derive(Debug, Default)]
struct Made {
    groups: BTreeMap<Group, Vec<u8>>,
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
        Self { groups, standing: BTreeSet::new(), at: 0, made: BTreeMap::new() }
    }

    /// What was saved since this was asked last, which the keeper has from now on.
    pub(crate) fn take(&mut self) -> Vec<Section> {
        let made = std::mem::take(&mut self.made);
        self.standing = made.keys().copied().collect();
        self.at = 0;
        made.into_iter().map(|(id, it)| Section { id, parts: it.map(Made::into_parts) }).collect()
    }
}

impl Made {
    fn into_parts(self) -> Vec<Part> {
        let groups = self.groups.into_iter();
        let mut parts: Vec<_> =
            groups.map(|(group, bytes)| Part { owner: Owner::Group(group), bytes }).collect();
        if !self.everyone.is_empty() {
            let bytes = encode(&ForEveryone::Entries(self.everyone));
            parts.push(Part { owner: Owner::Everyone, bytes });
        }
        parts
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
        self.made.insert(id, Some(Made::default()));
        self.at = id;
    }

    fn keyed(&mut self, hash: u64, entry: S) {
        let section = self.made.entry(self.at).or_default().get_or_insert_default();
        encode_into(section.groups.entry(self.groups.group(hash)).or_default(), &entry);
    }

    fn everyone(&mut self, entry: S) {
        let section = self.made.entry(self.at).or_default().get_or_insert_default();
        encode_into(&mut section.everyone, &entry);
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
