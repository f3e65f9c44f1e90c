//! Restart policies: whether and when a job that failed starts again.
//!
//! A policy is a function of when the job failed, counted from its first start: it reads no clock and
//! keeps nothing. The three are Flink's: a fixed delay, an exponential delay, and a failure rate.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use humantime::{format_duration, parse_duration};

/// The pause between a failure and the next start under a failure rate, unless said.
const RATE_DELAY: Duration = Duration::from_secs(1);

/// How long a job must run for an exponential delay to begin anew, unless said.
const STABLE: Duration = Duration::from_secs(60 * 60);

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// The job is not started again.
    Never,
    /// It is started again so often at most, each time after the same delay.
    Fixed {
        /// The most restarts.
        attempts: usize,
        /// The pause before each.
        delay: Duration,
    },
    /// It is always started again, after a delay that grows with each failure.
    Exponential {
        /// The first delay.
        initial: Duration,
        /// The longest delay.
        max: Duration,
        /// What each delay is multiplied by.
        factor: f64,
        /// After running this long the job starts with the first delay again.
        stable: Duration,
    },
    /// It is started again unless it fails too often.
    Rate {
        /// The most failures in an interval.
        failures: usize,
        /// How long a failure counts.
        interval: Duration,
        /// The pause before each restart.
        delay: Duration,
    },
}

impl Policy {
    /// The pause before the next start, or none if there is to be no other. `failures` are the times
    /// of all failures since the first start, in order; the last of them has just happened.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidemill::launch::Policy;
    ///
    /// let policy: Policy = "fixed:2:10s".parse().unwrap();
    /// let at = |seconds: &[u64]| seconds.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
    /// assert_eq!(policy.pause(&at(&[5])), Some(Duration::from_secs(10)));
    /// assert_eq!(policy.pause(&at(&[5, 20])), Some(Duration::from_secs(10)));
    /// assert_eq!(policy.pause(&at(&[5, 20, 90])), None);
    /// ```
    pub fn pause(&self, failures: &[Duration]) -> Option<Duration> {
        match *self {
            Self::Never => None,
            Self::Fixed { attempts, delay } => (failures.len() <= attempts).then_some(delay),
            Self::Exponential { initial, max, factor, stable } => {
                let gaps = failures.windows(2).map(|pair| match pair {
                    [before, after] => after.saturating_sub(*before),
                    _ => Duration::ZERO,
                });
                Some(gaps.fold(initial.min(max), |delay, gap| {
                    // What was not the pause was the run.
                    if gap.saturating_sub(delay) >= stable {
                        initial.min(max)
                    } else {
                        let longer = delay.as_secs_f64() * factor;
                        Duration::try_from_secs_f64(longer).unwrap_or(max).min(max)
                    }
                }))
            }
            Self::Rate { failures: most, interval, delay } => {
                let now = failures.last().copied().unwrap_or_default();
                let recent = failures.iter().filter(|at| now.saturating_sub(**at) < interval);
                (recent.count() <= most).then_some(delay)
            }
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |it: Duration| format_duration(it).to_string().replace(' ', "");
        match *self {
            Self::Never => f.write_str("none"),
            Self::Fixed { attempts, delay } => write!(f, "fixed:{attempts}:{}", shown(delay)),
            Self::Exponential { initial, max, factor, stable } => {
                let (initial, max, stable) = (shown(initial), shown(max), shown(stable));
                write!(f, "exponential:{initial}:{max}:{factor:?}:{stable}")
            }
            Self::Rate { failures, interval, delay } => {
                write!(f, "rate:{failures}:{}:{}", shown(interval), shown(delay))
            }
        }
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = |part: &str| {
            parse_duration(part).map_err(|error| format!("`{part}` is no duration: {error}"))
        };
        let number = |part: &str| part.parse().map_err(|_| format!("`{part}` is no whole number"));
        let parts: Vec<&str> = text.split(':').collect();
        match *parts.as_slice() {
            ["none"] => Ok(Self::Never),
            ["fixed", attempts, delay] => {
                Ok(Self::Fixed { attempts: number(attempts)?, delay: duration(delay)? })
            }
            ["exponential", initial, max, factor, ref stable @ ..] if stable.len() <= 1 => {
                let factor: f64 = factor
                    .parse()
                    .ok()
                    .filter(|it: &f64| it.is_finite() && *it >= 1.0)
                    .ok_or_else(|| format!("`{factor}` is no factor of at least 1"))?;
                let stable = stable.first().map_or(Ok(STABLE), |it| duration(it))?;
                let (initial, max) = (duration(initial)?, duration(max)?);
                Ok(Self::Exponential { initial, max, factor, stable })
            }
            ["rate", failures, interval, ref delay @ ..] if delay.len() <= 1 => {
                let delay = delay.first().map_or(Ok(RATE_DELAY), |it| duration(it))?;
                Ok(Self::Rate { failures: number(failures)?, interval: duration(interval)?, delay })
            }
            _ => Err("write none, fixed:3:10s, exponential:1s:60s:2.0, or rate:5:10m".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses in seconds after each of these failures, until there is no other start.
    fn pauses(policy: &str, failures: &[u64]) -> Vec<Option<f64>> {
        let policy: Policy = policy.parse().expect(policy);
        let failures: Vec<_> = failures.iter().copied().map(Duration::from_secs).collect();
        let counts = 1..=failures.len();
        counts.map(|it| policy.pause(&failures[..it]).map(|it| it.as_secs_f64())).collect()
    }

    #[test]
    fn a_fixed_delay_gives_up_after_its_attempts() {
        let pauses_of_two = pauses("fixed:2:500ms", &[1, 2, 1_000_000]);
        assert_eq!(pauses_of_two, [Some(0.5), Some(0.5), None]);
        assert_eq!(pauses("fixed:0:1s", &[1]), [None]);
        assert_eq!(pauses("none", &[1]), [None]);
    }

    #[test]
    fn an_exponential_delay_grows_to_its_limit() {
        let grown = pauses("exponential:1s:6s:2.0", &[10, 20, 30, 40, 50]);
        assert_eq!(grown, [Some(1.0), Some(2.0), Some(4.0), Some(6.0), Some(6.0)]);
        let limited = pauses("exponential:9s:6s:2.0", &[10]);
        assert_eq!(limited, [Some(6.0)]);
        let slow = pauses("exponential:1s:60s:1.5", &[1, 3, 6]);
        assert_eq!(slow, [Some(1.0), Some(1.5), Some(2.25)]);
    }

    #[test]
    fn an_exponential_delay_begins_anew_after_a_stable_while() {
        // The pause of 2 s before the third run is no part of it.
        let policy = "exponential:1s:60s:2:100s";
        assert_eq!(pauses(policy, &[10, 20, 121])[2], Some(4.0));
        assert_eq!(pauses(policy, &[10, 20, 122])[2], Some(1.0));
        assert_eq!(pauses(policy, &[10, 20, 122, 130])[3], Some(2.0));
    }

    #[test]
    fn a_failure_rate_forgets_old_failures() {
        let policy = "rate:2:10s:3s";
        assert_eq!(pauses(policy, &[1, 2, 3]), [Some(3.0), Some(3.0), None]);
        assert_eq!(pauses(policy, &[1, 2, 11, 12]), [Some(3.0); 4]);
        assert_eq!(pauses(policy, &[1, 2, 10])[2], None);
        assert_eq!(pauses("rate:1:10m", &[1]), [Some(1.0)]);
    }

    #[test]
    fn the_longest_history_does_not_overflow() {
        let failures: Vec<u64> = (0..5_000).collect();
        assert_eq!(pauses("exponential:1s:60s:1e300", &failures)[4_999], Some(60.0));
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for text in ["none", "fixed:3:10s", "exponential:1s:1m:2.0:1h", "rate:5:10m:1s"] {
            let policy: Policy = text.parse().expect(text);
            assert_eq!(policy.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_policy_is_refused_with_what_is_wrong() {
        for (text, fault) in [
            ("", "write none"),
            ("fixed", "write none"),
            ("fixed:3", "write none"),
            ("fixed:3:10s:4", "write none"),
            ("fixed:x:10s", "`x` is no whole number"),
            ("fixed:-1:10s", "`-1` is no whole number"),
            ("fixed:3:10", "`10` is no duration"),
            ("exponential:1s:60s:0.5", "`0.5` is no factor"),
            ("exponential:1s:60s:inf", "`inf` is no factor"),
            ("exponential:1s:60s:2:3s:4", "write none"),
            ("rate:5:ten", "`ten` is no duration"),
        ] {
            let error = Policy::from_str(text).expect_err(text);
            assert!(error.contains(fault), "{text}: {error}");
        }
    }
}
