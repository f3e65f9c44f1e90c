//! What becomes of input that cannot be understood.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// What becomes of a record that cannot be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMalformed {
    /// The job stops with an error that names the file, the line, the byte and what is wrong.
    #[default]
    Stop,
    /// The record is skipped and counted.
    Skip,
    /// The record is counted and appended to this file, as one JSON object on a line: `file`,
    /// `byte` (where in the decompressed file the record begins), `reason` and `raw`, the record as
    /// it came. A record that is not UTF-8 is in `bytes` too, as a list of numbers. Of one that is
    /// longer than allowed, the part that is allowed is kept.
    ///
    /// All partitions share the file. After a restart, records read again are appended again.
    DeadLetter(PathBuf),
}

/// Where a malformed record is.
pub(crate) struct Place<'a> {
    /// The file or address.
    pub(crate) file: &'a str,
    /// The first byte of the record.
    pub(crate) byte: u64,
    /// Counts the lines up to it, if that is possible.
    pub(crate) line: &'a dyn Fn() -> Option<u64>,
}

/// Applies the policy, and counts.
#[derive(Debug)]
pub(crate) struct Malformed {
    policy: OnMalformed,
    letters: Option<File>,
    count: u64,
}

#[derive(Serialize)]
struct Letter<'a> {
    file: &'a str,
    byte: u64,
    reason: &'a str,
    raw: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<&'a [u8]>,
}

impl Malformed {
    /// Nothing malformed so far.
    pub(crate) fn new(policy: OnMalformed) -> Self {
        Self { policy, letters: None, count: 0 }
    }

    /// How many records were malformed so far and did not stop the job.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Deals with a malformed record; an error means that it was not dealt with.
    pub(crate) fn found(&mut self, place: &Place<'_>, raw: &[u8], reason: &str) -> Result<()> {
        match &self.policy {
            OnMalformed::Stop => {
                let line = (place.line)().map_or(String::new(), |line| format!("line {line}, "));
                let message = format!("{}, {line}byte {}: {reason}", place.file, place.byte);
                return Err(Error::new(ErrorKind::Malformed, message));
            }
            OnMalformed::Skip => {}
            OnMalformed::DeadLetter(path) => {
                let cannot = |cause: std::io::Error| {
                    let message = format!("cannot write dead letters to {}", path.display());
                    Error::new(ErrorKind::Write, message).because(cause)
                };
                let letters = match &mut self.letters {
                    Some(letters) => letters,
                    none => none.insert(
                        OpenOptions::new().create(true).append(true).open(path).map_err(cannot)?,
                    ),
                };
                // One write for each letter: partitions that share the file do not mix them.
                letters.write_all(&letter(place, raw, reason)?).map_err(cannot)?;
            }
        }
        self.count += 1;
        Ok(())
    }
}

fn letter(place: &Place<'_>, raw: &[u8], reason: &str) -> Result<Vec<u8>> {
    let text = String::from_utf8_lossy(raw);
    let bytes = std::str::from_utf8(raw).is_err().then_some(raw);
    let letter = Letter { file: place.file, byte: place.byte, reason, raw: &text, bytes };
    let mut line = serde_json::to_vec(&letter).map_err(|cause| {
        Error::new(ErrorKind::Write, "cannot write a dead letter as JSON").because(cause)
    })?;
    line.push(b'\n');
    Ok(line)
}
