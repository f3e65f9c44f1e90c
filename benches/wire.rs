//! What it costs to take a batch to another process and back: as a batch does it, as timely does it
//! for a vector, and with postcard.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidemill_operators::batch::Batch;
use timely::bytes::arc::{Bytes, BytesMut};
use timely::dataflow::channels::ContainerBytes;

const RECORDS: u64 = 1000;

#[derive(Clone, Serialize, Deserialize)]
struct Reading {
    at: i64,
    key: u32,
    value: i64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Sale {
    at: i64,
    city: String,
    price: f64,
    discount: Option<f64>,
    items: Vec<String>,
}

/// Writes a container as timely does: asks for its length, then has it written into a slab.
fn write(container: &impl ContainerBytes, slab: &mut [u8]) -> usize {
    let length = container.length_in_bytes();
    container.into_bytes(&mut &mut slab[..length]);
    length
}

fn bytes(of: &[u8]) -> Bytes {
    BytesMut::from(of.to_vec()).freeze()
}

fn container<C: ContainerBytes>(criterion: &mut Criterion, name: &str, form: &str, container: &C) {
    let mut slab = vec![0; 1 << 20];
    let length = write(container, &mut slab);
    println!("{name}, {form}: {} bytes per record", length as f64 / RECORDS as f64);
    let written = bytes(&slab[..length]);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function(format!("{form}, written"), |it| {
        it.iter(|| write(black_box(container), &mut slab));
    });
    group.bench_function(format!("{form}, read"), |it| {
        it.iter(|| C::from_bytes(black_box(written.clone())));
    });
}

fn forms<D: Serialize + DeserializeOwned + Clone>(
    criterion: &mut Criterion,
    name: &str,
    record: impl Fn(u64) -> D,
) {
    let records = Vec::from_iter((0..RECORDS).map(record));
    container(criterion, name, "batch", &Batch::from(records.clone()));
    container(criterion, name, "vector", &records);

    let mut slab = vec![0; 1 << 20];
    let written = postcard::to_slice(&records, &mut slab).expect("there is room").to_vec();
    println!("{name}, postcard: {} bytes per record", written.len() as f64 / RECORDS as f64);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("postcard, written", |it| {
        it.iter(|| {
            // It has no other way to tell the length before it writes.
            let length = postcard::experimental::serialized_size(black_box(&records));
            let length = length.expect("it can be written");
            postcard::to_slice(&records, &mut slab[..length]).expect("there is room").len()
        });
    });
    group.bench_function("postcard, read", |it| {
        it.iter(|| postcard::from_bytes::<Vec<D>>(black_box(&written)).expect("it is whole"));
    });
}

fn wire(criterion: &mut Criterion) {
    let scramble = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    forms(criterion, "fixed", |index| Reading {
        at: 1_600_000_000_000_000 + index as i64,
        key: scramble(index) as u32 % 100_000,
        value: scramble(index + 7) as i64 % 1000,
    });
    forms(criterion, "texts", |index| Sale {
        at: 1_600_000_000_000_000 + index as i64,
        city: format!("city {}", scramble(index) % 5000),
        price: index as f64 / 3.0,
        discount: index.is_multiple_of(3).then_some(0.1),
        items: (0..index % 4).map(|item| format!("item {item}")).collect(),
    });
}

criterion_group!(benches, wire);
criterion_main!(benches);
