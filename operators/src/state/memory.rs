//! A keeper in memory, for tests and for runs that follow each other in one process.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Keeper, Part, Section};
use crate::key::Group;
use crate::time::Epoch;

/// Keeps every `interval`-th epoch in memory, to be recalled by a later run in the same process.
#[derive(Clone, Debug)]
pub struct Memory {
    interval: Epoch,
    recalled: Option<Epoch>,
    kept: Arc<Mutex<Kept>>,
}

/// The states of operators and workers: the epochs each was right for, and what it was.
type Kept = BTreeMap<(String, usize), Vec<(Range<Epoch>, Sections)>>;

type Sections = BTreeMap<u64, Vec<Part>>;

impl Memory {
    /// A keeper that recalls nothing and keeps the epochs `interval - 1`, `2 * interval - 1`, ….
    ///
    /// # Panics
    ///
    /// If `interval` is zero.
    pub fn every(interval: Epoch) -> Self {
        assert!(interval > 0, "an interval of epochs is at least one");
        Self { interval, recalled: None, kept: Arc::default() }
    }

    /// A keeper for a run that continues after `epoch`: it has what was kept until then.
    #[must_use]
    pub fn restored(&self, epoch: Epoch) -> Self {
        let mut kept = self.kept().clone();
        for states in kept.values_mut() {
            states.retain(|(epochs, _)| epochs.start <= epoch);
            states.iter_mut().for_each(|(epochs, _)| epochs.end = epochs.end.min(epoch + 1));
        }
        Self { recalled: Some(epoch), kept: Arc::new(Mutex::new(kept)), ..*self }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no keeper panics while it holds the lock")
    }
}

impl Keeper for Memory {
    fn due(&self, completed: &Range<Epoch>) -> bool {
        let first = completed.start.checked_next_multiple_of(self.interval);
        // The epoch before a multiple is kept: the one at or after the start.
        let first = match first {
            Some(multiple) if multiple > completed.start => multiple - 1,
            Some(multiple) => multiple.saturating_add(self.interval - 1),
            None => return false,
        };
        completed.contains(&first)
    }

    fn keep(&self, operator: &str, worker: usize, completed: Range<Epoch>, saved: Vec<Section>) {
        let mut kept = self.kept();
        let states = kept.entry((operator.to_owned(), worker)).or_default();
        let mut last = states.last().map(|(_, last)| last.clone()).unwrap_or_default();
        let sections = saved.into_iter().map(|Section { id, parts }| {
            let parts = parts.or_else(|| last.remove(&id));
            (id, parts.expect("only what was handed over before is unchanged"))
        });
        states.push((completed, sections.collect()));
    }

    fn recall(
        &self,
        operator: &str,
        _entries: &'static str,
        worker: usize,
        groups: Range<Group>,
        each: &mut dyn FnMut(Part, Option<u64>),
    ) {
        let Some(recalled) = self.recalled else { return };
        let kept = self.kept();
        let of_operator = kept.iter().filter(|((name, _), _)| name == operator);
        let states =
            of_operator.flat_map(|((_, by), states)| states.iter().map(move |it| (*by, it)));
        let states = states.filter(|(_, (epochs, _))| epochs.contains(&recalled));
        let states = states.map(|(by, (_, sections))| (by, sections));
        let keyed = |it: &Sections, mine| {
            let mut keyed = it.values().flatten().filter(|part| part.is_for_group());
            keyed.any(|part| part.is_for(&groups) == mine)
        };
        let touching: Vec<_> = states.clone().filter(|(_, it)| keyed(it, true)).collect();
        // What another worker kept stays with that one here.
        let alone = matches!(touching[..], [(by, it)] if by == worker && !keyed(it, false));
        let sections = states.flat_map(|(_, sections)| sections);
        let parts = sections.flat_map(|(id, parts)| parts.iter().map(move |part| (part, *id)));
        let mine = parts.filter(|(part, _)| part.is_for(&groups));
        let (keyed, others) = mine.partition::<Vec<_>, _>(|(part, _)| part.is_for_group());
        others.into_iter().for_each(|(part, _)| each(part.clone(), None));
        keyed.into_iter().for_each(|(part, id)| each(part.clone(), alone.then_some(id)));
    }

    fn refuse(&self, operator: &str, why: String) {
        panic!("the saved state of operator `{operator}` does not fit this program: {why}")
    }

    fn resume(&self) -> Epoch {
        self.recalled.map_or(0, |epoch| epoch + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Owner;

    #[test]
    fn every_interval_is_due_once() {
        let keeper = Memory::every(10);
        assert!(!keeper.due(&(0..9)));
        assert!(keeper.due(&(0..10)));
        assert!(keeper.due(&(9..10)));
        assert!(!keeper.due(&(10..19)));
        assert!(keeper.due(&(5..35)));
        assert!(keeper.due(&(Epoch::MAX - 20..Epoch::MAX)));
        assert!(!keeper.due(&(Epoch::MAX - 1..Epoch::MAX)));
    }

    #[test]
    fn a_section_may_stand_where_the_worker_that_kept_it_owns_all_of_it() {
        let part = |group| Part { owner: Owner::Group(group), bytes: vec![] };
        let keeper = Memory::every(1);
        let kept = |groups: &[u16]| {
            let parts = groups.iter().map(|group| part(*group)).collect();
            vec![Section { id: 3, parts: Some(parts) }]
        };
        keeper.keep("sum", 0, 0..1, kept(&[]));
        keeper.keep("sum", 1, 0..1, kept(&[5, 6]));
        let stands = |worker, groups| {
            let mut stands = Vec::new();
            let mut each = |_: Part, id: Option<u64>| stands.push(id);
            keeper.restored(0).recall("sum", "", worker, groups, &mut each);
            stands
        };
        assert_eq!(stands(1, 4..8), [Some(3); 2]);
        assert_eq!(stands(0, 0..8), [None; 2], "another worker kept it");
        assert_eq!(stands(1, 4..6), [None], "it is for others, too");
        assert_eq!(stands(0, 0..4), []);
        keeper.keep("sum", 2, 0..1, kept(&[7]));
        assert_eq!(stands(1, 4..8), [None; 3], "others kept some as well");
    }

    #[test]
    fn an_unchanged_section_is_recalled_with_the_others() {
        let part = |text: &str| Part { owner: Owner::Everyone, bytes: text.into() };
        let keeper = Memory::every(1);
        let given = |id, text: Option<&str>| Section { id, parts: text.map(|it| vec![part(it)]) };
        keeper.keep("sum", 0, 0..5, vec![given(1, Some("a")), given(2, Some("b"))]);
        keeper.keep("sum", 0, 5..9, vec![given(2, None), given(3, Some("c"))]);
        let recalled = |epoch| {
            let mut parts = Vec::new();
            keeper.restored(epoch).recall("sum", "", 0, 0..1, &mut |it, _| parts.push(it));
            parts
        };
        assert_eq!(recalled(4), [part("a"), part("b")]);
        assert_eq!(recalled(5), [part("b"), part("c")]);
    }
}
