//! Bytes into records: what a format of files and sockets must say.
//!
//! An [`InputFormat`] is the settings, cheap to clone; a [`Decode`] is made from it for each file,
//! once its first line is known. It is handed whole lines, many at once.

pub(crate) mod cell;
pub(crate) mod csv;
pub(crate) mod jsonl;
pub(crate) mod record;
pub(crate) mod rows;
mod shape;
pub(crate) mod text;

use crate::error::{Error, Result};

/// A way to write records as lines of bytes, with its settings.
pub trait InputFormat: Clone + 'static {
    /// What is read.
    type Record: 'static;
    /// Reads one file.
    type Decode: Decode<Record = Self::Record> + 'static;

    /// What the format is called, in names and errors.
    const NAME: &'static str;

    /// Refuses settings that contradict each other, before anything is read.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Whether the [decoder](Self::decoder) needs to see the first line of a file.
    fn needs_first_line(&self) -> bool {
        false
    }

    /// Whether a record may have line feeds within it. If so files are not cut, and the decoder
    /// finds out itself where a record ends.
    fn spans_lines(&self) -> bool {
        false
    }

    /// Makes the decoder of a file, given its first line if there is one.
    fn decoder(&self, file: &str, first_line: Option<&[u8]>) -> Result<Self::Decode>;
}

/// Reads the records of one file.
pub trait Decode {
    /// What is read.
    type Record;

    /// Whether the first line is a header rather than a record.
    fn first_line_is_header(&self) -> bool {
        false
    }

    /// Decodes records from the beginning of `run`, at most `most`, and appends them.
    ///
    /// `run` is whole lines, each with its line feed unless the file ends without one; or, for a
    /// format that [spans lines](InputFormat::spans_lines), bytes that may end anywhere. The file ends
    /// with the run if `last`.
    fn decode(
        &mut self,
        run: &[u8],
        last: bool,
        most: usize,
        records: &mut Vec<Self::Record>,
    ) -> Decoded;
}

/// How far a [decoding](Decode::decode) came.
#[derive(Debug)]
pub struct Decoded {
    /// The bytes of the run that were understood: whole records.
    pub consumed: usize,
    /// Why it stopped there.
    pub why: Stopped,
}

/// Why a [decoding](Decode::decode) stopped.
#[derive(Debug)]
pub enum Stopped {
    /// There are as many records as were asked for, or the run is used up.
    Done,
    /// A record begins there but does not end in the run.
    Unfinished,
    /// A record cannot be understood.
    Malformed {
        /// Its bytes in the run.
        length: usize,
        /// What is wrong with it: lower case, no full stop.
        reason: String,
    },
    /// No record of the file can ever be read.
    Failed(Error),
}

/// Decodes a run line by line: what formats with one record per line share.
///
/// `decode` is given each line without its line feed and carriage return, and says nothing for a
/// line without a record.
pub(crate) fn each_line<R>(
    run: &[u8],
    most: usize,
    records: &mut Vec<R>,
    mut decode: impl FnMut(&[u8]) -> Result<Option<R>, String>,
) -> Decoded {
    let enough = records.len().saturating_add(most);
    let mut consumed = 0;
    while consumed < run.len() && records.len() < enough {
        let rest = &run[consumed..];
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        match decode(line_of(&rest[..length])) {
            Ok(record) => records.extend(record),
            Err(reason) => {
                return Decoded { consumed, why: Stopped::Malformed { length, reason } };
            }
        }
        consumed += length;
    }
    Decoded { consumed, why: Stopped::Done }
}

/// A line without its line feed and the carriage return before it.
pub(crate) fn line_of(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The text that bytes are, or why they are not text.
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes)
        .map_err(|cause| format!("invalid UTF-8 at byte {} of the line", cause.valid_up_to()))
}
