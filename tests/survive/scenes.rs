//! The jobs that are killed.

use std::path::Path;

use tidemill::Result;
use tidemill::connect::Random;
use tidemill::prelude::*;

/// A number of a key at a moment, out of order.
pub(crate) type Record = (i64, u64, i64);

pub(crate) fn record(index: u64, random: &mut Random) -> Record {
    (index as i64 * 10 - random.below(300) as i64, random.below(40), random.below(1_000) as i64)
}

/// Every kind of window, and a rolling aggregate, each to a folder of its own.
pub(crate) fn windows(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let events = flow
        .read(generate(11, record).rate(40_000.0).limit(60_000))?
        .event_time(|it| EventTime::from_millis(it.0), Disorder::up_to(millis(300)));
    let keyed = || events.clone().key_value(|it| (it.1, it.2));
    let line = |pane: Pane<u64, _>| format!("{} {} {:?}", pane.key, pane.span, pane.value);
    let sums = (Count, Sum::of(|it: &i64| *it));
    let (tumbling, late) = keyed().window(Tumbling::new(seconds(2))).with_late().aggregate(sums);
    tumbling.map(line).write(to_text(folder.join("tumbling")))?;
    late.map(|it| format!("{it:?}")).write(to_text(folder.join("late")))?;
    let sliding = keyed().window(Sliding::new(seconds(6), seconds(2))).aggregate(sums);
    sliding.map(line).write(to_text(folder.join("sliding")))?;
    let sessions = keyed().window(Session::gap(millis(900))).aggregate(sums);
    sessions.map(line).write(to_text(folder.join("sessions")))?;
    // The number of a record in its key, whatever the order of records, is each number once.
    let rolling = keyed().aggregate(Count);
    rolling.map(|(key, value)| format!("{key} {value:?}")).write(to_text(folder.join("rolling")))
}
