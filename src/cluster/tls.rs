//! Encrypted connections, by TLS 1.3: both sides show a certificate of the job's authority.
//!
//! The engine reads a connection on one thread and writes it on another. Both hold the same session:
//! it is locked while bytes are encrypted or decrypted, and never while a thread waits for the
//! network. What the session itself wants to send (new keys) goes out with the next data, so that a
//! reader never waits for a writer.
//!
//! A caller checks that the certificate it is shown is for the host of the host file; whoever
//! answers checks that the caller's is of the same authority, and the handshake that follows proves
//! which process it is. That proof is bound to the session.

use std::fmt;
use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
};

use super::wire::Socket;
use crate::config::TlsFiles;
use crate::error::{Error, ErrorKind, Result};

/// The bytes read from the network at once.
const CHUNK: usize = 1 << 16;

/// The certificate of this process and the authority that it trusts.
pub(super) struct Tls {
    caller: Arc<ClientConfig>,
    answerer: Arc<ServerConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    pub(super) fn new(files: &TlsFiles<'_>) -> Result<Self> {
        let chain: Vec<CertificateDer<'static>> = certificates("--tls-cert", files.cert)?;
        let key = PrivateKeyDer::from_pem_file(files.key)
            .map_err(|error| unusable("--tls-key", files.key, error))?;
        let mut roots = RootCertStore::empty();
        for authority in certificates("--tls-ca", files.ca)? {
            roots.add(authority).map_err(|error| unusable("--tls-ca", files.ca, error))?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let servers =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()
                .map_err(|error| unusable("--tls-ca", files.ca, error))?;
        let callers = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| unusable("--tls-ca", files.ca, error))?;
        let versions = &[&rustls::version::TLS13];
        let known = "the provider has TLS 1.3";
        let caller = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect(known)
            .with_webpki_verifier(servers)
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(|error| unusable("--tls-cert", files.cert, error))?;
        let answerer = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect(known)
            .with_client_cert_verifier(callers)
            .with_single_cert(chain, key)
            .map_err(|error| unusable("--tls-cert", files.cert, error))?;
        Ok(Self { caller: Arc::new(caller), answerer: Arc::new(answerer) })
    }

    /// Begins an encrypted connection to `host`.
    pub(super) fn call(&self, socket: Socket, host: &str) -> io::Result<Sealed> {
        let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        let session =
            ClientConnection::new(Arc::clone(&self.caller), name).map_err(io::Error::other)?;
        Sealed::begin(socket, session.into())
    }

    /// Answers one that begins an encrypted connection.
    pub(super) fn answer(&self, socket: Socket) -> io::Result<Sealed> {
        let session =
            ServerConnection::new(Arc::clone(&self.answerer)).map_err(io::Error::other)?;
        Sealed::begin(socket, session.into())
    }
}

fn certificates(flag: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| unusable(flag, file, error))?;
    if certificates.is_empty() {
        return Err(unusable(flag, file, "it has no certificate"));
    }
    Ok(certificates)
}

fn unusable(
    flag: &str,
    file: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let message = format!("the file {} ({flag}) cannot be used", file.display());
    Error::new(ErrorKind::Setting, message).because(cause)
}

/// An encrypted connection, or another handle on the same one.
pub(super) struct Sealed {
    socket: Socket,
    session: Arc<Session>,
}

struct Session {
    connection: Mutex<Connection>,
    incoming: Mutex<Incoming>,
    /// Held while encrypted bytes are on their way out, so that they leave in order.
    outgoing: Mutex<Vec<u8>>,
}

/// Bytes from the network that have not been decrypted.
struct Incoming {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sealed").field(&self.socket).finish()
    }
}

impl Sealed {
    fn begin(mut socket: Socket, mut connection: Connection) -> io::Result<Self> {
        // Ends by the deadline of the socket.
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        let incoming = Incoming { bytes: vec![0; CHUNK].into_boxed_slice(), start: 0, end: 0 };
        let session = Session {
            connection: Mutex::new(connection),
            incoming: Mutex::new(incoming),
            outgoing: Mutex::default(),
        };
        Ok(Self { socket, session: Arc::new(session) })
    }

    pub(super) fn set_deadline(&mut self, until: Option<Instant>) -> io::Result<()> {
        self.socket.set_deadline(until)
    }

    /// Bytes that only the two ends of this session can know.
    pub(super) fn channel(&self) -> io::Result<Vec<u8>> {
        let connection = lock(&self.session.connection);
        let known = match &*connection {
            Connection::Client(it) => {
                it.export_keying_material([0; 32], b"EXPORTER-tidemill-handshake", None)
            }
            Connection::Server(it) => {
                it.export_keying_material([0; 32], b"EXPORTER-tidemill-handshake", None)
            }
        };
        known.map(Vec::from).map_err(io::Error::other)
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, session: Arc::clone(&self.session) })
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.socket.set_nonblocking(nonblocking)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if matches!(how, Shutdown::Write | Shutdown::Both) {
            lock(&self.session.connection).send_close_notify();
            let mut socket = self.socket.try_clone()?;
            send(&self.session, &mut socket, &[])?;
        }
        self.socket.shutdown(how)
    }
}

/// Encrypts some of these bytes and sends them, with what the session has to send besides.
fn send(session: &Session, socket: &mut Socket, from: &[u8]) -> io::Result<usize> {
    let mut outgoing = lock(&session.outgoing);
    outgoing.clear();
    let mut connection = lock(&session.connection);
    let count = if from.is_empty() { 0 } else { connection.writer().write(from)? };
    while connection.wants_write() {
        connection.write_tls(&mut *outgoing)?;
    }
    drop(connection);
    socket.write_all(&outgoing)?;
    Ok(count)
}

impl Write for Sealed {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        send(&self.session, &mut self.socket, from)
    }

    fn flush(&mut self) -> io::Result<()> {
        // What was written has been sent.
        Ok(())
    }
}

impl Read for Sealed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut incoming = lock(&self.session.incoming);
        let mut count = 0;
        loop {
            let mut connection = lock(&self.session.connection);
            loop {
                let room = into.get_mut(count..).unwrap_or_default();
                match connection.reader().read(room) {
                    Ok(0) => return Ok(count),
                    Ok(more) => count += more,
                    Err(error) if error.kind() == IoKind::WouldBlock => {}
                    // The end comes again at the next read.
                    Err(_) if count > 0 => return Ok(count),
                    Err(error) => return Err(error),
                }
                if incoming.start == incoming.end || count == into.len() {
                    break;
                }
                incoming.decrypt(&mut connection)?;
            }
            drop(connection);
            if count > 0 {
                return Ok(count);
            }
            let more = self.socket.read(&mut incoming.bytes)?;
            (incoming.start, incoming.end) = (0, more);
            if more == 0 {
                // Tells the session, which knows whether this was a good end.
                let mut connection = lock(&self.session.connection);
                connection.read_tls(&mut io::empty())?;
            }
        }
    }
}

impl Incoming {
    /// Decrypts what there is room for.
    fn decrypt(&mut self, connection: &mut Connection) -> io::Result<()> {
        let mut rest = self.bytes.get(self.start..self.end).unwrap_or_default();
        let taken = connection.read_tls(&mut rest)?;
        self.start += taken;
        connection
            .process_new_packets()
            .map_err(|error| io::Error::new(IoKind::InvalidData, error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
