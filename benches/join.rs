//! What a record costs in an interval join: the rule by itself, on one thread.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidemill_operators::event::Event;
use tidemill_operators::join::{Inner, Interval, Intervals, LeftOuter, Rows, earlier, later};
use tidemill_operators::rule::{Advance, Either, Outbox, Rule};
use tidemill_operators::time::{EventTime, millis};

const RECORDS: i64 = 1_000_000;
/// Records between two watermarks.
const EPOCH: i64 = 10_000;

/// Joins records a microsecond apart, left and right in turn, those of each ten shuffled. Record `i` has
/// the key `key(i)`. Gives the number of rows.
fn join<J: Rows<i64, i64>>(interval: Interval, key: impl Fn(i64) -> u64) -> usize {
    let mut rule = Intervals::<u64, i64, i64, J>::new(interval);
    let mut out = Outbox::new();
    let mut rows = 0;
    let mut batch = Vec::new();
    for first in (0..RECORDS).step_by(EPOCH as usize) {
        batch.extend((first..first + EPOCH).map(|it| {
            let number = it - it % 10 + (it * 7) % 10;
            let event = Event::new(EventTime::from_micros(number), (key(number), number));
            if number % 2 == 0 { Either::Left(event) } else { Either::Right(event) }
        }));
        rule.accept_all(&mut batch, &mut out);
        let watermark = EventTime::from_micros(first + EPOCH - 20);
        while rule.advance(watermark, &mut out) == Advance::More {
            rows += std::mem::take(&mut out.main).len();
        }
        rows += out.main.len();
        out.main.clear();
    }
    rows
}

fn joins(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("interval join");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    // Two left records and two right ones of each key, all but one pair of which are partners.
    let pair = |it: i64| (it.rem_euclid(1_000) / 2 + it.div_euclid(2_000) * 500) as u64;
    let after = Interval::of(later(millis(0))..=later(millis(2)));
    group.bench_function("four records of a key", |it| {
        it.iter(|| black_box(join::<Inner>(after, pair)))
    });
    let alone = |it: i64| it as u64;
    group.bench_function("no partners, outer", |it| {
        it.iter(|| black_box(join::<LeftOuter>(after, alone)));
    });
    // Ten thousand records of one key are held, and one of them is a partner.
    let exact = Interval::of(later(millis(10))..later(millis(10) + Duration::from_micros(2)));
    group.bench_function("one key", |it| it.iter(|| black_box(join::<Inner>(exact, |_| 1))));
    let far = Interval::of(later(millis(0))..=later(millis(500)));
    group.bench_function("no partners, outer, half a million records held", |it| {
        it.iter(|| black_box(join::<LeftOuter>(far, alone)));
    });
    let near = Interval::of(earlier(Duration::from_micros(4))..=later(Duration::from_micros(4)));
    group.bench_function("four partners each", |it| {
        it.iter(|| black_box(join::<Inner>(near, |_| 1)));
    });
}

criterion_group!(benches, joins);
criterion_main!(benches);
