//! The vertices that a part knows, numbered: its own, and those of other parts that its edges lead to.
//!
//! Everything that is kept per vertex lies in vectors by *slot*, a small number. An id finds its slot in a
//! table if ids are dense, otherwise by its hash. Slots of vertices that nothing speaks of any more are
//! given to others.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::fixpoint::Owners;
use crate::key::hash;

/// No slot.
pub(super) const NOBODY: u32 = u32::MAX;

/// The vertices of one part.
pub(super) struct Vertices {
    owners: Owners,
    ids: Vec<u64>,
    owner: Vec<u32>,
    /// Whether a vertex is one of this part.
    mine: Vec<bool>,
    /// The slots of ids that are less than its length.
    near: Vec<u32>,
    /// The slots of the other ids.
    far: HashMap<u64, u32, FixedState>,
    free: Vec<u32>,
}

impl Vertices {
    /// Entries of the table that there may be for each vertex.
    const SPARSE: usize = 8;
    /// Entries that there may be for none.
    const FEW: usize = 1 << 10;

    pub(super) fn new(owners: Owners) -> Self {
        let (ids, owner, mine) = (Vec::new(), Vec::new(), Vec::new());
        let (near, far, free) = (Vec::new(), HashMap::default(), Vec::new());
        Self { owners, ids, owner, mine, near, far, free }
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn id(&self, slot: u32) -> u64 {
        self.ids[slot as usize]
    }

    #[inline]
    pub(super) fn owner(&self, slot: u32) -> usize {
        self.owner[slot as usize] as usize
    }

    /// Whether the vertex is one of this part.
    #[inline]
    pub(super) fn mine(&self, slot: u32) -> bool {
        self.mine[slot as usize]
    }

    pub(super) fn owners(&self) -> &Owners {
        &self.owners
    }

    /// The slot of a vertex, if it has one.
    #[inline]
    pub(super) fn find(&self, id: u64) -> Option<u32> {
        match usize::try_from(id).ok().and_then(|at| self.near.get(at)) {
            Some(&slot) => (slot != NOBODY).then_some(slot),
            None if self.far.is_empty() => None,
            None => self.far.get(&id).copied(),
        }
    }

    /// The slot of a vertex, which is given one if it has none.
    #[inline]
    pub(super) fn slot(&mut self, id: u64) -> u32 {
        self.find(id).unwrap_or_else(|| self.add(id))
    }

    fn add(&mut self, id: u64) -> u32 {
        let owner = self.owners.of(hash(&id));
        let slot = self.free.pop().unwrap_or_else(|| {
            self.ids.push(id);
            self.owner.push(0);
            self.mine.push(false);
            u32::try_from(self.ids.len() - 1).expect("a part has fewer than 2^32 vertices")
        });
        self.ids[slot as usize] = id;
        self.owner[slot as usize] = owner as u32;
        self.mine[slot as usize] = owner == self.owners.index();
        self.make_room(id, 0);
        match usize::try_from(id).ok().and_then(|at| self.near.get_mut(at)) {
            Some(place) => *place = slot,
            None => _ = self.far.insert(id, slot),
        }
        slot
    }

    /// Lets the table reach as far as an id, if so many vertices are worth it.
    pub(super) fn make_room(&mut self, id: u64, more: usize) {
        let Ok(needed) = usize::try_from(id) else { return };
        let worth = Self::SPARSE.saturating_mul(self.ids.len() + more + Self::FEW);
        if needed < self.near.len() || needed >= worth / 2 {
            return;
        }
        let length = (needed + 1).next_power_of_two();
        self.near.resize(length, NOBODY);
        let near = &mut self.near;
        self.far.retain(|&id, slot| {
            match usize::try_from(id).ok().and_then(|at| near.get_mut(at)) {
                Some(place) => {
                    *place = *slot;
                    false
                }
                None => true,
            }
        });
    }

    /// Numbers all vertices anew, in the order of their ids: what is near in one is near in the other. Gives
    /// the new slots by the old. Only as long as none was given up.
    pub(super) fn sort(&mut self) -> Vec<u32> {
        let mut far: Vec<(u64, u32)> = self.far.iter().map(|(id, slot)| (*id, *slot)).collect();
        far.sort_unstable();
        let near = self.near.iter().enumerate().filter(|(_, slot)| **slot != NOBODY);
        let near = near.map(|(id, slot)| (id as u64, *slot));
        let old = Vec::from_iter(near.chain(far));
        let mut new = vec![NOBODY; old.len()];
        let owner = old.iter().map(|(_, slot)| self.owner[*slot as usize]).collect();
        for (place, (id, slot)) in old.iter().enumerate() {
            let place = place as u32;
            new[*slot as usize] = place;
            match usize::try_from(*id).ok().and_then(|at| self.near.get_mut(at)) {
                Some(near) => *near = place,
                None => _ = self.far.insert(*id, place),
            }
        }
        self.ids = old.into_iter().map(|(id, _)| id).collect();
        self.owner = owner;
        self.mine = self.owner.iter().map(|it| *it as usize == self.owners.index()).collect();
        new
    }

    /// Gives up a slot.
    pub(super) fn forget(&mut self, slot: u32) {
        let id = self.id(slot);
        match usize::try_from(id).ok().and_then(|at| self.near.get_mut(at)) {
            Some(place) => *place = NOBODY,
            None => _ = self.far.remove(&id),
        }
        self.free.push(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Groups;

    #[test]
    fn every_id_has_one_slot_wherever_it_is_kept() {
        let mut vertices = Vertices::new(Owners::new(Groups::new(16, 3), 1));
        let mut ids: Vec<u64> = (0..20_000).map(|it| it * 7919 % 20_011).collect();
        ids.extend([u64::MAX, u64::MAX - 1, 1 << 40]);
        let slots: Vec<u32> = ids.iter().map(|it| vertices.slot(*it)).collect();
        assert_eq!(slots, (0..ids.len() as u32).collect::<Vec<_>>());
        assert!(ids.iter().zip(&slots).all(|(id, slot)| vertices.find(*id) == Some(*slot)));
        assert!(ids.iter().zip(&slots).all(|(id, slot)| vertices.id(*slot) == *id));
        assert_eq!(vertices.find(1 << 41), None);
        let owned = slots.iter().filter(|it| vertices.mine(**it)).count();
        assert!((6_000..7_500).contains(&owned), "a third is owned: {owned}");
    }

    #[test]
    fn slots_are_sorted_by_ids() {
        let mut vertices = Vertices::new(Owners::new(Groups::new(16, 2), 1));
        let ids = [7, u64::MAX, 3, 1 << 50, 0, 900];
        let slots = ids.map(|id| vertices.slot(id));
        let owners = slots.map(|it| vertices.owner(it));
        let new = vertices.sort();
        assert_eq!(slots.map(|it| new[it as usize]), [2, 5, 1, 4, 0, 3]);
        for ((id, slot), owner) in ids.iter().zip(slots).zip(owners) {
            let place = new[slot as usize];
            assert_eq!(vertices.find(*id), Some(place));
            assert_eq!((vertices.id(place), vertices.owner(place)), (*id, owner));
        }
        assert_eq!(vertices.slot(8), 6);
    }

    #[test]
    fn a_slot_is_used_again() {
        let mut vertices = Vertices::new(Owners::new(Groups::new(16, 1), 0));
        let (a, b) = (vertices.slot(5), vertices.slot(u64::MAX));
        vertices.forget(a);
        vertices.forget(b);
        assert_eq!((vertices.find(5), vertices.find(u64::MAX)), (None, None));
        let mut again = [vertices.slot(6), vertices.slot(7)];
        again.sort_unstable();
        assert_eq!(again, [a, b]);
    }
}
