//! The contents of a collection where it enters, and the rules that keep them.

use std::cell::RefCell;
use std::convert::Infallible;
use std::num::NonZeroIsize;
use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{Diff, Record};
use crate::key::hash;
use crate::rule::{Advance, Outbox, Rule, Snapshot};
use crate::state::journal::{Entries, Journal, Noted};
use crate::time::EventTime;

/// What each key has: for a changelog, how often the record is there; for upserts, the value.
pub(super) struct Held<K, S> {
    keys: HashMap<K, (Noted, Option<S>), FixedState>,
    /// What changed since the last save, if there are any.
    journal: Option<Journal<K>>,
}

impl<K: Record, S: Clone> Held<K, S> {
    /// Nothing, which is to be saved or not.
    pub(super) fn new(saved: bool) -> Self {
        Self { keys: HashMap::default(), journal: saved.then(Journal::default) }
    }

    /// What each key has that has anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        self.keys.iter().filter_map(|(key, (_, has))| has.as_ref().map(|has| (key, has)))
    }

    /// Lets `change` replace what a key has, and gives what it had. A key that is left with nothing
    /// goes with the next save, which must know of it.
    fn change(&mut self, key: &K, change: impl FnOnce(Option<&S>) -> Option<S>) -> Option<S> {
        match (self.keys.get_mut(key), &mut self.journal) {
            (Some((noted, has)), Some(journal)) => {
                let new = change(has.as_ref());
                journal.note(noted, || key.clone());
                std::mem::replace(has, new)
            }
            (Some((_, has)), None) => {
                let old = std::mem::replace(has, change(has.as_ref()));
                if has.is_none() {
                    self.keys.remove(key);
                }
                old
            }
            (None, journal) => {
                let new = change(None)?;
                let mut noted = Noted::default();
                if let Some(journal) = journal {
                    journal.note(&mut noted, || key.clone());
                }
                self.keys.insert(key.clone(), (noted, Some(new)));
                None
            }
        }
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.journal.iter_mut().for_each(|it| it.restoring(section));
        self.journal.is_some()
    }

    fn restore(&mut self, key: K, has: Option<S>) {
        self.journal.iter_mut().for_each(|it| it.restored(|| key.clone()));
        match has {
            Some(has) => _ = self.keys.insert(key, (Noted::default(), Some(has))),
            None => _ = self.keys.remove(&key),
        }
    }

    fn save(&mut self, to: &mut dyn Snapshot<(K, Option<S>)>) {
        // Without a journal nothing asks for a save.
        let Some(mut journal) = self.journal.take() else { return };
        journal.save(to, self);
        self.journal = Some(journal);
    }
}

impl<K: Record, S: Clone> Entries<K, (K, Option<S>)> for Held<K, S> {
    fn count(&self) -> usize {
        self.keys.len()
    }

    fn all(&mut self, give: &mut dyn FnMut(u64, (K, Option<S>))) {
        self.keys.retain(|_, (_, has)| has.is_some());
        self.iter().for_each(|(key, has)| give(hash(key), (key.clone(), Some(has.clone()))));
    }

    fn one(&mut self, key: &K) -> (u64, (K, Option<S>)) {
        let has = self.keys.get(key).and_then(|(_, has)| has.clone());
        if has.is_none() {
            self.keys.remove(key);
        }
        (hash(key), (key.clone(), has))
    }
}

/// A table that a rule keeps and that is read once when the rule has been restored.
pub(super) type Shared<K, S> = Rc<RefCell<Held<K, S>>>;

/// Passes changes on and sums them up.
pub(super) struct Sums<D>(pub(super) Shared<D, NonZeroIsize>);

impl<D: Record> Rule<(D, Diff)> for Sums<D> {
    type Output = (D, Diff);
    type Side = Infallible;
    type Saved = (D, Option<NonZeroIsize>);

    fn accept(&mut self, (record, diff): (D, Diff), out: &mut Outbox<(D, Diff), Infallible>) {
        if diff != 0 {
            let sum = |has: Option<&NonZeroIsize>| {
                NonZeroIsize::new(has.map_or(0, |it| it.get()).wrapping_add(diff))
            };
            self.0.borrow_mut().change(&record, sum);
            out.main.push((record, diff));
        }
    }

    fn advance(&mut self, _: EventTime, _: &mut Outbox<(D, Diff), Infallible>) -> Advance {
        Advance::Done
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        self.0.borrow_mut().save(to);
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.0.borrow_mut().restoring(section)
    }

    fn restore(&mut self, (record, sum): Self::Saved) {
        self.0.borrow_mut().restore(record, sum);
    }

    fn resume(&mut self, _: EventTime) {}
}

/// Makes changes of what replaces the value of a key.
pub(super) struct Latest<K, V>(pub(super) Shared<K, V>);

impl<K: Record, V: Record> Rule<(K, Option<V>)> for Latest<K, V> {
    type Output = ((K, V), Diff);
    type Side = Infallible;
    type Saved = (K, Option<V>);

    fn accept(&mut self, (key, value): (K, Option<V>), out: &mut Outbox<Self::Output, Infallible>) {
        let old = self.0.borrow_mut().change(&key, |_| value.clone());
        if old != value {
            out.main.extend(old.map(|old| ((key.clone(), old), -1)));
            out.main.extend(value.map(|new| ((key, new), 1)));
        }
    }

    fn advance(&mut self, _: EventTime, _: &mut Outbox<Self::Output, Infallible>) -> Advance {
        Advance::Done
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        self.0.borrow_mut().save(to);
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.0.borrow_mut().restoring(section)
    }

    fn restore(&mut self, (key, value): Self::Saved) {
        self.0.borrow_mut().restore(key, value);
    }

    fn resume(&mut self, _: EventTime) {}
}
