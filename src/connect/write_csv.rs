//! Comma-separated values: the header and the promise that all rows have its columns.

use serde::Serialize;

use super::write_format::OutputFormat;
use super::write_row::{RowError, Rows};
use crate::error::{Error, ErrorKind, Result};

/// Comma-separated values as RFC 4180 has them, with `\n` at the end of each row.
///
/// The header names the fields of a struct, a struct inside it as `outer.inner`. Tuples have no
/// names: their files have a header only if [`columns`](super::FileSink::columns) gives one.
/// `None` is an empty field. Lists, maps and variants with fields are refused.
#[derive(Clone, Debug)]
pub struct CsvOutput {
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
    /// The names the user gave.
    pub(crate) columns: Option<Vec<String>>,
    rows: Rows,
    /// The columns of the first record, which all others must have.
    width: Option<usize>,
}

impl Default for CsvOutput {
    fn default() -> Self {
        Self { delimiter: b',', header: true, columns: None, rows: Rows::new(b','), width: None }
    }
}

impl CsvOutput {
    pub(crate) fn set_delimiter(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
        self.rows = Rows::new(delimiter);
    }

    fn miscounted(width: usize, columns: usize) -> Error {
        let message = format!(
            "a record has {columns} columns where the first row has {width}: let every record have \
             the same columns, or write JSON lines"
        );
        Error::new(ErrorKind::Malformed, message)
    }
}

fn unwritable(cause: RowError) -> Error {
    Error::new(ErrorKind::Malformed, "a record cannot be written as CSV").because(cause)
}

impl<T: Serialize> OutputFormat<T> for CsvOutput {
    const EXTENSION: &'static str = "csv";

    fn check(&self) -> Result<()> {
        // Numbers are written without a look at quotes.
        let byte = self.delimiter;
        let part_of_a_field = byte.is_ascii_alphanumeric() || b"+-.\"\r\n".contains(&byte);
        if part_of_a_field || !byte.is_ascii() {
            let message = format!(
                "`delimiter` is {:?}, which cannot be told from a field: take a comma, semicolon, \
                 tab or bar",
                char::from(byte)
            );
            return Err(Error::new(ErrorKind::Setting, message));
        }
        Ok(())
    }

    fn begin(&mut self, first: Option<&T>, out: &mut Vec<u8>) -> Result<()> {
        if !self.header {
            return Ok(());
        }
        let names = match (&self.columns, first) {
            (Some(columns), _) => Some(columns.clone()),
            (None, Some(first)) => self.rows.names(first).map_err(unwritable)?,
            (None, None) => None,
        };
        if let Some(names) = names {
            self.rows.row(&names, out).map_err(unwritable)?;
            self.width = Some(names.len());
        }
        Ok(())
    }

    #[inline]
    fn record(&mut self, record: &T, out: &mut Vec<u8>) -> Result<()> {
        let columns = self.rows.row(record, out).map_err(unwritable)?;
        let width = *self.width.get_or_insert(columns);
        if columns != width { Err(Self::miscounted(width, columns)) } else { Ok(()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_that_fields_contain_is_refused() {
        for delimiter in [b'1', b'-', b'.', b'"', b'\n', b'e', 200] {
            let mut csv = CsvOutput::default();
            csv.set_delimiter(delimiter);
            let refused = OutputFormat::<u8>::check(&csv).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Setting);
        }
    }

    #[test]
    fn a_row_with_other_columns_than_the_first_is_an_error() {
        let mut csv = CsvOutput::default();
        let mut out = Vec::new();
        csv.record(&vec![1, 2], &mut out).unwrap();
        let error = csv.record(&vec![1, 2, 3], &mut out).unwrap_err();
        assert!(error.to_string().contains("3 columns"), "{error}");
    }

    #[test]
    fn a_header_is_quoted_as_rows_are() {
        let mut csv =
            CsvOutput { columns: Some(vec!["a,b".into(), "c".into()]), ..CsvOutput::default() };
        let mut out = Vec::new();
        csv.begin(None::<&(u8, u8)>, &mut out).unwrap();
        assert_eq!(out, b"\"a,b\",c\n");
    }
}
