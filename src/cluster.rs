//! Many processes: how they find each other, know each other, and part.
//!
//! The process with the lower index listens, the one with the higher connects. Before a byte reaches
//! the engine both prove that they know the secret of the job, and find out that they run the same
//! job, in the same version and shape. Strangers are dropped with a line in the log. Whoever
//! waits for a process that does not come gives up after [`PATIENCE`] and says which one was missing.
//!
//! While the job runs each process gives the others signs of life. One that fails leaves at once with
//! a status that is not zero; one that is killed, stopped, or cut off falls silent. The others say
//! whom they lost, and leave too: no process waits for a dead one.
//!
//! # Cost
//!
//! Two connections and three threads for each other process, and a few bytes in a third of the
//! heartbeat.

use std::any::Any;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use timely::CommunicationConfig;
use timely::communication::allocator::zero_copy::initialize::{
    CommsGuard, initialize_networking_from_sockets,
};
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::initialize::Hooks;

use crate::config::Settings;
use crate::error::{Error, ErrorKind, Result};

mod card;
mod door;
mod heart;
mod meet;
mod proof;
mod shake;
#[cfg(feature = "tls")]
mod tls;
mod wire;

#[cfg(unix)]
pub(crate) use proof::random;

use door::Pair;
use heart::{Heart, OnLoss};
use meet::{Patience, meet};
use shake::Identity;

/// How long a process waits for the others to come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// In the environment of a process that the launcher started. The launcher holds its standard input
/// open, and says [`STOP`] there where a signal does not reach.
pub(crate) const LAUNCHED: &str = "TIDEMILL_LAUNCHED";

/// The line that asks a launched process to stop in good order.
pub(crate) const STOP: &str = "stop";

/// What lives as long as the workers do.
struct Others {
    /// Dropped first: it waits until everything has been sent and received.
    _engine: CommsGuard,
    /// Dropped last, so that a process that is lost at the very end is noticed too.
    _hearts: Vec<Heart>,
}

/// What the workers of this process need to talk to each other and to other processes of the job.
/// Gives up waiting for these once `stopping`.
pub(crate) fn connect(
    job: &str,
    settings: &Settings,
    stopping: &dyn Fn() -> bool,
) -> Result<(Vec<AllocatorBuilder>, Box<dyn Any + Send>)> {
    let config = settings.timely()?.communication;
    let CommunicationConfig::Cluster { threads, process, addresses, .. } = config else {
        return config.try_build().map_err(|error| {
            Error::new(ErrorKind::Setting, "cannot set up the workers").because(error)
        });
    };
    let identity = Identity::new(job, settings)?;
    let on_loss: OnLoss = Arc::new(|other, reason| lost(&other.to_string(), reason));
    let pairs = meet(&addresses, identity, &on_loss, &Patience::new(PATIENCE, stopping))?;
    let (sockets, hearts): (Vec<_>, Vec<_>) = pairs
        .into_iter()
        .map(|pair| pair.map_or((None, None), |Pair { data, heart }| (Some(data), Some(heart))))
        .unzip();
    let hooks = Hooks::default();
    let builders =
        ProcessBuilder::new_typed_vector(threads, hooks.refill.clone(), hooks.spill.clone());
    let (builders, engine) = initialize_networking_from_sockets(
        builders, sockets, process, threads, hooks,
    )
    .map_err(|error| Error::new(ErrorKind::Setting, "cannot start the network").because(error))?;
    let others = Others { _engine: engine, _hearts: hearts.into_iter().flatten().collect() };
    Ok((builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(others)))
}

/// Ends this process because of an error, so that the other processes notice.
pub(crate) fn leave(job: &str, error: &Error) -> ! {
    exit(&format!("{job}: {error:#}"))
}

/// Ends this process because another one is gone.
pub(crate) fn lost(other: &str, reason: &str) -> ! {
    exit(&format!("lost process {other}: {reason}"))
}

/// Ends this process because the launcher that started it is gone.
pub(crate) fn orphaned() -> ! {
    exit("the launcher is gone")
}

/// Says why and exits; several threads may find a reason at once, and the first is said.
fn exit(reason: &str) -> ! {
    static LEAVING: AtomicBool = AtomicBool::new(false);
    if LEAVING.swap(true, Ordering::SeqCst) {
        loop {
            std::thread::park();
        }
    }
    say(reason);
    std::process::exit(1)
}

/// Says something in the log. Unlike `eprintln!` it does not panic if the log is gone.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

#[cfg(test)]
mod tests;
