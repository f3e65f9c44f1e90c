//! The door of a process: where the processes with higher indexes come in, and strangers do not.
//!
//! Each connection is answered on a thread of its own that ends within [`ALLOWED`], so nobody who is
//! silent or slow keeps another waiting. At most [`MOST_AT_ONCE`] are inside at once; one more puts
//! the longest of them out: those who belong here need a few milliseconds. A stranger costs a line
//! in the log, the first few of them. The door closes when all have come: a job that runs listens
//! to nobody.

use std::collections::VecDeque;
use std::io::{self, ErrorKind as IoKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::card::{Hello, Purpose};
use super::heart::{Heart, OnLoss};
use super::say;
use super::shake::{Identity, Met, Refused};
use super::wire::Wire;
use crate::error::{Error, ErrorKind, Result};

/// How long a handshake may take.
pub(super) const ALLOWED: Duration = Duration::from_secs(5);

/// How long the door rests between two looks.
pub(super) const REST: Duration = Duration::from_millis(10);

/// The most connections that are inside and have not proved themselves.
const MOST_AT_ONCE: usize = 64;

/// The most strangers that get a line each.
const MOST_LINES: u64 = 10;

/// The connections to one other process, once both are there.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) data: Wire,
    pub(super) heart: Heart,
}

/// Where a process that is to come will be.
#[derive(Debug, Default)]
struct Place {
    /// Which process is here with one connection so far, and since when.
    comer: Option<(u64, Instant)>,
    data: Option<Wire>,
    heart: Option<Wire>,
    pair: Option<Pair>,
}

/// What the door and those who answer at it share.
struct Inside {
    identity: Arc<Identity>,
    /// The places of the processes after this one.
    places: Mutex<Vec<Place>>,
    failed: Mutex<Option<Error>>,
    closed: AtomicBool,
    strangers: AtomicU64,
    on_loss: OnLoss,
}

/// Lets the processes with higher indexes in until it is dropped.
pub(super) struct Door {
    inside: Arc<Inside>,
    keeper: Option<JoinHandle<()>>,
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Door {
    /// Opens the door for `count` processes.
    pub(super) fn open(
        listener: TcpListener,
        identity: Arc<Identity>,
        count: usize,
        on_loss: OnLoss,
    ) -> Result<Self> {
        let inside = Arc::new(Inside {
            identity,
            places: Mutex::new((0..count).map(|_| Place::default()).collect()),
            failed: Mutex::default(),
            closed: AtomicBool::new(false),
            strangers: AtomicU64::new(0),
            on_loss,
        });
        let kept = Arc::clone(&inside);
        let keeper = listener.set_nonblocking(true).and_then(|()| {
            Builder::new().name("tidemill:door".into()).spawn(move || keep(&listener, &kept))
        });
        let keeper = keeper.map_err(|error| {
            Error::new(ErrorKind::Stopped, "cannot wait for other processes").because(error)
        })?;
        Ok(Self { inside, keeper: Some(keeper) })
    }

    /// The place of the first process that has not come, counted from 0; none if all have.
    pub(super) fn missing(&self) -> Option<usize> {
        lock(&self.inside.places).iter().position(|place| place.pair.is_none())
    }

    /// Why this process cannot go on: one of its own came that does not fit.
    pub(super) fn failure(&self) -> Option<Error> {
        lock(&self.inside.failed).take()
    }

    /// Closes the door behind those who have come, in order.
    pub(super) fn close(mut self) -> Vec<Option<Pair>> {
        self.shut();
        let places = std::mem::take(&mut *lock(&self.inside.places));
        places.into_iter().map(|place| place.pair).collect()
    }

    fn shut(&mut self) {
        self.inside.closed.store(true, Ordering::Release);
        if let Some(keeper) = self.keeper.take() {
            // It has nothing to say: its panics are printed.
            let _ = keeper.join();
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shut();
    }
}

/// Accepts connections until the door is closed.
fn keep(listener: &TcpListener, inside: &Arc<Inside>) {
    let mut guests: VecDeque<(JoinHandle<()>, TcpStream)> = VecDeque::new();
    while !inside.closed.load(Ordering::Acquire) {
        // Closes the connections of those who were turned away.
        guests.retain(|(guest, _)| !guest.is_finished());
        match listener.accept() {
            Ok((stream, address)) => {
                if guests.len() >= MOST_AT_ONCE
                    && let Some((_, longest)) = guests.pop_front()
                {
                    // Its thread ends at its next read.
                    let _ = longest.shutdown(Shutdown::Both);
                }
                match receive(stream, address, inside) {
                    Ok(guest) => guests.push_back(guest),
                    Err(error) => inside.stranger(address, &error.to_string()),
                }
            }
            Err(error) if error.kind() == IoKind::WouldBlock => sleep(REST),
            // One that left before it was let in, or too many open files: others may do better.
            Err(_) => sleep(REST),
        }
    }
    for (guest, stream) in guests {
        if !guest.is_finished() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = guest.join();
    }
    let more = inside.strangers.load(Ordering::Relaxed).saturating_sub(MOST_LINES);
    if more > 0 {
        say(&format!("dropped {more} more strangers"));
    }
}

/// Answers a connection on a thread of its own.
fn receive(
    stream: TcpStream,
    address: SocketAddr,
    inside: &Arc<Inside>,
) -> io::Result<(JoinHandle<()>, TcpStream)> {
    let until = Instant::now() + ALLOWED;
    let kept = stream.try_clone()?;
    let inside = Arc::clone(inside);
    let guest = Builder::new().name("tidemill:guest".into()).spawn(move || {
        match inside.identity.answer(stream, until, |hello| inside.taken(hello)) {
            Ok(met) => inside.seat(met, address),
            Err(Refused::Misfit(reason)) => {
                let message = format!(
                    "process {} and the one at {address} do not fit together: {reason}",
                    inside.identity.index
                );
                lock(&inside.failed).get_or_insert(Error::new(ErrorKind::Setting, message));
            }
            // The door closes on whoever is inside: no stranger for that.
            Err(_) if inside.closed.load(Ordering::Acquire) => {}
            Err(refused) => inside.stranger(address, refused.reason()),
        }
    })?;
    Ok((guest, kept))
}

impl Inside {
    fn stranger(&self, address: SocketAddr, reason: &str) {
        if self.strangers.fetch_add(1, Ordering::Relaxed) < MOST_LINES {
            say(&format!("dropped a connection from {address}: {reason}"));
        }
    }

    fn place(&self, hello: &Hello) -> Option<usize> {
        usize::try_from(hello.from).ok()?.checked_sub(self.identity.index + 1)
    }

    /// Whether the process that says this has come before, or another in its place.
    fn taken(&self, hello: &Hello) -> bool {
        let places = lock(&self.places);
        self.place(hello).and_then(|at| places.get(at)).is_none_or(|place| {
            let other = |(comer, since): (u64, Instant)| {
                comer != hello.incarnation && since.elapsed() < ALLOWED
            };
            place.pair.is_some() || place.comer.is_some_and(other)
        })
    }

    /// Gives a connection its place. One that was there for long without its other gives way.
    fn seat(&self, met: Met, address: SocketAddr) {
        let mut places = lock(&self.places);
        let Some(place) = self.place(&met.hello).and_then(|at| places.get_mut(at)) else { return };
        if place.pair.is_some() || self.closed.load(Ordering::Acquire) {
            return;
        }
        if place.comer.is_none_or(|(comer, _)| comer != met.hello.incarnation) {
            *place = Place::default();
            place.comer = Some((met.hello.incarnation, Instant::now()));
        }
        let pace = self.identity.pace(&met.hello);
        match met.hello.purpose {
            Purpose::Data => place.data = Some(met.wire),
            Purpose::Heart => place.heart = Some(met.wire),
        }
        match (place.data.take(), place.heart.take()) {
            (Some(data), Some(heart)) => {
                let other = usize::try_from(met.hello.from).expect("it has a place");
                match Heart::start(other, heart, pace, Arc::clone(&self.on_loss)) {
                    Ok(heart) => place.pair = Some(Pair { data, heart }),
                    Err(error) => self.stranger(address, &error.to_string()),
                }
            }
            (data, heart) => (place.data, place.heart) = (data, heart),
        }
    }
}
