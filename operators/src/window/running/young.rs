//! The youngest slices, found by comparisons instead of arithmetic and a search.
//!
//! Records out of order go back and forth between the youngest few slices, in a way that no
//! processor can predict. So which of four neighbours holds a moment is computed without a branch.

use crate::time::EventTime;

/// Four neighbouring slices, and where those of them that are known lie.
#[derive(Debug)]
pub(super) struct Young {
    /// Microseconds of a slice, and where slice 0 begins.
    width: u64,
    offset: i64,
    /// The number of the first of the four, and where it begins.
    first: i64,
    start: i64,
    slots: [u32; Self::SLICES],
}

impl Young {
    const SLICES: usize = 4;
    const UNKNOWN: u32 = u32::MAX;

    /// None known yet.
    pub(super) fn new(width: i64, offset: i64) -> Self {
        // Four slices that are longer than time cannot be compared: with no width nothing is known.
        let reach = width.checked_mul(Self::SLICES as i64).and_then(|it| it.checked_add(offset));
        let width = if reach.is_some() { width.unsigned_abs() } else { 0 };
        let slots = [Self::UNKNOWN; Self::SLICES];
        Self { width, offset, first: 0, start: offset, slots }
    }

    /// Where the slice of a moment lies, if it is one of those that are known.
    #[inline]
    pub(super) fn slot(&self, at: EventTime) -> Option<usize> {
        // A moment before the start wraps around to a distance that no known slice has.
        let since = at.micros().wrapping_sub(self.start) as u64;
        let beyond = |slices: u64| usize::from(since >= self.width * slices);
        if beyond(Self::SLICES as u64) == 1 {
            return None;
        }
        let slot = *self.slots.get(beyond(1) + beyond(2) + beyond(3))?;
        (slot != Self::UNKNOWN).then_some(slot as usize)
    }

    /// Notes where a slice lies, making it one of the four.
    pub(super) fn know(&mut self, number: i64, slot: usize) {
        let newest = self.first.saturating_add(Self::SLICES as i64 - 1);
        if number < self.first {
            self.begin_at(number);
        } else if number > newest {
            self.begin_at(number.saturating_sub(Self::SLICES as i64 - 1));
        }
        let at = number.wrapping_sub(self.first) as usize;
        if let (Some(it), Ok(slot)) = (self.slots.get_mut(at), u32::try_from(slot)) {
            *it = slot;
        }
    }

    /// Makes `first` the first of the four, unless they would reach beyond what can be compared.
    fn begin_at(&mut self, first: i64) {
        self.forget();
        let place = |number: i128| number * i128::from(self.width) + i128::from(self.offset);
        let first_after = i128::from(first) + Self::SLICES as i128;
        if let (Ok(start), Ok(_)) =
            (i64::try_from(place(first.into())), i64::try_from(place(first_after)))
        {
            (self.first, self.start) = (first, start);
        }
    }

    /// Forgets where the slices lie.
    pub(super) fn forget(&mut self) {
        self.slots = [Self::UNKNOWN; Self::SLICES];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(young: &Young, at: i64) -> Option<usize> {
        young.slot(EventTime::from_micros(at))
    }

    #[test]
    fn only_moments_of_known_slices_are_found() {
        let mut young = Young::new(10, 3);
        young.know(9, 90);
        young.know(7, 70);
        let found = Vec::from_iter((40..140).filter_map(|at| Some((at, slot(&young, at)?))));
        let seven = (73..83).map(|at| (at, 70));
        let nine = (93..103).map(|at| (at, 90));
        assert_eq!(found, Vec::from_iter(seven.chain(nine)));
        young.forget();
        assert_eq!(slot(&young, 75), None);
    }

    #[test]
    fn slices_far_apart_replace_each_other() {
        let mut young = Young::new(10, 0);
        young.know(1_000, 1);
        young.know(-1_000, 2);
        assert_eq!((slot(&young, 10_005), slot(&young, -9_995)), (None, Some(2)));
        young.know(1_000, 1);
        assert_eq!((slot(&young, 10_005), slot(&young, -9_995)), (Some(1), None));
    }

    #[test]
    fn at_the_ends_of_time_nothing_is_found_wrongly() {
        for (width, number) in
            [(i64::MAX, 0), (i64::MAX, 1), (i64::MAX, -1), (1, i64::MAX), (1, i64::MIN)]
        {
            let mut young = Young::new(width, 0);
            young.know(number, 1);
            for at in [i64::MIN, -1, 0, 1, i64::MAX] {
                let holds = i128::from(at).div_euclid(i128::from(width)) == i128::from(number);
                assert!(slot(&young, at).is_none() || holds, "{at} in {number} of {width}");
            }
        }
    }
}
