//! How a sink's records become bytes: the trait, JSON lines and plain text.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// How records become the bytes of a file.
///
/// Each writer has a clone of its own, so a format may keep what it learned from earlier records.
pub trait OutputFormat<T>: Clone + Send + Sync + 'static {
    /// What the names of files in this format end with, without the dot.
    const EXTENSION: &'static str;

    /// Refuses settings that cannot work. Called before anything is written.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Appends what a file begins with. There is no `first` record when the file stays empty.
    fn begin(&mut self, first: Option<&T>, out: &mut Vec<u8>) -> Result<()> {
        let _ = (first, out);
        Ok(())
    }

    /// Appends one record and whatever ends it.
    fn record(&mut self, record: &T, out: &mut Vec<u8>) -> Result<()>;
}

/// One JSON value in each line.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonlOutput;

impl<T: Serialize> OutputFormat<T> for JsonlOutput {
    const EXTENSION: &'static str = "jsonl";

    fn record(&mut self, record: &T, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(&mut *out, record).map_err(|cause| {
            Error::new(ErrorKind::Malformed, "a record cannot be written as JSON").because(cause)
        })?;
        out.push(b'\n');
        Ok(())
    }
}

/// One record in each line, as [`Display`] writes it. A record that writes line breaks of its own
/// takes several lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOutput;

impl<T: Display> OutputFormat<T> for TextOutput {
    const EXTENSION: &'static str = "txt";

    fn record(&mut self, record: &T, out: &mut Vec<u8>) -> Result<()> {
        writeln!(out, "{record}").map_err(|cause| {
            Error::new(ErrorKind::Malformed, "a record cannot be written as text").because(cause)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_json_record_is_one_line_whatever_it_holds() {
        let mut out = Vec::new();
        JsonlOutput.record(&("a\nb", Some(1.5)), &mut out).unwrap();
        assert_eq!(out, b"[\"a\\nb\",1.5]\n");
    }

    #[test]
    fn what_json_cannot_say_is_an_error() {
        let map = BTreeMap::from([((1, 2), 3)]);
        let error = JsonlOutput.record(&map, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }

    #[test]
    fn text_is_what_display_writes() {
        let mut out = Vec::new();
        TextOutput.record(&1.25, &mut out).unwrap();
        assert_eq!(out, b"1.25\n");
    }
}
