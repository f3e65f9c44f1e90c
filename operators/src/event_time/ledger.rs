//! How far the event time of each partition has come, epoch by epoch: the rule of `event_time`.

use std::collections::BTreeMap;

use crate::state::{Owner, Part, decode, encode};
use crate::time::{Epoch, EventTime};

/// The watermarks of the partitions that one worker reads.
#[derive(Debug)]
pub(super) struct Ledger {
    partitions: Vec<Entry>,
    /// What was seen in epochs that are not complete: the partition and its watermark. Epochs at
    /// whose end there is something else to say are here, too.
    open: BTreeMap<Epoch, Vec<(usize, EventTime)>>,
    /// What this worker said last, if anything.
    said: Option<Option<EventTime>>,
    idle_after: Option<i64>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    watermark: EventTime,
    /// The watermark that the open epochs will bring.
    ahead: EventTime,
    /// The time of day of its last record.
    heard: EventTime,
}

impl Ledger {
    /// A ledger for these partitions, at the time of day `now`, for a run that begins with the
    /// epoch `first`: at its end all workers have something to say, if only that they read nothing.
    pub(super) fn new(
        names: Vec<String>,
        idle_after: Option<i64>,
        now: EventTime,
        first: Epoch,
    ) -> Self {
        let entry =
            |name| Entry { name, watermark: EventTime::MIN, ahead: EventTime::MIN, heard: now };
        let partitions = names.into_iter().map(entry).collect();
        Self { partitions, open: [(first, Vec::new())].into(), said: None, idle_after }
    }

    /// Notes that records of `epoch` bring a partition's watermark to `reached`, if further.
    pub(super) fn observe(
        &mut self,
        epoch: Epoch,
        partition: usize,
        reached: EventTime,
        now: EventTime,
    ) {
        let entry = &mut self.partitions[partition];
        entry.heard = now;
        entry.ahead = entry.ahead.max(reached);
        let open = self.open.entry(epoch).or_default();
        match open.iter_mut().find(|(it, _)| *it == partition) {
            Some((_, so_far)) => *so_far = (*so_far).max(reached),
            None => open.push((partition, reached)),
        }
    }

    /// Notes that a partition ends with `epoch`, which there is to say at its end.
    pub(super) fn note_end(&mut self, epoch: Epoch) {
        self.open.entry(epoch).or_default();
    }

    /// The earliest epoch that is not closed and has something to say.
    pub(super) fn first_open(&self) -> Option<Epoch> {
        self.open.first_key_value().map(|(epoch, _)| *epoch)
    }

    /// Closes all epochs up to this one, and returns what there is to say at its end, if it is
    /// something new.
    pub(super) fn close(
        &mut self,
        epoch: Epoch,
        now: EventTime,
        ended: impl Fn(usize) -> bool,
    ) -> Option<Option<EventTime>> {
        let later = self.open.split_off(&(epoch + 1));
        let closed = std::mem::replace(&mut self.open, later);
        for (partition, reached) in closed.into_values().flatten() {
            let entry = &mut self.partitions[partition];
            entry.watermark = entry.watermark.max(reached);
        }
        let reached = self.reached(now, ended);
        let news =
            self.said != Some(reached) && (self.said.is_some() || reached != Some(EventTime::MIN));
        news.then(|| *self.said.insert(reached))
    }

    /// The least watermark of the partitions that are neither ended nor idle.
    fn reached(&self, now: EventTime, ended: impl Fn(usize) -> bool) -> Option<EventTime> {
        let mut live = self.partitions.iter().enumerate().filter(|(at, _)| !ended(*at)).peekable();
        if live.peek().is_none() {
            // Ended ones have said everything, and where there are none there is nothing to say.
            return Some(EventTime::MAX);
        }
        let silent = |entry: &Entry| now.micros().saturating_sub(entry.heard.micros());
        let idle = |entry: &Entry| self.idle_after.is_some_and(|after| silent(entry) >= after);
        live.filter(|(_, entry)| !idle(entry)).map(|(_, entry)| entry.watermark).min()
    }

    /// For each partition, the watermark that what was read of it so far will bring.
    pub(super) fn ahead(&self) -> impl Iterator<Item = EventTime> {
        self.partitions.iter().map(|it| it.ahead)
    }

    pub(super) fn save(&self) -> Vec<Part> {
        let part = |entry: &Entry| Part {
            owner: Owner::Partition(entry.name.clone()),
            bytes: encode(&entry.watermark),
        };
        self.partitions.iter().map(part).collect()
    }

    /// Takes back the watermarks of partitions that this worker reads now. Where several parts
    /// speak of one, the least holds. Says why if they cannot be used.
    pub(super) fn restore(&mut self, parts: Vec<Part>) -> Result<(), String> {
        let mut saved = BTreeMap::<Owner, EventTime>::new();
        for Part { owner, bytes } in parts {
            let watermark: EventTime = decode(&bytes)?;
            saved.entry(owner).and_modify(|it| *it = watermark.min(*it)).or_insert(watermark);
        }
        for entry in &mut self.partitions {
            let own = saved.get(&Owner::Partition(entry.name.clone()));
            entry.watermark = own.copied().unwrap_or(entry.watermark);
            entry.ahead = entry.watermark;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> EventTime {
        EventTime::from_secs(secs)
    }

    fn ledger(partitions: usize, idle_after: Option<i64>) -> Ledger {
        let names = (0..partitions).map(|it| it.to_string()).collect();
        Ledger::new(names, idle_after.map(|it| it * 1_000_000), at(0), 0)
    }

    #[test]
    fn records_of_a_later_epoch_do_not_move_an_earlier_one() {
        let mut ledger = ledger(1, None);
        ledger.observe(4, 0, at(10), at(0));
        ledger.observe(3, 0, at(5), at(0));
        assert_eq!(ledger.close(3, at(0), |_| false), Some(Some(at(5))));
        assert_eq!(ledger.close(4, at(0), |_| false), Some(Some(at(10))));
        assert_eq!(ledger.close(5, at(0), |_| false), None);
    }

    #[test]
    fn an_unread_partition_holds_everything_back_and_an_ended_one_nothing() {
        let mut ledger = ledger(2, None);
        ledger.observe(0, 0, at(5), at(0));
        assert_eq!(ledger.close(0, at(0), |_| false), None);
        assert_eq!(ledger.close(1, at(0), |it| it == 1), Some(Some(at(5))));
        assert_eq!(ledger.close(2, at(0), |_| true), Some(Some(EventTime::MAX)));
    }

    #[test]
    fn an_idle_partition_steps_aside_until_it_speaks() {
        let mut ledger = ledger(2, Some(60));
        ledger.observe(0, 0, at(5), at(59));
        assert_eq!(ledger.close(0, at(59), |_| false), None);
        assert_eq!(ledger.close(1, at(60), |_| false), Some(Some(at(5))));
        assert_eq!(ledger.close(2, at(200), |_| false), Some(None));
        ledger.observe(3, 1, at(2), at(201));
        assert_eq!(ledger.close(3, at(201), |_| false), Some(Some(at(2))));
    }

    #[test]
    fn a_worker_without_partitions_holds_nothing_back() {
        assert_eq!(ledger(0, None).close(0, at(0), |_| false), Some(Some(EventTime::MAX)));
    }

    #[test]
    fn partitions_find_their_watermarks_on_another_worker() {
        let mut left = ledger(2, None);
        left.observe(0, 0, at(5), at(0));
        left.observe(0, 1, at(7), at(0));
        assert_eq!(left.close(0, at(0), |_| false), Some(Some(at(5))));
        let mut right = Ledger::new(vec!["1".into()], None, at(0), 1);
        assert_eq!(right.restore(left.save()), Ok(()));
        assert_eq!(right.first_open(), Some(1));
        assert_eq!(right.close(1, at(0), |_| false), Some(Some(at(7))));
    }
}
