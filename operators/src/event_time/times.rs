//! Two ways to tell the time of records: by what they say, and by the clock.

use std::cell::Cell;
use std::rc::Rc;

use super::Kind;
use super::ledger::Ledger;
use crate::batch::Batch;
use crate::event::Event;
use crate::flow::Clock;
use crate::partitions::Partitions;
use crate::state::Part;
use crate::time::{Epoch, EventTime};

/// Stamps records, and knows at the end of an epoch how far time has come.
pub(super) trait Times<D>: 'static {
    /// Moves the records of a batch to `made`, with their times.
    fn stamp(&mut self, epoch: Epoch, batch: &mut Batch<D>, made: &mut Vec<Event<D>>);

    /// The earliest epoch before `end` that is not closed and at whose end there is something to
    /// say. Epochs may complete many at once: what is said of each must not depend on that.
    fn first_open(&mut self, end: Epoch) -> Option<Epoch>;

    /// Closes an epoch; returns what there is to say at its end, if it is something new.
    fn close(&mut self, epoch: Epoch) -> Option<Option<EventTime>>;

    /// What to keep; made between two epochs.
    fn save(&self) -> Vec<Part>;

    /// Takes back what was kept; says why if it cannot be used.
    fn restore(&mut self, parts: Vec<Part>) -> Result<(), String>;
}

/// Times that records carry.
pub(super) struct ByRecord<D, F> {
    pub(super) at: F,
    pub(super) kind: Kind<D>,
    pub(super) ledger: Ledger,
    pub(super) partitions: Option<Rc<Partitions>>,
    /// How far ahead of the stream's watermark a partition may be.
    pub(super) drift: Option<i64>,
    /// The stream's watermark, as far as it is known here.
    pub(super) told: Rc<Cell<EventTime>>,
    pub(super) clock: Rc<dyn Clock>,
}

impl<D, F: Fn(&D) -> EventTime> ByRecord<D, F> {
    /// Pauses the partitions that are too far ahead.
    fn align(&self) {
        let (Some(drift), Some(partitions)) = (self.drift, &self.partitions) else { return };
        let limit = self.told.get().micros().saturating_add(drift);
        for (partition, ahead) in self.ledger.ahead().enumerate() {
            partitions.pause(partition, ahead.micros() > limit);
        }
    }
}

impl<D: 'static, F: Fn(&D) -> EventTime + 'static> Times<D> for ByRecord<D, F> {
    fn stamp(&mut self, epoch: Epoch, batch: &mut Batch<D>, made: &mut Vec<Event<D>>) {
        let at = &self.at;
        let reached = match &self.kind {
            Kind::UpTo(delay) => {
                let mut latest = EventTime::MIN;
                made.extend(batch.records.drain(..).map(|value| {
                    let at = at(&value);
                    latest = latest.max(at);
                    Event::new(at, value)
                }));
                EventTime::from_micros(latest.micros().saturating_sub(*delay)).previous()
            }
            Kind::Punctuated(mark) => {
                made.extend(batch.records.drain(..).map(|value| Event::new(at(&value), value)));
                let marks = made.iter().filter_map(|event| mark(event.at, &event.value));
                marks.max().unwrap_or(EventTime::MIN)
            }
            Kind::Unbounded => {
                made.extend(batch.records.drain(..).map(|value| Event::new(at(&value), value)));
                EventTime::MIN
            }
        };
        let partition = self.partitions.as_ref().map_or(0, |_| batch.partition as usize);
        self.ledger.observe(epoch, partition, reached, self.clock.now());
        self.align();
    }

    fn first_open(&mut self, end: Epoch) -> Option<Epoch> {
        for epoch in self.partitions.iter().flat_map(|it| it.newly_ended()) {
            self.ledger.note_end(epoch);
        }
        self.ledger.first_open().filter(|epoch| *epoch < end)
    }

    fn close(&mut self, epoch: Epoch) -> Option<Option<EventTime>> {
        let partitions = self.partitions.as_deref();
        let ended = |it| partitions.is_some_and(|all: &Partitions| all.ended(it, epoch));
        let news = self.ledger.close(epoch, self.clock.now(), ended);
        self.align();
        news
    }

    fn save(&self) -> Vec<Part> {
        self.ledger.save()
    }

    fn restore(&mut self, parts: Vec<Part>) -> Result<(), String> {
        self.ledger.restore(parts)
    }
}

/// The time of day at which records are seen.
pub(super) struct ByClock {
    pub(super) clock: Rc<dyn Clock>,
    /// The epochs with records that are not closed, and the time of their first batch.
    pub(super) open: Vec<(Epoch, EventTime)>,
}

impl<D: 'static> Times<D> for ByClock {
    fn stamp(&mut self, epoch: Epoch, batch: &mut Batch<D>, made: &mut Vec<Event<D>>) {
        let now = self.clock.now();
        if !self.open.iter().any(|(it, _)| *it == epoch) {
            self.open.push((epoch, now));
        }
        made.extend(batch.records.drain(..).map(|value| Event::new(now, value)));
    }

    fn first_open(&mut self, end: Epoch) -> Option<Epoch> {
        self.open.iter().map(|(epoch, _)| *epoch).filter(|epoch| *epoch < end).min()
    }

    fn close(&mut self, epoch: Epoch) -> Option<Option<EventTime>> {
        self.open.retain(|(it, _)| *it > epoch);
        // Records of later epochs may have been stamped already: they are still to come.
        let first = self.open.iter().map(|(_, first)| *first).min();
        Some(Some(first.unwrap_or(EventTime::MAX).min(self.clock.now()).previous()))
    }

    fn save(&self) -> Vec<Part> {
        Vec::new()
    }

    fn restore(&mut self, _parts: Vec<Part>) -> Result<(), String> {
        Ok(())
    }
}
