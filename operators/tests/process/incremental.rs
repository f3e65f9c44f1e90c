//! The journal of changes against a plain map.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tidemill_operators::key::hash;
use tidemill_operators::state::journal::{Entries, Journal, Noted};

use crate::sections::Sections;

type Entry = (u16, Option<u32>);

/// Numbers by key.
#[derive(Default)]
struct Numbers(BTreeMap<u16, (Noted, u32)>);

impl Entries<u16, Entry> for Numbers {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn all(&mut self, give: &mut dyn FnMut(u64, Entry)) {
        self.0.iter().for_each(|(key, (_, number))| give(hash(key), (*key, Some(*number))));
    }

    fn one(&mut self, key: &u16) -> (u64, Entry) {
        (hash(key), (*key, self.0.get(key).map(|it| it.1)))
    }
}

/// Numbers with their journal, and what was saved.
#[derive(Default)]
struct Store {
    numbers: Numbers,
    journal: Journal<u16>,
    sections: Sections,
}

impl Store {
    fn set(&mut self, key: u16, number: u32) {
        let (noted, at) = self.numbers.0.entry(key).or_default();
        *at = number;
        self.journal.note(noted, || key);
    }

    fn remove(&mut self, key: u16) {
        if self.numbers.0.remove(&key).is_some() {
            self.journal.gone(key);
        }
    }

    /// Begins anew with what was saved.
    fn restart(&mut self) {
        let Self { numbers, journal, sections } = self;
        (*numbers, *journal) = (Numbers::default(), Journal::default());
        sections.each::<Entry>(|id, entries| {
            journal.restoring(id);
            for (key, number) in entries {
                journal.restored(|| key);
                match number {
                    Some(number) => _ = numbers.0.insert(key, (Noted::default(), number)),
                    None => _ = numbers.0.remove(&key),
                }
            }
        });
    }

    fn save(&mut self) {
        let Self { numbers, journal, sections } = self;
        sections.take(|to| journal.save::<Entry>(to, numbers));
        let mut restored = BTreeMap::new();
        for (key, number) in sections.entries::<Entry>() {
            match number {
                Some(number) => _ = restored.insert(key, number),
                None => _ = restored.remove(&key),
            }
        }
        let kept: BTreeMap<u16, u32> = numbers.0.iter().map(|(key, it)| (*key, it.1)).collect();
        assert_eq!(restored, kept);
    }
}

/// Keys to set or remove, the place of a section to lose before saving, if any, and whether to begin
/// anew after that.
type Round = (Vec<(u16, Option<u32>)>, Option<usize>, bool);

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let keys = prop_oneof![Just(4u16), Just(40), Just(400)];
    let changes = keys.prop_flat_map(|keys| {
        prop::collection::vec((0..keys, proptest::option::weighted(0.8, any::<u32>())), 0..60)
    });
    let lost = proptest::option::weighted(0.2, 0..4usize);
    prop::collection::vec((changes, lost, proptest::bool::weighted(0.2)), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_saved_in_pieces_is_whole(rounds in rounds()) {
        let mut store = Store::default();
        for (changes, lost, restarts) in rounds {
            for (key, number) in changes {
                match number {
                    Some(number) => store.set(key, number),
                    None => store.remove(key),
                }
            }
            lost.into_iter().for_each(|place| store.sections.lose(place));
            store.save();
            if restarts {
                store.restart();
            }
        }
    }
}

#[test]
fn what_is_written_follows_what_changed() {
    follow(1_000);
}

#[test]
fn what_is_written_follows_what_changed_also_after_a_restart() {
    follow(7);
}

/// Writes, and begins anew each time after so many rounds.
fn follow(restarts: u32) {
    let mut store = Store::default();
    (0..20_000).for_each(|key| store.set(key, 0));
    store.save();
    assert_eq!(store.sections.written, 20_000);
    let (mut written, mut most) = (0, 0);
    for round in 0..500u32 {
        if round % restarts == restarts - 1 {
            store.restart();
        }
        (0..10).for_each(|key| store.set((round * 37 + key * 1_009) as u16 % 20_000, round));
        store.save();
        written += store.sections.written;
        most = most.max(store.sections.count());
    }
    // Each change is written once for every doubling of the section it is in: at most 11 times.
    assert!(written <= 500 * 10 * 11, "{written} entries for 5000 changes");
    assert!(most <= 25, "{most} sections");
}

#[test]
fn what_is_remembered_is_bounded_by_what_was_saved() {
    let mut store = Store::default();
    for round in 0..1_000 {
        store.set(round % 50, 1);
        store.remove(round % 50);
    }
    assert_eq!(store.journal.remembered(), 0, "nothing was ever saved");
    (0..100).for_each(|key| store.set(key, 0));
    store.save();
    for round in 0..1_000 {
        store.set(round % 50, 1);
        store.remove(round % 50);
        assert!(store.journal.remembered() <= 100);
    }
    store.save();
}

#[test]
fn nothing_is_written_when_nothing_changed() {
    let mut store = Store::default();
    (0..100).for_each(|key| store.set(key, 0));
    store.save();
    store.save();
    assert_eq!((store.sections.written, store.sections.count()), (0, 1));
}

#[test]
fn changes_that_outgrow_the_whole_are_written_as_the_whole() {
    let mut store = Store::default();
    (0..100).for_each(|key| store.set(key, 0));
    store.save();
    for round in 1..5 {
        (0..60).for_each(|key| store.set(key, round));
        store.save();
        assert!(store.sections.count() <= 2, "{:?}", store.sections);
    }
    (0..100).for_each(|key| store.remove(key));
    store.save();
    assert_eq!(store.sections.entries::<Entry>().count(), 0);
}
