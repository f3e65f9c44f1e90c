//! Numbers as they come in a column: integers stay integers, everything else is a float.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use tidemill::aggregate::Addend;

/// A number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Number {
    Integer(i64),
    Decimal(f64),
}

/// A number, or a sum of many.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Exact {
    Integer(i128),
    Decimal(f64),
}

impl Number {
    /// Reads a number, or says what is wrong with it.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        match integer(bytes) {
            Some(number) => Ok(Self::Integer(number)),
            None => Self::parse_any(bytes),
        }
    }

    #[cold]
    fn parse_any(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "not a number")?;
        if let Ok(number) = text.parse() {
            return Ok(Self::Integer(number));
        }
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("an integer beyond 64 bits");
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Self::Decimal(number)),
            Ok(_) => Err("not a finite number"),
            Err(_) => Err("not a number"),
        }
    }

    #[inline]
    pub(crate) fn exact(self) -> Exact {
        match self {
            Self::Integer(number) => Exact::Integer(number.into()),
            Self::Decimal(number) => Exact::Decimal(number),
        }
    }
}

/// The integer that up to 18 digits write, after a minus perhaps.
#[inline]
pub(crate) fn integer(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut number = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = 10 * number + i64::from(digit);
    }
    Some(if negative { -number } else { number })
}

/// By what they are worth; of equals, the integer first.
impl PartialOrd for Number {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (*self, *other) {
            (Self::Integer(one), Self::Integer(other)) => one.partial_cmp(&other),
            (Self::Decimal(one), Self::Decimal(other)) => one.partial_cmp(&other),
            (Self::Integer(one), Self::Decimal(other)) => Some(order(one, other)),
            (Self::Decimal(one), Self::Integer(other)) => Some(order(other, one).reverse()),
        }
    }
}

fn order(integer: i64, decimal: f64) -> Ordering {
    let rounded = (integer as f64).total_cmp(&decimal);
    // A decimal that equals a rounded integer has no fraction.
    let exact = || i128::from(integer).cmp(&(decimal as i128));
    if integer as f64 == decimal { exact().then(Ordering::Less) } else { rounded }
}

/// The sum of integers, and that of decimals with what rounding lost of it (Neumaier's).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Partial {
    integers: i128,
    decimals: Option<(f64, f64)>,
}

impl Partial {
    fn add_decimal(&mut self, number: f64) {
        let (sum, lost) = self.decimals.unwrap_or((0.0, 0.0));
        let next = sum + number;
        let small =
            if sum.abs() >= number.abs() { (sum - next) + number } else { (number - next) + sum };
        self.decimals = Some((next, lost + small));
    }
}

impl Addend for Exact {
    type Partial = Partial;

    #[inline]
    fn add_to(self, partial: &mut Partial) {
        match self {
            Self::Integer(number) => partial.integers += number,
            Self::Decimal(number) => partial.add_decimal(number),
        }
    }

    #[inline]
    fn merge(partial: &mut Partial, other: &Partial) {
        partial.integers += other.integers;
        if let Some((sum, lost)) = other.decimals {
            partial.add_decimal(sum);
            partial.add_decimal(lost);
        }
    }

    #[inline]
    fn total(partial: &Partial) -> Self {
        match partial.decimals {
            None => Self::Integer(partial.integers),
            // Beyond the largest float there is nothing left to correct.
            Some((sum, _)) if !sum.is_finite() => Self::Decimal(sum),
            Some((sum, lost)) => Self::Decimal(partial.integers as f64 + sum + lost),
        }
    }
}
