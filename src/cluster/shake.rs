//! The handshake: two processes find out that they belong together before a byte reaches the engine.
//!
//! ```text
//! caller                          answerer
//!   greeting, hello, nonce  ->
//!                           <-  greeting, hello, nonce
//!   proof                   ->
//!                           <-  verdict, proof
//! ```
//!
//! The caller proves first, so that who only knocks learns nothing that could be used to try out
//! secrets. Who cannot prove that it knows the secret is a stranger, whatever it says. Whoever can is
//! one of ours, and what does not fit is then named on both sides. Nothing that is sent can make
//! this read more than [`LONGEST`] bytes at a time, wait beyond the deadline, or panic.

use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::card::{Card, Hello, Purpose, Role};
use super::heart::Pace;
use super::proof::{Proof, Transcript, random};
#[cfg(feature = "tls")]
use super::tls::Tls;
use super::wire::{Socket, Wire};
use crate::config::{SHORTEST_HEARTBEAT_MS, Secret, Settings};
use crate::error::{Error, ErrorKind, Result};

/// What each side sends first; the last byte counts the versions of this protocol.
const GREETING: [u8; 9] = *b"tidemill\x01";

/// The most bytes a hello may have.
const LONGEST: usize = 1024;

/// What the answerer makes of a caller that proved itself.
const WELCOME: u8 = 0;
const TAKEN: u8 = 1;
const MISFIT: u8 = 2;

/// What this process is in a handshake.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) card: Card,
    pub(super) index: usize,
    pub(super) incarnation: u64,
    pub(super) heartbeat: Duration,
    pub(super) secret: Secret,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
}

/// A process that belongs to this job, and the connection to it.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) wire: Wire,
    pub(super) hello: Hello,
}

/// Why a connection came to nothing.
#[derive(Debug)]
pub(super) enum Refused {
    /// The other side did not prove that it belongs to this job.
    Stranger(String),
    /// It belongs to us, but not to this run of the job.
    Misfit(String),
    /// Another process with its index is there.
    Taken(String),
}

impl Refused {
    fn stranger(what: impl Into<String>) -> Self {
        Self::Stranger(what.into())
    }

    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Stranger(reason) | Self::Misfit(reason) | Self::Taken(reason) => reason,
        }
    }
}

impl Identity {
    pub(super) fn new(job: &str, settings: &Settings) -> Result<Self> {
        let card = Card::new(job, settings);
        if job.len() > LONGEST / 2 {
            let message = format!("the name of the job has {} bytes, but may have 512", job.len());
            return Err(Error::new(ErrorKind::Setting, message));
        }
        Ok(Self {
            card,
            index: settings.process,
            incarnation: u64::from_le_bytes(random()?),
            heartbeat: settings.network.heartbeat(),
            secret: settings.network.secret()?,
            #[cfg(feature = "tls")]
            tls: settings.network.tls()?.map(|files| Tls::new(&files)).transpose()?,
        })
    }

    fn hello(&self, purpose: Purpose, to: Option<usize>) -> Result<Hello, Refused> {
        Ok(Hello {
            card: self.card.clone(),
            purpose,
            from: self.index as u64,
            to: to.map(|it| it as u64),
            incarnation: self.incarnation,
            nonce: random().map_err(|error| Refused::stranger(format!("{error:#}")))?,
            heartbeat_ms: u64::try_from(self.heartbeat.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// How often this process gives signs of life to one that said this, and how long it waits for
    /// the other's.
    pub(super) fn pace(&self, other: &Hello) -> Pace {
        let theirs = Duration::from_millis(other.heartbeat_ms.max(SHORTEST_HEARTBEAT_MS));
        let shorter = self.heartbeat.min(theirs);
        Pace { beat: shorter / 3, silence: self.heartbeat }
    }

    fn wire(&self, stream: TcpStream, host: Option<&str>, until: Instant) -> io::Result<Wire> {
        let socket = Socket::new(stream, until, self.heartbeat)?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(Wire::Sealed(match host {
                Some(host) => tls.call(socket, host)?,
                None => tls.answer(socket)?,
            }));
        }
        #[cfg(not(feature = "tls"))]
        let _ = host;
        Ok(Wire::Plain(socket))
    }

    /// Introduces this process on a connection that it made to process `to` at `address`.
    pub(super) fn call(
        &self,
        stream: TcpStream,
        (to, address): (usize, &str),
        purpose: Purpose,
        until: Instant,
    ) -> Result<Met, Refused> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let mut wire = self.wire(stream, Some(host), until).map_err(gone("connecting"))?;
        let mine = self.hello(purpose, Some(to))?;
        let caller = say(&mut wire, &mine)?;
        let (theirs, answerer) = hear(&mut wire)?;
        let channel = wire.channel().map_err(gone("its encryption"))?;
        let transcript = Transcript { caller, answerer, channel };
        let proof = transcript.prove(&self.secret, Role::Caller, WELCOME);
        wire.write_all(&proof).map_err(gone("our proof"))?;
        let mut verdict = [0; 1];
        wire.read_exact(&mut verdict).map_err(|error| match error.kind() {
            IoKind::UnexpectedEof | IoKind::ConnectionReset => {
                Refused::stranger("it does not accept our proof: do the secrets differ?")
            }
            _ => gone("its verdict")(error),
        })?;
        let mut proof: Proof = [0; 32];
        wire.read_exact(&mut proof).map_err(gone("its proof"))?;
        let [verdict] = verdict;
        if !transcript.proves(&self.secret, Role::Answerer, verdict, &proof) {
            return Err(Refused::stranger("it does not know the secret"));
        }
        if let Some(misfit) = mine.misfit(&theirs, Role::Caller) {
            return Err(Refused::Misfit(misfit));
        }
        match verdict {
            WELCOME => ready(wire, theirs),
            TAKEN => Err(Refused::Taken(format!("it has a process {} already", self.index))),
            _ => Err(Refused::Misfit("it says that the two do not fit".into())),
        }
    }

    /// Finds out who made a connection to this process; `taken` says whether its place is.
    pub(super) fn answer(
        &self,
        stream: TcpStream,
        until: Instant,
        taken: impl FnOnce(&Hello) -> bool,
    ) -> Result<Met, Refused> {
        let mut wire = self.wire(stream, None, until).map_err(gone("connecting"))?;
        let (theirs, caller) = hear(&mut wire)?;
        let mine = self.hello(theirs.purpose, None)?;
        let answerer = say(&mut wire, &mine)?;
        let channel = wire.channel().map_err(gone("its encryption"))?;
        let transcript = Transcript { caller, answerer, channel };
        let mut proof: Proof = [0; 32];
        wire.read_exact(&mut proof).map_err(gone("its proof"))?;
        if !transcript.proves(&self.secret, Role::Caller, WELCOME, &proof) {
            return Err(Refused::stranger("it does not know the secret"));
        }
        let refused = match mine.misfit(&theirs, Role::Answerer) {
            Some(misfit) => Some(Refused::Misfit(misfit)),
            None if taken(&theirs) => {
                Some(Refused::Taken(format!("there is a process {} already", theirs.from)))
            }
            None => None,
        };
        let verdict = match refused {
            None => WELCOME,
            Some(Refused::Taken(_)) => TAKEN,
            Some(_) => MISFIT,
        };
        let proof = transcript.prove(&self.secret, Role::Answerer, verdict);
        let last = [&[verdict], proof.as_slice()].concat();
        let told = wire.write_all(&last).and_then(|()| wire.flush()).map_err(gone("our verdict"));
        match refused {
            Some(refused) => Err(refused),
            None => told.and_then(|()| ready(wire, theirs)),
        }
    }
}

fn ready(mut wire: Wire, hello: Hello) -> Result<Met, Refused> {
    wire.set_deadline(None).map_err(gone("the connection"))?;
    Ok(Met { wire, hello })
}

/// Says hello, and gives what was said.
fn say(wire: &mut Wire, hello: &Hello) -> Result<Vec<u8>, Refused> {
    let body = postcard::to_stdvec(hello)
        .map_err(|error| Refused::stranger(format!("our hello cannot be written: {error}")))?;
    let length = u16::try_from(body.len()).expect("a short name and a few numbers");
    let mut said = GREETING.to_vec();
    said.extend(length.to_le_bytes());
    said.extend(body);
    wire.write_all(&said).and_then(|()| wire.flush()).map_err(gone("our hello"))?;
    Ok(said)
}

/// Hears a hello, and gives what was heard.
fn hear(wire: &mut Wire) -> Result<(Hello, Vec<u8>), Refused> {
    let mut greeting = [0; GREETING.len()];
    wire.read_exact(&mut greeting).map_err(|error| match error.kind() {
        IoKind::UnexpectedEof => {
            Refused::stranger("it left before its greeting; is TLS set on one side only?")
        }
        _ => gone("its greeting")(error),
    })?;
    if greeting != GREETING {
        let [name @ .., version] = greeting;
        return Err(Refused::stranger(match GREETING.starts_with(&name) {
            true => format!("it speaks version {version} of the handshake, this process 1"),
            false => "it does not greet as Tidemill does; is TLS set on one side only?".into(),
        }));
    }
    let mut length = [0; 2];
    wire.read_exact(&mut length).map_err(gone("its hello"))?;
    let count = usize::from(u16::from_le_bytes(length));
    if count > LONGEST {
        return Err(Refused::stranger(format!("its hello has {count} bytes")));
    }
    let mut body = vec![0; count];
    wire.read_exact(&mut body).map_err(gone("its hello"))?;
    let hello = postcard::from_bytes(&body)
        .map_err(|_| Refused::stranger("its hello cannot be understood"))?;
    let heard = [greeting.as_slice(), &length, &body].concat();
    Ok((hello, heard))
}

/// The refusal of a connection that failed at `what`.
fn gone(what: &str) -> impl FnOnce(io::Error) -> Refused {
    move |error| {
        Refused::stranger(match error.kind() {
            IoKind::UnexpectedEof => format!("it left before {what}"),
            IoKind::TimedOut | IoKind::WouldBlock => format!("it was too slow with {what}"),
            _ => format!("{what} failed: {error}"),
        })
    }
}
