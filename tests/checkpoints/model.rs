//! A program that saves its state in pieces, and a plain map of what it has saved.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use futures_util::TryStreamExt;
use tidemill::checkpoint::object_store::memory::InMemory;
use tidemill::checkpoint::object_store::path::Path;
use tidemill::checkpoint::object_store::{ObjectStore, ObjectStoreExt};
use tidemill::checkpoint::{Manifest, OperatorState, Piece, SectionRef, Store};
use tidemill::key::Group;
use tidemill::state::{Owner, Part, Section};

/// The number of key groups of all these programs.
pub(crate) const GROUPS: Group = 200;

/// Sections that have changed: the worker, the operator, the section's number, what it holds now.
pub(crate) type Change = Vec<(usize, &'static str, u64, Vec<Part>)>;

pub(crate) struct Program {
    pub(crate) store: Store,
    pub(crate) memory: Arc<InMemory>,
    pub(crate) workers: usize,
    job: String,
    run: u64,
    sections: BTreeMap<(&'static str, usize, u64), (Vec<Part>, SectionRef)>,
}

impl Program {
    pub(crate) fn in_memory(workers: usize) -> Self {
        let memory = Arc::new(InMemory::new());
        let store = Store::over(memory.clone(), "job").unwrap();
        Self { memory, ..Self::over(store, workers, 1) }
    }

    pub(crate) fn over(store: Store, workers: usize, run: u64) -> Self {
        let (job, memory) = (store.job().to_owned(), Arc::default());
        Self { store, memory, workers, job, run, sections: BTreeMap::new() }
    }

    pub(crate) fn of(store: Store, job: &str) -> Self {
        Self { job: job.to_owned(), ..Self::over(store, 1, 1) }
    }

    /// Writes what has changed, and lists the rest again, without committing it.
    pub(crate) fn write(&mut self, epoch: u64, change: Change) -> Manifest {
        self.try_write(epoch, change).unwrap()
    }

    pub(crate) fn try_write(&mut self, epoch: u64, change: Change) -> tidemill::Result<Manifest> {
        for worker in 0..self.workers {
            let mut operators: BTreeMap<&str, Vec<Section>> = BTreeMap::new();
            for (of, operator, id, parts) in &change {
                if *of == worker {
                    let section = Section { id: *id, parts: Some(parts.clone()) };
                    operators.entry(*operator).or_default().push(section);
                }
            }
            let operators: Vec<_> =
                operators.into_iter().map(|(name, sections)| (name.to_owned(), sections)).collect();
            let written = self.store.write_part(epoch, worker, self.run, &operators)?;
            for (name, places) in written {
                for place in places {
                    let saved = change.iter().find(|(of, operator, id, _)| {
                        (*of, *operator, *id) == (worker, name.as_str(), place.id)
                    });
                    let (_, operator, id, parts) = saved.unwrap();
                    self.sections.insert((*operator, worker, *id), (parts.clone(), place));
                }
            }
        }
        Ok(self.manifest(epoch))
    }

    pub(crate) fn save(&mut self, epoch: u64, change: Change) -> Manifest {
        let manifest = self.write(epoch, change);
        self.store.commit(&manifest).unwrap();
        manifest
    }

    fn manifest(&self, epoch: u64) -> Manifest {
        let mut operators: BTreeMap<String, OperatorState> = BTreeMap::new();
        for ((operator, worker, _), (_, place)) in &self.sections {
            let state = operators.entry((*operator).to_owned()).or_default();
            state.type_name = "u64".into();
            match state.pieces.last_mut() {
                Some(piece) if piece.worker == *worker => piece.sections.push(place.clone()),
                _ => {
                    let piece = Piece { worker: *worker, sections: vec![place.clone()] };
                    state.pieces.push(piece);
                }
            }
        }
        Manifest {
            job: self.job.clone(),
            epoch,
            run: self.run,
            created: "2026-01-02T03:04:05Z".parse().unwrap(),
            max_parallelism: GROUPS.into(),
            workers: self.workers,
            ended: None,
            operators,
        }
    }

    /// What was saved last, as it is to be read.
    pub(crate) fn expected(&self, operator: &str, owned: &Range<Group>) -> Vec<Part> {
        let sections = || self.sections.iter().filter(|((name, ..), _)| *name == operator);
        let parts = || sections().map(|(_, (parts, _))| parts);
        let not_of_groups = |it: &&Part| !matches!(it.owner, Owner::Group(_));
        let mut expected: Vec<Part> = parts().flatten().filter(not_of_groups).cloned().collect();
        for parts in parts() {
            for group in owned.clone() {
                let of_group = parts.iter().filter(|it| it.owner == Owner::Group(group));
                expected.extend(of_group.cloned());
            }
        }
        expected
    }

    /// Whether `store` gives back what was saved last.
    pub(crate) fn check_read(
        &self,
        store: &Store,
        manifest: &Manifest,
        owned: Range<Group>,
        seed: u64,
    ) {
        for operator in ["sources", "windows", "unknown"] {
            let read = store.read(manifest, operator, owned.clone()).unwrap();
            let same = read == self.expected(operator, &owned);
            assert!(same, "`{operator}` of {owned:?} differs with seed {seed}");
        }
    }

    /// The paths of all objects.
    pub(crate) fn objects(&self) -> Vec<String> {
        objects(&*self.memory)
    }

    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        wait(async {
            self.memory.get(&Path::from(path)).await.unwrap().bytes().await.unwrap().into()
        })
    }
}

pub(crate) fn objects(store: &dyn ObjectStore) -> Vec<String> {
    let listed: Vec<_> = wait(store.list(None).try_collect()).unwrap();
    listed.into_iter().map(|it| it.location.to_string()).collect()
}

pub(crate) fn put(store: &dyn ObjectStore, path: &str, bytes: Vec<u8>) {
    wait(store.put(&Path::from(path), bytes.into())).unwrap();
}

pub(crate) fn delete(store: &dyn ObjectStore, path: &str) {
    wait(store.delete(&Path::from(path))).unwrap();
}

fn wait<T>(request: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(request)
}

pub(crate) fn group(group: Group, bytes: &[u8]) -> Part {
    Part { owner: Owner::Group(group), bytes: bytes.to_vec() }
}

/// Sections of two operators on every worker, of which some change from one seed to the next.
pub(crate) fn random_change(seed: u64, workers: usize) -> Change {
    let mut random = Random(seed);
    let mut change = Vec::new();
    for worker in 0..workers {
        for id in 0..random.below(6) {
            let parts = (0..random.below(40)).map(|_| random_part(&mut random)).collect();
            let operator = if id == 0 { "sources" } else { "windows" };
            change.push((worker, operator, id, parts));
        }
    }
    change
}

fn random_part(random: &mut Random) -> Part {
    let owner = match random.below(20) {
        0 => Owner::Everyone,
        1 => Owner::Partition(format!("file-ü-{}", random.below(100))),
        _ => Owner::Group(random.below(u64::from(GROUPS)) as Group),
    };
    let length = if random.below(30) == 0 { 200_000 } else { random.below(50) };
    let noise = random.below(2) == 0;
    let bytes = (0..length).map(|it| if noise { random.next() as u8 } else { it as u8 / 16 });
    Part { owner, bytes: bytes.collect() }
}

/// Numbers that look random and are the same every time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
