//! Keyed state that spills to disk: for jobs whose state is larger than memory.
//!
//! With `--state-dir DIR` process functions keep the keys that were used last in memory, up to
//! `--state-mb` for each operator, and the others in an embedded log-structured store
//! ([fjall](https://docs.rs/fjall)) below that directory. It belongs to the running process alone:
//! it is emptied when a job starts and removed when it ends, and nothing in it is needed for a
//! restart, which is the matter of checkpoints. So nothing is ever synced to the disk.
//!
//! # Cost
//!
//! A key that is in memory costs what it costs without a directory, and a second look-up. One that
//! is not is read, and another is written if it had changed: together some microseconds while the
//! files are in the system's cache, two reads of the disk at most otherwise. What is in memory
//! besides the keys: a quarter of `--state-mb` for blocks of files, for all operators of the process
//! together, and up to half of it for writing, for each operator, but at least 5 MB a worker.
//!
//! Timers stay in memory: a key that waits for a timer or to expire takes the key itself and eight
//! bytes, in a tree that is about two thirds full; for a number some 30 bytes, for a text its
//! characters besides. It takes them once for event time, once for the time of day and once for expiry,
//! however many timers it has.
//!
//! State that is restored is written as sorted files at once, past the log, by a thread of its own,
//! as fast as state is restored in memory; that takes up to 34 MB for each operator on a worker.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use crate::config::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Groups;
use crate::state::backend::{Backend, Failure, InMemory, Run, Spill, Table, Write};

mod load;

use load::Loader;

/// The least memory for blocks of files.
const LEAST_CACHE: u64 = 8 << 20;

/// The least and the most memory for a sorted table that is written to, of which five may wait.
const SORTED: (u64, u64) = (1 << 20, 8 << 20);

/// The directory of one process of a running job, which goes with the last of its users.
#[derive(Clone)]
pub(crate) struct OnDisk(Arc<Open>);

struct Open {
    database: Option<Database>,
    place: PathBuf,
    /// Bytes of each operator on a worker that stay in memory, and bytes of a table in memory.
    in_memory: usize,
    sorted: u64,
    groups: Groups,
}

impl std::fmt::Debug for OnDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OnDisk").field(&self.0.place).finish()
    }
}

/// The backend that the settings ask for, for the workers of this process of the job `name`.
///
/// # Errors
///
/// If the directory cannot be used.
pub(crate) fn open(name: &str, settings: &Settings) -> Result<Option<OnDisk>> {
    let Some(folder) = &settings.state_dir else { return Ok(None) };
    let refused = |place: &Path| {
        let place = place.display();
        Error::new(ErrorKind::Setting, format!("cannot keep state in {place} (--state-dir)"))
    };
    let place = folder.join(file_name(name)).join(settings.process.to_string());
    // What an earlier process left when it was killed.
    match fs::remove_dir_all(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(refused(&place).because(error));
        }
        _ => {}
    }
    fs::create_dir_all(&place).map_err(|error| refused(&place).because(error))?;
    let (bytes, workers) = (settings.state_bytes(), settings.workers as u64);
    let database = Database::builder(&place)
        .cache_size((bytes / 4).max(LEAST_CACHE))
        .manual_journal_persist(true)
        .open()
        .map_err(|error| refused(&place).because(error))?;
    let in_memory = usize::try_from(bytes / workers).unwrap_or(usize::MAX);
    let sorted = (bytes / 10 / workers).clamp(SORTED.0, SORTED.1);
    let count = u16::try_from(settings.max_parallelism).expect("checked to fit");
    let groups = Groups::new(count, settings.peers());
    let database = Some(database);
    Ok(Some(OnDisk(Arc::new(Open { database, place, in_memory, sorted, groups }))))
}

/// What a flow keeps its state in: the disk, if the settings ask for it.
pub(crate) fn backend(on_disk: Option<&OnDisk>) -> Rc<dyn Backend> {
    match on_disk {
        Some(it) => Rc::new(it.clone()),
        None => Rc::new(InMemory),
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Its files are closed first. What cannot be removed is removed by the next run.
        drop(self.database.take());
        let _ = fs::remove_dir_all(&self.place);
    }
}

impl Backend for OnDisk {
    fn open(&self, operator: &str, worker: usize) -> Result<Option<Spill>, Failure> {
        let Open { database, in_memory, sorted, groups, .. } = &*self.0;
        let Some(database) = database else { return Ok(None) };
        let name = format!("{worker}-{}", file_name(operator));
        let options = KeyspaceCreateOptions::default()
            .manual_journal_persist(true)
            .max_memtable_size(*sorted);
        let rows = database.keyspace(&name, || options)?;
        let table = Rows { rows, loader: None, whole: self.clone() };
        Ok(Some(Spill { table: Box::new(table), in_memory: *in_memory, groups: *groups }))
    }
}

/// The rows of one operator on one worker.
struct Rows {
    rows: Keyspace,
    /// Takes in runs, which are rows only once it has ended.
    loader: Option<Loader>,
    whole: OnDisk,
}

impl Rows {
    /// Has all that was loaded among the rows.
    fn loaded(&mut self) -> Result<(), Failure> {
        self.loader.take().map_or(Ok(()), Loader::end)
    }
}

impl Table for Rows {
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        self.loaded()?;
        Ok(self.rows.get(key)?.map(|row| row.to_vec()))
    }

    fn write(&mut self, rows: Vec<Write>) -> Result<(), Failure> {
        self.loaded()?;
        let Some(database) = &self.whole.0.database else { return Ok(()) };
        let mut batch = database.batch();
        for (key, row) in rows {
            match row {
                Some(row) => batch.insert(&self.rows, key, row),
                None => batch.remove(&self.rows, key),
            }
        }
        Ok(batch.commit()?)
    }

    fn load(&mut self, run: &mut Run) -> Result<(), Failure> {
        let loader = match self.loader.take() {
            Some(loader) => loader,
            None => Loader::begin(&self.rows)?,
        };
        if !self.loader.insert(loader).take(run) {
            self.loaded()?;
        }
        Ok(())
    }

    fn each(&mut self, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Failure> {
        self.loaded()?;
        for row in self.rows.iter() {
            let (key, row) = row.into_inner()?;
            show(&key, &row);
        }
        Ok(())
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // The thread is not to write into a directory that is about to be removed. Nobody asks any
        // more whether it succeeded.
        let _ = self.loaded();
    }
}

/// A name with nothing in it that a file name cannot have, and no other name alike.
fn file_name(name: &str) -> String {
    let kept = |it: char| it.is_ascii_alphanumeric() || it == '-';
    name.chars().fold(String::new(), |made, it| match kept(it) {
        true => made + it.encode_utf8(&mut [0; 4]),
        false => format!("{made}_{:x}_", u32::from(it)),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn settings(folder: &Path) -> Settings {
        Settings::default().state_on_disk(folder, 256)
    }

    #[test]
    fn rows_are_found_until_they_are_removed() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let on_disk = open("job / 1", &settings(folder.path())).expect("it opens");
        let backend = backend(on_disk.as_ref());
        let mut table = backend.open("sum", 0).expect("it opens").expect("it is on disk").table;
        let mut other = backend.open("sum", 1).expect("it opens").expect("it is on disk").table;
        let row = |it: u8| (vec![it], Some(vec![it; 3]));
        table.write(vec![row(1), row(2), row(3)]).expect("it takes rows");
        table.write(vec![(vec![2], None), (vec![3], Some(vec![]))]).expect("it takes rows");
        assert_eq!(table.get(&[1]).expect("it can be read"), Some(vec![1; 3]));
        assert_eq!(table.get(&[2]).expect("it can be read"), None);
        let mut rows = Vec::new();
        table.each(&mut |key, row| rows.push((key.to_vec(), row.to_vec()))).expect("it reads");
        assert_eq!(rows, [(vec![1], vec![1; 3]), (vec![3], vec![])]);
        assert_eq!(other.get(&[1]).expect("it can be read"), None);
    }

    /// What is done to a table: rows that are put in or removed, whether as a run, and a row that is
    /// looked for afterwards, unless the table is left alone.
    type Step = (Vec<(Vec<u8>, Option<u8>)>, bool, Option<Vec<u8>>);

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0..4u8, 1..4)
    }

    fn step() -> impl Strategy<Value = Step> {
        let rows = prop::collection::vec((key(), prop::option::of(any::<u8>())), 0..30);
        (rows, any::<bool>(), prop::option::of(key()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_loaded_and_written_is_what_a_map_holds(
            steps in prop::collection::vec(step(), 1..14),
        ) {
            let folder = tempfile::tempdir().expect("a folder for the test");
            let on_disk = open("job", &settings(folder.path())).expect("it opens");
            let opened = backend(on_disk.as_ref()).open("sum", 0).expect("it opens");
            let (mut table, mut run) = (opened.expect("it is on disk").table, Run::default());
            let mut model = BTreeMap::new();
            for (rows, loads, look) in steps {
                for (key, row) in &rows {
                    match row {
                        Some(row) => run.put(|it| it.extend(key), |it| it.push(*row)),
                        None => run.remove(|it| it.extend(key)),
                    }
                }
                if loads {
                    table.load(&mut run).expect("it takes rows");
                    prop_assert!(run.is_empty());
                } else {
                    let rows = run.in_order().map(|(key, row)| (key.to_vec(), row.map(Vec::from)));
                    table.write(rows.collect()).expect("it takes rows");
                    run.clear();
                }
                model.extend(rows.into_iter().map(|(key, row)| (key, row.map(|it| vec![it]))));
                if let Some(key) = look {
                    let row = table.get(&key).expect("it can be read");
                    prop_assert_eq!(row.as_ref(), model.get(&key).and_then(Option::as_ref));
                }
            }
            let mut rows = Vec::new();
            table.each(&mut |key, row| rows.push((key.to_vec(), row.to_vec()))).expect("it reads");
            let left = model.into_iter().filter_map(|(key, row)| Some((key, row?)));
            prop_assert_eq!(rows, left.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_table_that_is_dropped_while_it_is_filled_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let on_disk = open("job", &settings(folder.path())).expect("it opens");
        let opened = backend(on_disk.as_ref()).open("sum", 0).expect("it opens");
        let (mut table, mut run) = (opened.expect("it is on disk").table, Run::default());
        for number in 0..100_000u32 {
            run.put(|it| it.extend(number.to_be_bytes()), |it| it.extend([7; 100]));
            if run.bytes() > 100_000 {
                table.load(&mut run).expect("it takes rows");
            }
        }
        drop((on_disk, table));
        assert!(!folder.path().join("job").join("0").exists());
    }

    #[test]
    fn a_run_begins_empty_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let left = folder.path().join("job").join("0");
        fs::create_dir_all(&left).expect("the folder is writable");
        fs::write(left.join("left"), "by a process that was killed").expect("it is writable");
        let on_disk = open("job", &settings(folder.path())).expect("it opens");
        assert!(left.exists() && !left.join("left").exists());
        drop(on_disk);
        assert!(!left.exists());
    }

    #[test]
    fn a_place_that_cannot_be_used_is_refused_by_the_name_of_the_setting() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("the folder is writable");
        let error = open("job", &settings(&file)).expect_err("a file is no folder");
        assert!(error.to_string().contains("--state-dir"), "{error}");
    }

    #[test]
    fn names_of_files_are_plain_and_differ() {
        assert_eq!(file_name("sum-2"), "sum-2");
        assert_ne!(file_name("a/b"), file_name("a b"));
        assert_ne!(file_name("a_b"), file_name("a b"));
        assert!(!file_name("../x").contains(['/', '.']));
    }
}
