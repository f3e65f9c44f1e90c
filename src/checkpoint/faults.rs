//! A store that fails on purpose, to see what a job makes of it.
//!
//! Wrap the object store of a [`Store`](super::Store) and say what goes wrong at which write: the
//! process dies, the answer is lost, half of the file is written, or the disk is full for a while.
//! Running a job once for each of its writes shows that no moment is a bad one to crash at.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, future, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The write does not happen, and nothing works from then on: the process was killed before it.
    Crash,
    /// The write happens, but nothing works from then on, its answer included: the process was
    /// killed after it.
    CrashAfter,
    /// Half of the file is written, and nothing works from then on: what a store that is not atomic
    /// may leave.
    Tear,
    /// The write happens and is reported as failed.
    LoseAnswer,
    /// This many writes fail, of which nothing happens, and then all is well: a full disk.
    Full(u64),
}

/// An object store in which something goes wrong at one of the writes.
///
/// A write is a file that is put, a request of a larger file, a copy, or a file that is deleted.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use object_store::memory::InMemory;
/// use tidemill::checkpoint::faults::{Fault, Faulty};
/// use tidemill::checkpoint::Store;
/// use tidemill::state::{Owner, Part, Section};
///
/// let faulty = Arc::new(Faulty::new(Arc::new(InMemory::new()), 0, Fault::Full(1)));
/// let store = Store::over(faulty.clone(), "clicks")?;
/// let part = Part { owner: Owner::Everyone, bytes: vec![1, 2, 3] };
/// let saved = [("count".to_owned(), vec![Section { id: 0, parts: Some(vec![part]) }])];
/// assert!(store.write_part(1, 0, 7, &saved).is_err());
/// assert!(store.write_part(2, 0, 7, &saved).is_ok());
/// assert_eq!(faulty.writes(), 2);
/// # Ok::<(), tidemill::Error>(())
/// ```
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    control: Arc<Control>,
}

#[derive(Debug)]
struct Control {
    at: u64,
    fault: Fault,
    writes: AtomicU64,
    crashed: AtomicBool,
}

/// What becomes of a write.
enum Fate {
    Happens,
    Fails,
    HappensHalf,
    HappensUnheard,
}

impl Faulty {
    /// A store on `inner` in which `fault` happens at the write of this number, counted from 0.
    pub fn new(inner: Arc<dyn ObjectStore>, at: u64, fault: Fault) -> Self {
        let (writes, crashed) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { inner, control: Arc::new(Control { at, fault, writes, crashed }) }
    }

    /// How many writes were asked for so far. If it is no larger than the number of the write that
    /// was to fail, that has not happened.
    pub fn writes(&self) -> u64 {
        self.control.writes.load(Ordering::SeqCst)
    }

    /// Whether nothing works any more.
    pub fn crashed(&self) -> bool {
        self.control.crashed.load(Ordering::SeqCst)
    }
}

impl Control {
    fn alive(&self) -> Result<()> {
        if self.crashed.load(Ordering::SeqCst) {
            Err(failure("the process is dead"))
        } else {
            Ok(())
        }
    }

    fn next(&self) -> Fate {
        if self.alive().is_err() {
            return Fate::Fails;
        }
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        let crashes = !matches!(self.fault, Fault::Full(_) | Fault::LoseAnswer);
        match self.fault {
            Fault::Full(writes) if number >= self.at && number - self.at < writes => Fate::Fails,
            _ if number != self.at => Fate::Happens,
            fault => {
                self.crashed.store(crashes, Ordering::SeqCst);
                match fault {
                    Fault::Crash => Fate::Fails,
                    Fault::Tear => Fate::HappensHalf,
                    Fault::CrashAfter | Fault::LoseAnswer => Fate::HappensUnheard,
                    Fault::Full(_) => Fate::Happens,
                }
            }
        }
    }
}

fn failure(what: &'static str) -> Error {
    Error::Generic { store: "Faulty", source: what.into() }
}

async fn put(
    inner: &dyn ObjectStore,
    control: &Control,
    to: &Path,
    payload: PutPayload,
    options: PutOptions,
) -> Result<PutResult> {
    match control.next() {
        Fate::Happens => inner.put_opts(to, payload, options).await,
        Fate::Fails => Err(failure("nothing was written: no space left")),
        Fate::HappensHalf => {
            let all = Bytes::from(payload);
            inner.put_opts(to, all.slice(..all.len() / 2).into(), options).await?;
            Err(failure("half was written"))
        }
        Fate::HappensUnheard => {
            inner.put_opts(to, payload, options).await?;
            Err(failure("the answer was lost"))
        }
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        to: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        put(&self.inner, &self.control, to, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.control.alive()?;
        let (inner, control) = (self.inner.clone(), self.control.clone());
        Ok(Box::new(Upload { inner, control, to: to.clone(), gathered: BytesMut::new() }))
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.control.alive()?;
        self.inner.get_opts(from, options).await
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.control.alive()?;
        self.inner.get_ranges(from, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, control) = (self.inner.clone(), self.control.clone());
        let each = move |path: Result<Path>| {
            let (inner, control) = (inner.clone(), control.clone());
            async move {
                let fate = control.next();
                if matches!(fate, Fate::Fails | Fate::HappensHalf) {
                    return Err(failure("nothing was deleted"));
                }
                let one = stream::once(future::ready(path)).boxed();
                let deleted = inner.delete_stream(one).next().await;
                match fate {
                    Fate::Happens => deleted.unwrap_or(Err(failure("nothing was deleted"))),
                    _ => Err(failure("the answer was lost")),
                }
            }
        };
        paths.then(each).boxed()
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.control.alive() {
            Ok(()) => self.inner.list(below),
            Err(dead) => stream::once(future::ready(Err(dead))).boxed(),
        }
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        self.control.alive()?;
        self.inner.list_with_delimiter(below).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match self.control.next() {
            Fate::Happens => self.inner.copy_opts(from, to, options).await,
            Fate::Fails | Fate::HappensHalf => Err(failure("nothing was copied")),
            Fate::HappensUnheard => {
                self.inner.copy_opts(from, to, options).await?;
                Err(failure("the answer was lost"))
            }
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with faults", self.inner)
    }
}

/// A file that is written by several requests: it is put as a whole in the end.
#[derive(Debug)]
struct Upload {
    inner: Arc<dyn ObjectStore>,
    control: Arc<Control>,
    to: Path,
    gathered: BytesMut,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let heard = match self.control.next() {
            Fate::Happens => Ok(()),
            Fate::Fails => Err(failure("nothing was written: no space left")),
            Fate::HappensHalf | Fate::HappensUnheard => Err(failure("the answer was lost")),
        };
        self.gathered.extend_from_slice(&Bytes::from(data));
        Box::pin(future::ready(heard))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let all = std::mem::take(&mut self.gathered).freeze();
        put(&self.inner, &self.control, &self.to, all.into(), PutOptions::default()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.gathered.clear();
        self.control.alive()
    }
}
