//! What a store holds, for people: each checkpoint with its age, its size and whether it is whole.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use tidemill_operators::time::Epoch;

use super::manifest::{Ended, Manifest};
use super::store::Store;
use crate::error::{ErrorKind, Result};

/// One checkpoint of a store.
///
/// Its `Display` is a line for a person.
#[derive(Debug)]
pub struct Listed {
    /// The last epoch that it includes.
    pub epoch: Epoch,
    /// What is in it, or what is wrong with it.
    pub found: Result<Found>,
}

/// A checkpoint that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// When it was written.
    pub created: Timestamp,
    /// How many workers saved.
    pub workers: usize,
    /// How many bytes it consists of.
    pub bytes: u64,
    /// How many of these are in files of its own; the others are shared with earlier checkpoints.
    pub own_bytes: u64,
    /// How many operators have state.
    pub operators: usize,
    /// Whether the job was at its end.
    pub ended: Option<Ended>,
}

impl Store {
    /// All checkpoints, newest first, each read and verified.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached. Damage is part of the list.
    pub fn list(&self) -> Result<Vec<Listed>> {
        self.epochs()?.into_iter().map(|epoch| self.look_at(epoch)).collect()
    }

    fn look_at(&self, epoch: Epoch) -> Result<Listed> {
        let whole = self.manifest(epoch).and_then(|it| self.verify(&it).map(|()| it));
        let found = match whole {
            Ok(manifest) => Ok(describe(&manifest)),
            Err(error) if error.kind() == ErrorKind::State => Err(error),
            Err(error) => return Err(error),
        };
        Ok(Listed { epoch, found })
    }
}

fn describe(manifest: &Manifest) -> Found {
    let own = format!("epochs/{}/", manifest.epoch);
    let blocks: BTreeSet<_> = manifest.blocks().collect();
    let bytes = |own_only: bool| {
        let counted = blocks.iter().filter(|it| !own_only || it.file.starts_with(&own));
        counted.map(|it| it.length).sum()
    };
    Found {
        created: manifest.created,
        workers: manifest.workers,
        bytes: bytes(false),
        own_bytes: bytes(true),
        operators: manifest.operators.len(),
        ended: manifest.ended,
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Ok(found) => write!(f, "epoch {}: {found}", self.epoch),
            Err(error) => write!(f, "epoch {}: not usable: {error:#}", self.epoch),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, workers, bytes, own_bytes, operators, .. } = self;
        let created = created.strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(
            f,
            "{created}, {bytes} bytes ({own_bytes} its own) of {operators} operators on {workers} \
             workers"
        )?;
        match self.ended {
            None => Ok(()),
            Some(Ended::Finished) => f.write_str(", finished"),
            Some(Ended::Stopped) => f.write_str(", stopped"),
        }
    }
}
