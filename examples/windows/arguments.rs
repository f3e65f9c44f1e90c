//! The command line of the tool: what may be said, and what goes together.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use tidemill::config::Settings;
use tidemill::connect::OnMalformed;
use tidemill::window::{Cumulative, Session, Sliding, Tumbling};

const REST: &str = "\
Windows:
  tumbling    --size: side by side
  sliding     --size, --slide: one begins every slide; a record in a gap between them is late
  cumulative  --size, --step: grow by steps up to the size, then begin anew
  session     --gap: end when a key has been silent for the gap; exactly a gap apart is together
  The window of t starts at t - floorMod(t - offset, size), before 1970 too. Ends are exclusive.

Output, in the folder, replacing that of an earlier run when the job ends:
  windows.csv       key,start_ms,end_ms,count,sum,min,max: a row per firing, in no particular order.
                    A record within the allowed lateness fires its windows again: a further row.
                    There is always a header. Times are whole milliseconds, rounded to the past.
  late.csv          the input's header, and each record too late for all its windows, as it came
  dead-letter.jsonl with --on-malformed dead-letter: file, byte, reason and the line of each
  However many workers there are, the first one writes these files: with several processes they are
  in the folder of process 0 (and dead letters in that of whichever process found them).

Numbers: integers fit 64 bits and are summed exactly, all others are 64-bit floats. A row is
malformed if it has more or fewer columns than the header, or no time or finite number in its place.

What is late: a record is late if the watermark has passed the end and the lateness of every window
it belongs to. The watermark is the greatest time of all rows in the epochs before (per file, the
least of them), less the disorder, less a microsecond. An epoch is what is read within some
milliseconds, so a small file is a single epoch in which nothing is late, and runs may differ. Epochs
of a number of rows make it reproducible with one worker: --epoch-rows 1 -w 1 moves the watermark
after each row, like a punctuated watermark in Flink. With several workers and --epoch-rows the
answer is still complete, but which rows are late depends on how far each of them has come.";

/// Windows over CSV files: count, sum, least and greatest per key and window of event time
#[derive(Parser, Clone, Debug)]
#[command(name = "windows", after_help = REST)]
pub(crate) struct Arguments {
    /// CSV files with a header (.gz and .zst too), folders or globs
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) input: Vec<PathBuf>,

    /// Folder for what is written
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,

    /// Column with the time of a record
    #[arg(long, value_name = "COLUMN")]
    pub(crate) at: String,

    /// Column with the key, any text
    #[arg(long, value_name = "COLUMN")]
    pub(crate) key: String,

    /// Column with the number to add up
    #[arg(long, value_name = "COLUMN")]
    pub(crate) value: String,

    /// Kind of window
    #[arg(long, value_enum)]
    pub(crate) window: Kind,

    /// Length of tumbling, sliding and cumulative windows, such as 10s or 1h 30m
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) size: Option<Duration>,

    /// How often a sliding window begins
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) slide: Option<Duration>,

    /// Silence that ends a session
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) gap: Option<Duration>,

    /// By how much a cumulative window grows
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) step: Option<Duration>,

    /// Begin windows this much later than UTC says, or earlier: --offset=-8h is a day in Peking
    #[arg(long, value_name = "TIME", value_parser = offset, allow_hyphen_values = true)]
    pub(crate) offset: Option<Offset>,

    /// How much later than its time a record may come and still be in order
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "0s")]
    pub(crate) disorder: Duration,

    /// For how long windows take records after their end [see below for what is late]
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "0s")]
    pub(crate) lateness: Duration,

    /// What becomes of a row that cannot be understood
    #[arg(long, value_enum, default_value_t = Policy::Stop)]
    pub(crate) on_malformed: Policy,

    /// Times are integers in this unit since 1970, or RFC 3339 with any offset from UTC
    #[arg(long, value_enum, default_value_t = TimeUnit::Ms)]
    pub(crate) time_unit: TimeUnit,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tumbling,
    Sliding,
    Session,
    Cumulative,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Stop,
    Skip,
    DeadLetter,
}

/// How times are written in the input.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    S,
    Ms,
    Us,
    Rfc3339,
}

/// A move of windows off the clock of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offset {
    Later(Duration),
    Earlier(Duration),
}

/// The windows that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows {
    Tumbling(Tumbling),
    Sliding(Sliding),
    Session(Session),
    Cumulative(Cumulative),
}

/// A length of time in whole milliseconds, as the output has them.
fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|cause| cause.to_string())?;
    let whole = time.subsec_nanos().is_multiple_of(1_000_000);
    whole.then_some(time).ok_or_else(|| "not a whole number of milliseconds".to_owned())
}

fn offset(text: &str) -> Result<Offset, String> {
    match text.strip_prefix('-') {
        Some(earlier) => time(earlier).map(Offset::Earlier),
        None => time(text).map(Offset::Later),
    }
}

impl Arguments {
    /// The windows, if everything they need is there and nothing else.
    pub(crate) fn windows(&self) -> Result<Windows, String> {
        let (size, slide) = (("--size", self.size), ("--slide", self.slide));
        let (gap, step) = (("--gap", self.gap), ("--step", self.step));
        let windows = match self.window {
            Kind::Tumbling => {
                self.refuse_all(&[slide, gap, step])?;
                Tumbling::try_new(self.need(size)?).map(Windows::Tumbling)
            }
            Kind::Sliding => {
                self.refuse_all(&[gap, step])?;
                Sliding::try_new(self.need(size)?, self.need(slide)?).map(Windows::Sliding)
            }
            Kind::Cumulative => {
                self.refuse_all(&[slide, gap])?;
                Cumulative::try_new(self.need(size)?, self.need(step)?).map(Windows::Cumulative)
            }
            Kind::Session => {
                let offset = ("--offset", self.offset.map(|_| Duration::ZERO));
                self.refuse_all(&[size, slide, step, offset])?;
                Session::try_gap(self.need(gap)?).map(Windows::Session)
            }
        };
        let windows = windows.map_err(|refused| refused.to_string())?;
        Ok(self.offset.map_or(windows, |offset| windows.moved(offset)))
    }

    fn need(&self, (flag, time): (&str, Option<Duration>)) -> Result<Duration, String> {
        time.ok_or_else(|| format!("--window {} needs {flag}", self.kind()))
    }

    fn refuse_all(&self, settings: &[(&str, Option<Duration>)]) -> Result<(), String> {
        match settings.iter().find(|(_, time)| time.is_some()) {
            Some((flag, _)) => Err(format!("{flag} does not go with --window {}", self.kind())),
            None => Ok(()),
        }
    }

    fn kind(&self) -> String {
        format!("{:?}", self.window).to_lowercase()
    }

    /// Ends the program with what is wrong about its arguments.
    pub(crate) fn refuse(message: String) -> ! {
        Self::command().error(ErrorKind::ArgumentConflict, message).exit()
    }

    pub(crate) fn policy(&self) -> OnMalformed {
        match self.on_malformed {
            Policy::Stop => OnMalformed::Stop,
            Policy::Skip => OnMalformed::Skip,
            Policy::DeadLetter => OnMalformed::DeadLetter(self.dead_letters()),
        }
    }

    pub(crate) fn dead_letters(&self) -> PathBuf {
        self.output.join("dead-letter.jsonl")
    }
}

impl Windows {
    fn moved(self, offset: Offset) -> Self {
        match (self, offset) {
            (Self::Tumbling(it), Offset::Later(by)) => Self::Tumbling(it.offset(by)),
            (Self::Tumbling(it), Offset::Earlier(by)) => Self::Tumbling(it.offset_earlier(by)),
            (Self::Sliding(it), Offset::Later(by)) => Self::Sliding(it.offset(by)),
            (Self::Sliding(it), Offset::Earlier(by)) => Self::Sliding(it.offset_earlier(by)),
            (Self::Cumulative(it), Offset::Later(by)) => Self::Cumulative(it.offset(by)),
            (Self::Cumulative(it), Offset::Earlier(by)) => Self::Cumulative(it.offset_earlier(by)),
            (Self::Session(_), _) => self,
        }
    }
}
