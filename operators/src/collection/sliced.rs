//! Rows that are held until a moment, in slices of time that are saved and dropped as a whole.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Diff;
use crate::rule::Snapshot;

/// Rows `R`, each as often as it is there, in slices `S` of which the first go first.
#[derive(Debug)]
pub(super) struct Sliced<S, R> {
    slices: BTreeMap<S, Slice<R>>,
    /// The number of the section of the next slice, and by how much that of the one after is more.
    next: u64,
    step: u64,
}

#[derive(Debug)]
struct Slice<R> {
    section: u64,
    /// Whether it is as it was saved last.
    saved: bool,
    rows: BTreeMap<R, Diff>,
}

impl<S: Ord + Clone, R: Ord + Clone> Sliced<S, R> {
    /// No rows. Slices are saved in the sections `first`, `first + step` and so on, so that several
    /// tables of one rule do not meet.
    pub(super) fn sections(first: u64, step: u64) -> Self {
        Self { slices: BTreeMap::new(), next: first, step }
    }

    pub(super) fn add(&mut self, slice: S, row: R, times: Diff) {
        let slice = self.slices.entry(slice).or_insert_with(|| {
            let section = self.next;
            self.next += self.step;
            Slice { section, saved: false, rows: BTreeMap::new() }
        });
        slice.saved = false;
        *slice.rows.entry(row).or_insert(0) += times;
    }

    /// Takes out the first row of the first slice, if `gone` says so of the two.
    pub(super) fn take_first(&mut self, gone: impl FnOnce(&S, &R) -> bool) -> Option<(S, R, Diff)> {
        let mut first = self.slices.first_entry()?;
        let at = first.key().clone();
        let slice = first.get_mut();
        let row = slice.rows.first_entry().filter(|row| gone(&at, row.key()))?;
        let (row, times) = row.remove_entry();
        slice.saved = false;
        if slice.rows.is_empty() {
            first.remove();
        }
        Some((at, row, times))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&S, &R, Diff)> {
        let slices = self.slices.iter();
        slices.flat_map(|(at, slice)| slice.rows.iter().map(move |(row, times)| (at, row, *times)))
    }

    /// Hands over the slices that changed, each as a section, with the hash by which each row is kept.
    pub(super) fn save<E: Serialize>(
        &mut self,
        to: &mut dyn Snapshot<E>,
        hash: impl Fn(&R) -> u64,
        entry: impl Fn(&S, &R, Diff) -> E,
    ) {
        for (at, slice) in &mut self.slices {
            if slice.saved && to.unchanged(slice.section) {
                continue;
            }
            to.section(slice.section);
            slice.saved = true;
            for (row, times) in &slice.rows {
                to.keyed(hash(row), entry(at, row, *times));
            }
        }
    }
}
