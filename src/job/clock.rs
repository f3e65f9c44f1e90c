//! The epoch clock of one worker: which epoch its sources are in, and whether they may read.
//!
//! An epoch ends when the epochs before it have drained, or at the latest after a maximum time or
//! number of rows. While input is plentiful it lasts at least [`BUSY`], so that the cost of an epoch
//! is shared by many records; when there is little it ends at once, so that a record is through in
//! the time the dataflow takes. Workers follow the one that is furthest: it tells the others.
//!
//! The clock is a function of what it is told, wall-clock time included.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::Settings;
use crate::count::Pace;
use crate::time::Epoch;

/// How long an epoch lasts at least while there is more to read.
const BUSY: Duration = Duration::from_millis(5);

/// When epochs end and sources wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacing {
    longest: Duration,
    most_rows: Option<u64>,
    most_epochs: u64,
    most_bytes: u64,
}

impl Pacing {
    /// The pacing of one worker under these settings.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            longest: settings.epoch(),
            most_rows: settings.epoch_rows,
            most_epochs: settings.in_flight_epochs,
            most_bytes: settings.in_flight_bytes() / settings.workers as u64,
        }
    }
}

/// The epoch clock of one worker.
#[derive(Debug)]
pub(crate) struct EpochClock {
    pacing: Pacing,
    epoch: Cell<Epoch>,
    began: Cell<Instant>,
    rows: Cell<u64>,
    /// Whether the sources found more than they took at their last poll.
    plenty: Cell<bool>,
    reached: Cell<Epoch>,
    /// The epochs that were left and have not drained, and when those with records began. Their
    /// numbers need not follow each other.
    left: RefCell<VecDeque<(Epoch, Option<Instant>)>>,
    /// Bytes read in each epoch that has not drained.
    bytes: RefCell<VecDeque<(Epoch, u64)>>,
    pace: Pace,
}

impl EpochClock {
    /// A clock that begins with `epoch`.
    pub(crate) fn new(pacing: Pacing, epoch: Epoch, now: Instant, pace: Pace) -> Self {
        Self {
            pacing,
            epoch: Cell::new(epoch),
            began: Cell::new(now),
            rows: Cell::new(0),
            plenty: Cell::new(false),
            reached: Cell::new(epoch),
            left: RefCell::default(),
            bytes: RefCell::default(),
            pace,
        }
    }

    /// The epoch that sources are in.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch.get()
    }

    /// How many rows a source may take in now: none if too much is in flight.
    pub(crate) fn room(&self) -> u64 {
        let bytes: u64 = self.bytes.borrow().iter().map(|(_, bytes)| bytes).sum();
        if self.in_flight() >= self.pacing.most_epochs || bytes >= self.pacing.most_bytes {
            return 0;
        }
        self.pacing.most_rows.map_or(u64::MAX, |most| most.saturating_sub(self.rows.get()))
    }

    fn in_flight(&self) -> u64 {
        self.left.borrow().len() as u64
    }

    /// Notes what a source has read in this epoch, and whether there was more.
    pub(crate) fn read(&self, rows: u64, bytes: u64, plenty: bool) {
        self.rows.set(self.rows.get() + rows);
        self.plenty.set(plenty);
        let mut waiting = self.bytes.borrow_mut();
        match waiting.back_mut() {
            Some((epoch, so_far)) if *epoch == self.epoch.get() => *so_far += bytes,
            _ => waiting.push_back((self.epoch.get(), bytes)),
        }
    }

    /// Ends the epoch if it is time to: `reached` is the earliest epoch that has not drained, and
    /// `heard` the furthest epoch of any worker. Returns the epoch if the clock ticked, and
    /// whether this worker is the first to enter it.
    pub(crate) fn tick(&self, reached: Epoch, heard: Epoch, now: Instant) -> Option<(Epoch, bool)> {
        let epoch = self.epoch.get();
        self.reached.set(reached.min(epoch));
        self.drain(reached, now);
        self.bytes.borrow_mut().retain(|(it, _)| *it >= reached);
        self.show();
        let next = if heard > epoch {
            heard
        } else if self.over(now) {
            epoch + 1
        } else {
            return None;
        };
        let began = (self.rows.get() > 0).then(|| self.began.get());
        self.left.borrow_mut().push_back((epoch, began));
        self.drain(reached, now);
        self.epoch.set(next);
        self.began.set(now);
        self.rows.set(0);
        Some((next, next > heard))
    }

    /// Forgets the epochs that have drained.
    fn drain(&self, reached: Epoch, now: Instant) {
        let mut left = self.left.borrow_mut();
        while left.front().is_some_and(|(epoch, _)| *epoch < reached) {
            if let Some((_, Some(began))) = left.pop_front() {
                self.pace.latency.add(now.saturating_duration_since(began));
            }
        }
    }

    fn over(&self, now: Instant) -> bool {
        if self.in_flight() >= self.pacing.most_epochs {
            return false;
        }
        let lasted = now.saturating_duration_since(self.began.get());
        if let Some(most) = self.pacing.most_rows {
            // The user asked for epochs of so many rows; only silence ends one early.
            let silent = !self.plenty.get() && lasted >= self.pacing.longest;
            return self.rows.get() >= most || silent;
        }
        let drained = self.reached.get() >= self.epoch.get();
        let enough = !self.plenty.get() || lasted >= BUSY;
        lasted >= self.pacing.longest || self.rows.get() > 0 && drained && enough
    }

    /// How long until the epoch must be looked at again although nothing happens.
    pub(crate) fn patience(&self, now: Instant) -> Duration {
        let lasted = now.saturating_duration_since(self.began.get());
        self.pacing.longest.saturating_sub(lasted).max(Duration::from_millis(1))
    }

    fn show(&self) {
        let bytes: u64 = self.bytes.borrow().iter().map(|(_, bytes)| bytes).sum();
        self.pace.epoch.set(self.epoch.get() as i64);
        self.pace.epochs_in_flight.set(self.in_flight() as i64);
        self.pace.bytes_in_flight.set(bytes as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(settings: &Settings) -> (EpochClock, Instant) {
        let now = Instant::now();
        (EpochClock::new(Pacing::of(settings), 0, now, Pace::default()), now)
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_light_load_ends_its_epoch_at_once() {
        let (clock, now) = clock(&Settings::default());
        assert_eq!(clock.tick(0, 0, now), None);
        clock.read(1, 10, false);
        assert_eq!(clock.tick(0, 0, now), Some((1, true)));
        clock.read(1, 10, false);
        assert_eq!(clock.tick(0, 1, now), None, "the epoch before has not drained");
        assert_eq!(clock.tick(1, 1, now), Some((2, true)));
    }

    #[test]
    fn a_heavy_load_shares_an_epoch() {
        let (clock, now) = clock(&Settings::default());
        clock.read(1_000, 10, true);
        assert_eq!(clock.tick(0, 0, now + MS), None);
        assert_eq!(clock.tick(0, 0, now + BUSY), Some((1, true)));
        clock.read(1_000, 10, true);
        assert_eq!(clock.tick(0, 1, now + BUSY + 49 * MS), None, "not drained");
        assert_eq!(clock.tick(0, 1, now + BUSY + 50 * MS), Some((2, true)));
    }

    #[test]
    fn rows_end_an_epoch_when_asked_to() {
        let (clock, now) = clock(&Settings::default().epoch_rows(10));
        clock.read(9, 1, true);
        assert_eq!((clock.room(), clock.tick(0, 0, now + 99 * MS)), (1, None));
        clock.read(1, 1, true);
        assert_eq!((clock.room(), clock.tick(0, 0, now)), (0, Some((1, true))));
        assert_eq!(clock.room(), 10);
    }

    #[test]
    fn sources_wait_while_too_much_is_in_flight() {
        let (clock, now) = clock(&Settings::default().in_flight(2, 1));
        clock.read(1, 2_000_000, true);
        assert_eq!(clock.room(), 0);
        assert_eq!(clock.tick(0, 0, now + 50 * MS), Some((1, true)));
        assert_eq!(clock.tick(0, 1, now + 100 * MS), Some((2, true)));
        assert_eq!(clock.tick(0, 2, now + 150 * MS), None, "two epochs are in flight");
        assert_eq!(clock.tick(1, 2, now + 150 * MS), Some((3, true)));
        assert_eq!(clock.tick(2, 3, now + 150 * MS), None);
        assert!(clock.room() > 0);
    }

    #[test]
    fn a_worker_follows_the_furthest() {
        let (clock, now) = clock(&Settings::default());
        assert_eq!(clock.tick(0, 7, now), Some((7, false)));
        assert_eq!(clock.tick(7, 7, now), None);
    }
}
