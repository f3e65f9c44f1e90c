//! Which slices stand in the last save as they are, so that they need not be written again.

use std::collections::BTreeSet;

use crate::rule::Snapshot;

/// The slices that did not change since they were written. Each is a section of what is saved.
#[derive(Debug, Default)]
pub(super) struct Written {
    numbers: BTreeSet<i64>,
    /// Whether records came since the last save: slices that are open may have changed.
    touched: bool,
}

impl Written {
    /// Notes that records have come for slices that are open.
    #[inline]
    pub(super) fn touch(&mut self) {
        self.touched = true;
    }

    /// Notes that a slice has changed.
    pub(super) fn change(&mut self, number: i64) {
        self.numbers.remove(&number);
    }

    /// Notes that a slice takes no more records.
    pub(super) fn close(&mut self, number: i64) {
        if self.touched {
            self.change(number);
        }
    }

    /// Whether a slice is to be written. If so, its section has begun.
    pub(super) fn begin<S>(
        &mut self,
        to: &mut dyn Snapshot<S>,
        number: i64,
        may_have_changed: bool,
    ) -> bool {
        if may_have_changed && self.touched {
            self.change(number);
        }
        // From the first slice of time on: the highest number is not a rule's own.
        let section = number.wrapping_sub(i64::MIN).cast_unsigned();
        let stands = !self.numbers.insert(number) && to.unchanged(section);
        if !stands {
            to.section(section);
        }
        !stands
    }

    /// Ends a save: forgets the slices that are gone.
    pub(super) fn end(&mut self, there: impl Fn(i64) -> bool) {
        self.touched = false;
        self.numbers.retain(|it| there(*it));
    }
}
