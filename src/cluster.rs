//! Many processes: how they find each other, and how they part.
//!
//! The process with the lower index listens, the one with the higher connects. Whoever waits for a
//! process that does not come gives up after [`PATIENCE`] and says which one was missing. A process
//! that fails leaves at once with a status that is not zero; the others see its connections end, say
//! whom they lost, and leave too.

use std::any::Any;
use std::io::{ErrorKind as IoKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use timely::CommunicationConfig;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::initialize::Hooks;

use crate::config::Settings;
use crate::error::{Error, ErrorKind, Result};

/// How long a process waits for the others to come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long it rests between two looks.
const REST: Duration = Duration::from_millis(20);

/// What a process says first when it connects, before its index.
const GREETING: u64 = u64::from_le_bytes(*b"tidemill");

/// What the workers of this process need to talk to each other and to other processes. Gives up
/// waiting for these once `stopping`.
pub(crate) fn connect(
    settings: &Settings,
    stopping: &dyn Fn() -> bool,
) -> Result<(Vec<AllocatorBuilder>, Box<dyn Any + Send>)> {
    let config = settings.timely()?.communication;
    let CommunicationConfig::Cluster { threads, process, addresses, .. } = config else {
        return config.try_build().map_err(|error| {
            Error::new(ErrorKind::Setting, "cannot set up the workers").because(error)
        });
    };
    let sockets = meet(&addresses, process, &Patience::new(stopping))?;
    let hooks = Hooks::default();
    let builders =
        ProcessBuilder::new_typed_vector(threads, hooks.refill.clone(), hooks.spill.clone());
    let (builders, guard) = initialize_networking_from_sockets(
        builders, sockets, process, threads, hooks,
    )
    .map_err(|error| Error::new(ErrorKind::Setting, "cannot start the network").because(error))?;
    Ok((builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard)))
}

/// How long to wait for the other processes.
struct Patience<'a> {
    deadline: Instant,
    stopping: &'a dyn Fn() -> bool,
}

impl<'a> Patience<'a> {
    fn new(stopping: &'a dyn Fn() -> bool) -> Self {
        Self { deadline: Instant::now() + PATIENCE, stopping }
    }

    fn lasts(&self) -> bool {
        Instant::now() < self.deadline && !(self.stopping)()
    }

    /// Why the wait is over.
    fn gone(&self, process: usize, other: usize, address: &str) -> Error {
        let how = if (self.stopping)() {
            "was stopped while it waited".to_owned()
        } else {
            format!("waited {PATIENCE:?} in vain")
        };
        let message = format!("process {process} {how} for process {other} at {address}");
        Error::new(ErrorKind::Stopped, message)
    }
}

/// Connects to every other process: one socket for each, none for this one.
fn meet(
    addresses: &[String],
    process: usize,
    patience: &Patience<'_>,
) -> Result<Vec<Option<TcpStream>>> {
    let own = &addresses[process];
    // Listen before connecting, so that nobody who comes early is turned away.
    let listener = (process + 1 < addresses.len())
        .then(|| {
            TcpListener::bind(own).and_then(|it| it.set_nonblocking(true).map(|()| it)).map_err(
                |error| {
                    let message = format!("process {process} cannot listen on {own}");
                    Error::new(ErrorKind::Setting, message).because(error)
                },
            )
        })
        .transpose()?;
    let mut sockets = Vec::with_capacity(addresses.len());
    for (other, address) in addresses.iter().enumerate().take(process) {
        sockets.push(Some(call(process, other, address, patience)?));
    }
    sockets.push(None);
    if let Some(listener) = listener {
        sockets.extend(answer(&listener, process, addresses, patience)?);
    }
    Ok(sockets)
}

fn call(process: usize, other: usize, address: &str, patience: &Patience<'_>) -> Result<TcpStream> {
    loop {
        let greeted = TcpStream::connect(address).and_then(|mut socket| {
            socket.set_nodelay(true)?;
            socket.write_all(&GREETING.to_le_bytes())?;
            socket.write_all(&(process as u64).to_le_bytes())?;
            Ok(socket)
        });
        match greeted {
            Ok(socket) => return Ok(socket),
            Err(_) if patience.lasts() => sleep(REST),
            Err(error) => return Err(patience.gone(process, other, address).because(error)),
        }
    }
}

/// Waits for the processes with higher indexes.
fn answer(
    listener: &TcpListener,
    process: usize,
    addresses: &[String],
    patience: &Patience<'_>,
) -> Result<Vec<Option<TcpStream>>> {
    let first = process + 1;
    let mut sockets: Vec<Option<TcpStream>> = (first..addresses.len()).map(|_| None).collect();
    while let Some(missing) = sockets.iter().position(Option::is_none) {
        match listener.accept() {
            Ok((socket, _)) => {
                // A stranger, or one who comes twice, is turned away.
                if let Some((other, socket)) = greeted(socket)
                    && let Some(place @ None) =
                        other.checked_sub(first).and_then(|at| sockets.get_mut(at))
                {
                    *place = Some(socket);
                }
            }
            Err(error) if error.kind() == IoKind::WouldBlock && patience.lasts() => sleep(REST),
            Err(error) => {
                let other = first + missing;
                return Err(patience.gone(process, other, &addresses[other]).because(error));
            }
        }
    }
    Ok(sockets)
}

/// The index of the process at the other end, if it is one of ours.
fn greeted(mut socket: TcpStream) -> Option<(usize, TcpStream)> {
    socket.set_nonblocking(false).ok()?;
    socket.set_nodelay(true).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut word = [0; 8];
    socket.read_exact(&mut word).ok()?;
    if u64::from_le_bytes(word) != GREETING {
        return None;
    }
    socket.read_exact(&mut word).ok()?;
    socket.set_read_timeout(None).ok()?;
    Some((usize::try_from(u64::from_le_bytes(word)).ok()?, socket))
}

/// Ends this process because of an error, so that the other processes notice.
pub(crate) fn leave(job: &str, error: &Error) -> ! {
    eprintln!("{job}: {error:#}");
    std::process::exit(1)
}

/// Ends this process because another one is gone.
pub(crate) fn lost(other: &str, reason: &str) -> ! {
    eprintln!("lost process {other}: {reason}");
    std::process::exit(1)
}
