//! Values that spread along edges, and what each vertex owes its own to.
//!
//! Distances from a source, or the least vertex of a component: a vertex has the least of what its
//! neighbours offer. Each also knows the neighbour whose offer it took, so the offers taken form
//! trees. An edge that comes is one more offer. With an edge that goes and whose offer was taken, the
//! whole subtree behind it is lost; it asks the neighbours that are left, and what they offer spreads.
//! That is the dependency tree of [KickStarter](https://doi.org/10.1145/3037697.3037748) and
//! [RisGraph](https://doi.org/10.1145/3448016.3457263), here on parts that send each other messages.
//!
//! The answer after each epoch is that of a computation from the beginning: values are least fixed points,
//! of which there is one.

use super::edge::{Edge, Load};
use super::part::{Direction, Part, Way};
use super::queue::Queue;
use super::split::Split;
use super::spread::{Mail, NONE, Spread};
use super::state::{NOTED, SHOWN, State, WITHOUT};
use super::update::Update;
use super::vertices::{NOBODY, Vertices};
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::time::Epoch;

/// The phases of an epoch: first all that is lost is found.
const LOSE: u32 = 0;
/// Then values spread.
const SPREAD: u32 = 1;
/// Then those that none reached find their own.
const SPLIT: u32 = 2;

/// Vertices that are worked off in a round before it is left to others: the more at once, the more may
/// be in vain, as something better may be on its way from another part.
const AT_ONCE: usize = 1 << 12;

/// The values of a part's vertices, and of others the least that this part has offered them.
pub(super) struct Spreading<S: Spread> {
    pub(super) spread: S,
    pub(super) part: Part<S::Weight>,
    pub(super) states: Vec<State>,
    /// The vertices that changed in this epoch, and what they had before if they were there.
    noted: Vec<(u32, Option<u64>)>,
    queue: S::Queue,
    ways: Vec<Way<S::Weight>>,
    /// Vertices whose value was lost.
    lost: Vec<u32>,
    /// Vertices without a value that are to find one among themselves if nothing reaches them.
    pub(super) without: Vec<u32>,
    split: Split,
    at_once: usize,
}

impl<S: Spread> Spreading<S> {
    pub(super) fn new(spread: S, owners: Owners, direction: Direction) -> Self {
        let at_once = if owners.peers() == 1 { usize::MAX } else { AT_ONCE };
        Self {
            spread,
            part: Part::new(owners, direction),
            states: Vec::new(),
            noted: Vec::new(),
            queue: S::Queue::default(),
            ways: Vec::new(),
            lost: Vec::new(),
            without: Vec::new(),
            split: Split::default(),
            at_once,
        }
    }

    fn grow(&mut self) {
        let slots = self.part.vertices.len();
        if self.states.len() < slots {
            self.states.resize(slots, State::UNKNOWN);
        }
    }

    /// Notes a vertex of this part before it changes.
    fn note(&mut self, slot: u32) {
        self.states[slot as usize].note(slot, &mut self.noted);
    }

    /// Gives a vertex that has no value the one that it has by itself.
    fn begin(&mut self, slot: u32) {
        self.note(slot);
        if self.states[slot as usize].value != NONE {
            return;
        }
        let start = self.spread.start(self.part.vertices.id(slot));
        if start != NONE {
            self.states[slot as usize].value = start;
            self.queue.push(start, slot);
        } else if S::SPLITS && self.states[slot as usize].flags & WITHOUT == 0 {
            self.states[slot as usize].flags |= WITHOUT;
            self.without.push(slot);
        }
    }

    /// Takes an offer, if it is better.
    #[inline]
    fn take(&mut self, slot: u32, value: u64, from: u32) {
        let state = &mut self.states[slot as usize];
        if value < state.value {
            state.note(slot, &mut self.noted);
            state.take::<S>(slot, value, from, &self.part.vertices);
            self.queue.push(state.value, slot);
        }
    }

    /// Makes an offer to a vertex of this or another part.
    #[inline]
    fn offer(&mut self, to: u32, value: u64, from: u32, post: &mut Post<Mail>) {
        if self.part.vertices.mine(to) {
            self.take(to, value, from);
        } else if value < self.states[to as usize].value {
            self.states[to as usize].value = value;
            send_offer(&self.part.vertices, to, value, from, post);
        }
    }

    /// Loses the value of a vertex, and those that were taken from it.
    fn lose(&mut self, slot: u32, post: &mut Post<Mail>) {
        let mut losing = vec![slot];
        while let Some(slot) = losing.pop() {
            if self.states[slot as usize].value == NONE {
                continue;
            }
            self.note(slot);
            self.states[slot as usize].value = NONE;
            self.states[slot as usize].parent = NOBODY;
            self.lost.push(slot);
            let vertices = &self.part.vertices;
            for (to, _) in self.part.outgoing(slot) {
                if !vertices.mine(*to) {
                    let mail = Mail::Lost { to: vertices.id(*to), from: vertices.id(slot) };
                    post.to(vertices.owner(*to), mail);
                } else if self.states[*to as usize].parent == slot {
                    losing.push(*to);
                }
            }
        }
    }

    /// Finds what is lost with the ways that vanished, or because another part says so.
    fn find_lost(&mut self, first: bool, mail: Vec<Mail>, post: &mut Post<Mail>) -> Option<Round> {
        let ways = std::mem::take(&mut self.ways);
        for way in ways.iter().filter(|way| first && !way.appeared) {
            if self.part.vertices.mine(way.to) && self.states[way.to as usize].parent == way.from {
                self.lose(way.to, post);
            }
        }
        self.ways = ways;
        for mail in mail {
            let Mail::Lost { to, from } = mail else { unreachable!("only losses are told first") };
            let vertices = &self.part.vertices;
            if let Some((to, from)) = vertices.find(to).zip(vertices.find(from))
                && self.states[to as usize].parent == from
            {
                self.lose(to, post);
            }
        }
        let waits = self.queue.least().is_some() || !self.without.is_empty();
        let waits = waits || !self.lost.is_empty() || !self.ways.is_empty();
        waits.then_some(Round::of_phase(SPREAD))
    }

    /// Takes what those offer that are left, and offers along new ways.
    fn look_around(&mut self, post: &mut Post<Mail>) {
        let lost = std::mem::take(&mut self.lost);
        for slot in lost {
            self.begin(slot);
            let vertices = &self.part.vertices;
            let mut best = (self.states[slot as usize].value, NOBODY);
            for (from, weight) in self.part.incoming(slot) {
                if !vertices.mine(*from) {
                    let of = vertices.id(slot);
                    let mail = Mail::Ask { to: vertices.id(*from), of, weight: weight.bits() };
                    post.to(vertices.owner(*from), mail);
                } else if self.states[*from as usize].value != NONE {
                    let offer = self.spread.along(self.states[*from as usize].value, *weight);
                    best = best.min((offer, *from));
                }
            }
            self.take(slot, best.0, best.1);
        }
        let ways = std::mem::take(&mut self.ways);
        // Within an epoch an edge may come and go.
        let some_went = ways.iter().any(|it| !it.appeared);
        for Way { from, to, weight, .. } in ways.iter().filter(|it| it.appeared) {
            if !self.part.vertices.mine(*from) {
                continue;
            }
            if !self.part.vertices.mine(*to) {
                // While no way led there, what was offered before may have been lost unheard of here:
                // also if there is nothing to offer yet.
                self.states[*to as usize].value = NONE;
            }
            let value = self.states[*from as usize].value;
            if value == NONE || some_went && !self.part.leads(*from, *to, *weight) {
                continue;
            }
            let offer = self.spread.along(value, *weight);
            self.offer(*to, offer, *from, post);
        }
    }

    fn answer(&mut self, mail: Mail, post: &mut Post<Mail>) {
        let vertices = &self.part.vertices;
        match mail {
            Mail::Offer { to, value, from } => {
                // The edge of an offer is known here, unless it vanishes in this very epoch.
                if let Some((to, from)) = vertices.find(to).zip(vertices.find(from)) {
                    self.take(to, value, from);
                }
            }
            Mail::Ask { to, of, weight } => {
                let Some((to, of)) = vertices.find(to).zip(vertices.find(of)) else { return };
                let value = self.states[to as usize].value;
                if value != NONE {
                    let offer = self.spread.along(value, S::Weight::of_bits(weight));
                    self.offer(of, offer, to, post);
                }
            }
            _ => unreachable!("only offers and questions are sent while values spread"),
        }
    }

    /// Lets values spread, the least first.
    fn spread(&mut self, first: bool, mail: Vec<Mail>, post: &mut Post<Mail>) -> bool {
        if first {
            self.look_around(post);
        }
        for mail in &mail {
            // What asks has lost all that it was offered before.
            if let Mail::Ask { of, .. } = mail
                && let Some(of) = self.part.vertices.find(*of)
            {
                self.states[of as usize].value = NONE;
            }
        }
        mail.into_iter().for_each(|it| self.answer(it, post));
        let (mut left, mut level) = (self.at_once, None);
        while let Some(value) = self.queue.least() {
            if left == 0 && level != Some(value) {
                return false;
            }
            level = Some(value);
            left = left.saturating_sub(1);
            if let Some((_, slot)) =
                self.queue.pop().filter(|it| self.states[it.1 as usize].value == value)
            {
                self.pass_on(slot, value, post);
            }
        }
        true
    }

    /// Offers what a vertex has to those that one can go to from it.
    fn pass_on(&mut self, slot: u32, value: u64, post: &mut Post<Mail>) {
        let Self { spread, part, states, noted, queue, .. } = self;
        let vertices = &part.vertices;
        for &(to, weight) in part.outgoing(slot) {
            let offer = spread.along(value, weight);
            let state = &mut states[to as usize];
            if offer >= state.value {
                continue;
            }
            if vertices.mine(to) {
                state.note(to, noted);
                state.take::<S>(to, offer, slot, vertices);
                queue.push(state.value, to);
            } else {
                state.value = offer;
                send_offer(vertices, to, offer, slot, post);
            }
        }
    }

    /// Lays out a first graph, if there is one.
    fn settle(&mut self) {
        if self.part.settle() {
            self.grow();
            for slot in 0..self.part.vertices.len() as u32 {
                if self.part.vertices.mine(slot) {
                    self.begin(slot);
                }
            }
        }
    }

    /// Sets the value of a vertex and the neighbour that it is owed to.
    pub(super) fn set(&mut self, slot: u32, value: u64, parent: u32) {
        self.note(slot);
        self.states[slot as usize].value = value;
        self.states[slot as usize].parent = parent;
    }

    /// The vertices that are still without a value, by their ids.
    fn still_without(&mut self) -> Vec<u32> {
        let mut without = std::mem::take(&mut self.without);
        for slot in &without {
            self.states[*slot as usize].flags &= !WITHOUT;
        }
        without.retain(|it| self.states[*it as usize].value == NONE && self.part.present(*it));
        // Those of a first graph are in this order anyway.
        if !without.is_sorted_by_key(|it| self.part.vertices.id(*it)) {
            without.sort_unstable_by_key(|it| self.part.vertices.id(*it));
        }
        without
    }
}

impl<S: Spread> Rounds<Edge> for Spreading<S> {
    type Message = Mail;
    type Output = Update<S::Value>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        if self.part.stage(&changes) {
            return;
        }
        self.settle();
        let mut touched = Vec::new();
        for (edge, diff) in &changes {
            self.part.change(edge, *diff, &mut touched, &mut self.ways);
        }
        self.grow();
        touched.into_iter().for_each(|it| self.begin(it));
    }

    fn round(&mut self, round: Round, mail: Vec<Mail>, post: &mut Post<Mail>) -> Option<Round> {
        let first = round.step == 0;
        self.settle();
        match round.phase {
            LOSE => self.find_lost(first, mail, post),
            SPREAD => {
                let settled = self.spread(first, mail, post);
                let splits = (!self.without.is_empty()).then_some(Round::of_phase(SPLIT));
                if settled { splits } else { Some(round.next()) }
            }
            _ => {
                let mut split = std::mem::take(&mut self.split);
                if first {
                    let without = self.still_without();
                    split.begin(self, &without, post);
                }
                mail.into_iter().for_each(|it| split.answer(self, it, post));
                if round.step == Split::JOIN {
                    split.join(self.part.vertices.owners(), post);
                }
                self.split = split;
                None
            }
        }
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<S::Value>>) {
        self.split.end();
        for (slot, had) in std::mem::take(&mut self.noted) {
            let there = self.part.present(slot);
            let flags = &mut self.states[slot as usize].flags;
            *flags &= !(NOTED | SHOWN);
            if there {
                *flags |= SHOWN;
            } else {
                (self.states[slot as usize].value, self.states[slot as usize].parent) =
                    (NONE, NOBODY);
            }
            let has = there.then_some(self.states[slot as usize].value);
            if has != had {
                let shown = |value| self.spread.shown(value);
                let vertex = self.part.vertices.id(slot);
                out.push(Update { epoch, vertex, old: had.map(shown), new: has.map(shown) });
            }
        }
        let states = &mut self.states;
        self.part.clear(|slot| states[slot as usize] = State::UNKNOWN);
    }
}

fn send_offer(vertices: &Vertices, to: u32, value: u64, from: u32, post: &mut Post<Mail>) {
    let mail = Mail::Offer { to: vertices.id(to), value, from: vertices.id(from) };
    post.to(vertices.owner(to), mail);
}
