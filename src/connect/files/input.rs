//! The bytes of a file, plain or decompressed, from any byte on.
//!
//! `.gz` and `.zst` files are decompressed, several members one after the other too; going to a byte
//! of theirs means decompressing all bytes before it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;

/// The bytes of one file.
pub(crate) struct Input {
    bytes: Bytes,
    at: u64,
}

enum Bytes {
    Plain(File),
    Decompressed(Box<dyn Read>),
}

const COMPRESSED_CHUNK: usize = 128 << 10;

impl Input {
    /// Opens a file; its ending says whether it is compressed.
    pub(crate) fn open(path: &str) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = match Compression::of(path) {
            Compression::None => Bytes::Plain(file),
            Compression::Gzip => {
                let file = BufReader::with_capacity(COMPRESSED_CHUNK, file);
                Bytes::Decompressed(Box::new(MultiGzDecoder::new(file)))
            }
            Compression::Zstandard => Bytes::Decompressed(Box::new(zstd::Decoder::new(file)?)),
        };
        Ok(Self { bytes, at: 0 })
    }

    /// The file itself, unless it is compressed.
    pub(crate) fn plain(&self) -> Option<&File> {
        match &self.bytes {
            Bytes::Plain(file) => Some(file),
            Bytes::Decompressed(_) => None,
        }
    }

    /// Goes to a byte: of a compressed file, one not before the next.
    pub(crate) fn go_to(&mut self, offset: u64) -> io::Result<()> {
        match &mut self.bytes {
            Bytes::Plain(file) => {
                file.seek(SeekFrom::Start(offset))?;
            }
            Bytes::Decompressed(bytes) => {
                let ahead = offset.checked_sub(self.at).ok_or(io::ErrorKind::Unsupported)?;
                let skipped = io::copy(&mut bytes.take(ahead), &mut io::sink())?;
                if skipped < ahead {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        self.at = offset;
        Ok(())
    }

    /// How many lines end before a byte.
    pub(crate) fn lines_before(&mut self, offset: u64) -> io::Result<u64> {
        let mut chunk = vec![0; 64 << 10];
        let mut lines = 0;
        let mut rest = self.take(offset);
        loop {
            let count = rest.read(&mut chunk)?;
            if count == 0 {
                return Ok(lines);
            }
            lines += memchr::memchr_iter(b'\n', &chunk[..count]).count() as u64;
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = loop {
            let outcome = match &mut self.bytes {
                Bytes::Plain(file) => file.read(buffer),
                Bytes::Decompressed(bytes) => bytes.read(buffer),
            };
            match outcome {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.at += count as u64;
        Ok(count)
    }
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstandard,
}

impl Compression {
    /// How a file of this name is compressed.
    pub(crate) fn of(path: &str) -> Self {
        match path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstandard,
            _ => Self::None,
        }
    }
}
