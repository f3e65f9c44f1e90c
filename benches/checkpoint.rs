//! How fast state is written to and read from a store: bytes of state a second, of one worker.
//!
//! State of 64 MB in 4096 key groups, entries of 16 bytes of which half are noise, in memory and in
//! a local folder (synced, in the cache of the operating system when read).

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use tidemill::checkpoint::{Manifest, OperatorState, Piece, Store};
use tidemill::state::{Owner, Part, Section};

const GROUPS: u16 = 4096;
const ENTRIES: u64 = 1024;

fn state() -> Vec<(String, Vec<Section>)> {
    let mut noise = 1u64;
    let mut entry = |number: u64| {
        noise = noise.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        [noise.to_be_bytes(), number.to_be_bytes()].concat()
    };
    let mut part = |group| Part {
        owner: Owner::Group(group),
        bytes: (0..ENTRIES).flat_map(&mut entry).collect(),
    };
    let parts = (0..GROUPS).map(&mut part).collect();
    vec![("windows".to_owned(), vec![Section { id: 0, parts: Some(parts) }])]
}

fn save(store: &Store, epoch: u64, state: &[(String, Vec<Section>)]) -> Manifest {
    let written = store.write_part(epoch, 0, 1, state).expect("a store that works");
    let operators = written.into_iter().map(|(name, sections)| {
        let pieces = vec![Piece { worker: 0, sections }];
        (name, OperatorState { type_name: "bytes".into(), pieces })
    });
    Manifest {
        job: "bench".into(),
        epoch,
        run: 1,
        created: Timestamp::UNIX_EPOCH,
        max_parallelism: GROUPS.into(),
        workers: 1,
        ended: None,
        operators: operators.collect(),
    }
}

fn checkpoints(criterion: &mut Criterion) {
    let state = state();
    let folder = tempfile::tempdir().expect("a folder");
    let places = [("memory", "memory://"), ("disk", folder.path().to_str().expect("text"))];
    let mut group = criterion.benchmark_group("checkpoint");
    group.throughput(Throughput::Bytes(u64::from(GROUPS) * ENTRIES * 16)).sample_size(10);
    for (name, place) in places {
        let store = Store::open(place, "bench").expect("a place");
        group.bench_function(format!("write to {name}"), |bench| {
            bench.iter(|| save(&store, 1, &state));
        });
        let manifest = save(&store, 1, &state);
        println!("stored: {} bytes", manifest.stored_bytes());
        group.bench_function(format!("verify in {name}"), |bench| {
            bench.iter(|| store.verify(&manifest).expect("a whole checkpoint"));
        });
        group.bench_function(format!("read from {name}"), |bench| {
            bench.iter_with_large_drop(|| {
                black_box(store.read(&manifest, "windows", 0..GROUPS).expect("a whole one"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, checkpoints);
criterion_main!(benches);
