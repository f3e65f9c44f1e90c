//! The form in which records cross from process to process: serde's data model, fixed in width.
//!
//! A batch is the number of its records (8 bytes) and one record after the other. Integers, floats
//! and characters are little-endian in their own width, a `bool` is a byte, an option is a byte and
//! perhaps its value, the variant of an enum is 4 bytes. A text, bytes, a sequence or a map is its
//! length in 4 bytes and its contents; one whose length is not known beforehand has the length
//! [`UNKNOWN`] and a byte 1 before each element and 0 after the last. Tuples, structs and units
//! are their fields and nothing else. Zeros fill the whole up to a multiple of 8 bytes, as timely asks.
//!
//! # Guarantees
//!
//! Every value whose type is read as it was written comes back the same, NaN bits included. The form is not
//! self-describing and says nothing about versions: both ends run the same program. What does not
//! fit its type is an [`Error`], never a guess; memory is reserved only for what can still arrive.
//!
//! # Cost
//!
//! Of records that have a fixed width the size is known after a multiplication; of others each is
//! visited once more. Reading and writing copy each field once and allocate only what the record owns.

use std::fmt;
use std::io::Write;

use serde::Serialize;
use serde::de::DeserializeOwned;

mod read;
#[cfg(test)]
mod tests;
mod write;

use read::Reader;
use write::{Size, Target, Through, Writer};

/// Stands for the length of what was written without knowing how long it would be.
const UNKNOWN: u32 = u32::MAX;

/// What a whole batch is a multiple of, in bytes.
const WORD: usize = 8;

/// The number of bytes that [`write`] will write.
pub(super) fn size<D: Serialize>(records: &[D]) -> Result<usize, Error> {
    let mut size = Size(0);
    put(records, &mut size)?;
    Ok(size.0.next_multiple_of(WORD))
}

/// Writes `records`.
pub(super) fn write<D: Serialize>(records: &[D], to: &mut impl Write) -> Result<(), Error> {
    let mut to = Through { to, written: 0 };
    put(records, &mut to)?;
    let missing = to.written.next_multiple_of(WORD) - to.written;
    to.put_all(&[0; WORD][..missing])
}

fn put<D: Serialize>(records: &[D], to: &mut impl Target) -> Result<(), Error> {
    to.put((records.len() as u64).to_le_bytes())?;
    records.iter().try_for_each(|record| record.serialize(Writer(to)))
}

/// Reads what [`write`] wrote; anything behind it is left alone.
pub(super) fn read<D: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<D>, Error> {
    let mut reader = Reader(bytes);
    let count = u64::from_le_bytes(reader.array()?) as usize;
    // A record takes at least a byte; should it not, the vector grows as it must.
    let mut records = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        records.push(D::deserialize(&mut reader)?);
    }
    Ok(records)
}

/// What cannot be written in this form, or is not a value of the type that is read.
// In a box, so that the results of the many small steps stay small.
#[derive(Debug)]
pub(super) struct Error(Box<str>);

impl Error {
    #[cold]
    fn new(message: &str) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl serde::ser::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&message.to_string())
    }
}

impl serde::de::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&message.to_string())
    }
}
