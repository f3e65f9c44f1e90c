//! The lines of one lane, found in a buffer that is read ahead.
//!
//! [`Lines::run`] gives the whole lines in the buffer at once, so that a decoder works through many
//! of them without a call for each; [`Lines::fill`] reads more when they are used up.
//!
//! # Guarantees
//!
//! A lane gives each line that starts in one of its blocks once, in file order, and no other. Only
//! the last line of a file may lack its line feed. [`Lines::position`] is always between two lines.
//!
//! # Cost
//!
//! Bytes are copied only when a line straddles two reads. The buffer grows to the longest line seen,
//! up to a set maximum.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memrchr};
use serde::{Deserialize, Serialize};

use super::input::Input;
use super::lanes::Lane;

/// Where to go on reading a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The block.
    pub(crate) block: u64,
    /// Where in the file the next line starts, or nothing at the beginning of the block.
    pub(crate) offset: Option<u64>,
}

/// How lines are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framing {
    /// Where the first line of the file starts, after its byte order mark and header.
    pub(crate) first: u64,
    /// Bytes to read at once.
    pub(crate) chunk: usize,
    /// Bytes a line may have, without its line feed.
    pub(crate) longest: usize,
    /// Where records end.
    pub(crate) ends: Ends,
    /// What the end of the file means.
    pub(crate) tail: Tail,
}

/// Where records end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// At each line feed.
    LineFeed,
    /// Where the decoder says: a run is whatever was read, and may end in the middle of a record.
    Decoder,
}

/// What the end of the file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// There will never be more.
    Ends,
    /// The file may grow.
    Grows,
}

/// What a [fill](Lines::fill) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// The run may be longer now; if not, fill again.
    More,
    /// The record after the run is longer than allowed.
    TooLong,
    /// Nothing new in a file that may grow.
    Pending,
    /// Nothing will ever come after the run.
    Ended,
}

/// The lines of one lane.
pub(crate) struct Lines {
    input: Input,
    lane: Lane,
    framing: Framing,
    buffer: Vec<u8>,
    /// The first byte not consumed, the end of the run, and the end of what was read.
    begin: usize,
    whole: usize,
    filled: usize,
    /// Where in the file `begin` is.
    offset: u64,
    block: u64,
    stage: Stage,
    consumed: u64,
}

/// How far the current block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The first line is still to be found, unless it is known.
    Before(Option<u64>),
    /// The rest of a line is being dropped: one that started in the block here, or before it.
    Dropping(Option<u64>),
    /// Lines are being read.
    Within,
    /// No line after the run belongs to the block.
    Read,
    /// The same, and the file ends there.
    Ended,
}

impl Lines {
    /// The lines of a lane from its beginning, or from a position reached before.
    pub(crate) fn new(input: Input, lane: Lane, framing: Framing, from: Option<Position>) -> Self {
        let from = from.unwrap_or(Position { block: lane.index, offset: None });
        let size = framing.chunk.min(framing.longest.saturating_add(1)).max(1);
        Self {
            input,
            lane,
            framing,
            buffer: vec![0; size],
            begin: 0,
            whole: 0,
            filled: 0,
            offset: from.offset.unwrap_or(0),
            block: from.block,
            stage: Stage::Before(from.offset),
            consumed: 0,
        }
    }

    /// Whole lines, each with its line feed except perhaps the last of the file.
    pub(crate) fn run(&self) -> &[u8] {
        &self.buffer[self.begin..self.whole]
    }

    /// Whether the file ends where the run ends.
    pub(crate) fn run_is_last(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// The record after the run, as far as it was read.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.buffer[self.begin..self.filled]
    }

    /// Marks bytes at the beginning of the run as read: whole lines.
    pub(crate) fn consume(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.whole - self.begin);
        self.begin += bytes;
        self.offset += bytes as u64;
        self.consumed += bytes as u64;
    }

    /// Where in the file the run begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes consumed so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Where to go on for the lines after those consumed.
    pub(crate) fn position(&self) -> Position {
        match self.stage {
            Stage::Before(offset) | Stage::Dropping(offset) => {
                Position { block: self.block, offset }
            }
            Stage::Read if self.begin == self.whole => {
                Position { block: self.block + self.lane.count, offset: None }
            }
            _ => Position { block: self.block, offset: Some(self.offset) },
        }
    }

    /// The bytes of the file behind these lines.
    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// Where in the file the bytes end that were read so far.
    pub(crate) fn read_up_to(&self) -> u64 {
        self.offset + (self.filled - self.begin) as u64
    }

    /// Reads once, and looks for lines in what was read. To be called when the decoder has consumed
    /// what it can of the run.
    pub(crate) fn fill(&mut self) -> io::Result<Filled> {
        loop {
            match self.stage {
                Stage::Before(known) => self.enter(known)?,
                Stage::Dropping(_) => return self.drop_on(),
                Stage::Within => return self.read_on(),
                Stage::Read => {
                    self.block += self.lane.count;
                    self.stage = Stage::Before(None);
                }
                Stage::Ended => return Ok(Filled::Ended),
            }
        }
    }

    /// Declares the file ended: what was read of the last line is its last line.
    pub(crate) fn end(&mut self) {
        self.whole = self.filled;
        self.stage = Stage::Ended;
    }

    fn owned(&self) -> Range<u64> {
        self.lane.block(self.block)
    }

    /// Finds the first line that starts in the block.
    fn enter(&mut self, known: Option<u64>) -> io::Result<()> {
        let owned = self.owned();
        let first = self.framing.first;
        (self.begin, self.whole, self.filled) = (0, 0, 0);
        if known.is_none() && owned.start > first {
            self.offset = owned.start - 1;
            self.input.go_to(self.offset)?;
            self.stage = Stage::Dropping(None);
            return Ok(());
        }
        self.offset = known.unwrap_or(first).max(first);
        if self.offset >= owned.end {
            self.stage = Stage::Read;
            return Ok(());
        }
        self.input.go_to(self.offset)?;
        self.stage = Stage::Within;
        Ok(())
    }

    /// Gives up the record after the run, which was too long: reading goes on after its line.
    pub(crate) fn drop_line(&mut self) {
        self.stage = Stage::Dropping(Some(self.offset));
        self.whole = self.begin;
    }

    /// Drops bytes through the next line feed. Ends the block when the next line is not in it.
    fn drop_on(&mut self) -> io::Result<Filled> {
        let end = self.owned().end;
        let found = memchr(b'\n', &self.buffer[self.begin..self.filled]);
        let dropped = found.map_or(self.filled - self.begin, |at| at + 1);
        self.begin += dropped;
        self.offset += dropped as u64;
        self.whole = self.begin;
        if self.offset >= end {
            self.stage = Stage::Read;
        } else if found.is_some() {
            self.stage = Stage::Within;
            self.find_whole(self.begin);
        } else {
            (self.begin, self.whole, self.filled) = (0, 0, 0);
            self.filled = self.input.read(&mut self.buffer)?;
            if self.filled == 0 && self.framing.tail == Tail::Grows {
                return Ok(Filled::Pending);
            }
            if self.filled == 0 {
                self.stage = Stage::Ended;
            }
        }
        Ok(Filled::More)
    }

    fn read_on(&mut self) -> io::Result<Filled> {
        self.buffer.copy_within(self.begin..self.filled, 0);
        self.filled -= self.begin;
        self.whole -= self.begin;
        self.begin = 0;
        if self.filled == self.buffer.len() {
            let most = self.framing.longest.saturating_add(1);
            if self.filled >= most {
                return Ok(Filled::TooLong);
            }
            self.buffer.resize((2 * self.filled).min(most), 0);
        }
        let known = self.filled;
        let room = self.room();
        let count = self.input.read(&mut self.buffer[known..known + room])?;
        if count == 0 {
            if self.framing.tail == Tail::Grows {
                return Ok(Filled::Pending);
            }
            self.end();
            return Ok(Filled::More);
        }
        self.filled += count;
        self.find_whole(known);
        Ok(Filled::More)
    }

    /// How much to read: not far beyond the end of the block, whose last line may end anywhere.
    fn room(&self) -> usize {
        const BEYOND: u64 = 4 << 10;
        let wanted = self.owned().end.saturating_sub(self.read_up_to()).max(BEYOND);
        (self.buffer.len() - self.filled).min(usize::try_from(wanted).unwrap_or(usize::MAX))
    }

    /// Finds where the run ends, looking only at the bytes from `known` on, which are new.
    fn find_whole(&mut self, known: usize) {
        if self.framing.ends == Ends::Decoder {
            self.whole = self.filled;
            return;
        }
        let end = self.owned().end;
        let mut inside = self.filled;
        if self.read_up_to() >= end {
            // The last line of the block is the one that has the last byte of the block.
            let last = self.begin + (end - 1 - self.offset) as usize;
            let from = last.max(known);
            if let Some(at) = memchr(b'\n', &self.buffer[from..self.filled]) {
                self.whole = from + at + 1;
                self.stage = Stage::Read;
                return;
            }
            inside = from;
        }
        if known < inside
            && let Some(at) = memrchr(b'\n', &self.buffer[known..inside])
        {
            self.whole = known + at + 1;
        }
    }
}
