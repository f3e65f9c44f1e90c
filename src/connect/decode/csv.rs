//! Delimited text with a header, typed by serde.
//!
//! # Cost
//!
//! A row of three integers takes about 35 ns to read and decode; `benches/read.rs` measures it. Rows
//! without a quote are decoded in place. Columns that the record has no field for cost only their
//! bytes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::cell::Unfit;
use super::record::Plan;
use super::rows::{Quoted, Row, Rows};
use super::{Decode, Decoded, InputFormat, Stopped, line_of, text_of};
use crate::connect::files::{Files, Paths};
use crate::error::{Error, ErrorKind, Result};

/// Reads rows of delimited text, typed by serde: the fields of `T` by the names in the header.
///
/// A field that is an `Option` may be empty, and a column that `T` has no field for is skipped. A
/// record can also be a tuple, which takes the columns by position, or a map. Blank lines are
/// skipped; a row with more or fewer columns than the header is malformed. The header is one line,
/// and so is each row unless [`multiline`](Files::multiline) is set.
///
/// ```no_run
/// # use tidemill::connect::csv;
/// #[derive(serde::Deserialize)]
/// struct Flight {
///     origin: String,
///     dep_delay: Option<i32>,
/// }
/// let flights = csv::<Flight>("flights-*.csv.gz").delimiter(b';');
/// ```
pub fn csv<T: DeserializeOwned + 'static>(paths: impl Into<Paths>) -> Files<CsvInput<T>> {
    Files::new(paths, CsvInput::default())
}

/// Rows of delimited text as records of type `T`. Its settings are methods of [`Files`].
pub struct CsvInput<T> {
    delimiter: u8,
    quote: Option<u8>,
    header: bool,
    trim: bool,
    multiline: bool,
    absent: String,
    record: PhantomData<fn() -> T>,
}

/// Settings of delimited text.
impl<T: DeserializeOwned + 'static> Files<CsvInput<T>> {
    /// The byte between two fields: a comma unless set.
    #[must_use]
    pub fn delimiter(self, delimiter: u8) -> Self {
        self.with_format(|format| format.delimiter = delimiter)
    }

    /// The byte around a field that has a delimiter in it: a double quote unless set. Twice in such a
    /// field it stands for itself.
    #[must_use]
    pub fn quote(self, quote: u8) -> Self {
        self.with_format(|format| format.quote = Some(quote))
    }

    /// Takes quotes as ordinary bytes.
    #[must_use]
    pub fn no_quotes(self) -> Self {
        self.with_format(|format| format.quote = None)
    }

    /// The first line is a row like all others; columns go to fields by position.
    #[must_use]
    pub fn no_header(self) -> Self {
        self.with_format(|format| format.header = false)
    }

    /// Takes spaces and tabs off both ends of each field and name.
    #[must_use]
    pub fn trim(self) -> Self {
        self.with_format(|format| format.trim = true)
    }

    /// The text that stands for an absent value, like `NA`, besides nothing at all.
    #[must_use]
    pub fn absent(self, text: impl Into<String>) -> Self {
        self.with_format(|format| format.absent = text.into())
    }

    /// Lets quoted fields have line feeds in them. Then each file is read by one worker, because
    /// where a line starts is not known in the middle of it.
    #[must_use]
    pub fn multiline(self) -> Self {
        self.with_format(|format| format.multiline = true)
    }
}

impl<T> Default for CsvInput<T> {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            header: true,
            trim: false,
            multiline: false,
            absent: String::new(),
            record: PhantomData,
        }
    }
}

impl<T> Clone for CsvInput<T> {
    fn clone(&self) -> Self {
        Self { absent: self.absent.clone(), ..*self }
    }
}

impl<T> fmt::Debug for CsvInput<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvInput")
            .field("delimiter", &char::from(self.delimiter))
            .field("quote", &self.quote.map(char::from))
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned + 'static> InputFormat for CsvInput<T> {
    type Record = T;
    type Decode = CsvRows<T>;
    const NAME: &'static str = "csv";

    fn check(&self) -> Result<()> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::Setting, message));
        if matches!(self.delimiter, b'\n' | b'\r') {
            return refuse("delimiter: a line feed or carriage return ends a row");
        }
        if matches!(self.quote, Some(b'\n' | b'\r')) {
            return refuse("quote: a line feed or carriage return ends a row");
        }
        if self.quote == Some(self.delimiter) {
            return refuse("delimiter and quote are the same byte");
        }
        if self.multiline && self.quote.is_none() {
            return refuse("multiline: without quotes no field has a line feed in it");
        }
        Ok(())
    }

    fn needs_first_line(&self) -> bool {
        true
    }

    fn spans_lines(&self) -> bool {
        self.multiline
    }

    fn decoder(&self, file: &str, first_line: Option<&[u8]>) -> Result<CsvRows<T>> {
        let mut quoted = Quoted::new(self.delimiter, self.quote);
        let first_line = first_line.map(line_of);
        let mut width = None;
        let mut names = self.header.then(Vec::new);
        if let Some(line) = first_line {
            let malformed = |reason: String| {
                Error::new(ErrorKind::Malformed, format!("{file}, line 1: {reason}"))
            };
            match quoted.read(line, true) {
                _ if line.is_empty() && self.header => {
                    return Err(malformed("the header is an empty line".to_owned()));
                }
                Some((_, row)) if self.header => names = Some(self.names(row).map_err(malformed)?),
                Some((_, row)) => width = Some(row.len()),
                None if self.header => {
                    return Err(malformed("a quoted name in the header does not end".to_owned()));
                }
                // The first row is itself malformed, or spans lines.
                None => {}
            }
        }
        if let Some(names) = &names {
            width = Some(names.len());
        }
        Ok(CsvRows {
            file: file.to_owned(),
            plan: Plan::new(names, self.trim, self.absent.clone().into_bytes()),
            format: self.clone(),
            width,
            quoted,
            ends: Vec::new(),
        })
    }
}

impl<T> CsvInput<T> {
    fn names(&self, row: Row<'_>) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        for column in 0..row.len() {
            let name = text_of(row.bytes(column).unwrap_or_default())?;
            let name = if self.trim { name.trim() } else { name };
            if !name.is_empty() && names.iter().any(|known| known == name) {
                return Err(format!("the header has the column `{name}` twice"));
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }
}

/// The rows of one file.
pub struct CsvRows<T> {
    file: String,
    format: CsvInput<T>,
    plan: Plan<T>,
    width: Option<usize>,
    quoted: Quoted,
    ends: Vec<usize>,
}

impl<T: DeserializeOwned> Decode for CsvRows<T> {
    type Record = T;

    fn first_line_is_header(&self) -> bool {
        self.format.header
    }

    fn decode(&mut self, run: &[u8], last: bool, most: usize, records: &mut Vec<T>) -> Decoded {
        let CsvInput { delimiter, quote, multiline, .. } = self.format;
        let enough = records.len().saturating_add(most);
        let mut rows = Rows::new(run, delimiter, quote);
        let mut begin = 0;
        let why = loop {
            if begin == run.len() || records.len() >= enough {
                break Stopped::Done;
            }
            self.ends.clear();
            let span = rows.next(&mut self.ends);
            if multiline && !last && span.end == span.next {
                break Stopped::Unfinished;
            }
            if line_of(&run[begin..span.next]).is_empty() {
                begin = span.next;
                continue;
            }
            let next = if span.quoted {
                let end = if multiline { run.len() } else { span.next };
                let ends_there = last || !multiline;
                let Some((length, row)) = self.quoted.read(&run[begin..end], ends_there) else {
                    break if ends_there {
                        unclosed(multiline, span.next - begin)
                    } else {
                        Stopped::Unfinished
                    };
                };
                match record(&mut self.plan, self.width, &row) {
                    Ok(record) => records.push(record),
                    Err(unfit) => break self.stopped(&unfit, length),
                }
                begin + length
            } else {
                if let Some(end) = self.ends.last_mut() {
                    *end -= usize::from(run[begin..span.end].ends_with(b"\r"));
                }
                let row = Row::new(run, begin, &self.ends, 1);
                match record(&mut self.plan, self.width, &row) {
                    Ok(record) => records.push(record),
                    Err(unfit) => break self.stopped(&unfit, span.next - begin),
                }
                span.next
            };
            if next != span.next {
                rows.go_to(next);
            }
            begin = next;
        };
        Decoded { consumed: begin, why }
    }
}

#[inline]
fn record<T: DeserializeOwned>(
    plan: &mut Plan<T>,
    width: Option<usize>,
    row: &Row<'_>,
) -> Result<T, Unfit> {
    match width {
        Some(width) if width != row.len() => {
            Err(Unfit::new(format!("the row has {} columns instead of {width}", row.len())))
        }
        _ => plan.read(row),
    }
}

impl<T: DeserializeOwned> CsvRows<T> {
    #[cold]
    fn stopped(&self, unfit: &Unfit, length: usize) -> Stopped {
        let Some(column) = unfit.missing() else {
            return Stopped::Malformed { length, reason: unfit.to_string() };
        };
        let known = self.plan.names().unwrap_or_default().join(", ");
        let message = format!("{} has no column `{column}`; its columns are {known}", self.file);
        Stopped::Failed(Error::new(ErrorKind::Malformed, message))
    }
}

fn unclosed(multiline: bool, length: usize) -> Stopped {
    let reason = if multiline {
        "a quoted field does not end before the file does"
    } else {
        "a quoted field does not end on its line: if it goes on on the next, set multiline"
    };
    Stopped::Malformed { length, reason: reason.to_owned() }
}
