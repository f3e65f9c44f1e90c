//! Tells whether a checkpoint is whole, and finds the newest one that is.

use std::collections::BTreeSet;

use tidemill_operators::time::Epoch;

use super::manifest::Manifest;
use super::store::Store;
use crate::error::{Error, ErrorKind, Result};

/// How many requests are under way at a time.
const AHEAD: usize = 4;

impl Store {
    /// Reads everything that a checkpoint consists of and compares all checksums.
    ///
    /// # Cost
    ///
    /// Reads each stored byte once, several requests at a time; memory for some 80 MB.
    ///
    /// # Errors
    ///
    /// Of kind [`State`](ErrorKind::State) if a file is missing, truncated, damaged or of a newer
    /// format: the first one found. Of kind [`Read`](ErrorKind::Read) if the store cannot be
    /// reached, which says nothing about the checkpoint.
    pub fn verify(&self, manifest: &Manifest) -> Result<()> {
        let blocks: BTreeSet<_> = manifest.blocks().cloned().collect();
        self.fetch(blocks, AHEAD, |_, _| Ok(()), |_, ()| Ok(()))
    }

    /// The newest checkpoint that is whole, and the newer ones that are not with what is wrong
    /// with each. Whoever restores says so aloud, and [rewinds](Self::rewind) to it, since epochs that
    /// have a manifest are not committed again.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached. A checkpoint that cannot be read now is not taken for
    /// damaged.
    pub fn newest_whole(&self) -> Result<(Option<Manifest>, Vec<(Epoch, Error)>)> {
        let mut skipped = Vec::new();
        for epoch in self.epochs()? {
            let whole = self.manifest(epoch).and_then(|it| self.verify(&it).map(|()| it));
            match whole {
                Ok(manifest) => return Ok((Some(manifest), skipped)),
                Err(error) if error.kind() == ErrorKind::State => skipped.push((epoch, error)),
                Err(error) => return Err(error),
            }
        }
        Ok((None, skipped))
    }
}
