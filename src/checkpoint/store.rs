//! The folder of one job: its checkpoints by epoch, and how one becomes visible.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use tidemill_operators::time::Epoch;
use tokio::runtime::Runtime;

use super::manifest::Manifest;
use super::place::{Place, folder_of};
use crate::error::{Error, ErrorKind, Result};

/// Keeps the checkpoints of one job, in a folder or an object store.
///
/// Clones are the same store, and threads may share it. Every call blocks until the disk or the
/// network has answered, so none belongs on a worker's thread, nor into asynchronous code.
///
/// # Errors
///
/// What cannot be reached is an error of kind [`Read`](ErrorKind::Read) or
/// [`Write`](ErrorKind::Write): it may work later. What is there and cannot be used, because it is
/// damaged, incomplete, of a newer format or of another job, is of kind
/// [`State`](ErrorKind::State).
#[derive(Clone)]
pub struct Store {
    inside: Arc<Inside>,
}

struct Inside {
    place: Place,
    job: String,
    /// Taken out when dropped, to be shut down without waiting.
    runtime: Option<Runtime>,
}

impl Store {
    /// The store of `job` at a place: a folder, which is created, or a URL such as
    /// `s3://bucket/folder`. `memory://` is a new store that ends with its last clone.
    ///
    /// URLs of S3, Google Cloud and Azure need the feature `cloud`; keys and regions are taken
    /// from the environment, as their own tools do (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, …).
    ///
    /// # Errors
    ///
    /// If the place cannot be written to, or is of a kind that this build does not know.
    pub fn open(place: &str, job: &str) -> Result<Self> {
        Self::at(Place::to_write(place)?.folder(&folder_of(job)?), job)
    }

    /// The store of `job` in an object store that is open already.
    ///
    /// # Errors
    ///
    /// If the job has no name.
    pub fn over(objects: Arc<dyn ObjectStore>, job: &str) -> Result<Self> {
        Self::at(Place::over(objects).folder(&folder_of(job)?), job)
    }

    /// A store whose folder is `place` itself.
    pub(super) fn at(place: Place, job: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("checkpoints")
            .enable_all()
            .build()
            .map_err(|cause| {
                let message = "cannot start the thread that talks to the store of checkpoints";
                Error::new(ErrorKind::Setting, message).because(cause)
            })?;
        let inside = Inside { place, job: job.to_owned(), runtime: Some(runtime) };
        Ok(Self { inside: Arc::new(inside) })
    }

    /// The job whose state this store keeps.
    pub fn job(&self) -> &str {
        &self.inside.job
    }

    /// The epochs of the checkpoints that are there, newest first, whether they are whole or not.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached.
    pub fn epochs(&self) -> Result<Vec<Epoch>> {
        let found = self.files()?.into_keys().filter_map(|file| match EpochFile::parse(&file)? {
            EpochFile::Manifest(epoch) => Some(epoch),
            EpochFile::Part(_) => None,
        });
        let mut epochs: Vec<Epoch> = found.collect();
        epochs.sort_by(|one, other| other.cmp(one));
        Ok(epochs)
    }

    /// The manifest of the checkpoint of an epoch. Whether all that it names is there, only
    /// [`verify`](Self::verify) tells.
    ///
    /// # Errors
    ///
    /// If there is none, it is damaged or of a newer format, or belongs to another job.
    pub fn manifest(&self, epoch: Epoch) -> Result<Manifest> {
        let file = manifest_of(epoch);
        let manifest = self.read_manifest(&file)?;
        if manifest.epoch != epoch {
            let what = format!("is the manifest of epoch {}", manifest.epoch);
            return Err(self.fault(&file, &what));
        }
        Ok(manifest)
    }

    /// The manifest in a file.
    pub(super) fn read_manifest(&self, file: &str) -> Result<Manifest> {
        let got = self.wait(async { self.objects().get(&self.path(file)).await?.bytes().await });
        let text = got.map_err(|cause| self.cannot_read(file, cause))?;
        let manifest = Manifest::from_text(&text).map_err(|what| self.fault(file, &what))?;
        if manifest.job != self.job() {
            let message = format!(
                "the store `{}` holds job `{}`, this is `{}`: name the place of this job's own",
                self.inside.place.shown,
                manifest.job,
                self.job()
            );
            return Err(Error::new(ErrorKind::State, message));
        }
        Ok(manifest)
    }

    /// Makes a checkpoint visible, once all parts that it names are written.
    ///
    /// Committing the same manifest again changes nothing and succeeds.
    ///
    /// # Errors
    ///
    /// If another run has committed the epoch already (kind [`State`](ErrorKind::State)), or the
    /// manifest is not there after a failure (kind [`Write`](ErrorKind::Write)). After an error of
    /// kind [`InDoubt`](ErrorKind::InDoubt) it may be there or may yet appear: commit it again.
    pub fn commit(&self, manifest: &Manifest) -> Result<()> {
        if manifest.job != self.job() {
            let message = format!(
                "a checkpoint of job `{}` does not belong into the store of `{}`",
                manifest.job,
                self.job()
            );
            return Err(Error::new(ErrorKind::State, message));
        }
        self.create_manifest(&manifest_of(manifest.epoch), manifest)
    }

    pub(super) fn create_manifest(&self, file: &str, manifest: &Manifest) -> Result<()> {
        let path = self.path(file);
        let text = manifest.to_text();
        let put = self.objects().put_opts(&path, text.clone().into(), PutMode::Create.into());
        let Err(failure) = self.wait(put) else { return Ok(()) };
        let existing = self.wait(async { self.objects().get(&path).await?.bytes().await });
        match existing {
            Ok(existing) if existing == text.as_bytes() => Ok(()),
            Ok(existing) => Err(self.committed_already(file, &existing)),
            Err(object_store::Error::NotFound { .. }) if !self.may_yet_happen(&failure) => {
                Err(self.cannot_write(file, failure))
            }
            Err(_) => {
                let message = format!(
                    "`{}` may have been written although the store reported a failure: commit it \
                     again",
                    self.shown(file)
                );
                Err(Error::new(ErrorKind::InDoubt, message).because(failure))
            }
        }
    }

    /// Whether a write that was reported as failed could still be under way somewhere: not on this
    /// machine, and not if the store refused it.
    fn may_yet_happen(&self, failure: &object_store::Error) -> bool {
        use object_store::Error as Failure;
        let refused = matches!(
            failure,
            Failure::AlreadyExists { .. }
                | Failure::PermissionDenied { .. }
                | Failure::Unauthenticated { .. }
                | Failure::NotSupported { .. }
                | Failure::NotImplemented { .. }
        );
        !refused && self.inside.place.local.is_none()
    }

    fn committed_already(&self, file: &str, existing: &[u8]) -> Error {
        let by = match Manifest::from_text(existing) {
            Ok(other) => format!("run {:016x} at {}", other.run, other.created),
            Err(what) => format!("another run; it {what}"),
        };
        let message = format!(
            "`{}` was committed already by {by}: stop the other run of the job, if there is one, \
             and restore from the newest checkpoint",
            self.shown(file)
        );
        Error::new(ErrorKind::State, message)
    }

    /// The files of all checkpoints, by their paths below the job's folder.
    pub(super) fn files(&self) -> Result<BTreeMap<String, object_store::ObjectMeta>> {
        let folder = self.path("epochs");
        let listed = self.wait(self.objects().list(Some(&folder)).try_collect::<Vec<_>>());
        let listed = listed.map_err(|cause| self.cannot_read("epochs", cause))?;
        let named = listed.into_iter().filter_map(|found| {
            let name = self.inside.place.relative(&found.location)?;
            Some((name, found))
        });
        Ok(named.collect())
    }

    /// The paths below the job's folder of the files in a folder of it.
    pub(super) fn files_in(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path(folder);
        let listed = self.wait(self.objects().list(Some(&path)).try_collect::<Vec<_>>());
        let listed = listed.map_err(|cause| self.cannot_read(folder, cause))?;
        let relative = |it: &object_store::ObjectMeta| self.inside.place.relative(&it.location);
        Ok(listed.iter().filter_map(relative).collect())
    }

    pub(super) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.inside.place.objects
    }

    pub(super) fn path(&self, file: &str) -> Path {
        self.inside.place.path(file)
    }

    pub(super) fn place(&self) -> &Place {
        &self.inside.place
    }

    /// The job's folder, if it is one of this machine.
    pub(super) fn local_folder(&self) -> Option<&std::path::Path> {
        self.inside.place.local.as_deref()
    }

    /// Whether there is no such file.
    pub(super) fn missing(&self, file: &str) -> Result<bool> {
        match self.wait(self.objects().head(&self.path(file))) {
            Ok(_) => Ok(false),
            Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(cause) => Err(self.cannot_read(file, cause)),
        }
    }

    /// Runs a request to its end.
    pub(super) fn wait<T>(&self, request: impl Future<Output = T>) -> T {
        self.runtime().block_on(request)
    }

    pub(super) fn runtime(&self) -> &Runtime {
        self.inside.runtime.as_ref().expect("a store in use is not dropped")
    }

    pub(super) fn shown(&self, file: &str) -> String {
        format!("{}/{file}", self.inside.place.shown)
    }

    /// A file of a checkpoint that is there, or should be, and cannot be used.
    pub(super) fn fault(&self, file: &str, what: &str) -> Error {
        let message = format!("`{}` {what}: use another checkpoint", self.shown(file));
        Error::new(ErrorKind::State, message)
    }

    pub(super) fn cannot_read(&self, file: &str, cause: object_store::Error) -> Error {
        if matches!(cause, object_store::Error::NotFound { .. }) {
            return self.fault(file, "is missing");
        }
        let message = format!(
            "cannot read `{}`: check that the store can be reached and read",
            self.shown(file)
        );
        Error::new(ErrorKind::Read, message).because(cause)
    }

    pub(super) fn cannot_write(&self, file: &str, cause: impl Into<Cause>) -> Error {
        let message = format!(
            "cannot write `{}`: check that the store can be reached, written to, and is not full",
            self.shown(file)
        );
        Error::new(ErrorKind::Write, message).because(cause.into())
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Drop for Inside {
    fn drop(&mut self) {
        // The last clone may be dropped where blocking is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.inside.place.shown)
    }
}

/// The manifest of a checkpoint, below the job's folder.
pub(super) fn manifest_of(epoch: Epoch) -> String {
    format!("epochs/{epoch}/manifest.json")
}

/// A worker's part of a checkpoint, below the job's folder.
pub(super) fn part_of(epoch: Epoch, worker: usize, run: u64) -> String {
    format!("epochs/{epoch}/part-{worker}-{run:016x}.tide")
}

/// What a file of a checkpoint is, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EpochFile {
    Manifest(Epoch),
    Part(Epoch),
}

impl EpochFile {
    /// Takes a path below the job's folder apart, if it is one of ours.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let (epoch, name) = file.strip_prefix("epochs/")?.split_once('/')?;
        let epoch = epoch.parse().ok()?;
        if file == manifest_of(epoch) {
            return Some(Self::Manifest(epoch));
        }
        let (worker, run) = name.strip_prefix("part-")?.strip_suffix(".tide")?.split_once('-')?;
        let (worker, run) = (worker.parse().ok()?, u64::from_str_radix(run, 16).ok()?);
        (file == part_of(epoch, worker, run)).then_some(Self::Part(epoch))
    }
}
