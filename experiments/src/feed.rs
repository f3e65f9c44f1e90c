//! Feeds: the part of the stream that one worker reads, generated or from a CSV file.
//!
//! Workers take turns, event by event or block by block, so all of them are always at about the same
//! event time. The CSV parser knows nothing but the three numbers of a line and serves as the bound
//! of what a general one can reach.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::events::{self, Event};
use crate::settings::Settings;

/// One worker's part of the events.
#[derive(Debug)]
pub enum Feed {
    /// Computed from the index.
    Generated(Generated),
    /// Parsed from a file.
    Lines(Lines),
}

impl Feed {
    /// The part of worker `index` of `peers`.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn open(settings: &Settings, index: usize, peers: usize) -> io::Result<Self> {
        Ok(match &settings.csv {
            None => Self::Generated(Generated {
                next: index as u64,
                step: peers as u64,
                end: settings.events,
                keys: settings.keys,
            }),
            Some(path) => Self::Lines(Lines::over(File::open(path)?, index, peers)?),
        })
    }

    /// Which generated event comes next; nothing for a file.
    pub fn position(&self) -> Option<u64> {
        match self {
            Self::Generated(it) => Some(it.next),
            Self::Lines(_) => None,
        }
    }

    /// Goes on with that event.
    pub fn seek(&mut self, position: u64) {
        if let Self::Generated(it) = self {
            it.next = position;
        }
    }

    /// Appends about `most` events; none at the end.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or a line is not three numbers.
    pub fn fill(&mut self, most: usize, into: &mut Vec<Event>) -> io::Result<()> {
        match self {
            Self::Generated(it) => {
                it.fill(most, into);
                Ok(())
            }
            Self::Lines(it) => it.fill(most, into),
        }
    }
}

/// Every `step`th event.
#[derive(Debug)]
pub struct Generated {
    next: u64,
    step: u64,
    end: u64,
    keys: u32,
}

impl Generated {
    fn fill(&mut self, most: usize, into: &mut Vec<Event>) {
        let left = self.end.saturating_sub(self.next).div_ceil(self.step);
        let count = left.min(most as u64);
        let (first, step, keys) = (self.next, self.step, self.keys);
        into.extend((0..count).map(|i| events::event(first + i * step, keys)));
        self.next += count * step;
    }
}

/// Bytes read at once.
const BLOCK: u64 = 256 * 1024;
/// No line of three numbers is longer.
const LINE: u64 = 64;

/// Every `step`th block of a file; a line belongs to the block that its first byte is in.
#[derive(Debug)]
pub struct Lines {
    file: File,
    length: u64,
    next: u64,
    step: u64,
    bytes: Vec<u8>,
    /// Where the next line begins in `bytes`, and before where the block's last line does.
    cursor: usize,
    until: usize,
}

impl Lines {
    fn over(file: File, index: usize, peers: usize) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let (next, step) = (index as u64, peers as u64);
        Ok(Self { file, length, next, step, bytes: Vec::new(), cursor: 0, until: 0 })
    }

    fn fill(&mut self, most: usize, into: &mut Vec<Event>) -> io::Result<()> {
        let goal = into.len() + most;
        while into.len() < goal {
            if self.cursor >= self.until && !self.read_block()? {
                break;
            }
            while self.cursor < self.until && into.len() < goal {
                let line = self.bytes.get(self.cursor..).unwrap_or_default();
                let (event, length) = parse(line).ok_or_else(|| self.malformed())?;
                into.push(event);
                self.cursor += length;
            }
        }
        Ok(())
    }

    /// Reads the next block and finds its lines. False at the end of the file.
    fn read_block(&mut self) -> io::Result<bool> {
        let start = self.next * BLOCK;
        if start >= self.length {
            return Ok(false);
        }
        self.next += self.step;
        // From the byte before, which tells whether a line starts with the block.
        let from = start.saturating_sub(1);
        let to = (start + BLOCK + LINE).min(self.length);
        self.bytes.resize((to - from) as usize, 0);
        self.file.read_exact_at(&mut self.bytes, from)?;
        let newline = self.bytes.iter().position(|byte| *byte == b'\n');
        self.cursor = newline.map_or(self.bytes.len(), |at| at + 1);
        self.until = ((start + BLOCK).min(self.length) - from) as usize;
        Ok(true)
    }

    fn malformed(&self) -> io::Error {
        let block = (self.next - self.step) * BLOCK;
        let at = block.saturating_sub(1) + self.cursor as u64;
        io::Error::new(io::ErrorKind::InvalidData, format!("not key,at,value at byte {at}"))
    }
}

/// The event of a line and the bytes it takes.
#[inline]
fn parse(line: &[u8]) -> Option<(Event, usize)> {
    let (key, at) = number(line, 0, b',')?;
    let (at_ms, value) = number(line, at, b',')?;
    let (value, end) = number(line, value, b'\n')?;
    Some((Event { key: key as u32, at_ms: at_ms as i64, value: value as i64 }, end))
}

/// The number that begins at `from` and where the next one begins, after `end`.
#[inline]
fn number(line: &[u8], from: usize, end: u8) -> Option<(u64, usize)> {
    let mut number = 0u64;
    let mut place = from;
    loop {
        let byte = *line.get(place)?;
        let digit = byte.wrapping_sub(b'0');
        place += 1;
        if digit > 9 {
            return (byte == end && place > from + 1).then_some((number, place));
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_whole_numbers_are_an_event() {
        let event = Event { key: 12, at_ms: 345, value: 6 };
        assert_eq!(parse(b"12,345,6\n7,8,9\n"), Some((event, 9)));
        for text in ["12,345\n", "12,345,6", "12,,6\n", "a,1,2\n", "1,2,3,4\n", "1,2,-3\n", ""] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
