//! The sum of the slices of a window, by place: slices enter it and leave it.

use super::slice::Closed;
use crate::aggregate::Aggregate;

/// The sum of slices at each place.
#[derive(Debug)]
pub(super) struct Total<S> {
    pub(super) sums: Vec<S>,
}

impl<S> Total<S> {
    /// Adds a slice. `held` says how many slices have a state of each place, and is kept up to date.
    pub(super) fn enter<V, A>(&mut self, slice: &Closed<S>, held: &mut [u32], aggregate: &A)
    where
        A: Aggregate<V, State = S>,
    {
        self.sums.resize_with(held.len(), || aggregate.start());
        match slice {
            Closed::Dense(dense) => {
                let both = self.sums.iter_mut().zip(&dense.states);
                both.for_each(|(sum, state)| aggregate.merge(sum, state));
                let both = held.iter_mut().zip(&dense.present);
                both.for_each(|(held, present)| *held += u32::from(*present));
            }
            Closed::Sparse(states) => {
                for (place, state) in states {
                    let place = *place as usize;
                    aggregate.merge(&mut self.sums[place], state);
                    held[place] += 1;
                }
            }
        }
    }

    /// Takes a slice out; `emptied` hears of the places that no slice has a state of any more.
    pub(super) fn leave<V, A>(
        &mut self,
        slice: &Closed<S>,
        held: &mut [u32],
        aggregate: &A,
        emptied: &mut Vec<u32>,
    ) where
        A: Aggregate<V, State = S>,
    {
        match slice {
            Closed::Dense(dense) => {
                let both = self.sums.iter_mut().zip(&dense.states);
                both.for_each(|(sum, state)| aggregate.retract(sum, state));
                let both = held.iter_mut().zip(&dense.present).enumerate();
                for (place, (held, present)) in both {
                    *held -= u32::from(*present);
                    if *present && *held == 0 {
                        emptied.push(place as u32);
                    }
                }
            }
            Closed::Sparse(states) => {
                for (place, state) in states {
                    let at = *place as usize;
                    aggregate.retract(&mut self.sums[at], state);
                    held[at] -= 1;
                    if held[at] == 0 {
                        emptied.push(*place);
                    }
                }
            }
        }
    }
}
