//! How fast files are read on one core: rows per second, by format.

use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use tidemill::connect::{Files, InputFormat, Polled, Source, csv, jsonl, text};

const ROWS: u64 = 1_000_000;

#[derive(Deserialize)]
#[allow(dead_code)]
struct Event {
    at: i64,
    key: u64,
    value: i64,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Sale {
    at: i64,
    city: String,
    price: f64,
    discount: Option<f64>,
}

/// Reads a file to its end in batches, as a job does.
fn drain<F: InputFormat>(source: &Files<F>) -> u64 {
    let mut rows = 0;
    let mut batch = Vec::new();
    for partition in source.partitions(1).expect("the file is there") {
        let mut reader = source.open(&partition, None, Arc::new(|| ())).expect("it can be read");
        while reader.poll(1024, &mut batch).expect("it is well formed") != Polled::Ended {
            rows += batch.len() as u64;
            black_box(&batch);
            batch.clear();
        }
        rows += batch.len() as u64;
        batch.clear();
    }
    assert_eq!(rows, ROWS);
    rows
}

fn read(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is room for a few files");
    let write = |name: &str, header: &str, row: &dyn Fn(u64) -> String| {
        let path = folder.path().join(name);
        let file = fs::File::create(&path).expect("the folder can be written");
        let mut file = std::io::BufWriter::new(file);
        writeln!(file, "{header}").expect("there is room");
        for index in 0..ROWS {
            writeln!(file, "{}", row(index)).expect("there is room");
        }
        path
    };
    let key = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let integers = write("integers.csv", "at,key,value", &|index| {
        format!("{},{},{}", index * 3 / 2, key(index) % 100_000, key(index) % 1000)
    });
    let mixed = write("mixed.csv", "at,city,price,discount", &|index| {
        format!("{index},city {},{}.25,", key(index) % 300, key(index) % 1000)
    });
    let quoted = write("quoted.csv", "at,city,price,discount", &|index| {
        format!("{index},\"city, {}\",{}.25,0.5", key(index) % 300, key(index) % 1000)
    });
    let lines = write("integers.jsonl", "{\"at\":0,\"key\":0,\"value\":0}", &|index| {
        format!("{{\"at\":{index},\"key\":{},\"value\":7}}", key(index) % 100_000)
    });
    // The header is a record of its own there: leave one out.
    let short = fs::read_to_string(&lines).expect("it was just written");
    fs::write(&lines, short.split_once('\n').expect("it has lines").1).expect("there is room");

    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    group.bench_function("csv, three integers", |bencher| {
        bencher.iter(|| drain(&csv::<Event>(&integers)));
    });
    group.bench_function("csv, text and floats", |bencher| {
        bencher.iter(|| drain(&csv::<Sale>(&mixed)));
    });
    group.bench_function("csv, quoted text and floats", |bencher| {
        bencher.iter(|| drain(&csv::<Sale>(&quoted)));
    });
    group.bench_function("jsonl, three integers", |bencher| {
        bencher.iter(|| drain(&jsonl::<Event>(&lines)));
    });
    group.bench_function("text lines", |bencher| {
        bencher.iter(|| drain(&text(&lines)));
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
