//! Rows that wait to be sent, as `COPY` reads them.

use std::io::Write;
use std::ops::Range;

use serde::Serialize;

use crate::connect::write_row::Rows;
use crate::error::{Error, ErrorKind, Result};

/// Rows in the form of `COPY … (FORMAT csv, NULL '\N')`, all with the same columns.
pub(super) struct Waiting {
    format: Rows,
    columns: Option<Vec<String>>,
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
}

impl Waiting {
    /// No rows yet, with these columns or those of the first record.
    pub(super) fn new(columns: Option<Vec<String>>) -> Self {
        Self { format: Rows::for_copy(), columns, bytes: Vec::new(), ends: Vec::new() }
    }

    /// Adds a record as a row of the table.
    pub(super) fn add<T: Serialize>(&mut self, record: &T, table: &str) -> Result<()> {
        let refused = |message: String| Error::new(ErrorKind::Malformed, message);
        let unwritable = || refused(format!("a record cannot be a row of table {table}"));
        if self.columns.is_none() {
            let names = self.format.names(record).map_err(|it| unwritable().because(it))?;
            let names = names.filter(|names| !names.is_empty()).ok_or_else(|| {
                let message = format!(
                    "the fields of a record for table {table} have no names: give the sink `columns`"
                );
                Error::new(ErrorKind::Setting, message)
            })?;
            self.columns = Some(names);
        }
        let begin = self.bytes.len();
        let counted = self.format.row(record, &mut self.bytes);
        let counted = counted.map_err(|cause| unwritable().because(cause));
        let width = self.columns().len();
        match counted {
            Ok(count) if count == width => {
                self.ends.push(self.bytes.len());
                Ok(())
            }
            other => {
                self.bytes.truncate(begin);
                Err(other.err().unwrap_or_else(|| {
                    refused(format!("a record for table {table} does not have {width} fields"))
                }))
            }
        }
    }

    /// The columns, none if nothing was ever added.
    pub(super) fn columns(&self) -> &[String] {
        self.columns.as_deref().unwrap_or_default()
    }

    /// How many rows wait.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes they are.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// The rows as they are.
    pub(super) fn plain(&self) -> &[u8] {
        &self.bytes
    }

    /// The rows, each with these fields and its number, counted from `first`, before its own.
    pub(super) fn numbered(&self, before: &str, first: u64) -> Vec<u8> {
        let mut numbered = Vec::with_capacity(self.bytes.len() + 32 * self.count());
        for (place, number) in (0..self.count()).zip(first..) {
            write!(numbered, "{before}{number},").expect("a vector takes everything");
            numbered.extend_from_slice(self.bytes.get(self.range(place)).unwrap_or_default());
        }
        numbered
    }

    fn range(&self, place: usize) -> Range<usize> {
        let begin = place.checked_sub(1).and_then(|it| self.ends.get(it)).copied();
        begin.unwrap_or(0)..self.ends.get(place).copied().unwrap_or(self.bytes.len())
    }

    /// The row on a line of what was sent, counted from 1, as far as it is worth showing. Texts with
    /// line feeds take several lines.
    pub(super) fn on_line(&self, line: usize) -> Option<String> {
        const SHOWN: usize = 200;
        let (mut place, mut end) = (0, 0);
        while place < self.count() {
            let row = self.bytes.get(self.range(place))?;
            end += memchr::memchr_iter(b'\n', row).count();
            if end >= line {
                let text = String::from_utf8_lossy(row);
                return Some(text.trim_end().chars().take(SHOWN).collect());
            }
            place += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row {
        key: u32,
        text: Option<&'static str>,
    }

    fn rows(texts: &[Option<&'static str>]) -> Waiting {
        let mut waiting = Waiting::new(None);
        for (key, text) in (0..).zip(texts) {
            waiting.add(&Row { key, text: *text }, "t").expect("a row");
        }
        waiting
    }

    #[test]
    fn nothing_an_empty_text_and_a_text_like_nothing_differ() {
        let waiting = rows(&[None, Some(""), Some("\\N"), Some("a,\"b\"\nc"), Some("\\.")]);
        assert_eq!(waiting.columns(), ["key", "text"]);
        let expected = b"0,\\N\n1,\n2,\"\\N\"\n3,\"a,\"\"b\"\"\nc\"\n4,\"\\.\"\n";
        assert_eq!(waiting.plain(), expected);
        assert_eq!(waiting.numbered("7,", 5)[..8], *b"7,5,0,\\N");
        assert_eq!(waiting.on_line(4).as_deref(), Some("3,\"a,\"\"b\"\"\nc\""));
        assert_eq!(waiting.on_line(5), waiting.on_line(4));
        assert_eq!(waiting.on_line(6).as_deref(), Some("4,\"\\.\""));
        assert_eq!(waiting.on_line(7), None);
    }

    #[test]
    fn a_record_with_other_columns_is_refused_and_leaves_no_trace() {
        let mut waiting = Waiting::new(Some(vec!["a".to_owned(), "b".to_owned()]));
        waiting.add(&(1, 2), "t").expect("two fields");
        for refused in [waiting.add(&(1, 2, 3), "t"), waiting.add(&(1, [vec![2]]), "t")] {
            assert!(refused.expect_err("not two fields").to_string().contains("table t"));
        }
        assert_eq!((waiting.plain(), waiting.count()), (&b"1,2\n"[..], 1));
        let unnamed = Waiting::new(None).add(&(1, 2), "t").expect_err("no names");
        assert!(unnamed.to_string().contains("`columns`"), "{unnamed}");
    }
}
