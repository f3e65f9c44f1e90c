//! Standard output as a sink: whole lines, never interleaved.

use std::fmt::Display;
use std::io::{self, Write};
use std::marker::PhantomData;

use serde::Serialize;

use super::write_format::{JsonlOutput, OutputFormat, TextOutput};
use super::write_guard::Guarded;
use super::{Sink, Writer};
use crate::error::{Error, ErrorKind, Result};

/// How much is gathered before it is printed in the middle of a batch.
const PIECE: usize = 64 << 10;

/// Prints records to standard output as [`Display`] shows them, one in each line.
///
/// # Example
///
/// ```
/// use tidemill::connect::{Sink, to_stdout};
///
/// let mut writer = to_stdout::<String>().open(0, 1)?;
/// writer.write(&mut vec!["hello".to_owned()])?;
/// writer.close()?;
/// # Ok::<(), tidemill::Error>(())
/// ```
pub fn to_stdout<T: Display + Send + 'static>() -> StdoutSink<T, TextOutput> {
    StdoutSink { format: TextOutput, records: PhantomData }
}

/// Prints records to standard output as JSON, one in each line.
pub fn to_stdout_jsonl<T: Serialize + Send + 'static>() -> StdoutSink<T, JsonlOutput> {
    StdoutSink { format: JsonlOutput, records: PhantomData }
}

/// Prints records: made by [`to_stdout`] and [`to_stdout_jsonl`].
///
/// # Guarantees
///
/// - Lines of several workers never mix. They are printed at once, batch by batch.
/// - When whoever reads them goes away, as `head` does, the rest is dropped and the job goes on
///   to its end. Any other failure is an error.
/// - Lines cannot be taken back: after a crash, those since the last checkpoint are printed again.
pub struct StdoutSink<T, F> {
    format: F,
    records: PhantomData<fn(T)>,
}

impl<T: Send + 'static, F: OutputFormat<T>> Sink for StdoutSink<T, F> {
    type Record = T;

    fn open(&self, _: usize, _: usize) -> Result<Box<dyn Writer<Record = T>>> {
        Ok(Box::new(Guarded::new(Lines::new(io::stdout(), self.format.clone()))))
    }

    fn name(&self) -> String {
        "standard output".to_owned()
    }
}

/// Writes lines to something shared. Its `write_all` must not let others in between, which the one
/// of [`io::Stdout`] does not.
struct Lines<W, T, F> {
    out: W,
    format: F,
    buffer: Vec<u8>,
    /// Whether the reader has gone away.
    closed: bool,
    records: PhantomData<fn(T)>,
}

impl<W: Write, T, F: OutputFormat<T>> Lines<W, T, F> {
    fn new(out: W, format: F) -> Self {
        Self { out, format, buffer: Vec::new(), closed: false, records: PhantomData }
    }

    fn print(&mut self) -> Result<()> {
        if !self.closed {
            match self.out.write_all(&self.buffer).and_then(|()| self.out.flush()) {
                Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => self.closed = true,
                Err(cause) => {
                    let message = "cannot print to standard output";
                    return Err(Error::new(ErrorKind::Write, message).because(cause));
                }
                Ok(()) => {}
            }
        }
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write + Send, T: Send, F: OutputFormat<T>> Writer for Lines<W, T, F> {
    type Record = T;

    fn write(&mut self, records: &mut Vec<T>) -> Result<()> {
        for record in records.drain(..) {
            self.format.record(&record, &mut self.buffer)?;
            if self.buffer.len() >= PIECE {
                self.print()?;
            }
        }
        self.print()
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Takes so many bytes, then fails.
    struct Failing(usize, io::ErrorKind, Vec<u8>);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(self.1.into());
            }
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            self.2.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(room: usize, kind: io::ErrorKind) -> Lines<Failing, u32, TextOutput> {
        Lines::new(Failing(room, kind, Vec::new()), TextOutput)
    }

    #[test]
    fn each_record_is_a_line() {
        let mut lines = lines(usize::MAX, io::ErrorKind::Other);
        lines.write(&mut vec![1, 2]).unwrap();
        lines.write(&mut vec![3]).unwrap();
        assert_eq!(lines.out.2, b"1\n2\n3\n");
    }

    #[test]
    fn pieces_of_a_large_batch_are_whole_lines() {
        struct Pieces(Vec<Vec<u8>>);
        impl Write for Pieces {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.to_vec());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut lines = Lines::new(Pieces(Vec::new()), TextOutput);
        lines.write(&mut (0..100_000).collect()).unwrap();
        assert!(lines.out.0.len() > 1);
        assert!(lines.out.0.iter().all(|piece| piece.ends_with(b"\n")));
        assert_eq!(lines.out.0.concat().iter().filter(|byte| **byte == b'\n').count(), 100_000);
    }

    #[test]
    fn a_closed_pipe_ends_the_output_without_an_error() {
        let mut lines = lines(3, io::ErrorKind::BrokenPipe);
        for _ in 0..3 {
            let mut records = vec![1, 2, 3];
            lines.write(&mut records).unwrap();
            assert!(records.is_empty());
        }
        lines.close().unwrap();
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut lines = lines(3, io::ErrorKind::StorageFull);
        assert!(lines.write(&mut vec![1, 2, 3]).is_err());
    }
}
