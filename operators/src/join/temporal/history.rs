//! The versions of a key over time, and the records that are joined with them.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::state::journal::Noted;
use crate::time::EventTime;

/// Where a record stands: when it happened, and which one of those of that moment it is.
type Place = (EventTime, u64);

/// What is known of one key.
pub(super) struct History<L, V> {
    /// Records that the watermark has not passed.
    pub(super) open: BTreeMap<Place, L>,
    /// Records whose rows were given and may have to be corrected.
    pub(super) given: BTreeMap<Place, L>,
    /// What was valid from each moment on; nothing after a deletion.
    pub(super) versions: BTreeMap<EventTime, Option<V>>,
    pub(super) noted: Noted,
    /// The moment at which the key waits.
    pub(super) queued: Option<EventTime>,
}

impl<L, V> Default for History<L, V> {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
            given: BTreeMap::new(),
            versions: BTreeMap::new(),
            noted: Noted::default(),
            queued: None,
        }
    }
}

impl<L, V> History<L, V> {
    /// The version that is valid at a moment, if there is any.
    pub(super) fn valid(&self, at: EventTime) -> Option<&V> {
        self.versions.range(..=at).next_back().and_then(|(_, version)| version.as_ref())
    }

    /// When the version that is valid at a moment is replaced.
    pub(super) fn replaced(&self, at: EventTime) -> Option<EventTime> {
        self.versions.range((Excluded(at), Unbounded)).next().map(|(later, _)| *later)
    }

    /// The records whose rows were given, from a moment on until the version of that moment is
    /// replaced.
    pub(super) fn given_from(&self, at: EventTime) -> impl Iterator<Item = (EventTime, &L)> {
        let end = self.replaced(at).map_or(Unbounded, |end| Excluded((end, 0)));
        self.given.range((Included((at, 0)), end)).map(|(place, left)| (place.0, left))
    }

    /// The moment that has to be over before a version can be freed: that of the one that follows
    /// it. A deletion need not be remembered once it is over itself.
    fn next_version(&self) -> Option<EventTime> {
        let mut versions = self.versions.iter();
        match versions.next()? {
            (deleted, None) => Some(*deleted),
            (_, Some(_)) => versions.next().map(|(at, _)| *at),
        }
    }

    pub(super) fn empty(&self) -> bool {
        self.open.is_empty() && self.given.is_empty() && self.versions.is_empty()
    }

    /// The next moment of the watermark at which there is something to do.
    pub(super) fn next(&self, lateness: Duration) -> Option<EventTime> {
        let open = self.open.first_key_value().map(|(place, _)| place.0);
        let given = self.given.first_key_value().map(|(place, _)| place.0);
        let later = given.into_iter().chain(self.next_version());
        open.into_iter().chain(later.map(|at| at.saturating_add(lateness))).min()
    }

    /// Frees rows that are final and versions that none is joined with any more. Returns how many.
    pub(super) fn free(&mut self, over: impl Fn(EventTime) -> bool) -> usize {
        let mut freed = 0;
        while let Some(first) = self.given.first_entry().filter(|it| over(it.key().0)) {
            first.remove();
            freed += 1;
        }
        while self.next_version().is_some_and(&over) {
            self.versions.pop_first();
            freed += 1;
        }
        freed
    }

    /// What is to be saved.
    pub(super) fn saved(&self) -> Past<L, V>
    where
        L: Clone,
        V: Clone,
    {
        let records = |it: &BTreeMap<Place, L>| {
            it.iter().map(|(place, left)| (place.0, left.clone())).collect()
        };
        let versions = self.versions.iter().map(|(at, version)| (*at, version.clone()));
        Past(records(&self.open), records(&self.given), versions.collect())
    }

    /// What was saved. `arrivals` tells records of one moment apart.
    pub(super) fn restored(Past(open, given, versions): Past<L, V>, arrivals: &mut u64) -> Self {
        let mut placed = |records: Vec<(EventTime, L)>| {
            let place = |(at, left)| {
                let place = (at, *arrivals);
                *arrivals += 1;
                (place, left)
            };
            records.into_iter().map(place).collect()
        };
        let (open, given) = (placed(open), placed(given));
        Self { open, given, versions: versions.into_iter().collect(), ..Self::default() }
    }
}

/// The history of a key as it is saved: the records that are open, those that were given, and the
/// versions, each with its time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Past<L, V>(Vec<(EventTime, L)>, Vec<(EventTime, L)>, Vec<(EventTime, Option<V>)>);

impl<L, V> Default for Past<L, V> {
    fn default() -> Self {
        Self(Vec::new(), Vec::new(), Vec::new())
    }
}
