//! A store whose code panics ends a job with an error that says so: no job waits for checkpoints that
//! nobody writes.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tidemill::prelude::*;

/// Panics when a file whose name begins so is written, or when files are listed there.
#[derive(Debug)]
struct Broken {
    at: &'static str,
    inner: InMemory,
}

impl Broken {
    fn touch(&self, path: &Path) {
        let broken = path.as_ref().rsplit('/').next().is_some_and(|it| it.starts_with(self.at));
        assert!(!broken, "the store is broken at {}", self.at);
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("broken")
    }
}

#[async_trait]
impl ObjectStore for Broken {
    async fn put_opts(
        &self,
        to: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.touch(to);
        self.inner.put_opts(to, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        below.into_iter().for_each(|it| self.touch(it));
        self.inner.list(below)
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(below).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Runs a job over such a store; fails rather than hang.
fn check(at: &'static str, workers: usize, limit: Option<u64>) {
    let case = format!("{at}, {workers} workers, {limit:?} records");
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut settings = Settings::default().workers(workers).quiet();
        settings.checkpoints.interval_ms = 20.try_into().expect("not zero");
        let store = Arc::new(Broken { at, inner: InMemory::new() });
        let ran = Job::new("broken", settings).store(store).run(move |flow| {
            let numbers = generate(1, |index, _| index).rate(20_000.0);
            let numbers = limit.into_iter().fold(numbers, |numbers, limit| numbers.limit(limit));
            flow.read(numbers)?.write(collect())
        });
        tell.send(ran)
    });
    let ran = told.recv_timeout(Duration::from_secs(60));
    let ran = ran.unwrap_or_else(|_| panic!("{case}: the job hangs"));
    let error = format!("{:#}", ran.expect_err(&case));
    let expected = "the thread that writes checkpoints panicked: the store is broken at";
    assert!(error.contains(expected), "{case}: {error}");
}

#[test]
fn a_panic_while_a_part_is_written_ends_the_job() {
    check("part-", 1, None);
    check("part-", 2, Some(100));
}

#[test]
fn a_panic_while_a_checkpoint_is_committed_ends_the_job() {
    check("manifest", 1, Some(100));
    check("manifest", 2, None);
}

#[test]
fn a_panic_while_requests_are_looked_for_ends_the_job() {
    check("requests", 2, None);
}
