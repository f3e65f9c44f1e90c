//! The meeting: every process of a job gets a connection to every other.
//!
//! The process with the lower index listens, the one with the higher connects, once for data and once
//! for signs of life. From the moment two have met each notices when the other is lost, also while
//! they still wait for a third.

use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::card::Purpose;
use super::door::{ALLOWED, Door, Pair, REST};
use super::heart::{Heart, OnLoss};
use super::say;
use super::shake::{Identity, Met, Refused};
use crate::error::{Error, ErrorKind, Result};

/// The longest that one attempt to connect may take; a host that is down does not answer at all.
const ATTEMPT: Duration = Duration::from_secs(2);

/// How long to wait for the other processes.
pub(super) struct Patience<'a> {
    began: Instant,
    whole: Duration,
    stopping: &'a dyn Fn() -> bool,
}

impl<'a> Patience<'a> {
    pub(super) fn new(whole: Duration, stopping: &'a dyn Fn() -> bool) -> Self {
        Self { began: Instant::now(), whole, stopping }
    }

    fn lasts(&self) -> bool {
        self.began.elapsed() < self.whole && !(self.stopping)()
    }

    /// Why the wait is over.
    fn gone(&self, process: usize, other: usize, address: &str) -> Error {
        let how = if (self.stopping)() {
            "was stopped while it waited".to_owned()
        } else {
            format!("waited {:?} in vain", self.whole)
        };
        let message = format!("process {process} {how} for process {other} at {address}");
        Error::new(ErrorKind::Stopped, message)
    }
}

/// Connects to every other process: a pair of connections for each, none for this one.
pub(super) fn meet(
    addresses: &[String],
    identity: Identity,
    on_loss: &OnLoss,
    patience: &Patience<'_>,
) -> Result<Vec<Option<Pair>>> {
    let process = identity.index;
    let identity = Arc::new(identity);
    // Listen before connecting, so that nobody who comes early is turned away.
    let door = match addresses.len().checked_sub(process + 1) {
        Some(0) | None => None,
        Some(after) => {
            let listener = listen(process, addresses, patience)?;
            Some(Door::open(listener, Arc::clone(&identity), after, Arc::clone(on_loss))?)
        }
    };
    let failure = || door.as_ref().and_then(Door::failure);
    let mut pairs = Vec::with_capacity(addresses.len());
    for (other, address) in addresses.iter().enumerate().take(process) {
        let data = call(&identity, (other, address), Purpose::Data, patience, &failure)?;
        let heart = call(&identity, (other, address), Purpose::Heart, patience, &failure)?;
        let pace = identity.pace(&heart.hello);
        let heart = Heart::start(other, heart.wire, pace, Arc::clone(on_loss));
        let heart = heart.map_err(|error| {
            Error::new(ErrorKind::Stopped, "cannot watch another process").because(error)
        })?;
        pairs.push(Some(Pair { data: data.wire, heart }));
    }
    pairs.push(None);
    let Some(door) = door else { return Ok(pairs) };
    loop {
        if let Some(error) = door.failure() {
            return Err(error);
        }
        match door.missing() {
            None => break,
            Some(_) if patience.lasts() => sleep(REST),
            Some(at) => {
                let other = process + 1 + at;
                let address = addresses.get(other).map_or("?", String::as_str);
                return Err(patience.gone(process, other, address));
            }
        }
    }
    pairs.extend(door.close());
    Ok(pairs)
}

/// Listens on the address of this process. Its name may be new, and not known at once everywhere.
fn listen(process: usize, addresses: &[String], patience: &Patience<'_>) -> Result<TcpListener> {
    let own = addresses.get(process).map_or("?", String::as_str);
    let unable = |error| {
        let message = format!("process {process} cannot listen on {own}");
        Error::new(ErrorKind::Setting, message).because(error)
    };
    let mut said = false;
    loop {
        match own.to_socket_addrs() {
            Ok(places) => {
                return TcpListener::bind(places.collect::<Vec<_>>().as_slice()).map_err(unable);
            }
            Err(error) if !patience.lasts() => return Err(unable(error)),
            Err(error) => {
                if !std::mem::replace(&mut said, true) {
                    say(&format!("process {process} waits for the name of {own}: {error}"));
                }
                sleep(REST);
            }
        }
    }
}

/// Connects to process `other`, which may not be there yet.
fn call(
    identity: &Identity,
    (other, address): (usize, &str),
    purpose: Purpose,
    patience: &Patience<'_>,
    failure: &dyn Fn() -> Option<Error>,
) -> Result<Met> {
    let mut said = String::new();
    loop {
        if let Some(error) = failure() {
            return Err(error);
        }
        let reason = match reach(address) {
            Err(error) => error.to_string(),
            Ok(stream) => {
                let until = Instant::now() + ALLOWED;
                match identity.call(stream, (other, address), purpose, until) {
                    Ok(met) => return Ok(met),
                    Err(Refused::Misfit(reason)) => {
                        let message = format!(
                            "process {} and process {other} at {address} do not fit together: \
                             {reason}",
                            identity.index
                        );
                        return Err(Error::new(ErrorKind::Setting, message));
                    }
                    Err(refused) => {
                        // Once for each reason: it is tried again and again.
                        if said != refused.reason() {
                            refused.reason().clone_into(&mut said);
                            say(&format!("process {other} at {address} is not ready: {said}"));
                        }
                        said.clone()
                    }
                }
            }
        };
        if !patience.lasts() {
            return Err(patience.gone(identity.index, other, address).because(reason));
        }
        sleep(REST);
    }
}

/// Connects to the first of the places that the address stands for which answers.
fn reach(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name of the host has no address");
    for place in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&place, ATTEMPT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
