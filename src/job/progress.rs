//! Progress: shows on standard error how far a job has come.
//!
//! On a terminal a bar is redrawn four times a second by a thread of its own, which only reads
//! [`Metrics`]. In any case one line at the end sums the job up. Standard output is never touched.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidemill_operators::time::EventTime;

use crate::metrics::{Metrics, Snapshot};

mod text;

/// How often the bar is redrawn.
const REDRAW: Duration = Duration::from_millis(250);

/// How a job looks whose end is known, in the language of indicatif.
const BAR: &str = "{prefix:.bold} {bar:20.cyan/dim} {percent:>3}%  {msg}";

/// How a job looks that may never end.
const SPINNER: &str = "{prefix:.bold} {spinner:.cyan} {elapsed}  {msg}";

/// How much is shown of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A bar while it runs and a line at the end.
    Bar,
    /// A line at the end.
    Summary,
}

impl Show {
    /// A bar if standard error is a terminal, unless `quiet` is asked for.
    pub(crate) fn on_stderr(quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() { Self::Summary } else { Self::Bar }
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All input was read and everything was written.
    Done,
    /// It was asked to stop.
    Stopped,
    /// It could not go on.
    Failed,
}

/// The progress of one running job. Dropping it takes the bar away without a summary.
#[derive(Debug)]
pub(crate) struct Progress {
    name: String,
    metrics: Metrics,
    began: Instant,
    bar: Option<Bar>,
}

impl Progress {
    /// Begins to show the job `name`, which counts in `metrics`.
    pub(crate) fn start(name: &str, metrics: &Metrics, show: Show) -> Self {
        let began = Instant::now();
        let bar = (show == Show::Bar)
            .then(|| Bar::start(name, metrics.clone(), ProgressDrawTarget::stderr()));
        Self { name: name.into(), metrics: metrics.clone(), began, bar }
    }

    /// Takes the bar away and prints how the job ended. Call it once the workers have stopped.
    pub(crate) fn finish(self, outcome: Outcome) {
        drop(self.bar);
        let seen = self.metrics.snapshot();
        eprintln!("{}", text::summary(&self.name, outcome, &seen, self.began.elapsed()));
    }
}

/// A progress bar and the thread that redraws it, both of which go when this is dropped.
#[derive(Debug)]
struct Bar {
    // Taken when dropped, which tells the thread to stop.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    fn start(name: &str, metrics: Metrics, target: ProgressDrawTarget) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let bar = ProgressBar::with_draw_target(None, target).with_prefix(name.to_owned());
        let redraw = move || {
            let (mut speed, began) = (Speed::default(), Instant::now());
            while stopped.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
                let seen = metrics.snapshot();
                speed.update(&seen, began.elapsed());
                draw(&bar, &seen, speed);
            }
            bar.finish_and_clear();
        };
        // A job runs as well without a bar, should there be no thread for it.
        let thread = thread::Builder::new().name("progress".into()).spawn(redraw).ok();
        Self { stop: Some(stop), thread }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // If drawing panicked there is nothing left to take away.
            let _ = thread.join();
        }
    }
}

/// Records per second, in and out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Speed {
    rows_in: f64,
    rows_out: f64,
    counted: (u64, u64, Duration),
}

impl Speed {
    /// How much of a new measurement goes into the speed: it settles within a second or two.
    const WEIGHT: f64 = 0.3;

    /// Takes in what has been counted `elapsed` after the start.
    fn update(&mut self, seen: &Snapshot, elapsed: Duration) {
        let (last_in, last_out, last) = self.counted;
        let seconds = elapsed.saturating_sub(last).as_secs_f64();
        if seconds == 0.0 {
            return;
        }
        // The first measurement stands for itself.
        let weight = if last.is_zero() { 1.0 } else { Self::WEIGHT };
        let blend = |speed: f64, new: u64, old: u64| {
            speed + weight * (new.saturating_sub(old) as f64 / seconds - speed)
        };
        self.rows_in = blend(self.rows_in, seen.rows_in(), last_in);
        self.rows_out = blend(self.rows_out, seen.rows_out(), last_out);
        self.counted = (seen.rows_in(), seen.rows_out(), elapsed);
    }
}

/// How much of the input has been read and how much there is, if that is known.
fn share(seen: &Snapshot) -> Option<(u64, u64)> {
    let (so_far, all) = match (seen.expected_bytes, seen.expected_rows) {
        (Some(all), _) => (seen.bytes_in(), all),
        (None, Some(all)) => (seen.rows_in(), all),
        (None, None) => return None,
    };
    Some((so_far.min(all), all))
}

/// Draws `seen` as a bar if the end is known, and after a spinner otherwise.
fn draw(bar: &ProgressBar, seen: &Snapshot, speed: Speed) {
    let share = share(seen);
    if let Ok(style) = ProgressStyle::with_template(if share.is_some() { BAR } else { SPINNER }) {
        bar.set_style(style.progress_chars("━━─"));
    }
    if let Some((so_far, all)) = share {
        bar.set_length(all);
        bar.set_position(so_far);
    }
    bar.set_message(text::running(seen, speed.rows_in, speed.rows_out, now()));
    bar.tick();
}

/// The present moment, by the clock on the wall.
fn now() -> EventTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EventTime::from_micros(0).saturating_add(since)
}

#[cfg(test)]
mod tests {
    use tidemill_operators::plan::Kind;

    use super::*;

    #[test]
    fn speed_settles_on_what_is_measured() {
        let metrics = Metrics::new();
        let rows = metrics.counters().operator("source", Kind::Source, 0).rows_in;
        let mut speed = Speed::default();
        rows.add(100);
        speed.update(&metrics.snapshot(), Duration::from_secs(1));
        assert_eq!(speed.rows_in, 100.0);
        for second in 2..20 {
            rows.add(300);
            speed.update(&metrics.snapshot(), Duration::from_secs(second));
        }
        assert!((speed.rows_in - 300.0).abs() < 1.0, "{speed:?}");
        assert_eq!(speed.rows_out, 0.0);
    }

    #[test]
    fn the_share_of_the_bytes_goes_before_that_of_the_rows() {
        let metrics = Metrics::new();
        let source = metrics.counters().operator("source", Kind::Source, 0);
        source.bytes.add(50);
        source.rows_in.add(7);
        assert_eq!(share(&metrics.snapshot()), None);
        metrics.expect_rows(5);
        assert_eq!(share(&metrics.snapshot()), Some((5, 5)), "never more than all");
        metrics.expect_bytes(200);
        assert_eq!(share(&metrics.snapshot()), Some((50, 200)));
    }

    #[test]
    fn the_templates_of_both_bars_are_understood() {
        assert!([BAR, SPINNER].iter().all(|it| ProgressStyle::with_template(it).is_ok()));
    }

    #[test]
    fn dropping_the_bar_ends_its_thread() {
        let bar = Bar::start("flights", Metrics::new(), ProgressDrawTarget::hidden());
        assert!(bar.thread.is_some());
        drop(bar);
    }
}
