//! New York's clock, and moments as text.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serializer;
use tidemill::prelude::*;

/// What `format` (as of `strftime`) makes of a moment by New York's clock.
pub(crate) fn new_york(at: EventTime, format: &str) -> String {
    // Since 2007; the rule rather than its name, so that no time zone database is needed.
    let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").expect("a rule that POSIX knows");
    let at = Timestamp::from_microsecond(at.micros()).unwrap_or(Timestamp::MAX);
    at.to_zoned(zone).strftime(format).to_string()
}

/// Reads a moment such as `2013-01-01T10:00:00Z`.
pub(crate) fn parse(text: &str) -> Result<EventTime, jiff::Error> {
    let at: Timestamp = text.parse()?;
    Ok(EventTime::from_micros(at.as_microsecond()))
}

/// Writes a moment as `2013-01-01T10:00:00Z`: for fields of rows.
pub(crate) fn utc<S: Serializer>(at: &EventTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}
