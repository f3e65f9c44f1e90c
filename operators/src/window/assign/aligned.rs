//! Aligned windows: tumbling, sliding and cumulative.
//!
//! With size `s` and offset `o`, the window of a moment `t` starts at `t - floorMod(t - o, s)`, for
//! times before 1970 as well. Lengths count in whole microseconds. A window that would reach beyond
//! an end of time is cut there.

use std::time::Duration;

use super::{Aligned, Assign, Refused, allowed, positive};
use crate::time::{EventTime, Span, micros_of};
use crate::window::trigger::AtWatermark;

/// Windows of one size that follow each other without overlap or gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    size: i64,
    offset: i64,
}

/// Windows of one size that start every `slide`, so that a record is in `size / slide` of them.
///
/// With a slide beyond the size there are gaps between the windows. A record in a gap belongs to
/// no window and leaves by the side output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    size: i64,
    slide: i64,
    offset: i64,
}

/// Windows that start together every `size` and end one `step` after the other: the first step, the
/// first two, and so on up to the whole size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cumulative {
    size: i64,
    step: i64,
    offset: i64,
}

/// The part of a repeating clock: how far `at` is into the period that holds it.
#[inline]
fn into_period(at: EventTime, offset: i64, period: i64) -> i64 {
    // `offset` is reduced already, so the difference cannot overflow.
    let into = at.micros().rem_euclid(period) - offset;
    if into < 0 { into + period } else { into }
}

/// The span of `length` that began `before` ahead of `at`, cut at the ends of time.
#[inline]
fn around(at: EventTime, before: i64, length: i64) -> Span {
    let start = at.micros().saturating_sub(before);
    let last = at.micros().saturating_add(length - 1 - before);
    Span::between(EventTime::from_micros(start), EventTime::from_micros(last))
}

/// Writes the two ways to move windows off the clock of UTC.
macro_rules! offsets {
    ($($window:ident by $period:ident;)*) => {
        $(impl $window {
            /// Starts every window `later` than the clock of UTC says.
            ///
            /// Only the remainder after whole periods matters.
            #[must_use]
            pub fn offset(self, later: Duration) -> Self {
                let offset = micros_of(later).rem_euclid(self.$period);
                Self { offset, ..self }
            }

            /// Starts every window `earlier` than the clock of UTC says: a day in a time zone
            /// eight hours east of Greenwich starts `hours(8)` earlier.
            #[must_use]
            pub fn offset_earlier(self, earlier: Duration) -> Self {
                let offset = micros_of(earlier).wrapping_neg().rem_euclid(self.$period);
                Self { offset, ..self }
            }
        })*
    };
}

offsets! {
    Tumbling by size;
    Sliding by slide;
    Cumulative by size;
}

impl Tumbling {
    /// Windows of `size`.
    ///
    /// # Panics
    ///
    /// If the size is under one microsecond. [`try_new`](Self::try_new) is for sizes that were not
    /// written in the program.
    pub fn new(size: Duration) -> Self {
        allowed(Self::try_new(size))
    }

    /// Windows of `size`.
    ///
    /// # Errors
    ///
    /// If the size is under one microsecond.
    pub fn try_new(size: Duration) -> Result<Self, Refused> {
        Ok(Self { size: positive("size of a tumbling window", size)?, offset: 0 })
    }

    /// The one window of a moment.
    #[inline]
    pub fn window_of(&self, at: EventTime) -> Span {
        around(at, into_period(at, self.offset, self.size), self.size)
    }
}

impl<V> Assign<V> for Tumbling {
    type Trigger = AtWatermark;

    fn windows_of(&self, at: EventTime, _value: &V, windows: &mut Vec<Span>) {
        windows.push(self.window_of(at));
    }

    fn trigger(&self) -> AtWatermark {
        AtWatermark
    }

    fn describe(&self) -> String {
        format!("tumbling windows of {}", length(self.size))
    }

    fn aligned(&self) -> Option<Aligned> {
        Some(Aligned::Tumbling(*self))
    }
}

impl Sliding {
    /// Windows of `size` that start every `slide`.
    ///
    /// # Panics
    ///
    /// If either is under one microsecond. [`try_new`](Self::try_new) is for lengths that were not
    /// written in the program.
    pub fn new(size: Duration, slide: Duration) -> Self {
        allowed(Self::try_new(size, slide))
    }

    /// Windows of `size` that start every `slide`.
    ///
    /// # Errors
    ///
    /// If either is under one microsecond.
    pub fn try_new(size: Duration, slide: Duration) -> Result<Self, Refused> {
        let size = positive("size of a sliding window", size)?;
        let slide = positive("slide of a sliding window", slide)?;
        Ok(Self { size, slide, offset: 0 })
    }
}

impl Sliding {
    /// Size, slide and offset.
    pub(crate) fn micros(&self) -> (i64, i64, i64) {
        (self.size, self.slide, self.offset)
    }
}

impl Cumulative {
    /// Size, step and offset.
    pub(crate) fn micros(&self) -> (i64, i64, i64) {
        (self.size, self.step, self.offset)
    }
}

impl<V> Assign<V> for Sliding {
    type Trigger = AtWatermark;

    fn windows_of(&self, at: EventTime, _value: &V, windows: &mut Vec<Span>) {
        let mut before = into_period(at, self.offset, self.slide);
        while before < self.size {
            windows.push(around(at, before, self.size));
            let Some(next) = before.checked_add(self.slide) else { return };
            before = next;
        }
    }

    fn trigger(&self) -> AtWatermark {
        AtWatermark
    }

    fn describe(&self) -> String {
        format!("sliding windows of {} every {}", length(self.size), length(self.slide))
    }

    fn aligned(&self) -> Option<Aligned> {
        Some(Aligned::Sliding(*self))
    }
}

impl Cumulative {
    /// Windows that start every `size` and end after each `step` of it.
    ///
    /// # Panics
    ///
    /// If either is under one microsecond, or the size is no multiple of the step.
    /// [`try_new`](Self::try_new) is for lengths that were not written in the program.
    pub fn new(size: Duration, step: Duration) -> Self {
        allowed(Self::try_new(size, step))
    }

    /// Windows that start every `size` and end after each `step` of it.
    ///
    /// # Errors
    ///
    /// If either is under one microsecond, or the size is no multiple of the step.
    pub fn try_new(size: Duration, step: Duration) -> Result<Self, Refused> {
        let size = positive("size of a cumulative window", size)?;
        let step = positive("step of a cumulative window", step)?;
        if size % step != 0 {
            return Err(Refused::new(
                "size of a cumulative window",
                "must be a multiple of its step",
            ));
        }
        Ok(Self { size, step, offset: 0 })
    }
}

impl<V> Assign<V> for Cumulative {
    type Trigger = AtWatermark;

    fn windows_of(&self, at: EventTime, _value: &V, windows: &mut Vec<Span>) {
        let into = into_period(at, self.offset, self.size);
        let steps = into / self.step + 1..=self.size / self.step;
        windows.extend(steps.map(|it| around(at, into, it * self.step)));
    }

    fn trigger(&self) -> AtWatermark {
        AtWatermark
    }

    fn describe(&self) -> String {
        format!("cumulative windows of {} by {}", length(self.size), length(self.step))
    }

    fn aligned(&self) -> Option<Aligned> {
        Some(Aligned::Cumulative(*self))
    }
}

/// A length of so many microseconds, in the largest unit that measures it: `3h`, `90min`, `1500ms`.
fn length(micros: i64) -> String {
    let units = [(3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms")];
    let unit = units.into_iter().find(|(length, _)| micros % length == 0);
    let (length, name) = unit.unwrap_or((1, "us"));
    format!("{}{name}", micros / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(assign: &impl Assign<()>, at: i64) -> Vec<(i64, i64)> {
        let mut windows = Vec::new();
        assign.windows_of(EventTime::from_micros(at), &(), &mut windows);
        windows.iter().map(|it| (it.start().micros(), it.last().micros())).collect()
    }

    fn micros(n: u64) -> Duration {
        Duration::from_micros(n)
    }

    #[test]
    fn windows_before_1970_start_at_the_floor() {
        let tumbling = Tumbling::new(micros(10));
        assert_eq!(spans(&tumbling, -1), [(-10, -1)]);
        assert_eq!(spans(&tumbling, -10), [(-10, -1)]);
        assert_eq!(spans(&tumbling, -11), [(-20, -11)]);
        assert_eq!(spans(&tumbling, 0), [(0, 9)]);
    }

    #[test]
    fn offsets_move_every_start() {
        let tumbling = Tumbling::new(micros(10));
        assert_eq!(spans(&tumbling.offset(micros(3)), 2), [(-7, 2)]);
        assert_eq!(spans(&tumbling.offset(micros(13)), 3), [(3, 12)]);
        assert_eq!(spans(&tumbling.offset_earlier(micros(8)), 2), [(2, 11)]);
        let sliding = Sliding::new(micros(10), micros(5)).offset_earlier(micros(1));
        assert_eq!(spans(&sliding, 4), [(4, 13), (-1, 8)]);
        let cumulative = Cumulative::new(micros(4), micros(2)).offset(micros(1));
        assert_eq!(spans(&cumulative, 0), [(-3, 0)]);
        assert_eq!(spans(&cumulative, 1), [(1, 2), (1, 4)]);
    }

    #[test]
    fn a_slide_beyond_the_size_leaves_gaps() {
        let sliding = Sliding::new(micros(3), micros(10));
        assert_eq!(spans(&sliding, 2), [(0, 2)]);
        assert_eq!(spans(&sliding, 3), []);
        assert_eq!(spans(&sliding, -7), []);
        assert_eq!(spans(&sliding, -8), [(-10, -8)]);
    }

    #[test]
    fn windows_at_the_ends_of_time_are_cut() {
        let (first, last) = (i64::MIN, i64::MAX);
        let tumbling = Tumbling::new(micros(1_000));
        assert_eq!(spans(&tumbling, first), [(first, -9_223_372_036_854_775_001)]);
        assert_eq!(spans(&tumbling, last), [(9_223_372_036_854_775_000, last)]);
        let sliding = Sliding::new(Duration::MAX, Duration::MAX);
        assert_eq!(spans(&sliding, -1), [(-last, -1)]);
        assert_eq!(spans(&sliding, last), [(last, last)]);
        assert_eq!(spans(&sliding, first).len(), 1);
        let huge = Cumulative::new(Duration::MAX, Duration::MAX).offset_earlier(Duration::MAX);
        assert_eq!(spans(&huge, first), [(first, first)]);
    }

    #[test]
    fn bad_lengths_are_refused_by_name() {
        let refused =
            |it: Result<_, Refused>| it.map(|_: Cumulative| ()).map_err(|it| it.to_string());
        assert_eq!(
            refused(Cumulative::try_new(micros(5), micros(2))),
            Err("size of a cumulative window must be a multiple of its step".into())
        );
        let zero = Sliding::try_new(micros(5), Duration::from_nanos(999)).expect_err("no slide");
        assert_eq!(zero.setting(), "slide of a sliding window");
    }
}
