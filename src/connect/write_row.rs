//! One record as one row of comma-separated fields, straight into a byte buffer.
//!
//! Numbers are formatted by `itoa` and `zmij` without a detour, text is scanned once for what needs
//! quotes: some 60 ns for a row of seven integers, a little over half the time of the `csv` crate's
//! serde writer. Structs and tuples inside a record become columns of their own, named after where
//! they are.

use std::fmt::{self, Display};
use std::io::Write;

use serde::{Serialize, ser};

/// Writes rows with one delimiter.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    delimiter: u8,
    /// The bytes that put their field in quotes.
    special: [bool; 256],
    /// What stands for a value that is not there.
    null: &'static [u8],
    /// Whether bytes are written in hexadecimal, as `\\x01ff`, rather than as they are.
    hexadecimal: bool,
}

impl Rows {
    pub(crate) fn new(delimiter: u8) -> Self {
        let mut special = [false; 256];
        for byte in [delimiter, b'"', b'\n', b'\r'] {
            special[usize::from(byte)] = true;
        }
        Self { delimiter, special, null: b"", hexadecimal: false }
    }

    /// Writes rows that PostgreSQL's `COPY` understands, where a missing value is `\N` and an
    /// empty field is an empty text.
    #[cfg(feature = "postgres")]
    pub(crate) fn for_copy() -> Self {
        let mut rows = Self { null: b"\\N", hexadecimal: true, ..Self::new(b',') };
        rows.special[usize::from(b'\\')] = true;
        rows
    }

    /// Appends a record as a row and returns how many columns that has.
    #[inline]
    pub(crate) fn row<T: Serialize + ?Sized>(
        &self,
        record: &T,
        out: &mut Vec<u8>,
    ) -> Result<usize, RowError> {
        let start = out.len();
        let mut row = Row { rows: self, out, columns: 0, depth: 0, names: None };
        record.serialize(&mut row)?;
        let columns = row.columns;
        if out.len() == start {
            // A blank line would be read as no row at all.
            out.extend_from_slice(b"\"\"");
        }
        out.push(b'\n');
        Ok(columns)
    }

    /// The names of a record's columns, if all of them have one. Fields of a struct inside a
    /// struct are called `outer.inner`, those of a tuple inside a struct `outer.0`.
    pub(crate) fn names<T: Serialize + ?Sized>(
        &self,
        record: &T,
    ) -> Result<Option<Vec<String>>, RowError> {
        let mut names = Names::default();
        let mut out = Vec::new();
        let mut row =
            Row { rows: self, out: &mut out, columns: 0, depth: 0, names: Some(&mut names) };
        record.serialize(&mut row)?;
        Ok((!names.unnamed).then_some(names.columns))
    }
}

/// The names of the columns seen so far.
#[derive(Default)]
struct Names {
    path: Vec<String>,
    /// How many elements each of the tuples around has had.
    elements: Vec<usize>,
    columns: Vec<String>,
    unnamed: bool,
}

/// One row in the making.
pub(super) struct Row<'a> {
    rows: &'a Rows,
    out: &'a mut Vec<u8>,
    columns: usize,
    /// How many structs and tuples are open.
    pub(super) depth: usize,
    names: Option<&'a mut Names>,
}

impl Row<'_> {
    #[inline]
    fn begin_column(&mut self) {
        if self.columns > 0 {
            self.out.push(self.rows.delimiter);
        }
        self.columns += 1;
        if let Some(names) = &mut self.names {
            names.unnamed |= names.path.is_empty();
            names.columns.push(names.path.join("."));
        }
    }

    #[inline]
    pub(super) fn plain(&mut self, field: &[u8]) -> Result<(), RowError> {
        self.begin_column();
        self.out.extend_from_slice(field);
        Ok(())
    }

    pub(super) fn missing(&mut self) -> Result<(), RowError> {
        self.plain(self.rows.null)
    }

    pub(super) fn bytes(&mut self, field: &[u8]) -> Result<(), RowError> {
        if !self.rows.hexadecimal {
            return self.text(field);
        }
        self.plain(b"\\x")?;
        for byte in field {
            write!(self.out, "{byte:02x}").map_err(ser::Error::custom)?;
        }
        Ok(())
    }

    pub(super) fn text(&mut self, field: &[u8]) -> Result<(), RowError> {
        self.begin_column();
        if field.iter().any(|byte| self.rows.special[usize::from(*byte)]) {
            self.quoted(field);
        } else {
            self.out.extend_from_slice(field);
        }
        Ok(())
    }

    pub(super) fn displayed<T: Display + ?Sized>(&mut self, value: &T) -> Result<(), RowError> {
        self.begin_column();
        let start = self.out.len();
        write!(self.out, "{value}").map_err(ser::Error::custom)?;
        if self.out[start..].iter().any(|byte| self.rows.special[usize::from(*byte)]) {
            let field = self.out.split_off(start);
            self.quoted(&field);
        }
        Ok(())
    }

    fn quoted(&mut self, field: &[u8]) {
        self.out.push(b'"');
        for (place, piece) in field.split(|byte| *byte == b'"').enumerate() {
            if place > 0 {
                self.out.extend_from_slice(b"\"\"");
            }
            self.out.extend_from_slice(piece);
        }
        self.out.push(b'"');
    }

    #[inline]
    pub(super) fn open(&mut self) {
        self.depth += 1;
        if let Some(names) = &mut self.names {
            names.elements.push(0);
        }
    }

    #[inline]
    pub(super) fn shut(&mut self) {
        self.depth -= 1;
        if let Some(names) = &mut self.names {
            names.elements.pop();
        }
    }

    #[inline]
    pub(super) fn named<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), RowError> {
        if let Some(names) = &mut self.names {
            names.path.push(name.to_owned());
        }
        value.serialize(&mut *self)?;
        if let Some(names) = &mut self.names {
            names.path.pop();
        }
        Ok(())
    }

    /// An element of a tuple is called by its place if the tuple itself has a name.
    #[inline]
    pub(super) fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RowError> {
        let Some(names) = &mut self.names else {
            return value.serialize(&mut *self);
        };
        let place = names.elements.last_mut().expect("a tuple is open");
        let name = place.to_string();
        *place += 1;
        if names.path.is_empty() { value.serialize(&mut *self) } else { self.named(&name, value) }
    }

    pub(super) fn refuse<A>(&self, what: &str, instead: &str) -> Result<A, RowError> {
        Err(RowError(format!("column {} is {what}: {instead}", self.columns + 1)))
    }
}

/// Why a record is not a row.
#[derive(Debug)]
pub(crate) struct RowError(String);

impl Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RowError {}

impl ser::Error for RowError {
    fn custom<M: Display>(message: M) -> Self {
        Self(message.to_string())
    }
}

#[cfg(test)]
#[path = "write_row_tests.rs"]
mod tests;
