//! Writes a worker's part of a checkpoint: one file, as it is packed.

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutPayloadMut, WriteMultipart};
use tidemill_operators::state::{Part, Section};
use tidemill_operators::time::Epoch;

use super::manifest::{BlockRef, SectionRef};
use super::part::{Block, HEADER, Packer, checksum};
use super::store::{Store, part_of};
use crate::error::Result;

/// How many bytes are gathered before they are sent: smaller files go in one request.
const REQUEST: usize = 8 << 20;

/// How many requests of a file are under way at the same time.
const REQUESTS: usize = 3;

impl Store {
    /// Writes a worker's part of a checkpoint to one file and says where each section is. `run` is
    /// a number that no other attempt of the job has. Without sections nothing is written.
    ///
    /// Writing the same part again replaces it, which is for a write that failed.
    ///
    /// Sections without parts, which are as they were, are passed over: their older places are to
    /// be listed in the manifest again.
    ///
    /// # Cost
    ///
    /// Memory for some 30 MB beside the sections, however large they are.
    ///
    /// # Errors
    ///
    /// If the store cannot be written to. What was written is an orphan then, which
    /// [`retain`](Self::retain) removes once a later checkpoint is committed.
    pub fn write_part(
        &self,
        epoch: Epoch,
        worker: usize,
        run: u64,
        operators: &[(String, Vec<Section>)],
    ) -> Result<Vec<(String, Vec<SectionRef>)>> {
        let mut writer = self.part(epoch, worker, run);
        let mut written = Vec::with_capacity(operators.len());
        for (operator, sections) in operators {
            let mut places = Vec::new();
            for Section { id, parts } in sections {
                if let Some(parts) = parts {
                    places.push(writer.section(*id, parts)?);
                }
            }
            written.push((operator.clone(), places));
        }
        writer.finish()?;
        Ok(written)
    }

    /// Begins a worker's part of a checkpoint, to be written section by section.
    pub fn part(&self, epoch: Epoch, worker: usize, run: u64) -> PartWriter {
        PartWriter::new(self.clone(), part_of(epoch, worker, run))
    }
}

/// Writes a part of a checkpoint section by section, so that no more than one of them needs to be
/// in memory.
///
/// The file is there once [`finish`](Self::finish) has succeeded. If the writer is dropped before,
/// or has reported an error, there is none.
pub struct PartWriter {
    store: Store,
    file: String,
    length: u64,
    /// What is not sent yet.
    gathered: PutPayloadMut,
    /// The requests under way, if the file takes more than one.
    upload: Option<WriteMultipart>,
    packer: Option<Packer>,
}

impl PartWriter {
    pub(super) fn new(store: Store, file: String) -> Self {
        let gathered = PutPayloadMut::new();
        Self { store, file, length: 0, gathered, upload: None, packer: None }
    }

    /// Writes a section and says where it is.
    ///
    /// # Errors
    ///
    /// If the store cannot be written to. The file is lost then.
    pub fn section(&mut self, id: u64, parts: &[Part]) -> Result<SectionRef> {
        let packer = self.packer.take().map_or_else(Packer::new, Ok);
        let mut packer = packer.map_err(|cause| self.store.cannot_write(&self.file, cause))?;
        let mut blocks = Vec::new();
        packer.pack(parts, |block| match block {
            Ok(block) => {
                blocks.push(self.block(block)?);
                Ok(())
            }
            Err(cause) => Err(self.store.cannot_write(&self.file, cause)),
        })?;
        self.packer = Some(packer);
        Ok(SectionRef { id, blocks })
    }

    /// Appends a block.
    pub(super) fn block(&mut self, block: Block) -> Result<BlockRef> {
        if self.length == 0 {
            self.append(Bytes::from_static(&HEADER))?;
        }
        let place = BlockRef {
            file: self.file.clone(),
            offset: self.length,
            length: block.stored.len() as u64,
            raw_length: block.raw_length,
            checksum: checksum(&block.stored),
            groups: block.groups,
        };
        self.append(block.stored)?;
        Ok(place)
    }

    fn append(&mut self, bytes: Bytes) -> Result<()> {
        self.length += bytes.len() as u64;
        let sent = match &mut self.upload {
            Some(upload) => self.store.wait(send(upload, bytes)),
            None => {
                self.gathered.push(bytes);
                if self.gathered.content_length() < REQUEST { Ok(()) } else { self.begin() }
            }
        };
        sent.map_err(|cause| self.store.cannot_write(&self.file, cause))
    }

    /// Begins to send a file that takes more than one request.
    fn begin(&mut self) -> object_store::Result<()> {
        let path = self.store.path(&self.file);
        let gathered = std::mem::take(&mut self.gathered);
        let upload = self.store.wait(self.store.objects().put_multipart(&path))?;
        let upload = self.upload.insert(WriteMultipart::new_with_chunk_size(upload, REQUEST));
        self.store.wait(async {
            for bytes in gathered.freeze() {
                upload.put(bytes);
            }
            upload.wait_for_capacity(REQUESTS).await
        })
    }

    /// Makes the file visible and durable, if anything was written.
    ///
    /// # Errors
    ///
    /// If the store cannot be written to. The file is lost then.
    pub fn finish(mut self) -> Result<()> {
        let done = match self.upload.take() {
            Some(upload) => self.store.wait(upload.finish()),
            None if self.length == 0 => return Ok(()),
            None => {
                let (path, all) = (self.store.path(&self.file), std::mem::take(&mut self.gathered));
                self.store.wait(self.store.objects().put(&path, all.freeze()))
            }
        };
        done.map_err(|cause| self.store.cannot_write(&self.file, cause))?;
        Ok(())
    }
}

async fn send(upload: &mut WriteMultipart, bytes: Bytes) -> object_store::Result<()> {
    upload.wait_for_capacity(REQUESTS).await?;
    upload.put(bytes);
    Ok(())
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            // What cannot be taken back now is removed as an orphan later.
            let _ = self.store.wait(upload.abort());
        }
    }
}
