//! Savepoints: full copies of a checkpoint that stand alone, wherever they are moved, and the way back.

use std::collections::BTreeSet;

use tidemill_operators::time::Epoch;

use super::manifest::{BlockRef, Manifest};
use super::part::Block;
use super::place::Place;
use super::store::{Store, part_of};
use super::write::PartWriter;
use crate::error::{Error, ErrorKind, Result};

/// The manifest of a savepoint, in its folder.
const MANIFEST: &str = "manifest.json";

impl Store {
    /// Copies all that a checkpoint consists of to a folder of its own and says where that is: at
    /// the place given, or else at `savepoints/<epoch>` in the job's folder.
    ///
    /// The folder may be moved or copied elsewhere as a whole. Retention never touches it. Its
    /// manifest is written last: without it, it is no savepoint. Asking for the same savepoint
    /// again changes nothing.
    ///
    /// # Cost
    ///
    /// Reads and writes each stored byte once; memory for some 60 MB.
    ///
    /// # Errors
    ///
    /// If the checkpoint is damaged, a place cannot be read or written, or another savepoint is at
    /// this place.
    pub fn savepoint(&self, manifest: &Manifest, to: Option<&str>) -> Result<String> {
        let place = match to {
            Some(to) => Place::to_write(to)?,
            None => self.place().folder(&format!("savepoints/{}", manifest.epoch)),
        };
        let shown = place.shown.clone();
        let target = Self::at(place, self.job())?;
        if !target.missing(MANIFEST)? {
            if target.read_manifest(MANIFEST).is_ok_and(|there| same(&there, manifest)) {
                return Ok(shown);
            }
            let message = format!(
                "`{shown}` holds another savepoint: name another place, or delete it first"
            );
            return Err(Error::new(ErrorKind::State, message));
        }
        // The same names for the same content: a second attempt completes the first.
        let file = |worker| savepoint_part_of(manifest.epoch, worker, manifest.run);
        let copy = self.copy(manifest, &target, file)?;
        target.create_manifest(MANIFEST, &copy)?;
        Ok(shown)
    }

    /// Makes the savepoint `manifest` of the store `from` a checkpoint of this store, of the epoch and
    /// run that the manifest says, by copying all that it consists of. Returns what was committed.
    ///
    /// # Cost
    ///
    /// As of [`savepoint`](Self::savepoint).
    ///
    /// # Errors
    ///
    /// If the savepoint is damaged, a store cannot be read or written, or the epoch is committed
    /// already.
    pub fn adopt(&self, from: &Self, manifest: &Manifest) -> Result<Manifest> {
        let file = |worker| part_of(manifest.epoch, worker, manifest.run);
        let copy = from.copy(manifest, self, file)?;
        self.commit(&copy)?;
        Ok(copy)
    }

    /// Opens the savepoint in a folder or at a URL, as a store to read from, with its manifest.
    ///
    /// What a job saves later goes to its own store, which [adopts](Self::adopt) the savepoint: a
    /// checkpoint cannot list parts that are elsewhere.
    ///
    /// # Errors
    ///
    /// If there is no savepoint, it is damaged or of a newer format, or belongs to another job.
    pub fn open_savepoint(place: &str, job: &str) -> Result<(Self, Manifest)> {
        let store = Self::at(Place::to_read(place)?, job)?;
        let manifest = store.read_manifest(MANIFEST)?;
        if manifest.blocks().any(|block| block.file.contains('/')) {
            let message = format!(
                "`{place}` is not a savepoint but the checkpoint of epoch {}: restore it by the \
                 place of its job and this number",
                manifest.epoch
            );
            return Err(Error::new(ErrorKind::State, message));
        }
        Ok((store, manifest))
    }

    /// Copies the parts of each worker to one file of the target, and says where they are then.
    fn copy(
        &self,
        manifest: &Manifest,
        target: &Self,
        file: impl Fn(usize) -> String,
    ) -> Result<Manifest> {
        let mut copy = manifest.clone();
        let pieces = manifest.operators.values().flat_map(|operator| &operator.pieces);
        let workers: BTreeSet<usize> = pieces.map(|piece| piece.worker).collect();
        for worker in workers {
            let mut writer = PartWriter::new(target.clone(), file(worker));
            let from: Vec<BlockRef> = places(&mut copy, worker).map(|it| it.clone()).collect();
            let mut to = Vec::with_capacity(from.len());
            self.fetch(
                from,
                2,
                |_, stored| Ok(stored),
                |block, stored| {
                    let BlockRef { raw_length, groups, .. } = *block;
                    to.push(writer.block(Block { stored, raw_length, groups })?);
                    Ok(())
                },
            )?;
            writer.finish()?;
            places(&mut copy, worker).zip(to).for_each(|(place, moved)| *place = moved);
        }
        Ok(copy)
    }
}

fn savepoint_part_of(epoch: Epoch, worker: usize, run: u64) -> String {
    format!("part-{epoch}-{worker}-{run:016x}.tide")
}

fn same(one: &Manifest, other: &Manifest) -> bool {
    (one.epoch, one.run, one.created) == (other.epoch, other.run, other.created)
}

/// Where the blocks are that one worker saved.
fn places(manifest: &mut Manifest, worker: usize) -> impl Iterator<Item = &mut BlockRef> {
    let pieces = manifest.operators.values_mut().flat_map(|operator| &mut operator.pieces);
    let sections = pieces.filter(move |it| it.worker == worker).flat_map(|it| &mut it.sections);
    sections.flat_map(|section| &mut section.blocks)
}
