//! What it costs to save operator state and to restore it: in the form that it is kept in, and with
//! rmp-serde and postcard.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidemill_operators::state::{decode_all, encode_into};

const ENTRIES: u64 = 1000;

#[derive(Serialize, Deserialize)]
struct Session {
    begin: i64,
    end: i64,
    count: u32,
}

#[derive(Serialize, Deserialize)]
struct Sale {
    at: i64,
    city: String,
    price: f64,
    discount: Option<f64>,
    items: Vec<String>,
}

fn forms<D: Serialize + DeserializeOwned>(
    criterion: &mut Criterion,
    name: &str,
    entry: impl Fn(u64) -> D,
) {
    let entries = Vec::from_iter((0..ENTRIES).map(entry));
    let mut ours = Vec::new();
    let mut rmp = Vec::new();
    let mut postcard = Vec::new();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(ENTRIES));

    group.bench_function("form, written", |it| {
        it.iter(|| {
            ours.clear();
            entries.iter().for_each(|entry| encode_into(black_box(&mut ours), entry));
        });
    });
    group.bench_function("rmp-serde, written", |it| {
        it.iter(|| {
            rmp.clear();
            for entry in &entries {
                rmp_serde::encode::write_named(black_box(&mut rmp), entry).expect("it is plain");
            }
        });
    });
    group.bench_function("postcard, written", |it| {
        it.iter(|| {
            postcard.clear();
            for entry in &entries {
                let before = std::mem::take(black_box(&mut postcard));
                postcard = postcard::to_extend(entry, before).expect("it is plain");
            }
        });
    });

    group.bench_function("form, read", |it| {
        it.iter(|| decode_all(black_box(&ours), |entry: D| drop(black_box(entry))));
    });
    group.bench_function("rmp-serde, read", |it| {
        it.iter(|| {
            let mut values = rmp_serde::Deserializer::from_read_ref(black_box(&rmp));
            for _ in 0..ENTRIES {
                black_box(D::deserialize(&mut values).expect("it is whole"));
            }
        });
    });
    group.bench_function("postcard, read", |it| {
        it.iter(|| {
            let mut rest = black_box(postcard.as_slice());
            while !rest.is_empty() {
                let (entry, after) = postcard::take_from_bytes::<D>(rest).expect("it is whole");
                black_box(entry);
                rest = after;
            }
        });
    });
    group.finish();
    for (form, bytes) in [("form", &ours), ("rmp-serde", &rmp), ("postcard", &postcard)] {
        println!("{name}, {form}: {} bytes per entry", bytes.len() as f64 / ENTRIES as f64);
    }
}

/// Numbers of many lengths that a place repeats (SplitMix64).
fn mixed(place: u64) -> u64 {
    let word = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (word ^ (word >> 27)) >> (word % 64)
}

fn all(criterion: &mut Criterion) {
    let at = |it: u64| 1_700_000_000_000_000 + it as i64;
    forms(criterion, "sums", |it| (at(it), it as u32 % 100, (it, -(it as i64))));
    forms(criterion, "mixed", |it| {
        (mixed(it) as i64, mixed(it + 1) as u32, (mixed(it + 2), -(mixed(it + 3) as i64 >> 1)))
    });
    forms(criterion, "sessions", |it| {
        let count = it as u32 % 100;
        (mixed(it), Session { begin: at(it), end: at(it) + 1000, count })
    });
    forms(criterion, "sales", |it| Sale {
        at: at(it),
        city: format!("city {it}"),
        price: it as f64 / 3.0,
        discount: (it % 2 == 0).then_some(0.1),
        items: vec!["apple".into(); it as usize % 4],
    });
}

criterion_group!(benches, all);
criterion_main!(benches);
