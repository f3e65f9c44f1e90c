//! What a part owes to the vertices of others, and how it says so.
//!
//! A vertex of another part is told by its id once; from then on by a number that stands for it between these
//! two parts, which finds its slot over there without a search. If much is owed to many, the amounts alone
//! are sent, in the order of these numbers.

use serde::{Deserialize, Serialize};

use super::vertices::{NOBODY, Vertices};
use crate::fixpoint::Post;

/// What parts tell each other of amounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Share {
    /// The numbers by which a part calls vertices of the receiver from now on.
    Named { by: u32, names: Vec<(u32, u64)> },
    /// What is added to some vertices, by their numbers.
    Few { by: u32, amounts: Vec<(u32, f64)> },
    /// What is added to vertices with consecutive numbers.
    Run { by: u32, first: u32, amounts: Vec<f64> },
    /// By how much the sum of a part's values changed.
    Sum(f64),
}

/// What is owed to one other part.
#[derive(Default)]
struct Owed {
    /// The slots by number.
    slots: Vec<u32>,
    free: Vec<u32>,
    /// The numbers that it does not know yet.
    new: Vec<(u32, u64)>,
    few: Vec<(u32, f64)>,
}

/// The numbers of vertices between a part and all others.
pub(super) struct Debts {
    index: u32,
    /// The numbers of other parts' vertices, by slot.
    number: Vec<u32>,
    owed: Vec<Owed>,
    /// By part: the slots of our vertices that it has numbers for.
    known: Vec<Vec<u32>>,
}

impl Debts {
    /// All is sent if one of so many that have numbers is owed something.
    const MANY: usize = 4;

    /// The amounts in a message: so few that memory for them is at hand.
    const RUN: usize = 1 << 12;

    pub(super) fn new(index: usize, peers: usize) -> Self {
        let owed = (0..peers).map(|_| Owed::default()).collect();
        Self { index: index as u32, number: Vec::new(), owed, known: vec![Vec::new(); peers] }
    }

    /// The number of a vertex of another part.
    fn number(&mut self, slot: u32, vertices: &Vertices) -> u32 {
        if self.number.len() <= slot as usize {
            self.number.resize(vertices.len(), NOBODY);
        }
        let number = &mut self.number[slot as usize];
        if *number == NOBODY {
            let owed = &mut self.owed[vertices.owner(slot)];
            *number = owed.free.pop().unwrap_or(owed.slots.len() as u32);
            if *number as usize == owed.slots.len() {
                owed.slots.push(slot);
            } else {
                owed.slots[*number as usize] = slot;
            }
            owed.new.push((*number, vertices.id(slot)));
        }
        *number
    }

    /// Sends what is owed to these vertices, if it is more than `least`.
    pub(super) fn pay(
        &mut self,
        slots: &[u32],
        least: f64,
        residual: &mut [f64],
        vertices: &Vertices,
        post: &mut Post<Share>,
    ) {
        slots.iter().for_each(|slot| _ = self.number(*slot, vertices));
        let many = self.owed.iter().map(|it| it.slots.len()).sum::<usize>() / Self::MANY;
        let owes = |residual: &mut [f64], slot: u32| {
            let amount = &mut residual[slot as usize];
            if amount.abs() > least { std::mem::take(amount) } else { 0.0 }
        };
        let by = self.index;
        for (to, owed) in self.owed.iter_mut().enumerate().filter(|(_, it)| !it.new.is_empty()) {
            post.to(to, Share::Named { by, names: std::mem::take(&mut owed.new) });
        }
        if slots.len() > many {
            for (to, owed) in self.owed.iter().enumerate() {
                for (run, slots) in owed.slots.chunks(Self::RUN).enumerate() {
                    let amounts = slots.iter().map(|slot| match *slot {
                        NOBODY => 0.0,
                        slot => owes(residual, slot),
                    });
                    let (first, amounts) = ((run * Self::RUN) as u32, amounts.collect());
                    post.to(to, Share::Run { by, first, amounts });
                }
            }
            return;
        }
        for &slot in slots {
            let amount = owes(residual, slot);
            if amount != 0.0 {
                let number = self.number[slot as usize];
                self.owed[vertices.owner(slot)].few.push((number, amount));
            }
        }
        for (to, owed) in self.owed.iter_mut().enumerate().filter(|(_, it)| !it.few.is_empty()) {
            post.to(to, Share::Few { by, amounts: std::mem::take(&mut owed.few) });
        }
    }

    /// Learns which vertices a part means by its numbers.
    pub(super) fn learn(&mut self, by: u32, names: &[(u32, u64)], vertices: &Vertices) {
        let known = &mut self.known[by as usize];
        for (number, id) in names {
            if known.len() <= *number as usize {
                known.resize(*number as usize + 1, NOBODY);
            }
            // Whoever leads to a vertex has told both ends, unless the edge vanished just now.
            known[*number as usize] = vertices.find(*id).unwrap_or(NOBODY);
        }
    }

    /// The slots that a part means by its numbers.
    pub(super) fn known(&self, by: u32) -> &[u32] {
        &self.known[by as usize]
    }

    /// Forgets a vertex: its owner does as well.
    pub(super) fn forget(&mut self, slot: u32, vertices: &Vertices) {
        let Some(number) = self.number.get_mut(slot as usize) else { return };
        let number = std::mem::replace(number, NOBODY);
        if number != NOBODY {
            let owed = &mut self.owed[vertices.owner(slot)];
            owed.slots[number as usize] = NOBODY;
            owed.free.push(number);
        }
    }
}
