//! Who is next to whom: lists that lie one after the other, and can change.
//!
//! All lists share one pool, as in a compressed sparse matrix, which they are right after a
//! [load](Adjacency::load). A list that grows beyond its room moves to the end of the pool and gets
//! twice as much; the pool is packed when half of it is waste. An entry is there once, however often its
//! edge is: that is noted beside it.
//!
//! # Cost
//!
//! A change looks through its list, or, if that is long, finds its place by a hash table, which the list
//! gets with the first change that needs it.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::edge::Load;
use crate::collection::Diff;

/// The lists of a part's vertices, by slot. An entry is a slot and what is kept of the weight.
pub(super) struct Adjacency<W> {
    lists: Vec<List>,
    pool: Vec<(u32, W)>,
    wasted: usize,
    /// How often an edge is there, unless that is once or never.
    odd: HashMap<(u32, u32, W), Diff, FixedState>,
    /// Where in a long list its entries are.
    hubs: HashMap<u32, Places<W>, FixedState>,
}

type Places<W> = HashMap<(u32, W), u32, FixedState>;

#[derive(Clone, Copy, Default)]
struct List {
    start: usize,
    len: u32,
    room: u32,
}

/// How often an edge was there before a change, and is after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) before: Diff,
    pub(super) after: Diff,
}

impl Times {
    /// Whether the edge is there now and was not before.
    pub(super) fn appeared(self) -> bool {
        self.before <= 0 && self.after > 0
    }

    /// Whether the edge was there and is not any more.
    pub(super) fn vanished(self) -> bool {
        self.before > 0 && self.after <= 0
    }
}

impl<W: Load> Adjacency<W> {
    /// The length from which a list is searched by a hash table.
    const LONG: u32 = 96;

    pub(super) fn new() -> Self {
        let (odd, hubs) = (HashMap::default(), HashMap::default());
        Self { lists: Vec::new(), pool: Vec::new(), wasted: 0, odd, hubs }
    }

    /// The entries of a vertex.
    #[inline]
    pub(super) fn of(&self, slot: u32) -> &[(u32, W)] {
        match self.lists.get(slot as usize) {
            Some(list) => &self.pool[list.start..list.start + list.len as usize],
            None => &[],
        }
    }

    /// Makes room for entries that will be [filled](Self::fill) in: as many as `edges`, `(from, to, weight)`, has
    /// for each vertex. Only before the lists are [laid out](Self::lay_out).
    ///
    /// Edges that come in the order of these vertices, even roughly, are several times as fast.
    pub(super) fn count(&mut self, slots: usize, edges: impl Iterator<Item = (u32, u32, W)>) {
        assert!(self.pool.is_empty(), "edges are loaded into an empty adjacency");
        self.lists.resize(slots.max(self.lists.len()), List::default());
        edges.for_each(|(from, _, _)| self.lists[from as usize].room += 1);
    }

    /// Gives every list its place.
    pub(super) fn lay_out(&mut self) {
        let mut start = 0;
        for list in &mut self.lists {
            list.start = start;
            start += list.room as usize;
        }
        self.pool.resize(start, Default::default());
    }

    /// Enters edges that were counted.
    pub(super) fn fill(&mut self, edges: impl Iterator<Item = (u32, u32, W)>) {
        for (from, to, weight) in edges {
            let list = &mut self.lists[from as usize];
            self.pool[list.start + list.len as usize] = (to, weight);
            list.len += 1;
        }
    }

    /// Makes one entry of equal ones in every list, once all are filled in.
    pub(super) fn unite_all(&mut self) {
        (0..self.lists.len()).for_each(|slot| self.unite(slot));
    }

    /// Takes in many edges at once, `(from, to, weight)` as often as each is there. Only if there were none
    /// before.
    pub(super) fn load(
        &mut self,
        slots: usize,
        edges: impl Iterator<Item = (u32, u32, W)> + Clone,
    ) {
        self.count(slots, edges.clone());
        self.lay_out();
        self.fill(edges);
        self.unite_all();
    }

    /// Makes one entry of equal ones.
    fn unite(&mut self, slot: usize) {
        let list = &mut self.lists[slot];
        let entries = &mut self.pool[list.start..list.start + list.len as usize];
        entries.sort_unstable();
        if !entries.windows(2).any(|pair| pair[0] == pair[1]) {
            return;
        }
        let mut kept = 0;
        let mut at = 0;
        while at < entries.len() {
            let entry = entries[at];
            let times = entries[at..].iter().take_while(|it| **it == entry).count();
            if times > 1 {
                self.odd.insert((slot as u32, entry.0, entry.1), times as Diff);
            }
            entries[kept] = entry;
            kept += 1;
            at += times;
        }
        list.len = kept as u32;
    }

    /// Changes how often an edge is there.
    pub(super) fn change(&mut self, from: u32, to: u32, weight: W, diff: Diff) -> Times {
        if self.lists.len() <= from as usize {
            self.lists.resize(from as usize + 1, List::default());
        }
        let key = (from, to, weight);
        let odd = if self.odd.is_empty() { None } else { self.odd.get(&key).copied() };
        let place = if odd.is_some_and(|it| it <= 0) { None } else { self.find(from, to, weight) };
        let before = odd.unwrap_or(Diff::from(place.is_some()));
        let after = before.wrapping_add(diff);
        if after == 0 || after == 1 {
            if odd.is_some() {
                self.odd.remove(&key);
            }
        } else {
            self.odd.insert(key, after);
        }
        let times = Times { before, after };
        if times.appeared() {
            self.push(from, (to, weight));
        } else if let Some(place) = place.filter(|_| times.vanished()) {
            self.remove(from, place);
        }
        times
    }

    /// Whether an edge is there.
    pub(super) fn contains(&mut self, from: u32, to: u32, weight: W) -> bool {
        self.find(from, to, weight).is_some()
    }

    fn find(&mut self, from: u32, to: u32, weight: W) -> Option<u32> {
        let entry = (to, weight);
        if self.lists.get(from as usize).is_none_or(|list| list.len <= Self::LONG) {
            let place = self.of(from).iter().position(|it| *it == entry);
            return place.map(|it| it as u32);
        }
        let list = self.lists[from as usize];
        let entries = &self.pool[list.start..list.start + list.len as usize];
        let places = self.hubs.entry(from).or_insert_with(|| {
            entries.iter().enumerate().map(|(place, entry)| (*entry, place as u32)).collect()
        });
        places.get(&entry).copied()
    }

    fn push(&mut self, from: u32, entry: (u32, W)) {
        if self.lists[from as usize].len == self.lists[from as usize].room {
            self.grow(from);
        }
        let list = &mut self.lists[from as usize];
        self.pool[list.start + list.len as usize] = entry;
        if let Some(places) = self.hubs.get_mut(&from) {
            places.insert(entry, list.len);
        }
        list.len += 1;
    }

    fn remove(&mut self, from: u32, place: u32) {
        let list = &mut self.lists[from as usize];
        let entries = &mut self.pool[list.start..list.start + list.len as usize];
        let entry = entries[place as usize];
        list.len -= 1;
        entries.swap(place as usize, list.len as usize);
        let moved = entries[place as usize];
        if list.len <= Self::LONG / 2 {
            self.hubs.remove(&from);
        } else if let Some(places) = self.hubs.get_mut(&from) {
            places.remove(&entry);
            if place < list.len {
                places.insert(moved, place);
            }
        }
    }

    /// Moves a list to the end of the pool, with twice the room.
    fn grow(&mut self, from: u32) {
        if self.wasted > self.pool.len() / 2 && self.wasted > 1 << 12 {
            self.pack();
        }
        let list = &mut self.lists[from as usize];
        let (old, room) = (*list, (2 * list.room).max(4));
        list.start = self.pool.len();
        list.room = room;
        self.pool.extend_from_within(old.start..old.start + old.len as usize);
        self.pool.resize(self.lists[from as usize].start + room as usize, Default::default());
        self.wasted += old.room as usize;
    }

    /// Leaves out what no list uses.
    fn pack(&mut self) {
        let mut pool = Vec::with_capacity(self.pool.len() - self.wasted);
        for list in &mut self.lists {
            let entries = &self.pool[list.start..list.start + list.len as usize];
            list.start = pool.len();
            list.room = list.len;
            pool.extend_from_slice(entries);
        }
        self.pool = pool;
        self.wasted = 0;
    }

    /// Gives up the room of an empty list.
    pub(super) fn forget(&mut self, slot: u32) {
        if let Some(list) = self.lists.get_mut(slot as usize).filter(|list| list.len == 0) {
            self.wasted += list.room as usize;
            *list = List::default();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Model = BTreeMap<(u32, u32), Diff>;

    fn check(adjacency: &Adjacency<()>, model: &Model, slots: u32) {
        for slot in 0..slots {
            let mut found: Vec<u32> = adjacency.of(slot).iter().map(|it| it.0).collect();
            found.sort_unstable();
            let there = model.iter().filter(|(key, times)| key.0 == slot && **times > 0);
            assert_eq!(found, there.map(|(key, _)| key.1).collect::<Vec<_>>());
        }
    }

    fn change(model: &mut Model, from: u32, to: u32, diff: Diff) -> Times {
        let times = model.entry((from, to)).or_default();
        let before = *times;
        *times += diff;
        Times { before, after: *times }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn lists_are_those_of_a_map(
            loaded in prop::collection::vec((0..5u32, 0..4u32), 0..30),
            changes in prop::collection::vec((0..6u32, 0..5u32, -2..3isize), 0..200),
        ) {
            let mut adjacency = Adjacency::new();
            let mut model = Model::new();
            let edges: Vec<_> = loaded.iter().map(|it| (it.0, it.1, ())).collect();
            adjacency.load(5, edges.into_iter());
            loaded.iter().for_each(|it| _ = change(&mut model, it.0, it.1, 1));
            check(&adjacency, &model, 6);
            for (from, to, diff) in changes {
                let times = adjacency.change(from, to, (), diff);
                prop_assert_eq!(times, change(&mut model, from, to, diff));
                check(&adjacency, &model, 6);
            }
        }

        #[test]
        fn long_lists_too(changes in prop::collection::vec((0..2u32, 0..400u32, any::<bool>()), 1_500)) {
            let mut adjacency = Adjacency::new();
            let mut model = Model::new();
            for (from, to, more) in changes {
                let diff = if more { 1 } else { -1 };
                let times = adjacency.change(from, to, (), diff);
                prop_assert_eq!(times, change(&mut model, from, to, diff));
            }
            check(&adjacency, &model, 2);
        }
    }
}
