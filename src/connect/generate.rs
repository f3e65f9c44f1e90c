//! Records made up from a seed: for tests, benchmarks and demonstrations.
//!
//! # Guarantees
//!
//! The record of an index depends on the seed and the index alone, so that any number of workers
//! makes the same records, and a restart the same as before. With `n` lanes, lane `k` makes the
//! records whose index is `k` modulo `n`, in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::iterate::{count_of, position_of};
use super::tick::Ticker;
use super::{Polled, Reader, Source, Wake};
use crate::error::{Error, ErrorKind, Result};

/// Makes the records of indexes from 0 on, without end and as fast as possible unless set otherwise.
///
/// ```
/// # use tidemill::connect::generate;
/// let clicks = generate(7, |index, random| (index / 1000, random.below(100)))
///     .rate(50_000.0)
///     .limit(1_000_000);
/// ```
pub fn generate<R, F>(seed: u64, record: F) -> Generate<F>
where
    F: Fn(u64, &mut Random) -> R + Send + Sync + 'static,
    R: 'static,
{
    Generate { seed, record: Arc::new(record), rate: None, limit: None }
}

/// Made-up records as a source: see [`generate`].
pub struct Generate<F> {
    seed: u64,
    record: Arc<F>,
    rate: Option<f64>,
    limit: Option<u64>,
}

impl<F> Generate<F> {
    /// How many records to make per second, all workers together. Those that could not be made in
    /// time, because the job was too slow, are made up for.
    #[must_use]
    pub fn rate(mut self, per_second: f64) -> Self {
        self.rate = Some(per_second);
        self
    }

    /// How many records to make, all workers together.
    #[must_use]
    pub fn limit(mut self, records: u64) -> Self {
        self.limit = Some(records);
        self
    }

    fn check(&self) -> Result<()> {
        match self.rate {
            Some(rate) if !(rate > 0.0 && rate.is_finite()) => {
                let message = format!("rate: {rate} records per second is not a rate");
                Err(Error::new(ErrorKind::Setting, message))
            }
            _ => Ok(()),
        }
    }
}

/// Random numbers from a seed: SplitMix64, the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0 if that is 0. The smallest are likelier by `end` in 2^64.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(end)) >> 64) as u64
    }

    /// A number from 0 up to but not 1.
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl<R, F> Source for Generate<F>
where
    F: Fn(u64, &mut Random) -> R + Send + Sync + 'static,
    R: 'static,
{
    type Record = R;

    fn partitions(&self, lanes: usize) -> Result<Vec<String>> {
        self.check()?;
        let lanes = lanes.max(1);
        Ok((1..=lanes).map(|lane| format!("generate#{lane}/{lanes}")).collect())
    }

    fn open(
        &self,
        partition: &str,
        position: Option<&[u8]>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<Record = R>>> {
        self.check()?;
        let (lane, lanes) = lane_of(partition).ok_or_else(|| {
            let message = format!("{partition} is no partition of a generator");
            Error::new(ErrorKind::State, message)
        })?;
        let made = count_of(position, partition)?;
        let pace = match self.rate {
            None => None,
            Some(rate) => Some(Pace::start(rate / lanes as f64, made, wake)?),
        };
        // How many of the indexes below the limit are of this lane.
        let limit = self.limit.map(|limit| (limit + lanes - 1 - lane) / lanes);
        let (seed, record) = (self.seed, Arc::clone(&self.record));
        let limit = limit.unwrap_or(u64::MAX);
        Ok(Box::new(Lane { seed, record, lane, lanes, made, resumed_at: made, limit, pace }))
    }

    fn bounded(&self) -> bool {
        self.limit.is_some()
    }

    fn name(&self) -> String {
        "generate".to_owned()
    }
}

/// Which lane, from 0, and of how many.
fn lane_of(partition: &str) -> Option<(u64, u64)> {
    let (lane, lanes) = partition.strip_prefix("generate#")?.split_once('/')?;
    let (lane, lanes) = (lane.parse::<u64>().ok()?.checked_sub(1)?, lanes.parse().ok()?);
    (lane < lanes).then_some((lane, lanes))
}

/// How many records may have been made by now.
struct Pace {
    per_second: f64,
    began: Instant,
    before: u64,
    _ticker: Ticker,
}

impl Pace {
    fn start(per_second: f64, before: u64, wake: Wake) -> Result<Self> {
        // Not more often than there are records, nor than makes a difference.
        let interval = (1.0 / per_second).clamp(0.005, 1.0);
        let ticker = Ticker::start(Duration::from_secs_f64(interval), move || wake())?;
        Ok(Self { per_second, began: Instant::now(), before, _ticker: ticker })
    }

    fn due(&self) -> u64 {
        let made = self.began.elapsed().as_secs_f64() * self.per_second;
        self.before.saturating_add(made as u64)
    }
}

struct Lane<F> {
    seed: u64,
    record: Arc<F>,
    lane: u64,
    lanes: u64,
    made: u64,
    resumed_at: u64,
    limit: u64,
    pace: Option<Pace>,
}

impl<R, F: Fn(u64, &mut Random) -> R> Reader for Lane<F> {
    type Record = R;

    fn poll(&mut self, most: usize, records: &mut Vec<R>) -> Result<Polled> {
        let due = self.pace.as_ref().map_or(u64::MAX, Pace::due).min(self.limit);
        let end = self.made.saturating_add(most as u64).min(due).max(self.made);
        let made = self.made..end;
        records.extend(made.map(|count| {
            let index = count * self.lanes + self.lane;
            // Mixed, so that neighbours do not share the numbers one after the other.
            let mut random = Random(Random(self.seed ^ index.wrapping_mul(GOLDEN)).number());
            (self.record)(index, &mut random)
        }));
        self.made = end;
        Ok(if self.made >= self.limit {
            Polled::Ended
        } else if self.made >= due {
            Polled::Pending
        } else {
            Polled::Ready
        })
    }

    fn position(&self) -> Vec<u8> {
        position_of(self.made)
    }

    fn bytes(&self) -> u64 {
        (self.made - self.resumed_at) * size_of::<R>() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Made = (u64, u64);

    fn drain(source: &impl Source<Record = Made>, name: &str, from: Option<&[u8]>) -> Vec<Made> {
        let mut reader = source.open(name, from, Arc::new(|| ())).unwrap();
        let mut records = Vec::new();
        while reader.poll(7, &mut records).unwrap() != Polled::Ended {}
        records
    }

    #[test]
    fn any_number_of_lanes_makes_the_same_records() {
        let source = generate(42, |index, random| (index, random.below(1000))).limit(100);
        let expected = drain(&source, "generate#1/1", None);
        assert_eq!(expected.len(), 100);
        for lanes in 2..7 {
            let mut found = Vec::new();
            for name in source.partitions(lanes).unwrap() {
                found.extend(drain(&source, &name, None));
            }
            found.sort();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_restart_makes_the_rest() {
        let source = generate(1, |index, random| (index, random.number())).limit(50);
        let all = drain(&source, "generate#2/3", None);
        for made in 0..=all.len() {
            let rest = drain(&source, "generate#2/3", Some(&position_of(made as u64)));
            assert_eq!(rest, all[made..]);
        }
    }

    #[test]
    fn another_seed_makes_other_numbers() {
        let make = |seed| generate(seed, |index, random| (index, random.number())).limit(20);
        let (one, two) = (make(1), make(2));
        let shared = |(a, b): (&Made, &Made)| a.1 == b.1;
        let (one, two) = (drain(&one, "generate#1/1", None), drain(&two, "generate#1/1", None));
        assert!(!one.iter().zip(&two).any(shared));
    }

    #[test]
    fn a_slow_rate_leaves_nothing_to_do() {
        let source = generate(1, |index, _| (index, 0)).rate(1e-6);
        assert!(!source.bounded());
        let mut reader = source.open("generate#1/1", None, Arc::new(|| ())).unwrap();
        let mut records = Vec::new();
        assert_eq!(reader.poll(10, &mut records).unwrap(), Polled::Pending);
        assert!(records.is_empty());
    }

    #[test]
    fn fractions_and_numbers_below_stay_in_their_range() {
        let mut random = Random::new(3);
        for _ in 0..1000 {
            assert!(random.below(10) < 10);
            assert!((0.0..1.0).contains(&random.fraction()));
        }
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let source = generate(1, |index, _| (index, 0_u64)).rate(rate);
            assert!(source.partitions(1).unwrap_err().to_string().starts_with("rate:"));
        }
    }
}
