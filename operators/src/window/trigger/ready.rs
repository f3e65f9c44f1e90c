//! The ready-made triggers.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Decision, Trigger, Watch};
use crate::time::EventTime;
use crate::window::assign::{Refused, allowed, positive};

/// Fires when the watermark reaches the last moment of the window, and again at once for each
/// record that comes later and is still taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AtWatermark;

/// Fires at every so many records of the window, and at nothing else: records that are too few when
/// the window ends give no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EveryRecords(u64);

/// Fires like [`AtWatermark`], and early at every multiple of an interval that the watermark reaches
/// after the window's first record.
///
/// Multiples are counted from 1970 in both directions; Flink rounds times before 1970 towards it.
/// When the watermark passes several at once, the window fires for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Continuous(i64);

/// Fires when a distance between the record that fired last (at first: the window's first record)
/// and the current one exceeds a threshold, and at nothing else.
///
/// It does not serve windows that merge.
#[derive(Clone, Copy)]
pub struct Delta<F> {
    threshold: f64,
    distance: F,
}

/// Fires when another trigger does, and drops the contents of the window each time.
///
/// What the other trigger remembers stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purging<T>(pub T);

/// Never fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Never;

/// Gives each ready-made trigger its purging form.
macro_rules! purging {
    ($($trigger:ident $(<$function:ident>)?;)*) => {
        $(impl $(<$function>)? $trigger $(<$function>)? {
            /// The same trigger, which also drops the contents of the window whenever it fires.
            pub fn purging(self) -> Purging<Self> {
                Purging(self)
            }
        })*
    };
}

purging! {
    AtWatermark;
    EveryRecords;
    Continuous;
    Delta<F>;
}

impl<V> Trigger<V> for AtWatermark {
    type State = ();

    fn start(&self) {}

    fn on_record(&self, _: &mut (), _: EventTime, _: &V, watch: &mut Watch<'_>) -> Decision {
        let last = watch.span().last();
        if last <= watch.watermark() {
            return Decision::Fire;
        }
        watch.wake_at(last);
        Decision::Continue
    }

    fn on_moment(&self, _: &mut (), at: EventTime, watch: &mut Watch<'_>) -> Decision {
        if at == watch.span().last() { Decision::Fire } else { Decision::Continue }
    }

    fn merges(&self) -> bool {
        true
    }

    fn on_merge(&self, _: &mut (), _: Vec<()>, watch: &mut Watch<'_>) {
        let last = watch.span().last();
        if last > watch.watermark() {
            watch.wake_at(last);
        }
    }

    fn spent(&self, _: &()) -> bool {
        true
    }
}

impl EveryRecords {
    /// Fires at every `records`-th record.
    ///
    /// # Panics
    ///
    /// If the number is zero.
    pub fn new(records: u64) -> Self {
        assert!(records > 0, "records of a count trigger must be at least one");
        Self(records)
    }
}

impl<V> Trigger<V> for EveryRecords {
    type State = u64;

    fn start(&self) -> u64 {
        0
    }

    fn on_record(&self, seen: &mut u64, _: EventTime, _: &V, _: &mut Watch<'_>) -> Decision {
        *seen += 1;
        if *seen < self.0 {
            return Decision::Continue;
        }
        *seen = 0;
        Decision::Fire
    }

    fn on_moment(&self, _: &mut u64, _: EventTime, _: &mut Watch<'_>) -> Decision {
        Decision::Continue
    }

    fn merges(&self) -> bool {
        true
    }

    fn on_merge(&self, seen: &mut u64, others: Vec<u64>, _: &mut Watch<'_>) {
        *seen += others.iter().sum::<u64>();
    }

    fn spent(&self, seen: &u64) -> bool {
        *seen == 0
    }
}

impl Continuous {
    /// Fires early at every multiple of `interval` since 1970.
    ///
    /// # Panics
    ///
    /// If the interval is under one microsecond. [`try_every`](Self::try_every) is for intervals
    /// that were not written in the program.
    pub fn every(interval: Duration) -> Self {
        allowed(Self::try_every(interval))
    }

    /// Fires early at every multiple of `interval` since 1970.
    ///
    /// # Errors
    ///
    /// If the interval is under one microsecond.
    pub fn try_every(interval: Duration) -> Result<Self, Refused> {
        positive("interval of a continuous trigger", interval).map(Self)
    }

    /// Asks for the moment one interval after `at`, or the last of the window if that is earlier.
    fn ask_after(self, at: i64, next: &mut Option<EventTime>, watch: &mut Watch<'_>) {
        let moment = EventTime::from_micros(at.saturating_add(self.0)).min(watch.span().last());
        *next = Some(moment);
        watch.wake_at(moment);
    }
}

impl<V> Trigger<V> for Continuous {
    /// The next moment at which the window fires early.
    type State = Option<EventTime>;

    fn start(&self) -> Self::State {
        None
    }

    fn on_record(
        &self,
        next: &mut Self::State,
        at: EventTime,
        _: &V,
        watch: &mut Watch<'_>,
    ) -> Decision {
        let last = watch.span().last();
        if last <= watch.watermark() {
            return Decision::Fire;
        }
        watch.wake_at(last);
        if next.is_none() {
            let at = at.micros();
            self.ask_after(at.saturating_sub(at.rem_euclid(self.0)), next, watch);
        }
        Decision::Continue
    }

    fn on_moment(&self, next: &mut Self::State, at: EventTime, watch: &mut Watch<'_>) -> Decision {
        if at == watch.span().last() {
            return Decision::Fire;
        }
        if *next != Some(at) {
            return Decision::Continue;
        }
        self.ask_after(at.micros(), next, watch);
        Decision::Fire
    }

    fn merges(&self) -> bool {
        true
    }

    fn on_merge(&self, next: &mut Self::State, others: Vec<Self::State>, watch: &mut Watch<'_>) {
        *next = others.into_iter().flatten().chain(*next).min();
        if let Some(next) = *next {
            watch.wake_at(next);
        }
    }
}

impl<F> Delta<F> {
    /// Fires when `distance(fired, current)` is more than `threshold`.
    pub fn new(threshold: f64, distance: F) -> Self {
        Self { threshold, distance }
    }
}

impl<F> fmt::Debug for Delta<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delta").field("threshold", &self.threshold).finish_non_exhaustive()
    }
}

impl<V, F> Trigger<V> for Delta<F>
where
    V: Clone + Serialize + DeserializeOwned + 'static,
    F: Fn(&V, &V) -> f64 + 'static,
{
    /// The record that fired last.
    type State = Option<V>;

    fn start(&self) -> Option<V> {
        None
    }

    fn on_record(
        &self,
        fired: &mut Option<V>,
        _: EventTime,
        value: &V,
        _: &mut Watch<'_>,
    ) -> Decision {
        let distant = fired.as_ref().map(|it| (self.distance)(it, value) > self.threshold);
        if distant != Some(false) {
            *fired = Some(value.clone());
        }
        if distant == Some(true) { Decision::Fire } else { Decision::Continue }
    }

    fn on_moment(&self, _: &mut Option<V>, _: EventTime, _: &mut Watch<'_>) -> Decision {
        Decision::Continue
    }
}

impl<V, T: Trigger<V>> Trigger<V> for Purging<T> {
    type State = T::State;

    fn start(&self) -> T::State {
        self.0.start()
    }

    fn on_record(
        &self,
        state: &mut T::State,
        at: EventTime,
        value: &V,
        watch: &mut Watch<'_>,
    ) -> Decision {
        purge(self.0.on_record(state, at, value, watch))
    }

    fn on_moment(&self, state: &mut T::State, at: EventTime, watch: &mut Watch<'_>) -> Decision {
        purge(self.0.on_moment(state, at, watch))
    }

    fn merges(&self) -> bool {
        self.0.merges()
    }

    fn on_merge(&self, state: &mut T::State, others: Vec<T::State>, watch: &mut Watch<'_>) {
        self.0.on_merge(state, others, watch);
    }

    fn spent(&self, state: &T::State) -> bool {
        self.0.spent(state)
    }
}

/// Lets a firing purge as well.
fn purge(decision: Decision) -> Decision {
    if decision.fires() { Decision::FireAndPurge } else { decision }
}

impl<V> Trigger<V> for Never {
    type State = ();

    fn start(&self) {}

    fn on_record(&self, _: &mut (), _: EventTime, _: &V, _: &mut Watch<'_>) -> Decision {
        Decision::Continue
    }

    fn on_moment(&self, _: &mut (), _: EventTime, _: &mut Watch<'_>) -> Decision {
        Decision::Continue
    }

    fn merges(&self) -> bool {
        true
    }

    fn spent(&self, _: &()) -> bool {
        true
    }
}
