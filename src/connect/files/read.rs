//! Reads one partition of files: lines in, records out.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use super::Settings;
use super::follow::{Watch, identity};
use super::input::Input;
use super::lanes::Lane;
use super::lines::{Ends, Filled, Framing, Lines, Position, Tail};
use crate::connect::decode::{Decode, InputFormat, Stopped};
use crate::connect::malformed::{Malformed, Place};
use crate::connect::{Polled, Reader, Wake};
use crate::error::{Error, ErrorKind, Result};

/// Reads one partition.
pub(crate) struct FileReader<F: InputFormat> {
    lane: Lane,
    format: F,
    settings: Settings,
    open: Option<Open<F::Decode>>,
    /// Where to begin when the file is opened.
    from: Option<Saved>,
    malformed: Malformed,
    watch: Option<Watch>,
    /// Bytes read of files that were replaced since.
    before: u64,
}

/// An open file.
struct Open<D> {
    lines: Lines,
    decode: D,
    /// Whether the decoder needs more bytes than there are in the run.
    unfinished: bool,
    /// Whether another file has its name now, so that its end is final.
    replaced: bool,
    identity: Option<u64>,
}

/// What [`Reader::position`] writes.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Saved {
    position: Position,
    /// Which file it is in, if it is followed.
    identity: Option<u64>,
}

/// What a file begins with.
struct Head {
    /// Bytes of the byte order mark.
    mark: u64,
    /// The first line, with its line feed.
    line: Vec<u8>,
}

impl<F: InputFormat> FileReader<F> {
    /// Opens a lane at its beginning or at a saved position.
    pub(crate) fn open(
        lane: Lane,
        format: F,
        settings: Settings,
        position: Option<&[u8]>,
        wake: Wake,
    ) -> Result<Self> {
        let from: Option<Saved> = match position {
            None => None,
            Some(bytes) => postcard::from_bytes(bytes).map_err(|cause| {
                let message = format!("the saved position in {} cannot be read", lane.path);
                Error::new(ErrorKind::State, message).because(cause)
            })?,
        };
        let watch = match settings.follow {
            Some(interval) => Some(Watch::start(&lane.path, interval, wake)?),
            None => None,
        };
        let malformed = Malformed::new(settings.on_malformed.clone());
        let mut reader =
            Self { lane, format, settings, open: None, from, malformed, watch, before: 0 };
        reader.try_open()?;
        Ok(reader)
    }

    /// Opens the file, unless it is followed and not there yet.
    fn try_open(&mut self) -> Result<bool> {
        let path = &self.lane.path;
        let cannot = |cause: io::Error| {
            Error::new(ErrorKind::Read, format!("cannot read {path}")).because(cause)
        };
        let Some(head) = self.head().map_err(cannot)? else { return Ok(false) };
        let first_line = (!head.line.is_empty()).then_some(head.line.as_slice());
        let decode = self.format.decoder(path, first_line)?;
        let header = if decode.first_line_is_header() { head.line.len() as u64 } else { 0 };
        let spans = self.format.spans_lines();
        let framing = Framing {
            first: head.mark + header,
            chunk: self.settings.chunk,
            longest: self.settings.longest,
            ends: if spans { Ends::Decoder } else { Ends::LineFeed },
            tail: if self.watch.is_some() { Tail::Grows } else { Tail::Ends },
        };
        let input = Input::open(path).map_err(cannot)?;
        let identity = match input.plain() {
            Some(file) if self.watch.is_some() => identity(&file.metadata().map_err(cannot)?),
            _ => None,
        };
        if self.from.is_some_and(|from| from.identity.is_some() && from.identity != identity) {
            let message = format!(
                "{path} is another file than the one that was read when the position was saved: \
                 what was not read of that one would be lost"
            );
            return Err(Error::new(ErrorKind::State, message));
        }
        let from = self.from.take().map(|from| from.position);
        let lines = Lines::new(input, self.lane.clone(), framing, from);
        self.open = Some(Open { lines, decode, unfinished: false, replaced: false, identity });
        Ok(true)
    }

    /// What the file begins with, or nothing if it is followed and that is not there yet.
    fn head(&self) -> io::Result<Option<Head>> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let growing = self.watch.is_some();
        let input = match Input::open(&self.lane.path) {
            Err(cause) if growing && cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            input => input?,
        };
        let mut begin = Vec::new();
        let mut input = input.take((self.settings.longest as u64).saturating_add(5));
        let enough = |begin: &[u8]| !self.format.needs_first_line() || begin.contains(&b'\n');
        let mut chunk = [0; 4096];
        while begin.len() < MARK.len() || !enough(&begin) {
            let count = input.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            begin.extend_from_slice(&chunk[..count]);
        }
        let longest = self.settings.longest;
        if !enough(&begin) && begin.len() > longest + MARK.len() {
            let message =
                format!("the first line is longer than {longest} bytes: see longest_line");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        if growing && !enough(&begin) {
            return Ok(None);
        }
        let mark = if begin.starts_with(MARK) { MARK.len() } else { 0 };
        let end = memchr::memchr(b'\n', &begin).map_or(begin.len(), |at| at + 1);
        let line = if self.format.needs_first_line() { begin[mark..end].to_vec() } else { vec![] };
        Ok(Some(Head { mark: mark as u64, line }))
    }

    /// Reads more, and says what to answer if there is nothing to decode yet.
    fn fill(&mut self) -> Result<Option<Polled>> {
        let Some(open) = &mut self.open else { return Ok(Some(Polled::Pending)) };
        let path = &self.lane.path;
        let filled = open.lines.fill().map_err(|cause| {
            let message = format!("cannot read {path} after byte {}", open.lines.read_up_to());
            Error::new(ErrorKind::Read, message).because(cause)
        })?;
        match filled {
            Filled::More => open.unfinished = false,
            Filled::TooLong => self.give_up("a line")?,
            Filled::Pending => return self.look(),
            Filled::Ended if !open.lines.run().is_empty() => self.give_up("the end of the file")?,
            Filled::Ended if open.replaced => {
                self.before += open.lines.consumed();
                self.open = None;
            }
            Filled::Ended => return Ok(Some(Polled::Ended)),
        }
        Ok(None)
    }

    /// Looks at what became of a followed file that has nothing new.
    fn look(&mut self) -> Result<Option<Polled>> {
        let (Some(open), Some(watch)) = (&mut self.open, &self.watch) else {
            return Ok(Some(Polled::Ended));
        };
        let Some(file) = open.lines.input().plain() else { return Ok(Some(Polled::Ended)) };
        if open.replaced {
            open.lines.end();
            open.unfinished = false;
            return Ok(None);
        }
        // What was written before it was replaced may still be unread: read once more.
        open.replaced = watch.replaced(file, open.lines.read_up_to())?;
        Ok((!open.replaced).then_some(Polled::Pending))
    }

    /// Gives up a record that is too long or has no end.
    fn give_up(&mut self, what: &str) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let longest = self.settings.longest;
        let rest = open.lines.rest();
        let ended = open.lines.run_is_last();
        let reason = if ended {
            format!("{what} is within a record")
        } else {
            format!("{what} is longer than {longest} bytes: see longest_line")
        };
        let place = place(&self.lane.path, open.lines.offset());
        let line = || line_of(&self.lane.path, open.lines.offset());
        self.malformed.found(&Place { line: &line, ..place }, rest, &reason)?;
        open.unfinished = false;
        if ended {
            open.lines.consume(open.lines.run().len());
        } else {
            open.lines.drop_line();
        }
        Ok(())
    }
}

fn place(file: &str, byte: u64) -> Place<'_> {
    Place { file, byte, line: &|| None }
}

/// The number of the line that begins at a byte of a file, from 1.
fn line_of(path: &str, offset: u64) -> Option<u64> {
    let before = Input::open(path).and_then(|mut input| input.lines_before(offset));
    before.ok().map(|lines| lines + 1)
}

impl<F: InputFormat> Reader for FileReader<F> {
    type Record = F::Record;

    fn poll(&mut self, most: usize, records: &mut Vec<F::Record>) -> Result<Polled> {
        let enough = records.len().saturating_add(most);
        let mut filled = false;
        if self.open.is_none() && !self.try_open()? {
            return Ok(Polled::Pending);
        }
        loop {
            let Some(open) = &mut self.open else { return Ok(Polled::Ready) };
            if records.len() >= enough {
                return Ok(Polled::Ready);
            }
            if !open.unfinished && !open.lines.run().is_empty() {
                let (run, last) = (open.lines.run(), open.lines.run_is_last());
                let decoded = open.decode.decode(run, last, enough - records.len(), records);
                open.lines.consume(decoded.consumed);
                match decoded.why {
                    // A decoder that takes nothing must need more.
                    Stopped::Done => open.unfinished = decoded.consumed == 0,
                    Stopped::Unfinished => open.unfinished = true,
                    Stopped::Failed(error) => return Err(error),
                    Stopped::Malformed { length, reason } => {
                        let offset = open.lines.offset();
                        let raw = crate::connect::decode::line_of(&open.lines.run()[..length]);
                        let line = || line_of(&self.lane.path, offset);
                        let place = Place { line: &line, ..place(&self.lane.path, offset) };
                        self.malformed.found(&place, raw, &reason)?;
                        open.lines.consume(length);
                    }
                }
                continue;
            }
            // At most one read from outside in each poll.
            if filled {
                return Ok(Polled::Ready);
            }
            filled = true;
            if let Some(polled) = self.fill()? {
                return Ok(polled);
            }
        }
    }

    fn position(&self) -> Vec<u8> {
        let saved = match &self.open {
            Some(open) => Some(Saved { position: open.lines.position(), identity: open.identity }),
            None => self.from,
        };
        postcard::to_stdvec(&saved).expect("a few numbers can always be written")
    }

    fn bytes(&self) -> u64 {
        self.before + self.open.as_ref().map_or(0, |open| open.lines.consumed())
    }

    fn malformed(&self) -> u64 {
        self.malformed.count()
    }
}
