//! What processes print, passed on line by line behind the index of the process.

use std::io::{BufRead, BufReader, Read, Write};
use std::thread::{Builder, JoinHandle};

/// Longer lines are cut in pieces of so many bytes: nothing is held back without end.
const LONGEST: u64 = 1 << 16;

/// Passes on what comes `from` a process until it ends, on a thread of its own.
pub(super) fn pass_on(
    index: usize,
    from: impl Read + Send + 'static,
    to: impl Write + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let prefix = format!("[{index}] ");
    Builder::new().name(format!("output-{index}")).spawn(move || copy(&prefix, from, to))
}

fn copy(prefix: &str, from: impl Read, mut to: impl Write) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    let mut heard = true;
    loop {
        line.clear();
        line.extend_from_slice(prefix.as_bytes());
        match from.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        // In one piece, so that lines do not mix. If nobody listens the process still goes on.
        heard = heard && to.write_all(&line).and_then(|()| to.flush()).is_ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        copy("[7] ", text, &mut out);
        out
    }

    #[test]
    fn every_line_gets_the_index_of_its_process() {
        assert_eq!(passed(b""), b"");
        assert_eq!(passed(b"one\n\ntwo"), b"[7] one\n[7] \n[7] two\n");
        assert_eq!(passed(b"\xff\xfe\n"), b"[7] \xff\xfe\n");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = vec![b'x'; LONGEST as usize + 1];
        let out = passed(&long);
        let lines: Vec<_> = out.split_inclusive(|it| *it == b'\n').map(<[u8]>::len).collect();
        assert_eq!(lines, [LONGEST as usize + 5, 6]);
    }

    #[test]
    fn a_process_goes_on_when_nobody_listens() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut text: &[u8] = b"one\ntwo\n";
        copy("", &mut text, Closed);
        assert!(text.is_empty());
    }
}
