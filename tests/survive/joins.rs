//! Joins of streams that are killed.

use std::path::Path;

use tidemill::Result;
use tidemill::join::{Interval, earlier, later};
use tidemill::prelude::*;

use super::scenes::{Record, record};

type Side<'s> = Keyed<'s, u64, (i64, i64)>;

fn side<'s>(flow: &Flow<'s>, seed: u64) -> Result<Side<'s>> {
    let records = flow.read(generate(seed, record).rate(12_000.0).limit(18_000))?;
    let at = |it: &Record| EventTime::from_millis(it.0);
    let events = records.event_time(at, Disorder::up_to(millis(300)));
    Ok(events.key_value(|(at, key, number)| (key, (at, number))))
}

/// An interval join and window joins of two streams, with what meets nothing: each to a folder.
pub(crate) fn joins(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let (left, right) = (side(flow, 31)?, side(flow, 32)?);
    let interval = Interval::of(earlier(millis(200))..=later(millis(100)));
    let near = left.clone().interval_join(right.clone(), interval).full_outer().joined();
    let near = near.pairs().timed().map(|row| format!("{} {:?}", row.at, row.value));
    near.write(to_text(folder.join("interval")))?;

    let tumbling = left.clone().window_join(right.clone(), Tumbling::new(millis(700)));
    let line = |pane: Pane<u64, _>| format!("{} {} {:?}", pane.key, pane.span, pane.value);
    tumbling.full_outer().joined().values().map(line).write(to_text(folder.join("tumbling")))?;
    let sessions = left.window_join(right, Session::gap(millis(150)));
    let line = |pane: Pane<u64, _>| format!("{} {} {:?}", pane.key, pane.span, pane.value);
    sessions.left_outer().joined().values().map(line).write(to_text(folder.join("sessions")))
}
