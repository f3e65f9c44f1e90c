//! Incremental saving: which keys changed since the last save, and which sections still stand.
//!
//! A rule with state per key keeps a [`Journal`] beside it. The first save writes every key into a
//! section of its own. Later ones leave that section standing and write what changed into a
//! further one, gone keys included; restored in order, later entries override earlier ones.
//!
//! # Guarantees
//!
//! * Restoring the sections that stand, in the order of their numbers, gives the state as it was
//!   saved.
//! * A save writes what changed since the last one, and now and then more: neighbouring small
//!   sections become one, so that a change is written again at most once per doubling, and all of
//!   the state is written anew when the sections of changes together outgrow it.
//! * A state of `n` keys stands in at most about `log2 n` sections.
//! * Where the store has lost a section, all of the state is written into its place.
//! * A journal that is [told](Journal::restoring) in which sections the entries stand that a fresh rule
//!   is given back goes on from there: the first save after a restart writes what changed, too.
//!
//! # Cost
//!
//! A change costs one comparison, and the first of a key since the last save a clone of the key.
//! The keys of small sections, at most a few parts of [`LARGE`] of all, are held to merge them.

use serde::{Deserialize, Serialize};

use crate::rule::Snapshot;

/// A section of changes to more than one key in this many is not merged with others.
pub const LARGE: usize = 8;

/// When a key was last noted as changed. Belongs beside the state of the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted(u32);

/// What a rule has to write. `S` is the type of its entries.
pub trait Entries<K, S> {
    /// How many keys there are.
    fn count(&self) -> usize;

    /// Gives the entry of every key, with the [hash](crate::key::hash) of the key.
    fn all(&mut self, give: &mut dyn FnMut(u64, S));

    /// Gives the entry of one key, or one that says that it is gone.
    fn one(&mut self, key: &K) -> (u64, S);
}

/// A section that was written.
#[derive(Clone, Debug)]
struct Section<K> {
    id: u64,
    entries: usize,
    /// Its keys, if it is small enough to be merged.
    keys: Option<Vec<K>>,
}

/// Which keys changed since the last save, and which sections hold the rest.
///
/// ```
/// use std::collections::BTreeMap;
/// use tidemill_operators::key::hash;
/// use tidemill_operators::rule::Snapshot;
/// use tidemill_operators::state::journal::{Entries, Journal, Noted};
///
/// /// A counter for each key.
/// struct Counts(BTreeMap<u8, (Noted, u64)>);
///
/// impl Entries<u8, (u8, Option<u64>)> for Counts {
///     fn count(&self) -> usize {
///         self.0.len()
///     }
///     fn all(&mut self, give: &mut dyn FnMut(u64, (u8, Option<u64>))) {
///         self.0.iter().for_each(|(key, it)| give(hash(key), (*key, Some(it.1))));
///     }
///     fn one(&mut self, key: &u8) -> (u64, (u8, Option<u64>)) {
///         (hash(key), (*key, self.0.get(key).map(|it| it.1)))
///     }
/// }
///
/// /// Sees what is written.
/// #[derive(Default)]
/// struct Written(Vec<(u8, Option<u64>)>);
///
/// impl Snapshot<(u8, Option<u64>)> for Written {
///     fn unchanged(&mut self, _section: u64) -> bool {
///         true
///     }
///     fn section(&mut self, _section: u64) {}
///     fn keyed(&mut self, _hash: u64, entry: (u8, Option<u64>)) {
///         self.0.push(entry);
///     }
///     fn everyone(&mut self, entry: (u8, Option<u64>)) {
///         self.0.push(entry);
///     }
/// }
///
/// let (mut counts, mut journal) = (Counts(BTreeMap::new()), Journal::default());
/// let mut written = Written::default();
/// for key in 0..100 {
///     let (noted, count) = counts.0.entry(key).or_default();
///     *count += 1;
///     journal.note(noted, || key);
/// }
/// journal.save(&mut written, &mut counts);
/// assert_eq!(std::mem::take(&mut written.0).len(), 100);
///
/// journal.gone(7);
/// counts.0.remove(&7);
/// journal.save(&mut written, &mut counts);
/// assert_eq!(written.0, [(7, None)]);
/// ```
#[derive(Clone, Debug)]
pub struct Journal<K> {
    changed: Vec<K>,
    /// The number of the save that is to come; `Noted` holds such numbers.
    now: u32,
    /// The first has every key of its time, the others what changed after it.
    sections: Vec<Section<K>>,
    next: u64,
}

impl<K> Default for Journal<K> {
    fn default() -> Self {
        Self { changed: Vec::new(), now: 1, sections: Vec::new(), next: 0 }
    }
}

impl<K: Clone + Ord> Journal<K> {
    /// Notes that the state of a key has changed, or that it is new.
    #[inline]
    pub fn note(&mut self, noted: &mut Noted, key: impl FnOnce() -> K) {
        if noted.0 != self.now {
            noted.0 = self.now;
            self.push(key);
        }
    }

    /// Notes that a key has gone.
    pub fn gone(&mut self, key: K) {
        self.push(|| key);
    }

    /// Adds a key to what changed. Where nothing stands, or so much changed that all is to be
    /// written anyway, there is nothing to remember: the journal of a job that never saves is empty.
    fn push(&mut self, key: impl FnOnce() -> K) {
        let Some(all) = self.sections.first() else { return };
        if self.changed.len() < all.entries {
            self.changed.push(key());
        } else {
            self.sections.clear();
            self.changed = Vec::new();
        }
    }

    /// Tells a fresh journal that the entries come next that stand in the section `id`. Sections are
    /// restored in the order of their numbers.
    pub fn restoring(&mut self, id: u64) {
        let keys = (!self.sections.is_empty()).then(Vec::new);
        self.sections.push(Section { id, entries: 0, keys });
        self.next = id + 1;
    }

    /// Tells a fresh journal of an entry that was restored, for a key that has come or gone.
    #[inline]
    pub fn restored(&mut self, key: impl FnOnce() -> K) {
        let all = self.sections.first().map_or(0, |it| it.entries);
        let Some(section) = self.sections.last_mut() else { return };
        section.entries += 1;
        match &mut section.keys {
            Some(keys) if keys.len() * LARGE < all => keys.push(key()),
            keys => *keys = None,
        }
    }

    /// Gives up all sections: the next save writes all of the state.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Keys that are remembered as changed.
    pub fn remembered(&self) -> usize {
        let small = self.sections.iter().filter_map(|it| it.keys.as_ref());
        self.changed.len() + small.map(Vec::len).sum::<usize>()
    }

    /// Writes what is needed to have all of the state standing in sections.
    pub fn save<S>(&mut self, to: &mut dyn Snapshot<S>, state: &mut impl Entries<K, S>) {
        let mut changed = std::mem::take(&mut self.changed);
        self.now = self.now.wrapping_add(1).max(1);
        self.merge(&mut changed);
        let later: usize = self.sections.iter().skip(1).map(|it| it.entries).sum();
        let most = self.sections.first().map(|it| it.entries.min(state.count()));
        let outgrown = most.is_none_or(|it| later + changed.len() > it);
        if outgrown {
            self.sections.clear();
            let id = self.begin(to);
            let entries = write_all(to, state);
            self.sections.push(Section { id, entries, keys: None });
            return;
        }
        self.keep(to, state);
        if !changed.is_empty() {
            let id = self.begin(to);
            for key in &changed {
                let (hash, entry) = state.one(key);
                to.keyed(hash, entry);
            }
            let entries = changed.len();
            let small = entries * LARGE <= state.count();
            self.sections.push(Section { id, entries, keys: small.then_some(changed) });
        }
    }

    /// Takes in the sections that are no larger than what is to be written.
    fn merge(&mut self, changed: &mut Vec<K>) {
        while let Some(last) = self.sections.last_mut()
            && last.entries <= changed.len()
            && let Some(mut keys) = last.keys.take()
        {
            changed.append(&mut keys);
            changed.sort_unstable();
            changed.dedup();
            self.sections.pop();
        }
    }

    /// Leaves the sections standing. The latest that is lost gets all of the state, and those
    /// before it are not needed any more.
    fn keep<S>(&mut self, to: &mut dyn Snapshot<S>, state: &mut impl Entries<K, S>) {
        for place in (0..self.sections.len()).rev() {
            let id = self.sections[place].id;
            if !to.unchanged(id) {
                to.section(id);
                let entries = write_all(to, state);
                self.sections.drain(..place);
                if let Some(first) = self.sections.first_mut() {
                    (first.entries, first.keys) = (entries, None);
                }
                return;
            }
        }
    }

    fn begin<S>(&mut self, to: &mut dyn Snapshot<S>) -> u64 {
        let id = self.next;
        self.next += 1;
        to.section(id);
        id
    }
}

fn write_all<K, S>(to: &mut dyn Snapshot<S>, state: &mut impl Entries<K, S>) -> usize {
    let mut entries = 0;
    state.all(&mut |hash, entry| {
        to.keyed(hash, entry);
        entries += 1;
    });
    entries
}
