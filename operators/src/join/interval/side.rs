//! The records of one side of a key, in the order of their times.

use std::collections::BTreeMap;

use crate::time::EventTime;

/// Where a record stands: when it happened, and which one of those of that moment it is.
pub(super) type Place = (EventTime, u64);

/// Records that wait for partners.
pub(super) struct Side<V> {
    records: BTreeMap<Place, Held<V>>,
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

impl<V> Default for Side<V> {
    fn default() -> Self {
        Self { records: BTreeMap::new() }
    }
}

impl<V> Side<V> {
    /// Shows partners to `meet`, each with its time, but no more than `most` of them. Says whether
    /// these were the last.
    pub(super) fn search(
        &mut self,
        search: &mut Search,
        most: usize,
        mut meet: impl FnMut(EventTime, &V),
    ) -> bool {
        let (first, last) = search.within;
        let places = search.from.max((first, 0))..=(last, u64::MAX);
        for (met, (place, held)) in self.records.range_mut(places).enumerate() {
            if met == most {
                search.from = *place;
                return false;
            }
            (held.matched, search.matched) = (true, true);
            meet(place.0, &held.value);
        }
        true
    }

    pub(super) fn insert(&mut self, place: Place, value: V, matched: bool) {
        self.records.insert(place, Held { value, matched });
    }

    /// When the first record happened.
    pub(super) fn first(&self) -> Option<EventTime> {
        self.records.first_key_value().map(|(place, _)| place.0)
    }

    /// Takes out the first record if `free` says so of its time.
    pub(super) fn pop(
        &mut self,
        free: impl FnOnce(EventTime) -> bool,
    ) -> Option<(EventTime, Held<V>)> {
        let first = self.records.first_entry().filter(|it| free(it.key().0))?;
        let ((at, _), held) = first.remove_entry();
        Some((at, held))
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The records in order, as they are saved.
    pub(super) fn saved(&self) -> Vec<(EventTime, V, bool)>
    where
        V: Clone,
    {
        let records = self.records.iter();
        records.map(|(place, held)| (place.0, held.value.clone(), held.matched)).collect()
    }
}
