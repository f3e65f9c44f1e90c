//! How often something that failed is tried again, and after which pauses.

use std::fmt;
use std::time::Duration;

/// How often a call is tried, and how long to wait between two attempts.
///
/// ```
/// use tidemill::prelude::*;
///
/// let patient = Retry::exponential(5, millis(100), seconds(1));
/// assert_eq!(patient.pause_after(1), Some(millis(100)));
/// assert_eq!(patient.pause_after(4), Some(millis(800)));
/// assert_eq!(patient.pause_after(5), None, "five attempts were made");
/// assert_eq!(Retry::never().pause_after(1), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    attempts: u32,
    pause: Duration,
    longest: Duration,
}

impl Retry {
    /// One attempt only.
    pub const fn never() -> Self {
        Self::fixed(1, Duration::ZERO)
    }

    /// At most `attempts`, the first included, with the same pause before each further one.
    pub const fn fixed(attempts: u32, pause: Duration) -> Self {
        Self { attempts, pause, longest: pause }
    }

    /// At most `attempts`, the first included. The first pause is doubled each time until it is as
    /// long as `longest`.
    pub const fn exponential(attempts: u32, pause: Duration, longest: Duration) -> Self {
        Self { attempts, pause, longest }
    }

    /// The most attempts that are made, the first included.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long to wait after this many attempts have failed, or nothing if no more are made.
    pub fn pause_after(&self, failed: u32) -> Option<Duration> {
        let doubled = 1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        let pause = self.pause.saturating_mul(doubled).min(self.longest);
        (failed < self.attempts).then_some(pause)
    }
}

/// Says how many attempts are made, as in `up to 3 attempts`.
impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempts {
            0 | 1 => f.write_str("one attempt"),
            many => write!(f, "up to {many} attempts"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_stay_the_same_or_double_up_to_the_longest() {
        let pauses = |retry: Retry| (1..).map_while(move |it| retry.pause_after(it));
        assert_eq!(Vec::from_iter(pauses(Retry::fixed(3, SECOND))), [SECOND, SECOND]);
        let growing = Vec::from_iter(pauses(Retry::exponential(5, SECOND, 3 * SECOND)));
        assert_eq!(growing, [SECOND, 2 * SECOND, 3 * SECOND, 3 * SECOND]);
        assert_eq!(pauses(Retry::never()).count(), 0);
    }

    #[test]
    fn many_attempts_do_not_overflow() {
        let retry = Retry::exponential(u32::MAX, SECOND, Duration::MAX);
        assert_eq!(retry.pause_after(40), Some(SECOND * u32::MAX));
        let capped = Retry::exponential(u32::MAX, SECOND, SECOND);
        assert_eq!(capped.pause_after(u32::MAX - 1), Some(SECOND));
    }
}
