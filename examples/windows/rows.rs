//! Lines of CSV as records that remember the line they came in.
//!
//! The house format gives typed rows and forgets their bytes; this one is a format of our own, made
//! of the same parts: a [`InputFormat`] with the settings, and a [`Decode`] for each file.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use tidemill::connect::{Decode, Decoded, InputFormat, Stopped};
use tidemill::time::EventTime;
use tidemill::{Error, ErrorKind, Result};

use crate::arguments::{Arguments, TimeUnit};
use crate::number::{Number, integer};
use crate::text::Text;

/// A row that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) at: EventTime,
    pub(crate) key: Text,
    pub(crate) measure: Measure,
}

/// What travels with a key: a number, and the line in case it is late.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measure {
    pub(crate) number: Number,
    pub(crate) line: Text,
}

/// The header that all files share, and where it was first seen.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    file: String,
    pub(crate) line: Text,
}

/// Which columns are read, and how.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// The columns with the time, the key and the number.
    columns: [String; 3],
    unit: TimeUnit,
    header: Arc<OnceLock<Header>>,
}

impl Rows {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let columns = [&arguments.at, &arguments.key, &arguments.value].map(String::clone);
        Self { columns, unit: arguments.time_unit, header: Arc::default() }
    }

    /// Where the header is found once a file has been opened.
    pub(crate) fn header(&self) -> Arc<OnceLock<Header>> {
        Arc::clone(&self.header)
    }

    fn share(&self, file: &str, line: &[u8]) -> Result<()> {
        let known = self.header.get_or_init(|| Header { file: file.to_owned(), line: line.into() });
        if known.line.bytes() == line {
            return Ok(());
        }
        let message = format!(
            "{file} has another header than {}, so late records of both cannot be in one file: \
             read them apart",
            known.file
        );
        Err(Error::new(ErrorKind::Malformed, message))
    }

    fn places(&self, file: &str, names: &[String]) -> Result<[usize; 3]> {
        let mut places = [0; 3];
        for (place, column) in places.iter_mut().zip(&self.columns) {
            let mut found = names.iter().enumerate().filter(|(_, name)| *name == column);
            let complaint = match (found.next(), found.next()) {
                (Some((at, _)), None) => {
                    *place = at;
                    continue;
                }
                (Some(_), Some(_)) => "has twice the column",
                (None, _) => "has no column",
            };
            let message =
                format!("{file} {complaint} `{column}`; its columns are {}", names.join(", "));
            return Err(Error::new(ErrorKind::Malformed, message));
        }
        Ok(places)
    }
}

impl InputFormat for Rows {
    type Record = Record;
    type Decode = File;
    const NAME: &'static str = "csv";

    fn needs_first_line(&self) -> bool {
        true
    }

    fn decoder(&self, file: &str, first_line: Option<&[u8]>) -> Result<File> {
        let (mut names, mut places) = (Vec::new(), [0; 3]);
        if let Some(line) = first_line {
            let line = without_end(line);
            let mut fields = Fields::default();
            let malformed = |reason: &str| {
                Error::new(ErrorKind::Malformed, format!("{file}, line 1: {reason}"))
            };
            fields.split(line).map_err(malformed)?;
            for at in 0..fields.len() {
                let name = std::str::from_utf8(fields.get(line, at));
                names.push(name.map_err(|_| malformed("the header is not UTF-8"))?.to_owned());
            }
            places = self.places(file, &names)?;
            self.share(file, line)?;
        }
        let columns = self.columns.clone();
        Ok(File { columns, places, width: names.len(), unit: self.unit, fields: Fields::default() })
    }
}

/// Reads the rows of one file.
pub(crate) struct File {
    columns: [String; 3],
    places: [usize; 3],
    width: usize,
    unit: TimeUnit,
    fields: Fields,
}

impl Decode for File {
    type Record = Record;

    fn first_line_is_header(&self) -> bool {
        true
    }

    fn decode(
        &mut self,
        run: &[u8],
        _last: bool,
        most: usize,
        records: &mut Vec<Record>,
    ) -> Decoded {
        let enough = records.len().saturating_add(most);
        let mut consumed = 0;
        while consumed < run.len() && records.len() < enough {
            let rest = &run[consumed..];
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let line = without_end(&rest[..length]);
            if !line.is_empty() {
                match self.record(line) {
                    Ok(record) => records.push(record),
                    Err(reason) => {
                        return Decoded { consumed, why: Stopped::Malformed { length, reason } };
                    }
                }
            }
            consumed += length;
        }
        Decoded { consumed, why: Stopped::Done }
    }
}

impl File {
    fn record(&mut self, line: &[u8]) -> Result<Record, String> {
        self.fields.split(line)?;
        if self.fields.len() != self.width {
            let (found, width) = (self.fields.len(), self.width);
            return Err(format!("the row has {found} columns instead of {width}"));
        }
        let [at, key, number] = self.places.map(|place| self.fields.get(line, place));
        let time = moment(at, self.unit).map_err(|what| self.unfit(0, at, what))?;
        if !key.is_ascii() && std::str::from_utf8(key).is_err() {
            return Err(self.unfit(1, key, "not UTF-8"));
        }
        let value = Number::parse(number).map_err(|what| self.unfit(2, number, what))?;
        let measure = Measure { number: value, line: line.into() };
        Ok(Record { at: time, key: key.into(), measure })
    }

    #[cold]
    fn unfit(&self, column: usize, text: &[u8], what: &str) -> String {
        let column = &self.columns[column];
        if text.is_empty() {
            return format!("column `{column}` is empty");
        }
        let text = String::from_utf8_lossy(text);
        let shown: String = text.chars().take(80).collect();
        format!("column `{column}` is `{shown}`, {what}")
    }
}

/// The moment that a field says.
#[inline]
fn moment(text: &[u8], unit: TimeUnit) -> Result<EventTime, &'static str> {
    let (micros, what) = match unit {
        TimeUnit::S => (1_000_000, "not a whole number of seconds that fits"),
        TimeUnit::Ms => (1_000, "not a whole number of milliseconds that fits"),
        TimeUnit::Us => (1, "not a whole number of microseconds that fits"),
        TimeUnit::Rfc3339 => return calendar(text).ok_or("not a time as RFC 3339 writes it"),
    };
    let long = || std::str::from_utf8(text).ok()?.parse().ok();
    let count = integer(text).or_else(long);
    let moment = count.and_then(|count: i64| count.checked_mul(micros));
    moment.map(EventTime::from_micros).ok_or(what)
}

/// A moment such as `2013-01-01T10:00:00.25-05:00`, in whole microseconds rounded to the past.
fn calendar(text: &[u8]) -> Option<EventTime> {
    let moment: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
    let micros = moment.as_nanosecond().div_euclid(1_000);
    i64::try_from(micros).ok().map(EventTime::from_micros)
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Where the fields of a line are.
#[derive(Default)]
struct Fields {
    /// Where each field ends, in the line, or in `text` if there are quotes in the line.
    ends: Vec<usize>,
    text: Option<Vec<u8>>,
}

impl Fields {
    #[inline]
    fn split(&mut self, line: &[u8]) -> Result<(), &'static str> {
        self.ends.clear();
        self.text = None;
        for (at, byte) in line.iter().enumerate() {
            match byte {
                b',' => self.ends.push(at),
                b'"' => return self.split_quoted(line),
                _ => {}
            }
        }
        self.ends.push(line.len());
        Ok(())
    }

    #[cold]
    fn split_quoted(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let line_feed = csv_core::Terminator::Any(b'\n');
        let mut reader = csv_core::ReaderBuilder::new().terminator(line_feed).build();
        let (mut text, mut ends) = (vec![0; line.len()], vec![0; line.len() + 1]);
        let (mut written, mut ended) = (0, 0);
        // The line, and a line feed, which a field that is still open would swallow.
        for bytes in [line, b"\n"] {
            let (found, _read, wrote, fields) =
                reader.read_record(bytes, &mut text[written..], &mut ends[ended..]);
            (written, ended) = (written + wrote, ended + fields);
            if found == csv_core::ReadRecordResult::Record {
                ends.truncate(ended);
                (self.ends, self.text) = (ends, Some(text));
                return Ok(());
            }
        }
        Err("a quoted field does not end on its line")
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    fn get<'a>(&'a self, line: &'a [u8], at: usize) -> &'a [u8] {
        // Between two fields of a line is a comma, between those of a text nothing.
        let (bytes, gap) = self.text.as_ref().map_or((line, 1), |text| (text.as_slice(), 0));
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before] + gap);
        &bytes[begin..self.ends[at]]
    }
}
