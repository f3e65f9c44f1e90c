//! The study's query without any engine: `bare_loop --size 60000 --slide 1000`, on one thread.
//!
//! It generates events and folds them in one loop, with no exchange, no channel and no output but the
//! checksum: what the memory of the machine leaves to reach. For tumbling windows it has one hash
//! table; for sliding ones a place for each key, a vector of sums for each slice, and a running total.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use tidemill_experiments::answer::{Answer, Row, report};
use tidemill_experiments::events::{DISORDER_MS, Event, event};
use tidemill_experiments::settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events that are generated, then folded, at once.
const BATCH: u64 = 1024;

type Sums = Vec<(u64, i64)>;

fn main() -> ExitCode {
    let settings = Settings::parse();
    let start = Instant::now();
    let answer = if settings.sliding() { sliding(&settings) } else { tumbling(&settings) };
    println!("{}", report("bare loop", settings.events, start.elapsed(), &answer));
    ExitCode::SUCCESS
}

/// Hands over the events in batches, each with the watermark after it.
fn feed(settings: &Settings, mut take: impl FnMut(&[Event], i64)) {
    let (mut batch, mut newest) = (Vec::new(), 0);
    for first in (0..settings.events).step_by(BATCH as usize) {
        let end = settings.events.min(first + BATCH);
        batch.clear();
        batch.extend((first..end).map(|i| event(i, settings.keys)));
        newest = batch.iter().map(|it| it.at_ms).fold(newest, i64::max);
        take(&batch, newest - DISORDER_MS);
    }
}

fn tumbling(settings: &Settings) -> Answer {
    let (size, mut answer) = (settings.size_ms(), Answer::default());
    let mut open: VecDeque<(i64, HashMap<u32, (u64, i64), FixedState>)> = VecDeque::new();
    let mut emit = |start_ms: i64, table: &HashMap<u32, (u64, i64), FixedState>| {
        for (&key, &(count, sum)) in table {
            answer.add(&Row { key, start_ms, count, sum });
        }
    };
    feed(settings, |events, watermark| {
        for Event { key, at_ms, value } in events {
            let start = at_ms - at_ms.rem_euclid(size);
            let place = open.iter().position(|(it, _)| *it == start).unwrap_or_else(|| {
                open.push_back((start, HashMap::default()));
                open.len() - 1
            });
            let sums = open[place].1.entry(*key).or_insert((0, 0));
            *sums = plus(*sums, (1, *value));
        }
        while open.front().is_some_and(|(start, _)| start + size <= watermark) {
            let (start, table) = open.pop_front().expect("it was just seen");
            emit(start, &table);
        }
    });
    open.iter().for_each(|(start, table)| emit(*start, table));
    answer
}

fn plus(a: (u64, i64), b: (u64, i64)) -> (u64, i64) {
    (a.0 + b.0, a.1 + b.1)
}

fn sliding(settings: &Settings) -> Answer {
    let (slide, keys) = (settings.slide_ms(), settings.keys as usize);
    let window = settings.size_ms() / slide;
    let mut places: HashMap<u32, u32, FixedState> = HashMap::default();
    let mut key_at: Vec<u32> = Vec::new();
    // The youngest slices, which nothing later than the disorder allows falls out of.
    let young = (DISORDER_MS / slide + 2) as usize;
    let mut open: Vec<Sums> = (0..young).map(|_| vec![(0, 0); keys]).collect();
    let mut sorted: Vec<Vec<(u32, i64)>> = vec![Vec::new(); young];
    let (mut kept, mut spare, mut total) = (VecDeque::new(), Vec::new(), vec![(0u64, 0i64); keys]);
    let (mut next, mut answer) = (0, Answer::default());
    let mut slid = |number: i64, entering: Option<Sums>, key_at: &[u32]| {
        if let Some(slice) = entering {
            let both = total.iter_mut().zip(&slice);
            both.for_each(|(total, it)| *total = plus(*total, *it));
            kept.push_back((number, slice));
        }
        if kept.front().is_some_and(|(it, _)| *it <= number - window) {
            let (_, mut slice): (i64, Sums) = kept.pop_front().expect("it was just seen");
            let both = total.iter_mut().zip(&slice);
            both.for_each(|(total, it)| *total = (total.0 - it.0, total.1 - it.1));
            slice.fill((0, 0));
            spare.push(slice);
        }
        let start_ms = (number + 1 - window) * slide;
        for (&key, &(count, sum)) in key_at.iter().zip(&total).filter(|(_, it)| it.0 > 0) {
            answer.add(&Row { key, start_ms, count, sum });
        }
        spare.pop().unwrap_or_else(|| vec![(0, 0); keys])
    };
    feed(settings, |events, watermark| {
        for Event { key, at_ms, value } in events {
            let place = *places.entry(*key).or_insert_with(|| {
                key_at.push(*key);
                (key_at.len() - 1) as u32
            });
            sorted[(at_ms / slide) as usize % young].push((place, *value));
        }
        for (sorted, sums) in sorted.iter_mut().zip(&mut open) {
            for (place, value) in sorted.drain(..) {
                let sums = &mut sums[place as usize];
                *sums = plus(*sums, (1, value));
            }
        }
        while (next + 1) * slide <= watermark {
            let at = next as usize % young;
            let entering = std::mem::take(&mut open[at]);
            open[at] = slid(next, Some(entering), &key_at);
            next += 1;
        }
    });
    for after in 0..young as i64 + window - 1 {
        let entering =
            (after < young as i64).then(|| std::mem::take(&mut open[next as usize % young]));
        slid(next, entering, &key_at);
        next += 1;
    }
    answer
}
