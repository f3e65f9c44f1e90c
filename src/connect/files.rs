//! Files as a source: one, some, a folder or a glob, plain or compressed, read once or followed.
//!
//! [`csv`](super::csv()), [`jsonl`](super::jsonl()) and [`text`](super::text()) make a [`Files`] with
//! the format; its methods are the settings.
//!
//! # Guarantees
//!
//! Each record is read once: a file is a partition, in file order; a large plain file is several,
//! each in file order, which advance through the file together. Reopening a partition at a position
//! neither loses nor repeats a record. A byte order mark, carriage returns before line feeds and a
//! missing last line feed make no difference; an empty file has no records.
//!
//! Files must not change while they are read, except those that are [followed](Files::follow).

mod follow;
mod input;
mod lanes;
mod lines;
mod paths;
mod read;
#[cfg(test)]
mod tests;

use std::fs;
use std::time::Duration;

pub use paths::Paths;

use self::input::Compression;
use self::lanes::Lane;
use self::read::FileReader;
use super::decode::InputFormat;
use super::malformed::OnMalformed;
use super::{Reader, Source, Wake};
use crate::error::{Error, ErrorKind, Result};

/// Files of one format, to be read.
#[derive(Clone, Debug)]
pub struct Files<F> {
    paths: Paths,
    format: F,
    settings: Settings,
}

/// How files are read, whatever their format.
#[derive(Clone, Debug)]
struct Settings {
    on_malformed: OnMalformed,
    stride: u64,
    chunk: usize,
    longest: usize,
    follow: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            on_malformed: OnMalformed::Stop,
            stride: 1 << 20,
            chunk: 256 << 10,
            longest: 64 << 20,
            follow: None,
        }
    }
}

impl<F> Files<F> {
    /// Files of a format: also one of the user's own.
    pub fn new(paths: impl Into<Paths>, format: F) -> Self {
        Self { paths: paths.into(), format, settings: Settings::default() }
    }

    /// What becomes of records that cannot be understood: the job stops unless set.
    #[must_use]
    pub fn on_malformed(mut self, policy: OnMalformed) -> Self {
        self.settings.on_malformed = policy;
        self
    }

    /// How many bytes of a large plain file one worker reads before it leaves the next ones to
    /// others: a mebibyte unless set. Files of less than two strides for each worker are cut into
    /// fewer lanes, small files not at all.
    #[must_use]
    pub fn stride(mut self, bytes: u64) -> Self {
        self.settings.stride = bytes;
        self
    }

    /// The longest line in bytes, beyond which it is malformed: 64 MiB unless set.
    #[must_use]
    pub fn longest_line(mut self, bytes: usize) -> Self {
        self.settings.longest = bytes;
        self
    }

    /// Goes on when a file ends: waits for it to grow, and looks every tenth of a second.
    ///
    /// A line is read when it has its line feed. A file that does not exist yet is waited for. One
    /// that is replaced by another of the same name, as log rotation does, is read to its end, the
    /// last line too if it is not finished, and then the new one from its beginning. One that becomes
    /// shorter than what was read of it is an error, because what it held in between is lost.
    ///
    /// Each file is one partition. A folder or glob stands for the files there at the start.
    #[must_use]
    pub fn follow(self) -> Self {
        self.follow_every(Duration::from_millis(100))
    }

    /// [Follows](Self::follow) the files, looking this often.
    #[must_use]
    pub fn follow_every(mut self, interval: Duration) -> Self {
        self.settings.follow = Some(interval);
        self
    }

    pub(crate) fn with_format(mut self, set: impl FnOnce(&mut F)) -> Self {
        set(&mut self.format);
        self
    }

    /// Bytes read at once.
    #[cfg(test)]
    pub(crate) fn chunk(mut self, bytes: usize) -> Self {
        self.settings.chunk = bytes;
        self
    }
}

impl<F: InputFormat> Files<F> {
    fn check(&self) -> Result<()> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::Setting, message));
        if self.settings.stride == 0 {
            return refuse("stride: must be at least one byte");
        }
        if self.settings.longest == 0 {
            return refuse("longest line: must be at least one byte");
        }
        self.format.check()
    }

    fn lanes_of(&self, path: &str, lanes: usize) -> Result<Vec<Lane>> {
        if Compression::of(path) != Compression::None || self.format.spans_lines() {
            return Ok(vec![Lane::whole(path)]);
        }
        let size = fs::metadata(path)
            .map_err(|cause| {
                Error::new(ErrorKind::Read, format!("cannot read {path}")).because(cause)
            })?
            .len();
        Ok(Lane::cut(path, size, lanes, self.settings.stride))
    }
}

impl<F: InputFormat> Source for Files<F> {
    type Record = F::Record;

    fn partitions(&self, lanes: usize) -> Result<Vec<String>> {
        self.check()?;
        if self.settings.follow.is_some() {
            let paths = self.paths.literal()?;
            if let Some(path) = paths.iter().find(|it| Compression::of(it) != Compression::None) {
                let message = format!("follow: {path} is compressed, which cannot be followed");
                return Err(Error::new(ErrorKind::Setting, message));
            }
            return Ok(paths.iter().map(|path| Lane::whole(path).name()).collect());
        }
        let mut names = Vec::new();
        for path in self.paths.resolve()? {
            names.extend(self.lanes_of(&path, lanes)?.iter().map(Lane::name));
        }
        Ok(names)
    }

    fn open(
        &self,
        partition: &str,
        position: Option<&[u8]>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<Record = F::Record>>> {
        self.check()?;
        let lane = Lane::parse(partition);
        let reader =
            FileReader::open(lane, self.format.clone(), self.settings.clone(), position, wake)?;
        Ok(Box::new(reader))
    }

    fn bounded(&self) -> bool {
        self.settings.follow.is_none()
    }

    fn name(&self) -> String {
        format!("{} {}", F::NAME, self.paths.summary())
    }
}
