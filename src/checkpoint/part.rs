//! The file of a worker's part of a checkpoint: blocks of state behind a header.
//!
//! A file is the eight bytes `TIDEPART`, the format's version as four bytes, four bytes that are
//! zero, and blocks without gaps. What the blocks are the manifest says. A block holds parts of one
//! section of one operator: either the parts of a range of key groups, or parts for everyone and
//! for partitions. It is compressed by zstd, or left as it is where that is not shorter, and its
//! checksum covers the bytes that are stored.
//!
//! Within a block each part is a record: what its owner is (a byte), the owner's group (two
//! bytes) or partition (its length in four bytes, its name), the length of the state (eight bytes),
//! the state. Numbers are little-endian.
//!
//! Packing runs at the speed of zstd's first level, some 300 to 700 MB/s of a core by what the state
//! is like; unpacking at 1 GB/s and more. `benches/checkpoint.rs` measures both through a store.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use tidemill_operators::key::Group;
use tidemill_operators::state::{Owner, Part};
use twox_hash::XxHash3_64;
use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use super::manifest::BlockRef;

/// What a part file begins with.
pub(super) const HEADER: [u8; 16] = *b"TIDEPART\x01\0\0\0\0\0\0\0";

/// The level of zstd.
const LEVEL: i32 = 1;

/// How many bytes of state make a block full.
const FULL: usize = 1 << 20;

/// A block as it is stored.
pub(super) struct Block {
    pub(super) stored: Bytes,
    /// How long it is once decompressed; if it is stored as it is, the length of `stored`.
    pub(super) raw_length: u64,
    /// The first and last key group in it; nothing if it is not for groups.
    pub(super) groups: Option<(Group, Group)>,
}

/// The checksum of stored bytes.
pub(super) fn checksum(stored: &[u8]) -> u64 {
    XxHash3_64::oneshot(stored)
}

/// What is wrong with the header of a file, if anything is.
pub(super) fn fault_of_header(header: &[u8]) -> Option<String> {
    if header == HEADER {
        return None;
    }
    let (magic, version) = (HEADER.get(..8), HEADER.get(8..12));
    let number = header.get(8..12).and_then(|it| it.try_into().ok()).map(u32::from_le_bytes);
    match number {
        Some(number) if header.get(..8) == magic && header.get(8..12) != version => Some(format!(
            "has format version {number}, which this program does not read: it was written by a \
             newer one, or it is damaged"
        )),
        _ => Some("does not begin as a part of a checkpoint does".to_owned()),
    }
}

/// Packs parts into blocks.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    raw: Vec<u8>,
    compressed: Vec<u8>,
    groups: Option<(Group, Group)>,
}

impl Packer {
    pub(super) fn new() -> io::Result<Self> {
        let compressor = Compressor::new(LEVEL)?;
        Ok(Self { compressor, raw: Vec::new(), compressed: Vec::new(), groups: None })
    }

    /// Packs the parts of one section: those for everyone and for partitions in the order given,
    /// then those of groups in the order of the groups.
    pub(super) fn pack<E>(
        &mut self,
        parts: &[Part],
        mut each: impl FnMut(io::Result<Block>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut order: Vec<&Part> = parts.iter().collect();
        order.sort_by_key(|part| match part.owner {
            Owner::Group(group) => Some(group),
            Owner::Everyone | Owner::Partition(_) => None,
        });
        for part in order {
            let group = match part.owner {
                Owner::Group(group) => Some(group),
                Owner::Everyone | Owner::Partition(_) => None,
            };
            let other_kind = self.groups.is_some() != group.is_some();
            let full = self.raw.len().saturating_add(part.bytes.len()) > FULL;
            if !self.raw.is_empty() && (other_kind || full) {
                each(self.take())?;
            }
            append(&mut self.raw, part);
            self.groups = group.map(|it| (self.groups.map_or(it, |(first, _)| first), it));
        }
        if self.raw.is_empty() { Ok(()) } else { each(self.take()) }
    }

    /// What was gathered, as a block.
    fn take(&mut self) -> io::Result<Block> {
        let Self { compressor, raw, compressed, .. } = self;
        let raw_length = raw.len() as u64;
        compressed.clear();
        compressed.reserve(compress_bound(raw.len()));
        compressor.compress_to_buffer(raw, compressed)?;
        let shorter = if compressed.len() < raw.len() { &*compressed } else { &*raw };
        let stored = Bytes::copy_from_slice(shorter);
        raw.clear();
        // A block of unusual size is rare: its memory is not kept for the usual ones.
        raw.shrink_to(2 * FULL);
        compressed.shrink_to(2 * FULL);
        Ok(Block { stored, raw_length, groups: self.groups.take() })
    }
}

fn append(raw: &mut Vec<u8>, part: &Part) {
    match &part.owner {
        Owner::Everyone => raw.push(0),
        Owner::Group(group) => {
            raw.push(1);
            raw.extend_from_slice(&group.to_le_bytes());
        }
        Owner::Partition(name) => {
            raw.push(2);
            let length = u32::try_from(name.len()).expect("a partition has a name that fits");
            raw.extend_from_slice(&length.to_le_bytes());
            raw.extend_from_slice(name.as_bytes());
        }
    }
    raw.extend_from_slice(&(part.bytes.len() as u64).to_le_bytes());
    raw.extend_from_slice(&part.bytes);
}

/// Unpacks a block that passed its checksum, handing over each part that is for one of `owned`, for
/// a partition or for everyone. An error says what is wrong with the block.
pub(super) fn unpack(
    stored: &[u8],
    block: &BlockRef,
    owned: &Range<Group>,
    mut each: impl FnMut(Part),
) -> Result<(), String> {
    if stored.len() as u64 == block.raw_length {
        return records(stored, owned, &mut each);
    }
    let too_large = |_| format!("a block of {} bytes does not fit in memory", block.raw_length);
    let length = usize::try_from(block.raw_length).map_err(|_| too_large(()))?;
    let mut raw = Vec::new();
    raw.try_reserve_exact(length).map_err(|_| too_large(()))?;
    let done = zstd::bulk::Decompressor::new()
        .and_then(|mut decompressor| decompressor.decompress_to_buffer(stored, &mut raw));
    match done {
        Ok(unpacked) if unpacked == length => records(&raw, owned, &mut each),
        Ok(unpacked) => Err(format!("a block of {length} bytes unpacks to {unpacked}")),
        Err(cause) => Err(format!("a block does not unpack: {cause}")),
    }
}

fn records(
    mut rest: &[u8],
    owned: &Range<Group>,
    each: &mut impl FnMut(Part),
) -> Result<(), String> {
    while !rest.is_empty() {
        let (owner, bytes, after) =
            record(rest).ok_or("a block does not hold what its format says")?;
        rest = after;
        if !matches!(owner, Owner::Group(group) if !owned.contains(&group)) {
            each(Part { owner, bytes: bytes.to_vec() });
        }
    }
    Ok(())
}

/// The first record, and what follows it.
fn record(rest: &[u8]) -> Option<(Owner, &[u8], &[u8])> {
    let (kind, rest) = rest.split_first()?;
    let (owner, rest) = match kind {
        0 => (Owner::Everyone, rest),
        1 => {
            let (group, rest) = rest.split_first_chunk()?;
            (Owner::Group(Group::from_le_bytes(*group)), rest)
        }
        2 => {
            let (length, rest) = rest.split_first_chunk()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (name, rest) = rest.split_at_checked(length)?;
            (Owner::Partition(std::str::from_utf8(name).ok()?.to_owned()), rest)
        }
        _ => return None,
    };
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (bytes, rest) = rest.split_at_checked(length)?;
    Some((owner, bytes, rest))
}
