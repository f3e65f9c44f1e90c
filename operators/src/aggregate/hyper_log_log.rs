//! A set of hashes, remembered just well enough to say how many there are.
//!
//! A small set is kept whole. Past an eighth of the registers in number it turns into registers, one
//! byte each: a hash's leading bits choose a register, which keeps the longest run of zeros seen
//! behind them (<https://algo.inria.fr/flajolet/Publications/FlFuGaMe07.pdf>). The number is read
//! from the registers by Ertl's improved estimator (<https://arxiv.org/abs/1702.01284>, algorithm
//! 6), which needs no table of corrections.
//!
//! When it turns depends on the set alone, and so do the registers and the estimate: neither the
//! order of arrival nor the order of merging shows. That is why this is no crate: those at hand turn
//! from sparse to dense by the order of insertion, or do not survive a binary format.

use serde::{Deserialize, Serialize};

/// What is kept of a set of hashes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HyperLogLog {
    /// The hashes themselves, sorted, each once.
    Few(Vec<u64>),
    /// A power of two of registers.
    Many(Vec<u8>),
}

impl HyperLogLog {
    pub(super) const fn new() -> Self {
        Self::Few(Vec::new())
    }

    /// Takes in `hash`; a large set has two to the power of `precision` registers.
    #[inline]
    pub(super) fn add(&mut self, hash: u64, precision: u8) {
        match self {
            Self::Few(hashes) => {
                if let Err(place) = hashes.binary_search(&hash) {
                    hashes.insert(place, hash);
                    self.settle(precision);
                }
            }
            Self::Many(registers) => register(registers, hash),
        }
    }

    /// Takes in the hashes of `other`.
    ///
    /// # Panics
    ///
    /// If the two were made for different precisions.
    pub(super) fn merge(&mut self, other: &Self, precision: u8) {
        match (&mut *self, other) {
            (Self::Few(hashes), Self::Few(others)) => {
                hashes.extend_from_slice(others);
                // Two sorted runs: a stable sort merges them in one pass.
                hashes.sort();
                hashes.dedup();
                self.settle(precision);
            }
            (Self::Few(hashes), Self::Many(others)) => {
                let mut registers = others.clone();
                hashes.iter().for_each(|it| register(&mut registers, *it));
                *self = Self::Many(registers);
            }
            (Self::Many(registers), Self::Few(others)) => {
                others.iter().for_each(|it| register(registers, *it));
            }
            (Self::Many(registers), Self::Many(others)) => {
                assert_eq!(registers.len(), others.len(), "precision differs from the saved state");
                registers.iter_mut().zip(others).for_each(|(it, other)| *it = (*it).max(*other));
            }
        }
    }

    /// Turns hashes into registers once they take as much room.
    fn settle(&mut self, precision: u8) {
        let size = 1usize << precision;
        if let Self::Few(hashes) = self
            && hashes.len() > size / 8
        {
            let mut registers = vec![0; size];
            hashes.iter().for_each(|it| register(&mut registers, *it));
            *self = Self::Many(registers);
        }
    }

    /// About how many hashes there are.
    pub(super) fn estimate(&self) -> u64 {
        match self {
            Self::Few(hashes) => hashes.len() as u64,
            Self::Many(registers) => estimate(registers),
        }
    }
}

/// Notes in the register of `hash` how many zeros follow the bits that choose it.
#[inline]
fn register(registers: &mut [u8], hash: u64) {
    let precision = registers.len().ilog2();
    let index = (hash >> (64 - precision)) as usize;
    // The lowest bit stands guard, so the run ends where the hash does.
    let run = ((hash << precision) | (1 << (precision - 1))).leading_zeros() as u8 + 1;
    registers[index] = registers[index].max(run);
}

/// Ertl's improved raw estimator, from how many registers hold each value.
fn estimate(registers: &[u8]) -> u64 {
    let size = registers.len() as f64;
    let longest = 64 - registers.len().ilog2() as usize;
    let mut holding = vec![0u32; longest + 2];
    registers.iter().for_each(|it| holding[usize::from(*it)] += 1);
    let share = |value: usize| f64::from(holding[value]) / size;
    let full = size * tau(1.0 - share(longest + 1));
    let inner = (1..=longest).rev().fold(full, |z, value| 0.5 * (z + f64::from(holding[value])));
    let all = inner + size * sigma(share(0));
    (size * size / (2.0 * std::f64::consts::LN_2 * all)).round() as u64
}

/// `x + Σ x^(2^k) · 2^(k-1)` for `k` from 1: what registers that are still zero contribute.
fn sigma(x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (x, 1.0, x);
    loop {
        power *= power;
        let before = sum;
        sum += power * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// `(1 - x - Σ (1 - x^(2^-k))² · 2^-k) / 3` for `k` from 1: what full registers contribute.
fn tau(x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (x, 1.0, 1.0 - x);
    loop {
        root = root.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - root).powi(2) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::hash;

    fn of(numbers: impl Iterator<Item = u64>, precision: u8) -> HyperLogLog {
        let mut set = HyperLogLog::new();
        numbers.for_each(|it| set.add(hash(&it), precision));
        set
    }

    #[test]
    fn the_standard_error_is_as_the_paper_says() {
        // One hundred sets of each size; the root of the mean squared error should be close to
        // 1.04 / √256 = 6.5 %, from the smallest set of registers to a thousand per register.
        for size in [33u64, 100, 300, 700, 1_500, 10_000, 250_000] {
            let sets = if size > 100_000 { 20 } else { 100 };
            let errors = (0..sets).map(|set| {
                let from = set << 32;
                of(from..from + size, 8).estimate() as f64 / size as f64 - 1.0
            });
            let (sum, squares) = errors.fold((0.0, 0.0), |(s, q), it| (s + it, q + it * it));
            let (mean, deviation) = (sum / sets as f64, (squares / sets as f64).sqrt());
            assert!(deviation < 0.065 * 1.35, "{size}: deviation {deviation}");
            assert!(mean.abs() < 0.035, "{size}: mean {mean}");
        }
    }

    #[test]
    fn a_set_turns_into_registers_by_its_size_alone() {
        assert!(matches!(of(0..32, 8), HyperLogLog::Few(_)));
        assert!(matches!(of(0..33, 8), HyperLogLog::Many(_)));
        for (one, other) in [(0..20, 10..33), (0..33, 30..50), (0..60, 10..40), (5..90, 0..50)] {
            let whole = of(one.start.min(other.start)..one.end.max(other.end), 8);
            for (into, from) in [(one.clone(), other.clone()), (other, one)] {
                let mut merged = of(into, 8);
                merged.merge(&of(from, 8), 8);
                assert_eq!(merged, whole);
            }
        }
    }

    #[test]
    fn extreme_hashes_have_a_register() {
        for precision in [4, 18] {
            let mut registers = vec![0; 1 << precision];
            register(&mut registers, 0);
            register(&mut registers, u64::MAX);
            assert_eq!(registers.first(), Some(&(65 - precision as u8)));
            assert_eq!(registers.last(), Some(&1));
            assert_eq!(estimate(&vec![65 - precision as u8; 1 << precision]), u64::MAX);
        }
    }
}
