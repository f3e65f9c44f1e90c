//! The stream every study reads: event `i` is a function of `i`, the same in every program and run.
//!
//! Event time advances by a millisecond every 100 events; each event is moved back by a random
//! part of a second, so a watermark that trails the newest event by [`DISORDER_MS`] makes nothing
//! late. Keys and values are uniform.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// Events in a millisecond of event time.
pub const PER_MS: u64 = 100;
/// How far behind the newest event another one may come.
pub const DISORDER_MS: i64 = 1_000;

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Whose it is.
    pub key: u32,
    /// When it happened, in milliseconds.
    #[serde(alias = "at")]
    pub at_ms: i64,
    /// How much it counts.
    pub value: i64,
}

/// Event `i` of the stream over `keys` keys.
///
/// # Panics
///
/// If there are no keys.
#[inline]
pub fn event(i: u64, keys: u32) -> Event {
    let a = mix(i);
    let b = mix(a);
    let at_ms = (i / PER_MS) as i64 - (b % DISORDER_MS as u64) as i64;
    Event { key: (a % u64::from(keys)) as u32, at_ms: at_ms.max(0), value: (mix(b) % 1_000) as i64 }
}

/// The finalizer of splitmix64.
#[inline]
fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The first line of the stream as CSV.
pub const HEADER: &str = "key,at,value";

/// Writes the first `events` events as CSV: a header, then `key,at,value` with `at` in milliseconds.
///
/// # Errors
///
/// What `out` gives.
pub fn write_csv(mut out: impl Write, events: u64, keys: u32) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
    for Event { key, at_ms, value } in (0..events).map(|i| event(i, keys)) {
        writeln!(out, "{key},{at_ms},{value}")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_is_later_than_the_disorder_allows() {
        let mut newest = 0;
        for it in (0..500_000).map(|i| event(i, 100)) {
            assert!(it.at_ms > newest - DISORDER_MS, "{it:?} after {newest}");
            newest = newest.max(it.at_ms);
        }
    }

    #[test]
    fn the_stream_never_changes() {
        // Numbers measured on different days are comparable only while these stand.
        assert_eq!(event(0, 100_000), Event { key: 7535, at_ms: 0, value: 433 });
        assert_eq!(event(1_234_567, 100_000), Event { key: 65317, at_ms: 11640, value: 550 });
    }
}
