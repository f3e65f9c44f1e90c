//! The records of one side of a key, in the order of their times.
//!
//! Most keys of most streams have a few records that wait. These are a sorted vector: with one
//! record of each key, the join then takes two thirds of the memory that it takes with trees alone.
//! More than [`FEW`] are a tree.

use std::collections::BTreeMap;

use crate::time::EventTime;

/// Records that are cheaper to move than to keep in a tree.
const FEW: usize = 16;

/// Where a record stands: when it happened, and which one of those of that moment it is.
pub(super) type Place = (EventTime, u64);

/// Records that wait for partners.
pub(super) enum Side<V> {
    /// In order of their places.
    Few(Vec<(Place, Held<V>)>),
    /// Until none is left.
    Many(BTreeMap<Place, Held<V>>),
}

/// A record, and whether it has met a partner.
pub(super) struct Held<V> {
    pub(super) value: V,
    pub(super) matched: bool,
}

/// How far a record has come that looks for its partners.
pub(super) struct Search {
    /// The first and the last moment of partners.
    pub(super) within: (EventTime, EventTime),
    /// Partners before this place were met.
    pub(super) from: Place,
    /// Whether it has met any.
    pub(super) matched: bool,
}

impl Search {
    /// Meets partners, which are given in order, but no more than `most`. Says whether these were
    /// all.
    fn meet<'a, V: 'a>(
        &mut self,
        partners: impl Iterator<Item = (Place, &'a mut Held<V>)>,
        most: usize,
        mut meet: impl FnMut(EventTime, &V),
    ) -> bool {
        for (met, (place, held)) in partners.enumerate() {
            if met == most {
                self.from = place;
                return false;
            }
            (held.matched, self.matched) = (true, true);
            meet(place.0, &held.value);
        }
        true
    }
}

impl<V> Default for Side<V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<V> Side<V> {
    /// Shows partners to `meet`, each with its time, but no more than `most` of them. Says whether
    /// these were the last.
    pub(super) fn search(
        &mut self,
        search: &mut Search,
        most: usize,
        meet: impl FnMut(EventTime, &V),
    ) -> bool {
        let (first, last) = search.within;
        let (first, last) = (search.from.max((first, 0)), (last, u64::MAX));
        match self {
            Self::Few(records) => {
                let before = records.partition_point(|it| it.0 < first);
                let rest = records.iter_mut().skip(before).take_while(|it| it.0 <= last);
                search.meet(rest.map(|it| (it.0, &mut it.1)), most, meet)
            }
            Self::Many(records) => {
                let partners = records.range_mut(first..=last);
                search.meet(partners.map(|(place, held)| (*place, held)), most, meet)
            }
        }
    }

    pub(super) fn insert(&mut self, place: Place, value: V, matched: bool) {
        let held = Held { value, matched };
        match self {
            Self::Few(records) if records.len() < FEW => {
                if records.is_empty() {
                    // The only one of many a key.
                    records.reserve_exact(1);
                }
                let before = records.partition_point(|it| it.0 < place);
                records.insert(before, (place, held));
            }
            Self::Few(records) => {
                let mut many = BTreeMap::from_iter(records.drain(..));
                many.insert(place, held);
                *self = Self::Many(many);
            }
            Self::Many(records) => _ = records.insert(place, held),
        }
    }

    /// When the first record happened.
    pub(super) fn first(&self) -> Option<EventTime> {
        match self {
            Self::Few(records) => records.first().map(|(place, _)| place.0),
            Self::Many(records) => records.first_key_value().map(|(place, _)| place.0),
        }
    }

    /// Takes out the first record if `free` says so of its time.
    pub(super) fn pop(
        &mut self,
        free: impl FnOnce(EventTime) -> bool,
    ) -> Option<(EventTime, Held<V>)> {
        self.first().filter(|at| free(*at))?;
        let (place, held) = match self {
            Self::Few(records) => records.remove(0),
            Self::Many(records) => records.pop_first()?,
        };
        if self.len() == 0 {
            *self = Self::default();
        }
        Some((place.0, held))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(records) => records.len(),
            Self::Many(records) => records.len(),
        }
    }

    /// The records in order, as they are saved.
    pub(super) fn saved(&self) -> Vec<(EventTime, V, bool)>
    where
        V: Clone,
    {
        let record = |place: &Place, held: &Held<V>| (place.0, held.value.clone(), held.matched);
        match self {
            Self::Few(records) => records.iter().map(|(place, it)| record(place, it)).collect(),
            Self::Many(records) => records.iter().map(|(place, it)| record(place, it)).collect(),
        }
    }
}
