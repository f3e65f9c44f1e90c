//! What `tidemill graph` writes: the answer, and what changed.

use crate::connect::{OutputFormat, Sink, Writer};
use crate::error::{Error, ErrorKind, Result};

/// Lines as they are, perhaps behind a header.
#[derive(Clone, Debug)]
pub(super) struct LinesOut {
    pub(super) header: Option<String>,
}

impl OutputFormat<String> for LinesOut {
    const EXTENSION: &'static str = "txt";

    fn begin(&mut self, _: Option<&String>, out: &mut Vec<u8>) -> Result<()> {
        if let Some(header) = &self.header {
            out.extend_from_slice(header.as_bytes());
            out.push(b'\n');
        }
        Ok(())
    }

    fn record(&mut self, line: &String, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
        Ok(())
    }
}

/// A sink for records that are all on the first worker.
pub(super) struct OnFirst<S>(pub(super) S);

impl<S: Sink> Sink for OnFirst<S> {
    type Record = S::Record;

    fn open(&self, worker: usize, _: usize) -> Result<Box<dyn Writer<Record = S::Record>>> {
        if worker == 0 { self.0.open(0, 1) } else { Ok(Box::new(Nothing(Vec::new()))) }
    }

    fn name(&self) -> String {
        self.0.name()
    }
}

/// Is given nothing.
struct Nothing<T>(Vec<T>);

impl<T: Send> Writer for Nothing<T> {
    type Record = T;

    fn write(&mut self, records: &mut Vec<T>) -> Result<()> {
        self.0.append(records);
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Write, "records came to a worker that writes nothing"))
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn prepare(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn abort(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
