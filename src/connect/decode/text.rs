//! Lines of text, each a record.

use super::{Decode, Decoded, InputFormat, each_line, text_of};
use crate::connect::files::{Files, Paths};
use crate::error::Result;

/// Reads lines as they are, without line feed and carriage return; empty lines too.
///
/// ```no_run
/// # use tidemill::connect::text;
/// let lines = text("access.log.gz");
/// ```
pub fn text(paths: impl Into<Paths>) -> Files<TextInput> {
    Files::new(paths, TextInput)
}

/// Lines of text.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextInput;

impl InputFormat for TextInput {
    type Record = String;
    type Decode = TextInput;
    const NAME: &'static str = "text";

    fn decoder(&self, _file: &str, _first_line: Option<&[u8]>) -> Result<TextInput> {
        Ok(TextInput)
    }
}

impl Decode for TextInput {
    type Record = String;

    fn decode(
        &mut self,
        run: &[u8],
        _last: bool,
        most: usize,
        records: &mut Vec<String>,
    ) -> Decoded {
        each_line(run, most, records, |line| Ok(Some(text_of(line)?.to_owned())))
    }
}
