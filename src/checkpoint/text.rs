//! JSON that a person can read and that stays short: spread over lines down to a depth, and packed
//! into a line below it.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// How deep values stand in lines of their own. In a manifest a section is a line.
const DEPTH: usize = 6;

/// The JSON of a value whose own `Serialize` does not fail.
pub(super) fn readable(value: &impl Serialize) -> String {
    let mut text = Vec::new();
    let format = Packed { depth: 0, lines: PrettyFormatter::new() };
    let mut to = serde_json::Serializer::with_formatter(&mut text, format);
    value.serialize(&mut to).expect("a value of plain fields, written to memory");
    String::from_utf8(text).expect("JSON is UTF-8")
}

struct Packed {
    depth: usize,
    lines: PrettyFormatter<'static>,
}

/// Passes a call on to the formatter that is in charge at this depth.
macro_rules! pass_on {
    ($($call:ident($($argument:ident)?)),+ $(,)?) => {
        $(fn $call<W: ?Sized + io::Write>(
            &mut self,
            writer: &mut W
            $(, $argument: bool)?
        ) -> io::Result<()> {
            if self.depth <= DEPTH {
                self.lines.$call(writer $(, $argument)?)
            } else {
                CompactFormatter.$call(writer $(, $argument)?)
            }
        })+
    };
}

impl Formatter for Packed {
    pass_on! {
        begin_array_value(first),
        end_array_value(),
        begin_object_key(first),
        begin_object_value(),
        end_object_value(),
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.depth <= DEPTH { self.lines.begin_array(writer) } else { writer.write_all(b"[") }
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.depth < DEPTH { self.lines.end_array(writer) } else { writer.write_all(b"]") }
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        if self.depth <= DEPTH { self.lines.begin_object(writer) } else { writer.write_all(b"{") }
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.depth < DEPTH { self.lines.end_object(writer) } else { writer.write_all(b"}") }
    }
}
