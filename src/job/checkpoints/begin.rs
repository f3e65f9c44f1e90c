//! What a run continues from, and what it needs for checkpoints of its own.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

use super::keeping::{Keeping, Restored};
use super::lineup::boundary;
use super::wanted::Wanted;
use crate::checkpoint::{Manifest, Store};
use crate::config::{Checkpointing, Restore, Settings};
use crate::error::{Error, ErrorKind, Result};

/// Where a process finds and keeps checkpoints.
#[derive(Clone)]
pub(crate) struct Shelf {
    pub(crate) store: Store,
    /// The savepoint that the run continues from, if it is to.
    from: Option<(Store, Manifest)>,
    pub(crate) settings: Checkpointing,
    max_parallelism: u32,
    /// A number that no other attempt of the job has.
    pub(crate) run: u64,
    pub(super) wanted: Wanted,
    pub(super) leads: bool,
}

/// What a worker knows of the run.
pub(crate) struct Course {
    pub(crate) job: String,
    pub(crate) run: u64,
    pub(crate) interval: Duration,
    pub(crate) max_parallelism: u32,
    pub(crate) keeping: Rc<Keeping>,
    pub(super) wanted: Wanted,
}

impl Shelf {
    /// Opens the store of the program, or else the place of the settings, if they name one.
    pub(crate) fn open(
        job: &str,
        settings: &Settings,
        objects: Option<Arc<dyn ObjectStore>>,
    ) -> Result<Option<Self>> {
        let store = match (objects, &settings.checkpoints.place) {
            (Some(objects), _) => Store::over(objects, job)?,
            (None, Some(place)) => Store::open(place, job)?,
            (None, None) if settings.checkpoints.restore.is_some() => {
                let message = "--restore needs --checkpoint, the place where checkpoints are";
                return Err(Error::new(ErrorKind::Setting, message));
            }
            (None, None) => return Ok(None),
        };
        let from = match &settings.checkpoints.restore {
            Some(Restore::Savepoint(place)) => Some(Store::open_savepoint(place, job)?),
            _ => None,
        };
        Ok(Some(Self {
            store,
            from,
            settings: settings.checkpoints.clone(),
            max_parallelism: settings.max_parallelism,
            run: RandomState::new().build_hasher().finish(),
            wanted: Wanted::on_signal(),
            leads: settings.process == 0,
        }))
    }

    /// Chooses what to continue from. Only one worker of a job does.
    pub(crate) fn choose(&self) -> Result<Option<Manifest>> {
        let newest = self.store.epochs()?.first().copied();
        let manifest = match &self.settings.restore {
            None => match newest {
                None => return Ok(None),
                Some(epoch) => {
                    return Err(refused(format!(
                        "there are checkpoints of the job {} already, up to epoch {epoch}: continue \
                         with --restore latest, or give the run a --checkpoint place of its own",
                        self.store.job()
                    )));
                }
            },
            Some(Restore::Latest) => match self.newest_whole()? {
                None => return Ok(None),
                Some(manifest) => manifest,
            },
            Some(Restore::Epoch(epoch)) => {
                let manifest = self.store.manifest(*epoch)?;
                self.store.verify(&manifest)?;
                manifest
            }
            Some(Restore::Savepoint(_)) => {
                let (_, manifest) = self.from.as_ref().expect("opened with the settings");
                manifest.clone()
            }
        };
        if manifest.max_parallelism != self.max_parallelism {
            return Err(refused(format!(
                "checkpoint {} has its keys in {} groups: restore it with --max-parallelism {}, not {}",
                manifest.epoch,
                manifest.max_parallelism,
                manifest.max_parallelism,
                self.max_parallelism
            )));
        }
        eprintln!(
            "{} continues from checkpoint {} of {}",
            self.store.job(),
            manifest.epoch,
            manifest.created
        );
        self.rebase(manifest, newest).map(Some)
    }

    fn newest_whole(&self) -> Result<Option<Manifest>> {
        let (manifest, skipped) = self.store.newest_whole()?;
        for (epoch, error) in &skipped {
            eprintln!("checkpoint {epoch} cannot be used: {error:#}");
        }
        match (&manifest, skipped.is_empty()) {
            (None, true) => eprintln!("no checkpoint of {} yet: it begins anew", self.store.job()),
            (None, false) => {
                let message = "none of the checkpoints is whole: to begin anew, give the run a \
                               --checkpoint place of its own";
                return Err(refused(message.to_owned()));
            }
            (Some(_), _) => {}
        }
        Ok(manifest)
    }

    /// A run that continues from a savepoint or an older checkpoint makes it the newest, so that a
    /// second failure does not lead back to what was given up, or to nothing.
    fn rebase(&self, mut manifest: Manifest, newest: Option<u64>) -> Result<Manifest> {
        let next = newest.map_or(0, |newest| boundary(newest + 1));
        match &self.from {
            Some((savepoint, _)) => {
                manifest.epoch = manifest.epoch.max(next);
                manifest.run = self.run;
                self.store.adopt(savepoint, &manifest)
            }
            None if newest > Some(manifest.epoch) => {
                manifest.epoch = next;
                manifest.run = self.run;
                self.store.commit(&manifest)?;
                Ok(manifest)
            }
            None => Ok(manifest),
        }
    }

    /// What a worker of the run needs that continues from `manifest`.
    pub(crate) fn course(&self, manifest: Option<Manifest>) -> Course {
        let store = self.store.clone();
        let rewrites = self.settings.rewrite_state;
        let restored = manifest.map(|it| Restored { store, manifest: Arc::new(it), rewrites });
        Course {
            job: self.store.job().to_owned(),
            run: self.run,
            interval: self.settings.interval(),
            max_parallelism: self.max_parallelism,
            keeping: Keeping::new(restored),
            wanted: self.wanted.clone(),
        }
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::State, message)
}
