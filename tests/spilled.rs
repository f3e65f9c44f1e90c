//! Keyed state on disk: a job whose state does not fit in the memory it is given, undisturbed, killed,
//! and continued by other numbers of workers, on disk and in memory.

#![cfg(unix)]

mod child;
mod runs;
mod survive;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tidemill::ErrorKind;
use tidemill::connect::{Collected, Random};
use tidemill::prelude::*;

use child::{run as run_child, start};
use runs::Runs;
use survive::{BUILT, Scene, assert_same, scenes};

/// Texts per key, so large that most of them leave memory, and a timer for each.
struct Texts {
    text: ValueState<String>,
}

impl Process for Texts {
    type Key = u32;
    type Record = u32;
    type Output = (u32, usize);
    type Side = Infallible;

    fn on_record(&self, number: u32, context: &mut Context<'_, u32, (u32, usize)>) {
        let text = context.state(&self.text).or_default();
        text.extend(std::iter::repeat_n('x', number as usize % 1_000));
        if number.is_multiple_of(10) {
            context.set_event_timer(context.time().saturating_add(seconds(500)));
        }
    }

    fn on_event_timer(&self, _: EventTime, context: &mut Context<'_, u32, (u32, usize)>) {
        if let Some(text) = context.state(&self.text).take() {
            context.emit((*context.key(), text.len()));
        }
    }
}

fn run(settings: Settings) -> Vec<(u32, usize)> {
    let given = collect::<(u32, usize)>();
    let sink = given.clone();
    let job = Job::new("texts", settings.quiet().epoch_rows(500));
    let ran = job.run(move |flow| {
        let numbers = iterate(|| (0..60_000u32).map(|it| (it * 7_919 % 10_007, it)));
        flow.read(numbers)?
            .event_time(|it| EventTime::from_secs(i64::from(it.1) / 20), Disorder::ascending())
            .key_value(|it| it)
            .process(|states| Texts { text: states.value("text") })
            .values()
            .write(sink.clone())
    });
    ran.expect("the job ends");
    given.sorted()
}

#[test]
fn state_on_disk_gives_what_state_in_memory_gives() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let expected = run(Settings::default());
    assert!(expected.len() > 1_000);
    for workers in [1, 2] {
        let settings = Settings::default().workers(workers).state_on_disk(folder.path(), 1);
        assert_eq!(run(settings), expected, "{workers} workers");
    }
    let left = folder.path().join("texts").join("0");
    assert!(!left.exists(), "the files of a run go with it");
}

/// What a child does. Without the environment of one, this is a test that does nothing.
#[test]
fn scenario() {
    survive::play(|_, flow, folder| scenes::texts(flow, folder));
}

/// The arguments of a child: on so many workers, all but every third on disk.
fn on_disk(scene: &Scene, workers: usize, attempt: usize) -> String {
    let state = scene.at("state");
    let state = format!("--state-dir {} --state-mb 1", state.display());
    let state = if attempt % 3 == 2 { "" } else { state.as_str() };
    format!("-w {workers} --checkpoint {{place}} --checkpoint-ms 40 {state}")
}

#[test]
fn a_killed_job_goes_on_with_its_state_on_disk() {
    let scene = Scene::new("texts");
    let whole = scene.undisturbed();
    let workers = [2, 2, 1, 1, 4, 2];
    let arguments = |attempt: usize| on_disk(&scene, workers[attempt], attempt);
    let (kills, output) = scene.killed(5, 5, arguments);
    assert!(kills > 2, "{kills} kills: it was over too soon");
    assert_same(&output, &whole, "killed");
}

#[test]
fn a_job_that_is_killed_while_its_state_comes_back_begins_that_again() {
    let scene = Scene::new("texts");
    let whole = scene.undisturbed();
    let output = scene.at("restoring");
    let mut random = Random::new(3);
    for attempt in 0..8 {
        let restore = if attempt == 0 { "" } else { " --restore latest" };
        let arguments = on_disk(&scene, 2, 0) + restore;
        let mut child = start(&mut scene.command(&output, &arguments));
        child.line_with(BUILT);
        // The first comes to a few checkpoints; the others are killed as they begin.
        let wait = if attempt == 0 { 600_000 } else { random.below(40_000) };
        std::thread::sleep(Duration::from_micros(wait));
        child.kill();
    }
    run_child(&mut scene.command(&output, &(on_disk(&scene, 1, 0) + " --restore latest"))).well();
    assert_same(&output, &whole, "killed while restoring");
}

/// Counts how often each key came, and remembers a text of it for some of the time.
struct Visits {
    count: ValueState<u64>,
    text: ValueState<String>,
}

impl Process for Visits {
    type Key = u64;
    type Record = u64;
    type Output = (u64, u64, usize);
    type Side = Infallible;

    fn on_record(&self, number: u64, context: &mut Context<'_, u64, (u64, u64, usize)>) {
        let count = context.state(&self.count).copied().unwrap_or(0) + 1;
        context.state(&self.count).set(count);
        let text = context.state(&self.text).or_default();
        text.extend(std::iter::repeat_n('x', number as usize % 2_000));
        let length = text.len();
        context.emit((*context.key(), count, length));
        // A key that is gone begins anew.
        match number % 5 {
            0 => context.state(&self.text).clear(),
            1 => {
                context.state(&self.text).clear();
                context.state(&self.count).clear();
            }
            _ => {}
        }
    }
}

fn visits(events: Events<'_, u64>, seen: &Collected<(u64, u64, usize)>) -> tidemill::Result<()> {
    let keyed = events.key_value(|it| (it * 7_919 % 4_001, it));
    let visits =
        |states: &mut States| Visits { count: states.value("count"), text: states.value("text") };
    keyed.process(visits).values().write(seen.clone())
}

#[test]
fn a_job_goes_on_on_disk_and_in_memory_with_any_number_of_workers() {
    let expected = collect();
    let into = expected.clone();
    let whole = Runs::new().run(36_000, |_| (), move |events| visits(events, &into));
    whole.expect("it runs");

    let (runs, seen) = (Runs::new(), collect());
    let folder = tempfile::tempdir().expect("a folder for the test");
    // On how many workers, and whether on disk.
    let steps = [(2, true), (2, true), (1, true), (3, true), (1, false), (2, true)];
    for (step, (workers, spills)) in (1..).zip(steps) {
        let mut settings = Settings::default().workers(workers);
        if spills {
            settings = settings.state_on_disk(folder.path(), 1);
        }
        settings.checkpoints.interval_ms = 20.try_into().expect("not zero");
        settings.checkpoints.restore = (step > 1).then_some(Restore::Latest);
        let into = seen.clone();
        let ran = runs.run_with(settings, step * 6_000, move |events| visits(events, &into));
        ran.expect("it goes on");
    }
    assert!(seen.sorted() == expected.sorted(), "the answers differ");
}

/// A store that gives parts of checkpoints so many times more, and then fails.
#[derive(Debug)]
struct Failing {
    inner: InMemory,
    reads: AtomicU64,
}

impl fmt::Display for Failing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("failing")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(
        &self,
        to: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.inner.put_opts(to, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        let part = from.as_ref().contains("part-");
        let left = self.reads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            Some(left.saturating_sub(u64::from(part)))
        });
        if part && left == Ok(0) {
            let source = "the store is gone".into();
            return Err(object_store::Error::Generic { store: "failing", source });
        }
        self.inner.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(below)
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(below).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[test]
fn a_restore_that_fails_in_the_middle_ends_the_run_and_another_one_goes_on() {
    let expected = collect();
    let into = expected.clone();
    let whole = Runs::new().run(24_000, |_| (), move |events| visits(events, &into));
    whole.expect("it runs");

    let store = Arc::new(Failing { inner: InMemory::new(), reads: AtomicU64::new(u64::MAX) });
    let (runs, seen) = (Runs::over(store.clone()), collect());
    let folder = tempfile::tempdir().expect("a folder for the test");
    let run = |restore: bool, limit| {
        let mut settings = Settings::default().workers(2).state_on_disk(folder.path(), 1);
        settings.checkpoints.restore = restore.then_some(Restore::Latest);
        let into = seen.clone();
        runs.run_with(settings, limit, move |events| visits(events, &into))
    };
    run(false, 20_000).expect("it runs");
    let mut failed = 0;
    for reads in 1.. {
        store.reads.store(reads, Ordering::SeqCst);
        let Err(error) = run(true, 24_000) else { break };
        let text = format!("{error:#}");
        assert!(text.contains("the store is gone"), "{text}");
        // Before that the checkpoint is chosen, and read for that.
        let state = error.kind() == ErrorKind::State;
        failed += usize::from(state && text.contains("cannot read the state of the operator"));
        let left = folder.path().join(runs::JOB).join("0");
        assert!(!left.exists(), "the files of a run go with it");
    }
    assert!(failed > 1, "it failed while restoring {failed} times");
    assert!(seen.sorted() == expected.sorted(), "the answers differ");
}
