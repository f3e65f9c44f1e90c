//! What the tool writes: rows of windows, late records, and both by one worker alone.

use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use tidemill::Result;
use tidemill::connect::{OutputFormat, Sink, Writer};
use tidemill::window::Pane;

use crate::number::{Exact, Number};
use crate::rows::Header;
use crate::text::Text;

/// One firing of one window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    key: Text,
    start_ms: i64,
    end_ms: i64,
    count: u64,
    sum: Exact,
    min: Option<Number>,
    max: Option<Number>,
}

type Totals = (u64, Exact, Option<Number>, Option<Number>);

impl Row {
    pub(crate) fn of(pane: Pane<Text, Totals>) -> Self {
        let Pane { key, span, value: (count, sum, min, max) } = pane;
        let (start_ms, end_ms) = (span.start().millis(), span.end().millis());
        Self { key, start_ms, end_ms, count, sum, min, max }
    }
}

/// Writes rows as CSV.
#[derive(Clone, Debug)]
pub(crate) struct PaneRows;

impl OutputFormat<Row> for PaneRows {
    const EXTENSION: &'static str = "csv";

    fn begin(&mut self, _first: Option<&Row>, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(b"key,start_ms,end_ms,count,sum,min,max\n");
        Ok(())
    }

    fn record(&mut self, row: &Row, out: &mut Vec<u8>) -> Result<()> {
        write_text(row.key.bytes(), out);
        for time in [row.start_ms, row.end_ms] {
            out.push(b',');
            write_integer(time, out);
        }
        out.push(b',');
        write_integer(row.count, out);
        for number in [Some(row.sum), row.min.map(Number::exact), row.max.map(Number::exact)] {
            out.push(b',');
            match number {
                Some(Exact::Integer(number)) => write_integer(number, out),
                Some(Exact::Decimal(number)) => {
                    out.extend_from_slice(zmij::Buffer::new().format(number).as_bytes());
                }
                None => {}
            }
        }
        out.push(b'\n');
        Ok(())
    }
}

fn write_integer(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes a field, in quotes if it needs them.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    if !text.iter().any(|byte| b",\"\r\n".contains(byte)) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        out.extend_from_slice(if *byte == b'"' { b"\"\"" } else { std::slice::from_ref(byte) });
    }
    out.push(b'"');
}

/// Writes lines as they came, below the header of the input.
#[derive(Clone, Debug)]
pub(crate) struct LateRows {
    header: Arc<OnceLock<Header>>,
}

impl LateRows {
    pub(crate) fn new(header: Arc<OnceLock<Header>>) -> Self {
        Self { header }
    }
}

impl OutputFormat<Text> for LateRows {
    const EXTENSION: &'static str = "csv";

    fn begin(&mut self, _first: Option<&Text>, out: &mut Vec<u8>) -> Result<()> {
        if let Some(header) = self.header.get() {
            self.record(&header.line.clone(), out)?;
        }
        Ok(())
    }

    fn record(&mut self, line: &Text, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(line.bytes());
        out.push(b'\n');
        Ok(())
    }
}

/// A sink that only the first worker has: all others are given nothing to write.
pub(crate) struct OnFirst<S>(pub(crate) S);

impl<S: Sink> Sink for OnFirst<S> {
    type Record = S::Record;

    fn open(&self, worker: usize, _peers: usize) -> Result<Box<dyn Writer<Record = S::Record>>> {
        if worker == 0 { self.0.open(0, 1) } else { Ok(Box::new(Nothing(PhantomData))) }
    }

    fn reopen(&self, worker: usize, _peers: usize) -> Result<Box<dyn Writer<Record = S::Record>>> {
        if worker == 0 { self.0.reopen(0, 1) } else { Ok(Box::new(Nothing(PhantomData))) }
    }

    fn name(&self) -> String {
        self.0.name()
    }
}

/// The writer of a worker that has nothing to write.
struct Nothing<T>(PhantomData<fn(T)>);

impl<T> Writer for Nothing<T> {
    type Record = T;

    fn write(&mut self, records: &mut Vec<T>) -> Result<()> {
        assert!(records.is_empty(), "all records are gathered on the first worker");
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn prepare(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _prepared: &[u8]) -> Result<()> {
        Ok(())
    }

    fn abort(&mut self, _prepared: &[u8]) -> Result<()> {
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
