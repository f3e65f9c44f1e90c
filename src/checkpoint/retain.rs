//! Deletes what is no longer needed: old checkpoints, and what failed attempts left.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use futures_util::{StreamExt, stream};
use tidemill_operators::time::Epoch;

use super::store::{EpochFile, Store, manifest_of};
use crate::error::{Error, ErrorKind, Result};

/// What [`Store::retain`] has kept and deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// The checkpoints that are kept, newest first.
    pub kept: Vec<Epoch>,
    /// The checkpoints that were deleted, newest first.
    pub deleted: Vec<Epoch>,
    /// How many files were deleted, manifests among them.
    pub files: usize,
    /// How many bytes the deleted files had.
    pub bytes: u64,
}

impl Store {
    /// Keeps the newest checkpoints and deletes all others: first their manifests, then the parts
    /// that no kept manifest names, those of failed attempts included.
    ///
    /// Parts of epochs after the newest checkpoint are left alone, since their checkpoint may be
    /// under way; a job commits its checkpoints in the order of their epochs. Savepoints are
    /// never touched. Whatever is interrupted, the next call completes.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached. Also, before anything is deleted, if a manifest that is to
    /// be kept cannot be understood: it may need files that nobody else needs. It stops mattering
    /// when enough newer checkpoints are there.
    pub fn retain(&self, keep: NonZeroUsize) -> Result<Retained> {
        let mut kept = self.epochs()?;
        let deleted = kept.split_off(keep.get().min(kept.len()));
        let Some(&newest) = kept.first() else { return Ok(Retained::default()) };
        let mut needed = BTreeSet::new();
        for epoch in &kept {
            needed.extend(self.manifest(*epoch)?.blocks().map(|block| block.file.clone()));
        }
        // Listed after the manifests were read: a file that came in between belongs to a later one.
        let files = self.files()?;
        let orphan = |file: &String| match EpochFile::parse(file) {
            Some(EpochFile::Part(epoch)) => epoch <= newest && !needed.contains(file),
            _ => false,
        };
        let manifests: Vec<String> = deleted.iter().map(|epoch| manifest_of(*epoch)).collect();
        let parts: Vec<String> = files.keys().filter(|file| orphan(file)).cloned().collect();
        self.delete(&manifests)?;
        self.delete(&parts)?;
        self.sweep(newest);
        let sizes = manifests.iter().chain(&parts).filter_map(|it| files.get(it));
        let bytes = sizes.map(|it| it.size).sum();
        Ok(Retained { kept, deleted, files: manifests.len() + parts.len(), bytes })
    }

    /// Deletes the checkpoints after an epoch, or all, and returns which they were, newest first: for
    /// a job that goes back to an older one, by choice or because the newer are damaged, and will
    /// come to their epochs again.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached, or has no such checkpoint to go back to.
    pub fn rewind(&self, to: Option<Epoch>) -> Result<Vec<Epoch>> {
        if let Some(to) = to {
            self.manifest(to)?;
        }
        let mut later = self.epochs()?;
        later.retain(|epoch| to.is_none_or(|to| *epoch > to));
        // Newest first, so that an interrupted call leaves the checkpoints up to some epoch.
        for epoch in &later {
            self.delete(&[manifest_of(*epoch)])?;
        }
        Ok(later)
    }

    fn delete(&self, files: &[String]) -> Result<()> {
        let paths: Vec<_> = files.iter().map(|it| Ok(self.path(it))).collect();
        let deleted = self.objects().delete_stream(stream::iter(paths).boxed());
        for (file, outcome) in files.iter().zip(self.wait(deleted.collect::<Vec<_>>())) {
            match outcome {
                // Another run's retention was faster.
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(cause) => {
                    let message = format!(
                        "cannot delete `{}`: check that the store can be reached and allows it",
                        self.shown(file)
                    );
                    return Err(Error::new(ErrorKind::Write, message).because(cause));
                }
            }
        }
        Ok(())
    }

    /// Removes what a process that was killed while it wrote to a local folder has left. The object
    /// store hides such files, so this looks at the folder itself.
    fn sweep(&self, newest: Epoch) {
        let Some(folder) = self.local_folder() else { return };
        let Ok(epochs) = std::fs::read_dir(folder.join("epochs")) else { return };
        for epoch in epochs.flatten() {
            let number = epoch.file_name().to_str().and_then(|it| it.parse::<Epoch>().ok());
            let Some(number) = number.filter(|it| *it <= newest) else { continue };
            for file in std::fs::read_dir(epoch.path()).into_iter().flatten().flatten() {
                let name = file.file_name();
                let staged = name.to_str().and_then(|it| it.rsplit_once('#'));
                let ours = staged
                    .and_then(|(whole, _)| EpochFile::parse(&format!("epochs/{number}/{whole}")));
                if ours.is_some() {
                    // It takes room and does no harm: a failure is for the next time.
                    let _ = std::fs::remove_file(file.path());
                }
            }
            // Succeeds only if it is empty.
            let _ = std::fs::remove_dir(epoch.path());
        }
    }
}
