//! JSON lines: a JSON value on each line.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::{Decode, Decoded, InputFormat, each_line};
use crate::connect::files::{Files, Paths};
use crate::error::Result;

/// Reads JSON values, one on each line, typed by serde. Blank lines are skipped.
///
/// ```no_run
/// # use tidemill::connect::jsonl;
/// #[derive(serde::Deserialize)]
/// struct Edit {
///     page: String,
///     added: i64,
/// }
/// let edits = jsonl::<Edit>("edits/*.json.gz");
/// ```
pub fn jsonl<T: DeserializeOwned + 'static>(paths: impl Into<Paths>) -> Files<JsonlInput<T>> {
    Files::new(paths, JsonlInput::default())
}

/// JSON lines of records of type `T`.
pub struct JsonlInput<T>(PhantomData<fn() -> T>);

impl<T> Default for JsonlInput<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for JsonlInput<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> fmt::Debug for JsonlInput<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonlInput")
    }
}

impl<T: DeserializeOwned + 'static> InputFormat for JsonlInput<T> {
    type Record = T;
    type Decode = JsonlInput<T>;
    const NAME: &'static str = "jsonl";

    fn decoder(&self, _file: &str, _first_line: Option<&[u8]>) -> Result<Self> {
        Ok(self.clone())
    }
}

impl<T: DeserializeOwned> Decode for JsonlInput<T> {
    type Record = T;

    fn decode(&mut self, run: &[u8], _last: bool, most: usize, records: &mut Vec<T>) -> Decoded {
        each_line(run, most, records, |line| {
            if line.iter().all(u8::is_ascii_whitespace) {
                return Ok(None);
            }
            serde_json::from_slice(line).map(Some).map_err(|cause| reason(&cause))
        })
    }
}

/// What is wrong, with the column but not the line, which is always the first.
fn reason(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    match text.rsplit_once(" at line 1 column ") {
        Some((what, column)) => format!("{what} at column {column}"),
        None => text,
    }
}
