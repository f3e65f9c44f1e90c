//! Lines of text, each a record.

use super::{Decode, Decoded, Format, each_line, text_of};
use crate::connect::files::{Files, Paths};
use crate::error::Result;

/// Reads lines as they are, without line feed and carriage return; empty lines too.
///
/// ```no_run
/// # use tidemill::connect::text;
/// let lines = text("access.log.gz");
/// ```
pub fn text(paths: impl Into<Paths>) -> Files<Text> {
    Files::new(paths, Text)
}

/// Lines of text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Format for Text {
    type Record = String;
    type Decode = Text;
    const NAME: &'static str = "text";

    fn decoder(&self, _file: &str, _first_line: Option<&[u8]>) -> Result<Text> {
        Ok(Text)
    }
}

impl Decode for Text {
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
