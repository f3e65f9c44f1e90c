//! Watermarks: how far event time has come, as a function of the epoch.
//!
//! At the end of an epoch each worker that assigns event times says how far they have come, in a
//! [`Mark`] for its *slot*, and every worker hears it. The watermark of an epoch is the least of
//! the slots that are not idle, as of that epoch; [`Watermark`] keeps it. A union has the slots of
//! both its inputs, so its watermark is the lesser of theirs.

use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// What one slot says at the end of an epoch: no event at or before this moment is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Who says it: an assigner of event times on one worker.
    pub slot: u32,
    /// How far event time has come, or none while the slot is idle and holds nobody back.
    pub reached: Option<EventTime>,
}

/// The watermark of a stream, from the marks of its slots.
///
/// It never goes back: a slot that was idle and rejoins behind the watermark brings late events.
/// While every slot is idle it stays where it was, and so it does while some are idle and all
/// others have ended: time ends when all have.
#[derive(Debug)]
pub struct Watermark {
    slots: Vec<Option<EventTime>>,
    current: EventTime,
}

impl Watermark {
    /// The watermark of a stream with this many slots, none of which has said anything.
    pub fn new(slots: usize) -> Self {
        Self { slots: vec![Some(EventTime::MIN); slots], current: EventTime::MIN }
    }

    /// Takes the marks of a completed epoch, and returns its watermark.
    pub fn complete(&mut self, marks: impl IntoIterator<Item = Mark>) -> EventTime {
        let mut changed = false;
        for mark in marks {
            self.slots[mark.slot as usize] = mark.reached;
            changed = true;
        }
        let idle = self.slots.contains(&None);
        if changed
            && let Some(least) = self.slots.iter().copied().flatten().min()
            && !(idle && least == EventTime::MAX)
        {
            self.current = self.current.max(least);
        }
        self.current
    }

    /// The watermark of the last completed epoch.
    pub fn current(&self) -> EventTime {
        self.current
    }

    /// Holds the watermark at or above one that was reached before a restart.
    pub fn resume(&mut self, reached: EventTime) {
        self.current = self.current.max(reached);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> EventTime {
        EventTime::from_secs(secs)
    }

    #[test]
    fn the_slowest_slot_holds_the_watermark() {
        let mut watermark = Watermark::new(2);
        let mark = |slot, secs| Mark { slot, reached: Some(at(secs)) };
        assert_eq!(watermark.complete([mark(0, 5)]), EventTime::MIN);
        assert_eq!(watermark.complete([mark(1, 3)]), at(3));
        assert_eq!(watermark.complete([mark(1, 9)]), at(5));
    }

    #[test]
    fn an_idle_slot_holds_nothing_back_and_rejoins_without_turning_time_back() {
        let mut watermark = Watermark::new(2);
        let mark = |slot, reached| Mark { slot, reached };
        assert_eq!(watermark.complete([mark(0, Some(at(5))), mark(1, Some(at(2)))]), at(2));
        assert_eq!(watermark.complete([mark(1, None)]), at(5));
        assert_eq!(watermark.complete([mark(0, None)]), at(5));
        assert_eq!(watermark.complete([mark(1, Some(at(3)))]), at(5));
        assert_eq!(watermark.complete([mark(1, Some(at(8)))]), at(8));
    }

    #[test]
    fn an_idle_slot_holds_back_the_end_of_time() {
        let mut watermark = Watermark::new(2);
        let mark = |slot, reached| Mark { slot, reached };
        watermark.complete([mark(0, Some(at(5))), mark(1, Some(at(2)))]);
        assert_eq!(watermark.complete([mark(0, Some(EventTime::MAX)), mark(1, None)]), at(2));
        assert_eq!(watermark.complete([mark(1, Some(at(8)))]), at(8));
        assert_eq!(watermark.complete([mark(1, Some(EventTime::MAX))]), EventTime::MAX);
    }
}
