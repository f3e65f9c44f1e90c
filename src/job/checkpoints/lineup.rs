//! Finding the checkpoint that all have come to.
//!
//! Each member, an operator or a worker, hands over what it has for a range of epochs. The next
//! checkpoint is at the first [boundary] for which all have something.

use std::collections::VecDeque;
use std::ops::Range;

use crate::time::Epoch;

/// Epochs from one that is kept to the next. Which ones are kept follows from their numbers alone,
/// so nobody has to be told in time: for a checkpoint, all go on to the first epoch of a new cycle.
pub(crate) const CYCLE: Epoch = 1_000_000;

/// The first epoch at or after `epoch` that is kept.
pub(crate) fn boundary(epoch: Epoch) -> Epoch {
    (epoch / CYCLE).saturating_mul(CYCLE).saturating_add(CYCLE - 1).min(Epoch::MAX - 1)
}

/// What the members have handed over and no checkpoint has left behind.
#[derive(Debug)]
pub(super) struct Lineup<T> {
    members: Vec<VecDeque<(Range<Epoch>, T)>>,
    /// The first epoch that the next checkpoint can be at.
    from: Epoch,
    /// Whether that at which all had ended is left behind: there is no other after it.
    over: bool,
}

impl<T> Lineup<T> {
    /// A lineup of so many members, for checkpoints from an epoch on.
    pub(super) fn new(members: usize, from: Epoch) -> Self {
        Self { members: (0..members).map(|_| VecDeque::new()).collect(), from, over: false }
    }

    /// One more member; returns its number.
    pub(super) fn join(&mut self) -> usize {
        self.members.push(VecDeque::new());
        self.members.len() - 1
    }

    /// Takes what a member has for `epochs`. Of the epochs from one hand-over to the next none is
    /// kept.
    pub(super) fn hand_over(&mut self, member: usize, epochs: Range<Epoch>, what: T) {
        self.members[member].push_back((epochs, what));
    }

    /// What each member has for the next checkpoint, for as many epochs as all have it, if all have
    /// come to it; leaves that checkpoint behind. What a member has for longer stays, as `rest`
    /// makes it.
    pub(super) fn take(&mut self, rest: impl Fn(&T) -> T) -> Option<(Range<Epoch>, Vec<T>)> {
        if self.over {
            return None;
        }
        let at = boundary(self.from);
        let mut end = Epoch::MAX;
        for member in &self.members {
            let (epochs, _) = member.front()?;
            debug_assert!(epochs.contains(&at), "{epochs:?} leaves out {at}");
            end = end.min(epochs.end);
        }
        let mut taken = Vec::with_capacity(self.members.len());
        for member in &mut self.members {
            let (epochs, what) = member.pop_front()?;
            if boundary(at + 1) < epochs.end {
                member.push_front((at + 1..epochs.end, rest(&what)));
            }
            taken.push(what);
        }
        self.from = at + 1;
        self.over = end == Epoch::MAX;
        Some((at..end, taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Epoch = CYCLE - 1;
    const B: Epoch = 2 * CYCLE - 1;

    #[test]
    fn boundaries_are_the_last_epochs_of_cycles() {
        assert_eq!([0, A - 1, A, A + 1, B].map(boundary), [A, A, A, B, B]);
        assert_eq!(boundary(Epoch::MAX), Epoch::MAX - 1);
    }

    #[test]
    fn a_checkpoint_waits_for_all() {
        let mut lineup = Lineup::new(2, 0);
        lineup.hand_over(0, 7..A + 5, 'a');
        assert_eq!(lineup.take(|it| *it), None);
        lineup.hand_over(0, A + 5..B + 1, 'b');
        lineup.hand_over(1, 0..A + 1, 'c');
        assert_eq!(lineup.take(|it| *it), Some((A..A + 1, vec!['a', 'c'])));
        assert_eq!(lineup.take(|it| *it), None);
        lineup.hand_over(1, B..B + 1, 'd');
        assert_eq!(lineup.take(|it| *it), Some((B..B + 1, vec!['b', 'd'])));
    }

    #[test]
    fn who_has_ended_has_something_for_ever() {
        let mut lineup = Lineup::new(2, 0);
        lineup.hand_over(0, 3..Epoch::MAX, 'a');
        lineup.hand_over(1, 0..A + 1, 'b');
        assert_eq!(lineup.take(|it| it.to_ascii_uppercase()), Some((A..A + 1, vec!['a', 'b'])));
        lineup.hand_over(1, A + 1..Epoch::MAX, 'c');
        assert_eq!(lineup.take(|it| *it), Some((B..Epoch::MAX, vec!['A', 'c'])));
        assert_eq!(lineup.take(|it| *it), None, "there is one last checkpoint");
    }

    #[test]
    fn nobody_is_always_there() {
        assert_eq!(Lineup::<()>::new(0, 5).take(|_| ()), Some((A..Epoch::MAX, vec![])));
    }
}
