//! Lines from a socket.
//!
//! A thread reads the socket and hands on whole lines, a few hundred kibibytes ahead at most: then it
//! stops reading, and TCP slows the sender down.
//!
//! # Guarantees
//!
//! What was read from a socket cannot be read again: after a restart, reading goes on with what the
//! peer sends then. The source ends when the peer closes the connection; the last line needs no line
//! feed.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde::de::DeserializeOwned;

use super::decode::jsonl::JsonlInput;
use super::decode::text::TextInput;
use super::decode::{Decode, InputFormat, Stopped, line_of};
use super::iterate::position_of;
use super::malformed::{Malformed, OnMalformed, Place};
use super::{Polled, Reader, Source, Wake};
use crate::error::{Error, ErrorKind, Result};

/// Connects to an address, such as `127.0.0.1:9000`, and reads the lines that come.
///
/// ```no_run
/// # use tidemill::connect::tcp_lines;
/// let lines = tcp_lines("127.0.0.1:9000");
/// let values = tcp_lines("127.0.0.1:9000").jsonl::<serde_json::Value>();
/// ```
pub fn tcp_lines(address: impl Into<String>) -> TcpLines<TextInput> {
    let (address, on_malformed) = (address.into(), OnMalformed::default());
    TcpLines { address, format: TextInput, listens: false, on_malformed, longest: 64 << 20 }
}

/// Lines from a socket as a source: see [`tcp_lines`].
#[derive(Clone, Debug)]
pub struct TcpLines<F> {
    address: String,
    format: F,
    listens: bool,
    on_malformed: OnMalformed,
    longest: usize,
}

impl<F> TcpLines<F> {
    /// Waits for one peer to connect to the address, rather than connecting to it.
    #[must_use]
    pub fn listen(mut self) -> Self {
        self.listens = true;
        self
    }

    /// What becomes of lines that cannot be understood: the job stops unless set.
    #[must_use]
    pub fn on_malformed(mut self, policy: OnMalformed) -> Self {
        self.on_malformed = policy;
        self
    }

    /// The longest line in bytes, beyond which the source fails: 64 MiB unless set.
    #[must_use]
    pub fn longest_line(mut self, bytes: usize) -> Self {
        self.longest = bytes;
        self
    }

    /// Takes each line as a JSON value.
    #[must_use]
    pub fn jsonl<T: DeserializeOwned + 'static>(self) -> TcpLines<JsonlInput<T>> {
        self.format(JsonlInput::default())
    }

    /// Takes the lines in another format, which gets no first line to look at.
    #[must_use]
    pub fn format<G: InputFormat>(self, format: G) -> TcpLines<G> {
        let Self { address, listens, on_malformed, longest, .. } = self;
        TcpLines { address, format, listens, on_malformed, longest }
    }
}

impl<F: InputFormat> Source for TcpLines<F> {
    type Record = F::Record;

    fn partitions(&self, _lanes: usize) -> Result<Vec<String>> {
        self.format.check()?;
        if self.format.spans_lines() || self.format.needs_first_line() {
            let message = format!("{}: cannot be read line by line from a socket", F::NAME);
            return Err(Error::new(ErrorKind::Setting, message));
        }
        Ok(vec![self.address.clone()])
    }

    fn open(
        &self,
        partition: &str,
        _position: Option<&[u8]>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<Record = F::Record>>> {
        let cannot = |what: &str, cause: io::Error| {
            Error::new(ErrorKind::Read, format!("cannot {what} {partition}")).because(cause)
        };
        let decode = self.format.decoder(partition, None)?;
        let link = if self.listens {
            let listener = TcpListener::bind(partition).map_err(|it| cannot("listen on", it))?;
            Link::waiting(listener).map_err(|it| cannot("listen on", it))?
        } else {
            let stream = TcpStream::connect(partition).map_err(|it| cannot("connect to", it))?;
            Link::new(State::Open(stream))
        };
        let (chunks, received) = mpsc::sync_channel(CHUNKS_AHEAD);
        let pump = Pump { link: link.clone(), chunks, wake, longest: self.longest };
        thread::Builder::new()
            .name(format!("tcp {partition}"))
            .spawn(move || pump.run())
            .map_err(|cause| cannot("start a thread that reads", cause))?;
        Ok(Box::new(SocketReader {
            address: partition.to_owned(),
            decode,
            received,
            chunk: Vec::new(),
            begin: 0,
            consumed: 0,
            malformed: Malformed::new(self.on_malformed.clone()),
            link,
        }))
    }

    fn bounded(&self) -> bool {
        false
    }

    fn name(&self) -> String {
        format!("tcp {}", self.address)
    }
}

const CHUNK: usize = 64 << 10;
const CHUNKS_AHEAD: usize = 4;

/// A connection, or the wait for one, shared by the thread that reads and the reader, which ends it.
#[derive(Clone)]
struct Link(Arc<Mutex<State>>);

enum State {
    Waiting(TcpListener, SocketAddr),
    Open(TcpStream),
    Closed,
}

impl Link {
    fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    fn waiting(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self::new(State::Waiting(listener, address)))
    }

    /// The connection, once there is one; nothing if the reader is gone.
    fn connected(&self) -> io::Result<Option<TcpStream>> {
        let listener = match &*self.state() {
            State::Open(stream) => return Ok(Some(stream.try_clone()?)),
            State::Waiting(listener, _) => listener.try_clone()?,
            State::Closed => return Ok(None),
        };
        let (stream, _) = listener.accept()?;
        let mut state = self.state();
        if matches!(*state, State::Closed) {
            return Ok(None);
        }
        *state = State::Open(stream.try_clone()?);
        Ok(Some(stream))
    }

    /// Ends the thread that reads, wherever it waits. It may have ended before.
    fn close(&self) {
        match std::mem::replace(&mut *self.state(), State::Closed) {
            State::Open(stream) => drop(stream.shutdown(Shutdown::Both)),
            // The thread waits for somebody to connect, and finds that the reader is gone.
            State::Waiting(_, address) => drop(TcpStream::connect(address)),
            State::Closed => {}
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the socket, on a thread of its own.
struct Pump {
    link: Link,
    chunks: SyncSender<io::Result<Vec<u8>>>,
    wake: Wake,
    longest: usize,
}

impl Pump {
    fn run(self) {
        let outcome = self.pump();
        if let Err(cause) = outcome {
            // Nobody is told if the reader is gone.
            drop(self.chunks.send(Err(cause)));
        }
        let Self { chunks, wake, .. } = self;
        drop(chunks);
        wake();
    }

    fn pump(&self) -> io::Result<()> {
        let Some(mut stream) = self.link.connected()? else { return Ok(()) };
        let mut buffer = vec![0; CHUNK];
        let mut filled = 0;
        loop {
            let count = match stream.read(&mut buffer[filled..]) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                count => count?,
            };
            let known = filled;
            filled += count;
            let whole = match memchr::memrchr(b'\n', &buffer[known..filled]) {
                _ if count == 0 => filled,
                Some(at) => known + at + 1,
                None => 0,
            };
            if whole > 0 {
                if self.chunks.send(Ok(buffer[..whole].to_vec())).is_err() {
                    return Ok(());
                }
                (self.wake)();
                buffer.copy_within(whole..filled, 0);
                filled -= whole;
            }
            if count == 0 {
                return Ok(());
            }
            if filled > self.longest {
                let message = format!("a line is longer than {} bytes", self.longest);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
        }
    }
}

struct SocketReader<D> {
    address: String,
    decode: D,
    received: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    begin: usize,
    consumed: u64,
    malformed: Malformed,
    link: Link,
}

impl<D> SocketReader<D> {
    fn consume(&mut self, bytes: usize) {
        self.begin += bytes;
        self.consumed += bytes as u64;
    }
}

impl<D: Decode> Reader for SocketReader<D> {
    type Record = D::Record;

    fn poll(&mut self, most: usize, records: &mut Vec<D::Record>) -> Result<Polled> {
        let enough = records.len().saturating_add(most);
        while records.len() < enough {
            if self.begin == self.chunk.len() {
                self.begin = 0;
                self.chunk.clear();
                match self.received.try_recv() {
                    Ok(Ok(chunk)) => self.chunk = chunk,
                    Ok(Err(cause)) => {
                        let message = format!("cannot read from {}", self.address);
                        return Err(Error::new(ErrorKind::Read, message).because(cause));
                    }
                    Err(TryRecvError::Empty) => return Ok(Polled::Pending),
                    Err(TryRecvError::Disconnected) => return Ok(Polled::Ended),
                }
            }
            let run = &self.chunk[self.begin..];
            let decoded = self.decode.decode(run, true, enough - records.len(), records);
            let (length, reason) = match decoded.why {
                Stopped::Done => (0, None),
                Stopped::Malformed { length, reason } => (length, Some(reason)),
                Stopped::Unfinished => (run.len(), Some("a record has no end".to_owned())),
                Stopped::Failed(error) => return Err(error),
            };
            self.consume(decoded.consumed);
            if let Some(reason) = reason {
                let length = length.min(self.chunk.len() - self.begin);
                let raw = line_of(&self.chunk[self.begin..self.begin + length]);
                let place = Place { file: &self.address, byte: self.consumed, line: &|| None };
                self.malformed.found(&place, raw, &reason)?;
                self.consume(length);
            }
        }
        Ok(Polled::Ready)
    }

    fn position(&self) -> Vec<u8> {
        position_of(self.consumed)
    }

    fn bytes(&self) -> u64 {
        self.consumed
    }

    fn malformed(&self) -> u64 {
        self.malformed.count()
    }
}

impl<D> Drop for SocketReader<D> {
    fn drop(&mut self) {
        self.link.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::mpsc::Sender;
    use std::time::Duration;

    /// A wake that the test waits for, at most a while.
    fn bell() -> (Wake, Receiver<()>) {
        let (ring, rung): (Sender<()>, _) = mpsc::channel();
        (Arc::new(move || ring.send(()).unwrap_or_default()), rung)
    }

    fn drain<F: InputFormat>(
        source: &TcpLines<F>,
        send: &[&[u8]],
    ) -> (Result<Vec<F::Record>>, u64) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (wake, rung) = bell();
        let mut reader = source.open(&address, None, wake).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let sent: Vec<Vec<u8>> = send.iter().map(|it| it.to_vec()).collect();
        let sender = thread::spawn(move || sent.iter().all(|it| stream.write_all(it).is_ok()));
        let mut records = Vec::new();
        let outcome = loop {
            match reader.poll(2, &mut records) {
                Ok(Polled::Ended) => break Ok(records),
                Ok(Polled::Ready) => {}
                Ok(Polled::Pending) => {
                    rung.recv_timeout(Duration::from_secs(10)).expect("a wake comes");
                }
                Err(error) => break Err(error),
            }
        };
        let malformed = reader.malformed();
        drop(reader);
        sender.join().unwrap();
        (outcome, malformed)
    }

    #[test]
    fn lines_come_whole_however_they_were_sent() {
        let (found, _) = drain(&tcp_lines("x"), &[b"a\nb", b"c\r\n\nd", b"e"]);
        assert_eq!(found.unwrap(), ["a", "bc", "", "de"]);
        let many: Vec<String> = (0..50_000).map(|line| format!("line {line}")).collect();
        let (found, _) = drain(&tcp_lines("x"), &[many.join("\n").as_bytes()]);
        assert_eq!(found.unwrap(), many);
        assert!(drain(&tcp_lines("x"), &[]).0.unwrap().is_empty());
    }

    #[test]
    fn malformed_lines_follow_the_policy() {
        let source = tcp_lines("x").jsonl::<u64>();
        let lines: &[&[u8]] = &[b"1\nx\n3\n"];
        let error = drain(&source, lines).0.unwrap_err().to_string();
        assert!(error.contains(", byte 2: expected value"), "{error}");
        let (found, malformed) = drain(&source.on_malformed(OnMalformed::Skip), lines);
        assert_eq!((found.unwrap(), malformed), (vec![1, 3], 1));
    }

    #[test]
    fn a_line_that_is_too_long_is_an_error() {
        let (found, _) = drain(&tcp_lines("x").longest_line(10), &[&[b'x'; 100_000]]);
        assert!(format!("{:#}", found.unwrap_err()).contains("longer than 10 bytes"));
    }

    #[test]
    fn one_peer_is_waited_for() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (wake, rung) = bell();
        let address = free.to_string();
        let source = tcp_lines(&address).listen();
        let mut reader = source.open(&address, None, wake).unwrap();
        let mut records = Vec::new();
        assert_eq!(reader.poll(9, &mut records).unwrap(), Polled::Pending);
        TcpStream::connect(free).unwrap().write_all(b"a\nb\n").unwrap();
        while reader.poll(9, &mut records).unwrap() != Polled::Ended {
            rung.recv_timeout(Duration::from_secs(10)).expect("a wake comes");
        }
        assert_eq!(records, ["a", "b"]);
    }

    #[test]
    fn a_reader_that_waits_for_a_peer_can_be_dropped() {
        let (wake, rung) = bell();
        let source = tcp_lines("127.0.0.1:0").listen();
        drop(source.open("127.0.0.1:0", None, wake).unwrap());
        // The thread ends, and with it the last wake.
        while rung.recv_timeout(Duration::from_secs(10)).is_ok() {}
        assert!(matches!(rung.try_recv(), Err(TryRecvError::Disconnected)));
    }

    #[test]
    fn nobody_at_the_address_is_an_error_that_names_it() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let error = tcp_lines(&free).open(&free, None, Arc::new(|| ())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Read);
        assert_eq!(error.to_string(), format!("cannot connect to {free}"));
    }
}
