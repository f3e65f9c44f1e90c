//! Strong components of some vertices, found many at a time by colours
//! ([Orzan](https://research.vu.nl/en/publications/on-distributed-verification-and-verified-distribution)).
//!
//! A vertex that none of the others leads to, or that leads to none of them, is alone: it is taken out, until there is
//! no such vertex. Then the least vertex from which others are reached gives them its colour; those of its
//! colour that reach it are its component. They are taken out, and it begins again.

use serde::{Deserialize, Serialize};

use super::part::Part;
use super::queue::{Heap, Queue};
use crate::fixpoint::Post;

/// What parts tell each other of a vertex.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// One of those it is about leads to it, or it to one.
    Here { to: u64, leads: bool },
    /// It does so no more.
    Gone { to: u64, leads: bool },
    /// A colour comes to it.
    Colour { to: u64, colour: u64 },
    /// It leads to one that reaches the vertex with its colour.
    Reach { to: u64, colour: u64 },
}

/// The stages: the first once, the others again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Count,
    Trim,
    Colour,
    Reach,
}

impl Stage {
    /// What comes so many phases after the first.
    pub(super) fn of(phase: u32) -> Self {
        match phase {
            0 => Self::Count,
            _ => [Self::Trim, Self::Colour, Self::Reach][(phase as usize - 1) % 3],
        }
    }
}

/// What is known of the vertices it is about.
#[derive(Clone, Copy, Default)]
struct State {
    open: bool,
    reaches: bool,
    /// How many of the others lead to it, and to how many it leads.
    into: u32,
    out: u32,
    /// Its colour; of a vertex of another part, the least that was sent there, if one was.
    colour: u64,
    sent: bool,
}

/// Those of one part.
#[derive(Default)]
pub(super) struct Peel {
    state: Vec<State>,
    /// Those whose component is not found yet.
    open: Vec<u32>,
    found: Vec<(u32, u64)>,
    queue: Heap,
    /// The vertices of other parts that a colour was sent to.
    sent: Vec<u32>,
}

impl Peel {
    pub(super) fn grow(&mut self, slots: usize) {
        self.state.resize(slots, State::default());
    }

    /// Adds a vertex of this part.
    pub(super) fn open(&mut self, slot: u32) {
        let state = &mut self.state[slot as usize];
        if !state.open {
            *state = State { open: true, ..State::default() };
            self.open.push(slot);
        }
    }

    /// Whether there is nothing left to do in this part.
    pub(super) fn done(&self) -> bool {
        self.open.is_empty()
    }

    /// The vertices that were found, and the least of their component.
    pub(super) fn found(&mut self) -> Vec<(u32, u64)> {
        std::mem::take(&mut self.found)
    }

    /// Forgets what was sent.
    pub(super) fn end(&mut self) {
        for slot in self.sent.drain(..) {
            self.state[slot as usize] = State::default();
        }
    }

    /// Works off a round of a stage.
    pub(super) fn go_on<M>(
        &mut self,
        stage: Stage,
        first: bool,
        notes: &[Note],
        part: &Part<()>,
        post: &mut Post<M>,
        say: impl Fn(Note) -> M,
    ) {
        let send = |to: usize, note| post.to(to, say(note));
        match stage {
            Stage::Count => self.count(first, notes, part, send),
            Stage::Trim => self.trim(first, notes, part, send),
            Stage::Colour => self.colour(first, notes, part, send),
            Stage::Reach => self.reach(first, notes, part, send),
        }
    }

    fn count(
        &mut self,
        first: bool,
        notes: &[Note],
        part: &Part<()>,
        mut send: impl FnMut(usize, Note),
    ) {
        for note in notes {
            if let Note::Here { to, leads } = note
                && let Some(slot) = part.vertices.find(*to)
            {
                self.add(slot, *leads);
            }
        }
        for at in 0..if first { self.open.len() } else { 0 } {
            for (other, leads) in around(part, self.open[at]) {
                if part.vertices.mine(other) {
                    self.add(other, leads);
                } else {
                    let to = part.vertices.id(other);
                    send(part.vertices.owner(other), Note::Here { to, leads });
                }
            }
        }
    }

    fn add(&mut self, slot: u32, leads: bool) {
        let state = &mut self.state[slot as usize];
        let count = if leads { &mut state.into } else { &mut state.out };
        *count += 1;
    }

    fn trim(
        &mut self,
        first: bool,
        notes: &[Note],
        part: &Part<()>,
        mut send: impl FnMut(usize, Note),
    ) {
        let mut gone = Vec::new();
        if first {
            // All of a component go at once, and none of them for want of the others.
            for slot in &self.open {
                let state = &mut self.state[*slot as usize];
                if state.reaches {
                    (state.open, state.reaches) = (false, false);
                    self.found.push((*slot, state.colour));
                    gone.push(*slot);
                }
            }
            self.open.retain(|it| self.state[*it as usize].open);
            for at in 0..self.open.len() {
                self.look(self.open[at], part, &mut gone);
            }
        }
        for note in notes {
            if let Note::Gone { to, leads } = note
                && let Some(slot) = part.vertices.find(*to)
            {
                self.take(slot, *leads, part, &mut gone);
            }
        }
        while let Some(slot) = gone.pop() {
            for (other, leads) in around(part, slot) {
                if part.vertices.mine(other) {
                    self.take(other, leads, part, &mut gone);
                } else {
                    let to = part.vertices.id(other);
                    send(part.vertices.owner(other), Note::Gone { to, leads });
                }
            }
        }
        self.open.retain(|it| self.state[*it as usize].open);
    }

    fn take(&mut self, slot: u32, leads: bool, part: &Part<()>, gone: &mut Vec<u32>) {
        let state = &mut self.state[slot as usize];
        if state.open {
            let count = if leads { &mut state.into } else { &mut state.out };
            *count -= 1;
            self.look(slot, part, gone);
        }
    }

    /// Takes a vertex out if it is alone.
    fn look(&mut self, slot: u32, part: &Part<()>, gone: &mut Vec<u32>) {
        let state = &mut self.state[slot as usize];
        if state.open && (state.into == 0 || state.out == 0) {
            state.open = false;
            self.found.push((slot, part.vertices.id(slot)));
            gone.push(slot);
        }
    }

    fn colour(
        &mut self,
        first: bool,
        notes: &[Note],
        part: &Part<()>,
        mut send: impl FnMut(usize, Note),
    ) {
        if first {
            self.end();
            for slot in &self.open {
                let id = part.vertices.id(*slot);
                self.state[*slot as usize].colour = id;
                self.queue.push(id, *slot);
            }
        }
        for note in notes {
            if let Note::Colour { to, colour } = note
                && let Some(slot) = part.vertices.find(*to)
            {
                self.paint(slot, *colour);
            }
        }
        while let Some((colour, slot)) = self.queue.pop() {
            if self.state[slot as usize].colour != colour {
                continue;
            }
            for (other, ()) in part.outgoing(slot) {
                if part.vertices.mine(*other) {
                    self.paint(*other, colour);
                } else if self.send_colour(*other, colour) {
                    let to = part.vertices.id(*other);
                    send(part.vertices.owner(*other), Note::Colour { to, colour });
                }
            }
        }
    }

    fn paint(&mut self, slot: u32, colour: u64) {
        let state = &mut self.state[slot as usize];
        if state.open && colour < state.colour {
            state.colour = colour;
            self.queue.push(colour, slot);
        }
    }

    /// Whether a colour is less than what was sent before.
    fn send_colour(&mut self, slot: u32, colour: u64) -> bool {
        let state = &mut self.state[slot as usize];
        if state.sent && state.colour <= colour {
            return false;
        }
        if !std::mem::replace(&mut state.sent, true) {
            self.sent.push(slot);
        }
        state.colour = colour;
        true
    }

    fn reach(
        &mut self,
        first: bool,
        notes: &[Note],
        part: &Part<()>,
        mut send: impl FnMut(usize, Note),
    ) {
        let mut next = Vec::new();
        if first {
            for slot in self.open.clone() {
                self.join(slot, part.vertices.id(slot), &mut next);
            }
        }
        for note in notes {
            if let Note::Reach { to, colour } = note
                && let Some(slot) = part.vertices.find(*to)
            {
                self.join(slot, *colour, &mut next);
            }
        }
        while let Some(slot) = next.pop() {
            let colour = self.state[slot as usize].colour;
            for (other, ()) in part.incoming(slot) {
                if part.vertices.mine(*other) {
                    self.join(*other, colour, &mut next);
                } else {
                    let to = part.vertices.id(*other);
                    send(part.vertices.owner(*other), Note::Reach { to, colour });
                }
            }
        }
    }

    fn join(&mut self, slot: u32, colour: u64, next: &mut Vec<u32>) {
        let state = &mut self.state[slot as usize];
        if state.open && state.colour == colour && !state.reaches {
            state.reaches = true;
            next.push(slot);
        }
    }
}

/// The vertices around one, and whether it leads to them.
fn around(part: &Part<()>, slot: u32) -> impl Iterator<Item = (u32, bool)> {
    let to = part.outgoing(slot).iter().map(|it| (it.0, true));
    to.chain(part.incoming(slot).iter().map(|it| (it.0, false)))
}
