//! The rules of window joins: the general window rule over the records of both sides.

use std::fmt;

use super::fired::{Fired, Sides};
use crate::event::Event;
use crate::join::MOST;
use crate::join::rows::Rows;
use crate::keyed::{Key, OfTwo, Value};
use crate::rule::{Advance, Either, Outbox, Rule, Snapshot};
use crate::time::EventTime;
use crate::window::Pane;

/// A keyed event of one of two sides, as a window rule takes it.
pub(super) type OfSide<K, L, R> = Event<(K, Either<L, R>)>;

/// Gives a rule of one input the records of two.
pub(super) struct Together<W>(pub(super) W);

/// Makes rows of what the windows of two sides hold when they fire.
pub(super) struct Pairs<W, K, L, R, J> {
    windows: Together<W>,
    /// What the windows gave.
    out: Outbox<Event<Pane<K, Sides<L, R>>>, OfSide<K, L, R>>,
    fired: Fired<K, L, R, J>,
}

fn together<K, L, R>(record: OfTwo<K, L, R>) -> OfSide<K, L, R> {
    match record {
        Either::Left(event) => event.map(|(key, left)| (key, Either::Left(left))),
        Either::Right(event) => event.map(|(key, right)| (key, Either::Right(right))),
    }
}

/// A record of one of two sides, as joins give those that came too late.
pub(super) fn apart<K, L, R>(Event { at, value: (key, side) }: OfSide<K, L, R>) -> OfTwo<K, L, R> {
    match side {
        Either::Left(left) => Either::Left(Event::new(at, (key, left))),
        Either::Right(right) => Either::Right(Event::new(at, (key, right))),
    }
}

impl<W> fmt::Debug for Together<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Together(..)")
    }
}

impl<K, L, R, W> Rule<OfTwo<K, L, R>> for Together<W>
where
    K: Key,
    L: Value,
    R: Value,
    W: Rule<OfSide<K, L, R>>,
{
    type Output = W::Output;
    type Side = W::Side;
    type Saved = W::Saved;

    fn accept(&mut self, record: OfTwo<K, L, R>, out: &mut Outbox<W::Output, W::Side>) {
        self.0.accept(together(record), out);
    }

    fn advance(&mut self, watermark: EventTime, out: &mut Outbox<W::Output, W::Side>) -> Advance {
        self.0.advance(watermark, out)
    }

    fn save(&mut self, to: &mut dyn Snapshot<W::Saved>) {
        self.0.save(to);
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.0.restoring(section)
    }

    fn restore(&mut self, saved: W::Saved) {
        self.0.restore(saved);
    }

    fn resume(&mut self, watermark: EventTime) {
        self.0.resume(watermark);
    }
}

impl<W, K, L, R, J> Pairs<W, K, L, R, J>
where
    K: Key,
    L: Value,
    R: Value,
    J: Rows<L, R>,
    W: Rule<OfSide<K, L, R>, Output = Event<Pane<K, Sides<L, R>>>, Side = OfSide<K, L, R>>,
{
    pub(super) fn of(windows: W) -> Self {
        Self { windows: Together(windows), out: Outbox::new(), fired: Fired::default() }
    }

    /// Takes over what the windows gave.
    fn take<O>(&mut self, out: &mut Outbox<O, OfSide<K, L, R>>) {
        out.side.append(&mut self.out.side);
        self.out.main.drain(..).for_each(|window| self.fired.push(window));
    }
}

impl<W, K, L, R, J> Rule<OfTwo<K, L, R>> for Pairs<W, K, L, R, J>
where
    K: Key,
    L: Value,
    R: Value,
    J: Rows<L, R>,
    W: Rule<OfSide<K, L, R>, Output = Event<Pane<K, Sides<L, R>>>, Side = OfSide<K, L, R>>,
{
    type Output = Event<Pane<K, J::Row>>;
    type Side = OfSide<K, L, R>;
    type Saved = W::Saved;

    fn accept(&mut self, record: OfTwo<K, L, R>, out: &mut Outbox<Self::Output, Self::Side>) {
        self.windows.accept(record, &mut self.out);
        self.take(out);
        // What does not fit is given when the epoch is complete.
        self.fired.give(MOST, out);
    }

    fn advance(
        &mut self,
        watermark: EventTime,
        out: &mut Outbox<Self::Output, Self::Side>,
    ) -> Advance {
        let full = Outbox::<(), ()>::FULL;
        while self.fired.give(full, out) && !out.full() {
            let advanced = self.windows.advance(watermark, &mut self.out);
            let fired = !self.out.main.is_empty();
            self.take(out);
            match (advanced, fired) {
                (Advance::Done, false) => return Advance::Done,
                // It has worked for long without anything to give.
                (Advance::More, false) => return Advance::More,
                (_, true) => {}
            }
        }
        Advance::More
    }

    fn save(&mut self, to: &mut dyn Snapshot<Self::Saved>) {
        self.windows.save(to);
    }

    fn restoring(&mut self, section: u64) -> bool {
        self.windows.restoring(section)
    }

    fn restore(&mut self, saved: Self::Saved) {
        self.windows.restore(saved);
    }

    fn resume(&mut self, watermark: EventTime) {
        self.windows.resume(watermark);
    }
}
