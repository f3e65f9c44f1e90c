//! A writer that failed once stays failed.
//!
//! After a failed write nobody knows how much of it reached the disk. Going on would put a hole or
//! half a row into the output, so every later call but `commit` and `abort`, which touch only what
//! was prepared before, is refused.

use super::Writer;
use crate::error::{Error, ErrorKind, Result};

/// Passes calls on until one fails.
pub(crate) struct Guarded<W> {
    writer: W,
    failed: bool,
}

impl<W: Writer> Guarded<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { writer, failed: false }
    }

    fn call<A>(&mut self, call: impl FnOnce(&mut W) -> Result<A>) -> Result<A> {
        if self.failed {
            let message = "the output failed before and cannot go on: see the first error";
            return Err(Error::new(ErrorKind::Write, message));
        }
        let answer = call(&mut self.writer);
        self.failed = answer.is_err();
        answer
    }
}

impl<W: Writer> Writer for Guarded<W> {
    type Record = W::Record;

    fn write(&mut self, records: &mut Vec<W::Record>) -> Result<()> {
        self.call(|writer| writer.write(records))
    }

    fn flush(&mut self) -> Result<()> {
        self.call(W::flush)
    }

    fn prepare(&mut self) -> Result<Vec<u8>> {
        self.call(W::prepare)
    }

    fn resume(&mut self, prepared: &[Vec<u8>]) -> Result<()> {
        self.call(|writer| writer.resume(prepared))
    }

    fn commit(&mut self, prepared: &[u8]) -> Result<()> {
        self.writer.commit(prepared)
    }

    fn abort(&mut self, prepared: &[u8]) -> Result<()> {
        self.writer.abort(prepared)
    }

    fn close(&mut self) -> Result<()> {
        self.call(W::close)
    }
}
