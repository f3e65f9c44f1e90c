//! Quantiles of a number of each record, about.

use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};

use super::Aggregate;
use crate::time::EventTime;

/// Chosen quantiles of a number of each record, by a DDSketch; NaN for no numbers.
///
/// The quantile `q` of `n` numbers is the one of rank `⌊q·(n - 1)⌋` when they are sorted, counting
/// from zero: 0 gives the least, 1 the greatest.
///
/// # Guarantees
///
/// A result is within 1 % of that number, or whatever [`accuracy`](Self::accuracy) was chosen
/// (<https://arxiv.org/abs/1908.10693>), whatever the distribution; the least and the greatest
/// finite number are exact. Numbers less than 10⁻¹⁷ of the largest of their sign may come out as
/// anything up to that size, and subnormal ones as zero. An infinity takes its rank as the least or
/// greatest number and comes out as itself; NaN is passed over. Results depend on the numbers alone:
/// the same for every order of arrival and worker count.
///
/// # Cost
///
/// One logarithm per record; a result costs one pass over the state. The state is a count of 8
/// bytes for each step by 2 % between the least and the greatest number of either sign, in blocks
/// of 128: 1 KiB per factor of 13 that the numbers span, up to 17 KiB for each sign. An accuracy
/// twice as fine takes twice that.
///
/// # Example
///
/// ```
/// use tidemill_operators::aggregate::{Aggregate, Quantiles};
/// use tidemill_operators::time::EventTime;
///
/// let delays = Quantiles::of([0.5, 0.95], |minutes: &f64| *minutes);
/// let mut state = delays.start();
/// (0..=1000).for_each(|it| delays.add(&mut state, EventTime::MIN, &f64::from(it)));
/// let [median, high] = delays.finish(&state);
/// assert!((median - 500.0).abs() <= 5.0);
/// assert!((high - 950.0).abs() <= 9.5);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Quantiles<const N: usize, F> {
    quantiles: [f64; N],
    number: F,
    config: Config,
}

/// Finite numbers in a sketch, which knows no others, and counts of the infinite ones.
#[derive(Clone, Serialize, Deserialize)]
pub struct Ranks {
    finite: DDSketch,
    below: u64,
    above: u64,
}

impl<const N: usize, F> Quantiles<N, F> {
    /// The `quantiles`, each from 0 to 1, of what `number` gives for each record.
    ///
    /// # Panics
    ///
    /// If a quantile is not from 0 to 1.
    pub fn of<D>(quantiles: [f64; N], number: F) -> Self
    where
        F: Fn(&D) -> f64 + Clone + 'static,
    {
        if let Some(it) = quantiles.iter().find(|it| !(0.0..=1.0).contains(*it)) {
            panic!("a quantile is from 0 to 1, not {it}");
        }
        Self { quantiles, number, config: config(0.01) }
    }

    /// Gives results within `relative` of the right one: 0.01 is 1 %. It must not change while
    /// saved state is kept.
    ///
    /// # Panics
    ///
    /// Unless it is from 0.0001 to 0.5.
    pub fn accuracy(self, relative: f64) -> Self {
        assert!(
            (0.0001..=0.5).contains(&relative),
            "the accuracy of quantiles is from 0.0001 to 0.5, not {relative}"
        );
        Self { config: config(relative), ..self }
    }
}

/// Buckets for numbers of every size, and as many as the guarantee needs.
fn config(relative: f64) -> Config {
    const BLOCK: u32 = 128;
    // Each bucket spans a factor of gamma; together they span e⁴¹, which is more than 10¹⁷.
    let gamma = (1.0 + relative) / (1.0 - relative);
    let buckets = (41.0 / gamma.ln()).ceil() as u32;
    Config::new(relative, buckets.next_multiple_of(BLOCK), f64::MIN_POSITIVE)
}

impl Ranks {
    /// The number with the rank of quantile `q`, or NaN if there are no numbers.
    fn quantile(&self, q: f64) -> f64 {
        let finite = self.finite.count() as u64;
        let Some(last) = (self.below + finite + self.above).checked_sub(1) else {
            return f64::NAN;
        };
        // Rounding must not lead past the last rank.
        let rank = ((q * last as f64) as u64).min(last);
        match rank.checked_sub(self.below) {
            None => f64::NEG_INFINITY,
            Some(rank) if rank >= finite => f64::INFINITY,
            Some(rank) => self.finite_at(rank, finite - 1),
        }
    }

    /// The finite number with this rank among the finite ones, of which `last` is the last.
    fn finite_at(&self, rank: u64, last: u64) -> f64 {
        let (Some(least), Some(greatest)) = (self.finite.min(), self.finite.max()) else {
            return f64::NAN;
        };
        if rank == last {
            return greatest + 0.0;
        }
        // The sketch is asked by quantile: the half keeps rounding from leading to a rank nearby.
        let q = if rank == 0 { 0.0 } else { (rank as f64 + 0.5) / last as f64 };
        let found = self.finite.quantile(q).ok().flatten().unwrap_or(f64::NAN);
        // Adding zero turns a negative zero positive, since which of them came first is chance.
        found.clamp(least, greatest) + 0.0
    }
}

impl<D, const N: usize, F> Aggregate<D> for Quantiles<N, F>
where
    F: Fn(&D) -> f64 + Clone + 'static,
{
    type State = Ranks;
    type Output = [f64; N];

    fn start(&self) -> Ranks {
        Ranks { finite: DDSketch::new(self.config), below: 0, above: 0 }
    }

    #[inline]
    fn add(&self, state: &mut Ranks, _at: EventTime, record: &D) {
        let number = (self.number)(record);
        if number.is_finite() {
            state.finite.add(number);
        } else if number == f64::NEG_INFINITY {
            state.below += 1;
        } else if number == f64::INFINITY {
            state.above += 1;
        }
    }

    /// # Panics
    ///
    /// If the accuracy differs from that of the saved state.
    fn merge(&self, state: &mut Ranks, other: &Ranks) {
        state.finite.merge(&other.finite).expect("the accuracy is that of the saved state");
        state.below += other.below;
        state.above += other.above;
    }

    fn finish(&self, state: &Ranks) -> [f64; N] {
        self.quantiles.map(|it| state.quantile(it))
    }
}
