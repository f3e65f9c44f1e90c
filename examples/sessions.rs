//! Who edits Wikipedia for how long at a time? A process function with state and timers.
//!
//! ```sh
//! cargo run --release --example sessions           # -w 2 for two workers, --help for the rest
//! ```
//!
//! Reads edits (six thousand of 12 September 2015 unless `--input` says otherwise), in the order of
//! their times, and groups those of each user into sessions: a session ends when its user has made
//! no edit for half an hour (`--gap`). It prints the ten sessions of people with the most edits, and
//! writes all sessions to `target/sessions` as CSV: `user,start,end,edits,pages,added,robot`.
//!
//! Session windows (`Session::gap`) could group the edits, too. The function here counts the pages of
//! a session as it goes, and a session is closed by a timer that every edit puts off: the state of a
//! user is freed with it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde::{Deserialize, Serialize};
use tidemill::prelude::*;
use tidemill::time::rfc3339;

/// Who edits Wikipedia for how long at a time? Sessions of edits of 12 September 2015
#[derive(Clone, Debug, Parser)]
#[command(name = "sessions")]
pub(crate) struct Arguments {
    /// CSV files of edits, also .gz or .zst [default: 00:46 to 06:18]
    #[arg(long, value_name = "FILE", num_args = 1.., hide_default_value = true)]
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/edits-2015-09-12.csv.gz"))]
    pub(crate) input: Vec<PathBuf>,

    /// Folder for the sessions, replacing earlier ones
    #[arg(long, value_name = "DIR", default_value = "target/sessions")]
    pub(crate) output: PathBuf,

    /// Pause after which a session is over
    #[arg(long, value_name = "SPAN", default_value = "30m")]
    #[arg(value_parser = humantime::parse_duration)]
    pub(crate) gap: Duration,

    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// An edit of a page.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Edit {
    #[serde(with = "rfc3339")]
    time: EventTime,
    user: String,
    page: String,
    robot: bool,
    added: u64,
}

/// The edits of one user without a long pause between them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) user: String,
    #[serde(with = "rfc3339")]
    pub(crate) start: EventTime,
    #[serde(with = "rfc3339")]
    pub(crate) end: EventTime,
    pub(crate) edits: u64,
    pub(crate) pages: usize,
    pub(crate) added: u64,
    pub(crate) robot: bool,
}

/// What is known of the session that a user is in.
#[derive(Serialize, Deserialize)]
struct Open {
    start: EventTime,
    last: EventTime,
    edits: u64,
    pages: BTreeSet<String>,
    added: u64,
    robot: bool,
}

/// Keeps the open session of each user, and a timer for its end.
struct Sessions {
    gap: Duration,
    open: ValueState<Open>,
}

impl Sessions {
    fn end(&self, open: &Open) -> EventTime {
        open.last.saturating_add(self.gap)
    }

    fn close(&self, context: &mut Context<'_, String, Session>) {
        let Some(open) = context.state(&self.open).take() else { return };
        let end = self.end(&open);
        let Open { start, last, edits, pages, added, robot } = open;
        let user = context.key().clone();
        let pages = pages.len();
        context.emit_at(end, Session { user, start, end: last, edits, pages, added, robot });
    }
}

impl Process for Sessions {
    type Key = String;
    type Record = Edit;
    type Output = Session;
    type Side = Infallible;

    fn on_record(&self, edit: Edit, context: &mut Context<'_, String, Session>) {
        let time = context.time();
        if let Some(end) = context.state(&self.open).get().map(|open| self.end(open)) {
            context.delete_event_timer(end);
            // Timers fire when an epoch is complete: within one, an edit may be beyond the end.
            if end <= time {
                self.close(context);
            }
        }
        let robot = edit.robot;
        let open = context.state(&self.open).or_insert_with(|| Open {
            start: time,
            last: time,
            edits: 0,
            pages: BTreeSet::new(),
            added: 0,
            robot,
        });
        open.last = time;
        open.edits += 1;
        open.added += edit.added;
        open.pages.insert(edit.page);
        let end = self.end(open);
        context.set_event_timer(end);
    }

    fn on_event_timer(&self, _: EventTime, context: &mut Context<'_, String, Session>) {
        self.close(context);
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(sessions) => {
            longest(sessions).iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sessions: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the job and gives all sessions that are written then: also those from before it was stopped and
/// continued. One process speaks for all.
pub(crate) fn run(arguments: &Arguments) -> tidemill::Result<Vec<Session>> {
    let Arguments { input, output, gap, settings } = arguments.clone();
    Job::new("sessions", settings.clone()).run(move |flow| {
        let sessions = flow
            .read(csv::<Edit>(input.clone()))?
            .event_time(|edit| edit.time, Disorder::ascending())
            .key_by(|edit| edit.user.clone())
            .process(move |states| {
                states.name("sessions");
                Sessions { gap, open: states.value("open") }
            })
            .values();
        sessions.write(to_csv(output.clone()).overwrite())
    })?;
    if settings.explain.is_some() || settings.process > 0 {
        return Ok(Vec::new());
    }
    written(&arguments.output)
}

/// The sessions in a folder. Without any there is no file.
fn written(folder: &Path) -> tidemill::Result<Vec<Session>> {
    let visible = |it: DirEntry| !it.file_name().to_string_lossy().starts_with('.');
    let any = fs::read_dir(folder).is_ok_and(|mut files| files.any(|it| it.is_ok_and(visible)));
    if any { read_all(&csv::<Session>(folder)) } else { Ok(Vec::new()) }
}

/// The ten sessions of people with the most edits, as lines to print.
pub(crate) fn longest(mut sessions: Vec<Session>) -> Vec<String> {
    sessions.retain(|it| !it.robot);
    sessions.sort_by(|a, b| b.edits.cmp(&a.edits).then_with(|| a.user.cmp(&b.user)));
    let line = |Session { user, start, end, edits, pages, .. }: &Session| {
        format!("{edits:>4} edits of {pages:>3} pages  {start} - {end}  {user}")
    };
    sessions.iter().take(10).map(line).collect()
}
