//! New York's clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidemill::prelude::*;

/// What `format` (as of `strftime`) makes of a moment by New York's clock.
pub(crate) fn new_york(at: EventTime, format: &str) -> String {
    // Since 2007; the rule rather than its name, so that no time zone database is needed.
    let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").expect("a rule that POSIX knows");
    let at = Timestamp::from_microsecond(at.micros()).unwrap_or(Timestamp::MAX);
    at.to_zoned(zone).strftime(format).to_string()
}
