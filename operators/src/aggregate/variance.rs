//! How far a number of each record strays from its mean.

use serde::{Deserialize, Serialize};

use super::Aggregate;
use crate::time::EventTime;

/// The variance of a number of each record, of a whole population or of a sample; its square root
/// is the standard deviation.
///
/// Squared distances from the running mean are folded in by Welford's method and states merged by
/// Chan's (<https://doi.org/10.1080/00031305.1983.10483115>), so nothing cancels out where the mean
/// is large and the variance small.
///
/// # Guarantees
///
/// The relative error, and so the difference between worker counts, is at most about `n·ε·κ` for `n`
/// records, `ε` being 2⁻⁵³ and `κ² = 1 + mean²/variance`. It is never negative. An infinity or NaN
/// among the numbers makes it NaN, and so does a distance whose square is past the largest float.
/// No records give NaN, as does a sample of one.
///
/// # Cost
///
/// One division and six other operations per record; 24 bytes of state.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, Variance};
/// use tidemill_operators::time::EventTime;
///
/// let spread = Variance::population(|it: &f64| *it);
/// let mut state = spread.start();
/// [1.0, 3.0].iter().for_each(|it| spread.add(&mut state, EventTime::MIN, it));
/// assert_eq!(spread.finish(&state), 1.0);
/// assert_eq!(Variance::sample(|it: &f64| *it).finish(&state), 2.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Variance<F> {
    number: F,
    of: Of,
}

/// What the records are to the whole.
#[derive(Clone, Copy, Debug)]
enum Of {
    Population,
    Sample,
}

impl<F> Variance<F> {
    /// The variance of records that are all there are: divides by their number.
    pub fn population<D>(number: F) -> Self
    where
        F: Fn(&D) -> f64 + Clone + 'static,
    {
        Self { number, of: Of::Population }
    }

    /// The variance of what the records are a sample of: divides by one less than their number.
    pub fn sample<D>(number: F) -> Self
    where
        F: Fn(&D) -> f64 + Clone + 'static,
    {
        Self { number, of: Of::Sample }
    }

    /// The number of a record.
    pub(crate) fn number<D>(&self, record: &D) -> f64
    where
        F: Fn(&D) -> f64,
    {
        (self.number)(record)
    }

    /// The variance, from the summed squared distances from the mean of so many records.
    pub(crate) fn divided(&self, squares: f64, count: u64) -> f64 {
        let divisor = match self.of {
            Of::Population => count as f64,
            Of::Sample => count as f64 - 1.0,
        };
        // An infinite sum of squares has lost what it was: whether it shows as infinity or as NaN
        // would depend on the order of arrival.
        if divisor > 0.0 && squares.is_finite() { squares / divisor } else { f64::NAN }
    }
}

/// The count, mean and summed squared distances from the mean of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl<D, F> Aggregate<D> for Variance<F>
where
    F: Fn(&D) -> f64 + Clone + 'static,
{
    type State = Moments;
    type Output = f64;

    #[inline]
    fn start(&self) -> Moments {
        Moments::default()
    }

    #[inline]
    fn add(&self, state: &mut Moments, _at: EventTime, record: &D) {
        let number = (self.number)(record);
        state.count = state.count.wrapping_add(1);
        let before = number - state.mean;
        state.mean += before / state.count as f64;
        state.squares += before * (number - state.mean);
    }

    #[inline]
    fn merge(&self, state: &mut Moments, other: &Moments) {
        if state.count == 0 {
            *state = *other;
        } else if other.count > 0 {
            let count = state.count.wrapping_add(other.count);
            let apart = other.mean - state.mean;
            let share = other.count as f64 / count as f64;
            state.squares += other.squares + apart * apart * (state.count as f64 * share);
            state.mean += apart * share;
            state.count = count;
        }
    }

    #[inline]
    fn finish(&self, state: &Moments) -> f64 {
        self.divided(state.squares, state.count)
    }
}
