//! A connection between two processes: plain, or encrypted.
//!
//! Until it is handed to the engine a connection has a deadline: no read or write outlasts it,
//! however slowly the other side sends. Afterwards the system notices a connection that was severed,
//! by probes while it is idle and by a limit on unacknowledged data while it is not.

use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use timely::communication::allocator::zero_copy::stream::Stream;

#[cfg(feature = "tls")]
use super::tls::Sealed;

/// A socket with a deadline.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    until: Option<Instant>,
}

impl Socket {
    /// The stream as a blocking socket that sends at once. Nobody at the other end is noticed after
    /// about `silence`.
    pub(super) fn new(stream: TcpStream, until: Instant, silence: Duration) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        // The system counts in seconds.
        let probe = (silence / 3).max(Duration::from_secs(1));
        let keepalive = TcpKeepalive::new().with_time(probe).with_interval(probe);
        #[cfg(not(any(target_os = "openbsd", target_os = "redox", target_os = "solaris")))]
        let keepalive = keepalive.with_retries(3);
        let socket = SockRef::from(&stream);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        socket.set_tcp_user_timeout(Some(silence.max(Duration::from_secs(1))))?;
        Ok(Self { stream, until: Some(until) })
    }

    pub(super) fn set_deadline(&mut self, until: Option<Instant>) -> io::Result<()> {
        self.until = until;
        if until.is_none() {
            self.stream.set_read_timeout(None)?;
            self.stream.set_write_timeout(None)?;
        }
        Ok(())
    }

    /// The time that is left, if there is a deadline.
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.map(|it| it.saturating_duration_since(Instant::now()));
        if left.is_some_and(|it| it.is_zero()) {
            return Err(io::Error::new(IoKind::TimedOut, "it took too long"));
        }
        Ok(left)
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { stream: self.stream.try_clone()?, until: self.until })
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.shutdown(how)
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(left) = self.left()? {
            self.stream.set_read_timeout(Some(left))?;
        }
        self.stream.read(into)
    }
}

impl Write for Socket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        if let Some(left) = self.left()? {
            self.stream.set_write_timeout(Some(left))?;
        }
        self.stream.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A connection to another process.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(Socket),
    #[cfg(feature = "tls")]
    Sealed(Sealed),
}

impl Wire {
    /// From here on, nothing that is read or written may take longer than until then.
    pub(super) fn set_deadline(&mut self, until: Option<Instant>) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.set_deadline(until),
            #[cfg(feature = "tls")]
            Self::Sealed(sealed) => sealed.set_deadline(until),
        }
    }

    /// What only the two ends of this connection know, if it is encrypted.
    pub(super) fn channel(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(_) => Ok(Vec::new()),
            #[cfg(feature = "tls")]
            Self::Sealed(sealed) => sealed.channel(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            #[cfg(feature = "tls")]
            Self::Sealed(sealed) => sealed.read(into),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(from),
            #[cfg(feature = "tls")]
            Self::Sealed(sealed) => sealed.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            #[cfg(feature = "tls")]
            Self::Sealed(sealed) => sealed.flush(),
        }
    }
}

impl Stream for Wire {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(socket) => Self::Plain(socket.try_clone()?),
            #[cfg(feature = "tls")]
            Self::Sealed(sealed) => Self::Sealed(sealed.try_clone()?),
        })
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.set_nonblocking(nonblocking),
            #[cfg(feature = "tls")]
            Self::Sealed(sealed) => sealed.set_nonblocking(nonblocking),
        }
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown(how),
            #[cfg(feature = "tls")]
            Self::Sealed(sealed) => sealed.shutdown(how),
        }
    }
}
