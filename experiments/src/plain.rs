//! The hand-written baseline: a plain timely program whose timestamp is event time.
//!
//! Events travel at the watermark of their reader, are exchanged by key, and are added to one hash
//! table per window (sliding windows keep sums per slice), which is emitted when the frontier has
//! passed its end. It saves nothing, knows nothing of late events and cannot be restarted: it is what
//! the engine gives to someone who writes the one program that is measured, and writes it with care.

use std::cell::RefCell;
use std::rc::Rc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::{Inspect, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use crate::answer::Answer;
use crate::events::{DISORDER_MS, Event};
use crate::feed::Feed;
use crate::settings::Settings;

mod sliding;
mod tables;
mod tumbling;

/// Events handed to timely at once.
const BATCH: usize = 1024;
/// Milliseconds of event time that a reader may be ahead of the slowest output.
const AHEAD_MS: u64 = 5_000;

/// Runs the query and gives this process's part of the answer.
///
/// # Errors
///
/// If timely cannot be started or the events cannot be read.
pub fn run(settings: &Settings) -> Result<Answer, String> {
    let config = settings.timely()?;
    let settings = settings.clone();
    let guards = timely::execute(config, move |worker| work(worker, &settings))?;
    let mut answer = Answer::default();
    for part in guards.join() {
        answer.merge(&part??);
    }
    Ok(answer)
}

fn work(worker: &mut Worker, settings: &Settings) -> Result<Answer, String> {
    let answer = Rc::new(RefCell::new(Answer::default()));
    let total = Rc::clone(&answer);
    let mut input = InputHandle::<u64, CapacityContainerBuilder<Vec<Event>>>::new_with_builder();
    let probe = ProbeHandle::new();
    worker.dataflow::<u64, _, _>(|scope| {
        let events = input.to_stream(scope);
        let rows = if settings.sliding() {
            let slices = settings.size_ms() / settings.slide_ms();
            sliding::sliding(events, settings.slide_ms(), slices, settings.combine)
        } else {
            tumbling::tumbling(events, settings.size_ms())
        };
        rows.inspect_core(move |event| {
            if let Ok((_stamp, rows)) = event {
                let mut total = total.borrow_mut();
                rows.iter().for_each(|row| total.add(row));
            }
        })
        .probe_with(&probe);
    });
    let mut feed = Feed::open(settings, worker.index(), worker.peers()).map_err(said)?;
    let (mut newest, mut since) = (0, 0);
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        feed.fill(BATCH, &mut batch).map_err(said)?;
        if batch.is_empty() {
            break;
        }
        newest = batch.iter().map(|it| it.at_ms).fold(newest, i64::max);
        since += batch.len() as u64;
        input.send_batch(&mut batch);
        if since >= settings.advance_every {
            since = 0;
            let watermark = u64::try_from(newest - DISORDER_MS).unwrap_or(0);
            input.advance_to(watermark);
            worker.step();
            while probe.less_than(&watermark.saturating_sub(AHEAD_MS)) {
                worker.step();
            }
        }
    }
    input.close();
    while !probe.done() {
        worker.step();
    }
    let answer = *answer.borrow();
    Ok(answer)
}

fn said(error: std::io::Error) -> String {
    error.to_string()
}
