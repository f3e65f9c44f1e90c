//! The words and numbers of the progress bar and the summary, as functions of their inputs.

use std::time::Duration;

use tidemill_operators::time::EventTime;

use super::Outcome;
use crate::metrics::Snapshot;

/// The line that sums up a job.
pub(super) fn summary(name: &str, outcome: Outcome, seen: &Snapshot, elapsed: Duration) -> String {
    let how = match outcome {
        Outcome::Done => "",
        Outcome::Stopped => "stopped after ",
        Outcome::Failed => "failed after ",
    };
    let speed = scaled(seen.rows_in() as f64 / elapsed.as_secs_f64().max(1e-9));
    format!(
        "{name}: {how}{}, {}, {} late, {} malformed, {} ({speed} rows/s)",
        rows(seen.rows_in(), "in"),
        rows(seen.rows_out(), "out"),
        grouped(seen.late()),
        grouped(seen.malformed()),
        duration(elapsed),
    )
}

/// What is said beside the bar, and below it, so that it fits on a narrow terminal; speeds are in
/// records per second.
pub(super) fn running(seen: &Snapshot, speed_in: f64, speed_out: f64, now: EventTime) -> String {
    format!(
        "{}\n  {} ({}/s), {} out ({}/s), {} late, {} malformed",
        seen.watermark().map(|it| watermark(it, now)).unwrap_or_default(),
        rows(seen.rows_in(), "in"),
        scaled(speed_in),
        grouped(seen.rows_out()),
        scaled(speed_out),
        grouped(seen.late()),
        grouped(seen.malformed()),
    )
}

/// How far the watermark lags behind the clock; or where it is, when old records are read again and
/// the clock means nothing to them.
fn watermark(at: EventTime, now: EventTime) -> String {
    const RECENT: u64 = 24 * 60 * 60 * 1_000_000;
    if at == EventTime::MAX {
        return "watermark at the end".into();
    }
    match u64::try_from(i128::from(now.micros()) - i128::from(at.micros())) {
        Ok(lag) if lag <= RECENT => {
            format!("watermark {} behind", duration(Duration::from_micros(lag)))
        }
        _ => {
            let micros = at.micros();
            let second =
                EventTime::from_micros(micros.saturating_sub(micros.rem_euclid(1_000_000)));
            format!("watermark {second}")
        }
    }
}

/// A number of records, as in `1,204 rows out`.
fn rows(count: u64, way: &str) -> String {
    let noun = if count == 1 { "row" } else { "rows" };
    format!("{} {noun} {way}", grouped(count))
}

/// A number with its thousands set apart by commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number in at most three digits and a unit, as in `1.74 M`.
fn scaled(number: f64) -> String {
    const UNITS: [&str; 5] = ["", " k", " M", " G", " T"];
    // Below 999.5 a number is still three digits after rounding.
    let (mut number, mut unit) = (number, 0);
    while number >= 999.5 && unit + 1 < UNITS.len() {
        number /= 1_000.0;
        unit += 1;
    }
    let decimals = match number {
        whole if unit == 0 && (whole >= 9.95 || whole == 0.0) => 0,
        _ if unit == 0 => 1,
        small if small < 9.995 => 2,
        small if small < 99.95 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}{}", UNITS[unit])
}

/// A span of time with its two largest units, or three digits below a minute.
fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    let pair = |unit: u64, larger: &str, smaller_unit: u64, smaller: &str| {
        format!("{} {larger} {:02} {smaller}", seconds / unit, seconds % unit / smaller_unit)
    };
    match span.as_secs_f64() {
        short if short < 0.000_999_5 => format!("{} us", span.as_micros()),
        short if short < 0.999_5 => format!("{:.0} ms", short * 1e3),
        short if short < 9.995 => format!("{short:.2} s"),
        short if short < 59.95 => format!("{short:.1} s"),
        // At 59.95 s the seconds would round to 60.
        short if short < 60.0 => "1 min 00 s".into(),
        _ if seconds < 3_600 => pair(60, "min", 1, "s"),
        _ if seconds < 86_400 => pair(3_600, "h", 60, "min"),
        _ => pair(86_400, "d", 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use tidemill_operators::plan::Kind;

    use super::*;
    use crate::metrics::Metrics;

    fn seen(rows_in: u64, rows_out: u64) -> Snapshot {
        let metrics = Metrics::new();
        metrics.counters().operator("source", Kind::Source, 0).rows_in.add(rows_in);
        let sink = metrics.counters().operator("sink", Kind::Sink, 0);
        sink.rows_out.add(rows_out);
        sink.watermark.set(0);
        metrics.snapshot()
    }

    #[test]
    fn a_job_is_summed_up_in_a_line() {
        let took = Duration::from_millis(1_934);
        assert_eq!(
            summary("flights", Outcome::Done, &seen(336_776, 1_204), took),
            "flights: 336,776 rows in, 1,204 rows out, 0 late, 0 malformed, 1.93 s (174 k rows/s)"
        );
        assert_eq!(
            summary("flights", Outcome::Failed, &seen(1, 0), Duration::ZERO),
            "flights: failed after 1 row in, 0 rows out, 0 late, 0 malformed, 0 us (1.00 G rows/s)"
        );
    }

    #[test]
    fn a_running_job_tells_speed_and_lag() {
        assert_eq!(
            running(&seen(5_000, 20), 1_234.5, 0.25, EventTime::from_millis(1_500)),
            "watermark 1.50 s behind\n  5,000 rows in (1.23 k/s), 20 out (0.2/s), 0 late, 0 malformed"
        );
    }

    #[test]
    fn a_watermark_far_from_now_is_shown_as_a_date() {
        let at = |micros| watermark(EventTime::from_micros(micros), EventTime::from_secs(90_000));
        assert_eq!(at(3_600_000_000), "watermark 1 d 00 h behind");
        assert_eq!(at(3_599_999_999), "watermark 1970-01-01T00:59:59Z");
        assert_eq!(at(90_000_000_001), "watermark 1970-01-02T01:00:00Z");
        assert_eq!(at(-1), "watermark 1969-12-31T23:59:59Z");
        assert_eq!(at(i64::MAX), "watermark at the end");
        assert!(at(i64::MIN).starts_with("watermark -9223372036854775808us"));
    }

    #[test]
    fn thousands_are_set_apart() {
        let texts = [0, 7, 999, 1_000, 65_536, 1_234_567, u64::MAX].map(grouped);
        let expected =
            ["0", "7", "999", "1,000", "65,536", "1,234,567", "18,446,744,073,709,551,615"];
        assert_eq!(texts, expected);
    }

    #[test]
    fn speeds_have_three_digits() {
        let numbers =
            [0.0, 0.04, 3.24159, 42.4, 999.4, 999.6, 9_994.0, 9_996.0, 99_960.0, 999_600.0];
        let expected =
            ["0", "0.0", "3.2", "42", "999", "1.00 k", "9.99 k", "10.0 k", "100 k", "1.00 M"];
        assert_eq!(numbers.map(scaled), expected);
        assert_eq!(scaled(2.5e15), "2500 T");
    }

    #[test]
    fn durations_use_their_largest_units() {
        let texts = [0, 999, 1_000, 999_499, 999_500, 9_994_000, 9_995_000, 59_960_000, 60_000_000]
            .map(|it| duration(Duration::from_micros(it)));
        let expected = [
            "0 us",
            "999 us",
            "1 ms",
            "999 ms",
            "1.00 s",
            "9.99 s",
            "10.0 s",
            "1 min 00 s",
            "1 min 00 s",
        ];
        assert_eq!(texts, expected);
        let texts =
            [125, 3_599, 3_600, 11_220, 187_200].map(|it| duration(Duration::from_secs(it)));
        assert_eq!(texts, ["2 min 05 s", "59 min 59 s", "1 h 00 min", "3 h 07 min", "2 d 04 h"]);
    }
}
