//! Reads what a worker owns of an operator's state: only the blocks that can hold some of it.

use std::collections::BTreeSet;
use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tidemill_operators::key::Group;
use tidemill_operators::state::Part;
use tokio::task::spawn_blocking;

use super::manifest::{BlockRef, Manifest};
use super::part::{HEADER, checksum, fault_of_header, unpack};
use super::store::Store;
use crate::error::Result;

/// How many stored bytes are fetched at a time, while those before them are unpacked.
const FETCH: u64 = 16 << 20;

impl Store {
    /// The parts of an operator's state that are for everyone, for a partition, or for a key group
    /// in `owned`; none if the checkpoint knows no such operator.
    ///
    /// They come as [`read_each`](Self::read_each) hands them over, with its cost and errors, and
    /// memory for all of them.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached, or a block is missing or damaged.
    pub fn read(
        &self,
        manifest: &Manifest,
        operator: &str,
        owned: Range<Group>,
    ) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        self.read_each(manifest, operator, owned, |part, _| parts.push(part))?;
        Ok(parts)
    }

    /// Hands over the parts of an operator's state that are for everyone, for a partition, or for a
    /// key group in `owned`; none if the checkpoint knows no such operator.
    ///
    /// Those that are not for groups come first. Both kinds come by the pieces of the manifest, in
    /// each by its sections, and in a section by their groups. The parts of one group or partition
    /// keep the order in which they were saved. With a part for a group comes the number of its section if
    /// one [piece](super::manifest::OperatorState::alone) has all of `owned` and nothing else.
    ///
    /// # Cost
    ///
    /// Reads the blocks whose range of groups touches `owned`. The store fetches, checks and
    /// unpacks the next ones while `each` is at work: memory for three times 16 MB as stored, and
    /// what that unpacks to.
    ///
    /// # Errors
    ///
    /// If the store cannot be reached, or a block is missing or damaged: then some parts may have
    /// been handed over already.
    pub fn read_each(
        &self,
        manifest: &Manifest,
        operator: &str,
        owned: Range<Group>,
        mut each: impl FnMut(Part, Option<u64>),
    ) -> Result<()> {
        let Some(operator) = manifest.operators.get(operator) else { return Ok(()) };
        let sections = || operator.pieces.iter().flat_map(|piece| &piece.sections);
        let blocks = || sections().flat_map(|it| it.blocks.iter().map(|block| (block, it.id)));
        let others = blocks().filter(|(block, _)| block.groups.is_none());
        let grouped = blocks().filter(|(block, _)| block.touches(&owned));
        let alone = operator.alone(&owned).is_some();
        let others = others.map(|(block, _)| (block.clone(), None));
        let grouped = grouped.map(|(block, id)| (block.clone(), alone.then_some(id)));
        let (blocks, ids): (Vec<_>, Vec<_>) = others.chain(grouped).unzip();
        let mut ids = ids.into_iter();
        let (store, owned) = (self.clone(), owned.clone());
        let prepare = move |block: &BlockRef, stored: Bytes| {
            let mut parts = Vec::new();
            let unpacked = unpack(&stored, block, &owned, |part| parts.push(part));
            unpacked.map_or_else(|what| Err(store.fault(&block.file, &what)), |()| Ok(parts))
        };
        self.fetch(blocks, 2, prepare, |_, parts| {
            let id = ids.next().flatten();
            parts.into_iter().for_each(|part| each(part, id));
            Ok(())
        })
    }

    /// Hands over what `prepare` makes of the stored bytes of blocks, in order, once their checksums are
    /// found right. `ahead` requests are under way at a time, each prepared on a thread of its own.
    pub(super) fn fetch<T: Send + 'static>(
        &self,
        blocks: impl IntoIterator<Item = BlockRef>,
        ahead: usize,
        prepare: impl Fn(&BlockRef, Bytes) -> Result<T> + Clone + Send + 'static,
        mut each: impl FnMut(&BlockRef, T) -> Result<()>,
    ) -> Result<()> {
        let spawn = |request: Request| {
            let (store, prepare) = (self.clone(), prepare.clone());
            self.runtime().spawn(async move {
                let fetched = request.fetch(store).await?.into_iter();
                let prepared = spawn_blocking(move || {
                    fetched.map(|(block, stored)| Ok((prepare(&block, stored)?, block))).collect()
                });
                prepared.await.expect("to prepare does not panic")
            })
        };
        let requests = stream::iter(requests(blocks)).map(spawn);
        let mut fetched = requests.buffered(ahead);
        while let Some(blocks) = self.wait(fetched.next()) {
            let blocks: Result<Vec<_>> = blocks.expect("a request does not panic");
            for (prepared, block) in blocks? {
                each(&block, prepared)?;
            }
        }
        Ok(())
    }
}

/// Blocks of one file that are fetched together.
struct Request {
    blocks: Vec<BlockRef>,
    /// Whether the file was not looked at before.
    first: bool,
}

/// Cuts blocks into requests.
fn requests(blocks: impl IntoIterator<Item = BlockRef>) -> Vec<Request> {
    let mut known = BTreeSet::new();
    let mut requests: Vec<Request> = Vec::new();
    let mut bytes = 0u64;
    for block in blocks {
        bytes = bytes.saturating_add(block.length);
        match requests.last_mut() {
            Some(last) if last.file() == block.file && bytes <= FETCH => last.blocks.push(block),
            _ => {
                bytes = block.length;
                let first = known.insert(block.file.clone());
                requests.push(Request { blocks: vec![block], first });
            }
        }
    }
    requests
}

impl Request {
    fn file(&self) -> &str {
        self.blocks.first().map_or("", |block| &block.file)
    }

    async fn fetch(self, store: Store) -> Result<Vec<(BlockRef, Bytes)>> {
        let path = store.path(self.file());
        if self.first {
            self.check_file(&store, &path).await?;
        }
        let ranges: Vec<_> = self.blocks.iter().map(range).collect();
        let fetched = store.objects().get_ranges(&path, &ranges).await;
        let fetched = fetched.map_err(|cause| store.cannot_read(self.file(), cause))?;
        let blocks = self.blocks.into_iter().zip(fetched);
        blocks
            .map(|(block, stored)| {
                if stored.len() as u64 != block.length || checksum(&stored) != block.checksum {
                    let what = format!(
                        "is damaged: the {} bytes at {} do not match their checksum",
                        block.length, block.offset
                    );
                    return Err(store.fault(&block.file, &what));
                }
                Ok((block, stored))
            })
            .collect()
    }

    /// Finds out whether the file is there, is of a format that we know, and is long enough.
    async fn check_file(&self, store: &Store, path: &Path) -> Result<()> {
        let (file, objects) = (self.file(), store.objects());
        let found = objects.head(path).await;
        let found = found.map_err(|cause| store.cannot_read(file, cause))?;
        let needed = self.blocks.iter().map(|block| range(block).end).max().unwrap_or(0);
        if found.size < needed {
            let what = format!("is truncated: it has {} bytes of at least {needed}", found.size);
            return Err(store.fault(file, &what));
        }
        let header = objects.get_range(path, 0..HEADER.len() as u64).await;
        let header = header.map_err(|cause| store.cannot_read(file, cause))?;
        fault_of_header(&header).map_or(Ok(()), |what| Err(store.fault(file, &what)))
    }
}

fn range(block: &BlockRef) -> Range<u64> {
    block.offset..block.offset.saturating_add(block.length)
}
