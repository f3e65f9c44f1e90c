//! What can be reached from some vertices and reaches others: searched from both sides at once.
//!
//! Both searches take turns, with ever more at a turn. When one has found all that it can, the other goes
//! on only where that one was: so it costs about what the smaller of the two finds, times two.

use super::part::Part;
use crate::fixpoint::Post;

/// The directions of a search: along edges, and against them.
pub(super) const FORTH: usize = 0;
pub(super) const BACK: usize = 1;

/// What parts tell each other.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) enum Step {
    /// A search in a direction has come to a vertex.
    At(u8, u64),
    /// What there is left to do for a part, in both directions.
    Left([u64; 2]),
}

/// The searches of one part in one epoch.
pub(super) struct Search {
    /// By which searches a vertex was found, by bits.
    found: Vec<u8>,
    noted: Vec<u32>,
    queue: [Vec<u32>; 2],
    /// The direction of the search that has found all.
    ended: Option<usize>,
    at_once: usize,
}

impl Search {
    const AT_ONCE: usize = 64;

    pub(super) fn new() -> Self {
        let queue = [Vec::new(), Vec::new()];
        let at_once = Self::AT_ONCE;
        Self { found: Vec::new(), noted: Vec::new(), queue, ended: None, at_once }
    }

    pub(super) fn grow(&mut self, slots: usize) {
        self.found.resize(slots, 0);
    }

    /// Lets a search begin at a vertex, or come to it.
    pub(super) fn find(&mut self, way: usize, slot: u32) {
        let found = self.found[slot as usize];
        let outside = self.ended.is_some_and(|it| found & (1 << it) == 0);
        if found & (1 << way) == 0 && !outside {
            self.mark(way, slot);
            self.queue[way].push(slot);
        }
    }

    fn mark(&mut self, way: usize, slot: u32) {
        if self.found[slot as usize] == 0 {
            self.noted.push(slot);
        }
        self.found[slot as usize] |= 1 << way;
    }

    /// Takes a turn, and tells the other parts what is left to do.
    pub(super) fn go_on<M>(
        &mut self,
        first: bool,
        steps: &[Step],
        part: &Part<()>,
        post: &mut Post<M>,
        say: impl Fn(Step) -> M,
    ) {
        let left = steps.iter().fold([0, 0], |all, step| match step {
            Step::Left(more) => [all[0] + more[0], all[1] + more[1]],
            Step::At(..) => all,
        });
        if !first && self.ended.is_none() {
            self.ended = [FORTH, BACK].into_iter().find(|it| left[*it] == 0);
            if let Some(ended) = self.ended {
                let found = &self.found;
                self.queue[1 - ended].retain(|it| found[*it as usize] & (1 << ended) != 0);
            }
        }
        for step in steps {
            if let Step::At(way, id) = step
                && let Some(slot) = part.vertices.find(*id)
            {
                self.find(usize::from(*way), slot);
            }
        }
        let left = [FORTH, BACK].map(|way| {
            let sent =
                self.turn(way, part, |owner, id| post.to(owner, say(Step::At(way as u8, id))));
            sent + self.queue[way].len() as u64
        });
        self.at_once = self.at_once.saturating_mul(2);
        if left != [0, 0] {
            let peers = part.vertices.owners().peers();
            (0..peers).for_each(|it| post.to(it, say(Step::Left(left))));
        }
    }

    /// Searches on in a direction; gives how many vertices of other parts it came to.
    fn turn(&mut self, way: usize, part: &Part<()>, mut send: impl FnMut(usize, u64)) -> u64 {
        let (mut work, mut sent) = (0, 0);
        while work < self.at_once {
            let Some(slot) = self.queue[way].pop() else { break };
            let near = if way == FORTH { part.outgoing(slot) } else { part.incoming(slot) };
            work += near.len() + 1;
            for (other, ()) in near {
                if part.vertices.mine(*other) {
                    self.find(way, *other);
                } else if self.found[*other as usize] & (1 << way) == 0 {
                    self.mark(way, *other);
                    send(part.vertices.owner(*other), part.vertices.id(*other));
                    sent += 1;
                }
            }
        }
        sent
    }

    /// Ends the searches: gives the vertices of this part that both found.
    pub(super) fn end(&mut self, part: &Part<()>) -> Vec<u32> {
        let mut both = Vec::new();
        for slot in self.noted.drain(..) {
            let found = std::mem::take(&mut self.found[slot as usize]);
            if found == 0b11 && part.vertices.mine(slot) {
                both.push(slot);
            }
        }
        self.queue = [Vec::new(), Vec::new()];
        (self.ended, self.at_once) = (None, Self::AT_ONCE);
        both
    }
}
