//! Which slices make up which windows: arithmetic, and nothing else.
//!
//! Slices and windows are numbered along time. All of it is done in 128 bits and cut at the ends of
//! time, so no number overflows.

use std::ops::RangeInclusive;

use crate::time::{EventTime, Span};
use crate::window::{Cumulative, Sliding};

/// Windows as runs of slices.
#[derive(Clone, Copy, Debug)]
pub(in crate::window) struct Calendar {
    /// Microseconds of a slice.
    width: i64,
    offset: i64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A window of `slices`, every `step` of them.
    Sliding { slices: i64, step: i64 },
    /// Windows that grow slice by slice up to `slices`, then begin anew.
    Cumulative { slices: i64 },
}

impl Calendar {
    /// None if the windows leave gaps.
    pub(in crate::window) fn sliding(windows: Sliding) -> Option<Self> {
        let (size, slide, offset) = windows.micros();
        if slide > size {
            return None;
        }
        let width = greatest_common_divisor(size, slide);
        let kind = Kind::Sliding { slices: size / width, step: slide / width };
        Some(Self { width, offset, kind })
    }

    pub(in crate::window) fn cumulative(windows: Cumulative) -> Self {
        let (size, step, offset) = windows.micros();
        Self { width: step, offset, kind: Kind::Cumulative { slices: size / step } }
    }

    /// Microseconds of a slice, and where slice 0 begins.
    pub(in crate::window) fn micros(&self) -> (i64, i64) {
        (self.width, self.offset)
    }

    /// The slice that holds a moment.
    pub(in crate::window) fn slice_of(&self, at: EventTime) -> i64 {
        let since = i128::from(at.micros()) - i128::from(self.offset);
        within(since.div_euclid(i128::from(self.width)))
    }

    /// The moments of a slice.
    pub(in crate::window) fn slice(&self, number: i64) -> Span {
        self.span(number, number)
    }

    fn span(&self, first: i64, last: i64) -> Span {
        let (width, offset) = (i128::from(self.width), i128::from(self.offset));
        let start = i128::from(first) * width + offset;
        let end = (i128::from(last) + 1) * width + offset;
        let moment = |micros| EventTime::from_micros(within(micros));
        Span::between(moment(start), moment(end - 1))
    }

    /// The slices of a window.
    pub(in crate::window) fn slices(&self, window: i64) -> RangeInclusive<i64> {
        match self.kind {
            Kind::Sliding { slices, step } => {
                let first = window.saturating_mul(step);
                first..=first.saturating_add(slices - 1)
            }
            Kind::Cumulative { slices } => window.div_euclid(slices) * slices..=window,
        }
    }

    /// The moments of a window.
    pub(in crate::window) fn window(&self, window: i64) -> Span {
        let slices = self.slices(window);
        self.span(*slices.start(), *slices.end())
    }

    /// The first window that a slice belongs to.
    pub(in crate::window) fn first_window(&self, slice: i64) -> i64 {
        match self.kind {
            Kind::Sliding { slices, step } => {
                slice.saturating_sub(slices).div_euclid(step).saturating_add(1)
            }
            Kind::Cumulative { .. } => slice,
        }
    }

    /// The last window that a slice belongs to.
    pub(in crate::window) fn last_window(&self, slice: i64) -> i64 {
        match self.kind {
            Kind::Sliding { step, .. } => slice.div_euclid(step),
            Kind::Cumulative { slices } => slice.div_euclid(slices) * slices + slices - 1,
        }
    }

    /// The first window that a watermark does not complete.
    pub(in crate::window) fn first_after(&self, watermark: EventTime) -> i64 {
        let since = i128::from(watermark.micros()) + 1 - i128::from(self.offset);
        // The first slice that is not complete.
        let slice = since.div_euclid(i128::from(self.width));
        within(match self.kind {
            Kind::Sliding { slices, step } => {
                (slice - i128::from(slices)).div_euclid(i128::from(step)) + 1
            }
            Kind::Cumulative { .. } => slice,
        })
    }
}

fn within(number: i128) -> i64 {
    number.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::window::Assign;

    /// The calendar and the assigner speak of the same windows.
    fn agree(calendar: Calendar, windows: &impl Assign<()>, at: i64) {
        let at = EventTime::from_micros(at);
        let slice = calendar.slice_of(at);
        assert!(calendar.slice(slice).contains(at));
        let (first, last) = (calendar.first_window(slice), calendar.last_window(slice));
        let mut ours: Vec<_> = (first..=last).map(|it| calendar.window(it)).collect();
        let mut theirs = Vec::new();
        windows.windows_of(at, &(), &mut theirs);
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "at {at:?}");
        for window in first..=last {
            assert!(calendar.slices(window).contains(&slice));
        }
    }

    #[test]
    fn slices_make_up_the_windows_of_the_assigners() {
        let micros = Duration::from_micros;
        for at in -50..50 {
            for (size, slide) in [(10, 5), (10, 4), (9, 6), (7, 7), (7, 1)] {
                let windows = Sliding::new(micros(size), micros(slide)).offset(micros(3));
                agree(Calendar::sliding(windows).expect("no gaps"), &windows, at);
            }
            for (size, step) in [(10, 5), (9, 3), (4, 4), (6, 1)] {
                let windows = Cumulative::new(micros(size), micros(step)).offset(micros(2));
                agree(Calendar::cumulative(windows), &windows, at);
            }
        }
    }

    #[test]
    fn a_watermark_completes_the_windows_before_the_first_after() {
        let micros = Duration::from_micros;
        let sliding = Sliding::new(micros(10), micros(4)).offset(micros(1));
        let cumulative = Cumulative::new(micros(9), micros(3));
        let calendars =
            [Calendar::sliding(sliding).expect("no gaps"), Calendar::cumulative(cumulative)];
        for calendar in calendars {
            for at in (-40..40).map(EventTime::from_micros) {
                let first = calendar.first_after(at);
                assert!(calendar.window(first).last() > at, "{calendar:?} at {at:?}");
                assert!(calendar.window(first - 1).last() <= at, "{calendar:?} at {at:?}");
            }
        }
    }
}
