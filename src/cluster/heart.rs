//! Signs of life between two processes, on a connection and a thread of their own.
//!
//! Each process sends a byte every third of the heartbeat (of the shorter one, if they differ), and
//! counts its own turns in which it heard nothing. After three the other is lost, also if the network
//! swallows what it sends and no connection ever ends. A process that was itself stopped for a
//! while has counted no turns meanwhile, so it does not take its own absence for that of the others.
//! Who ends in good order says goodbye first.
//!
//! A thread per process of the job, asleep but for a few system calls per second.

use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::{Duration, Instant};

use timely::communication::allocator::zero_copy::stream::Stream;

use super::wire::Wire;

/// Sent while all is well.
const BEAT: u8 = 1;

/// Sent at the end.
const GOODBYE: u8 = 2;

/// The turns after which silence means loss.
const TURNS: u32 = 3;

/// What is done about a process that is lost: told its index and why.
pub(super) type OnLoss = Arc<dyn Fn(usize, &str) + Send + Sync>;

/// How often one beats and how long the other may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) beat: Duration,
    pub(super) silence: Duration,
}

/// Watches one other process until dropped, which says goodbye to it.
#[derive(Debug)]
pub(super) struct Heart {
    wire: Wire,
    leaving: Arc<AtomicBool>,
}

impl Heart {
    pub(super) fn start(other: usize, wire: Wire, pace: Pace, on_loss: OnLoss) -> io::Result<Self> {
        let leaving = Arc::new(AtomicBool::new(false));
        let (mut beating, left) = (wire.try_clone()?, Arc::clone(&leaving));
        Builder::new().name(format!("tidemill:heart-{other}")).spawn(move || {
            if let Some(reason) = watch(&mut beating, pace, &left)
                && !left.load(Ordering::Acquire)
            {
                on_loss(other, &reason);
            }
        })?;
        Ok(Self { wire, leaving })
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        // First, so that the thread takes nothing that follows for a loss.
        self.leaving.store(true, Ordering::Release);
        // A process that has said goodbye itself does not listen any more.
        let _ = self.wire.write_all(&[GOODBYE]).and_then(|()| self.wire.flush());
    }
}

/// Beats and listens; gives why the other is lost, or nothing if either side has left.
fn watch(wire: &mut Wire, pace: Pace, leaving: &AtomicBool) -> Option<String> {
    let mut silent: u32 = 0;
    // With a shorter beat there are more turns until the same silence.
    let turns = pace.silence.as_nanos().div_ceil(pace.beat.as_nanos().max(1));
    let turns = u32::try_from(turns).unwrap_or(u32::MAX).max(TURNS);
    while !leaving.load(Ordering::Acquire) {
        match turn(wire, Instant::now() + pace.beat) {
            Ok(Heard::Goodbye) => return None,
            Ok(Heard::Something) => silent = 0,
            Ok(Heard::Nothing) => silent += 1,
            Err(error) if error.kind() == IoKind::UnexpectedEof => {
                return Some("its connection ended".into());
            }
            Err(error) => return Some(error.to_string()),
        }
        if silent >= turns {
            return Some(format!(
                "nothing heard for {} (--heartbeat-ms)",
                humantime::format_duration(pace.silence)
            ));
        }
    }
    None
}

/// What was heard in a turn.
enum Heard {
    Nothing,
    Something,
    Goodbye,
}

/// Beats once and listens until then.
fn turn(wire: &mut Wire, until: Instant) -> io::Result<Heard> {
    let mut heard = Heard::Nothing;
    wire.set_deadline(Some(until))?;
    let beaten = wire.write_all(&[BEAT]).and_then(|()| wire.flush());
    // What comes in decides: the other may have said goodbye before it left.
    let beaten = beaten.or_else(|error| if late(&error) { Ok(()) } else { Err(error) });
    // At least one look, however late it is: what came while this process was stopped counts.
    let mut end = until.max(Instant::now() + Duration::from_millis(1));
    loop {
        wire.set_deadline(Some(end))?;
        let mut bytes = [0; 64];
        match wire.read(&mut bytes) {
            Ok(0) => return Err(IoKind::UnexpectedEof.into()),
            Ok(count) => {
                let bytes = bytes.get(..count).unwrap_or_default();
                if bytes.contains(&GOODBYE) {
                    return Ok(Heard::Goodbye);
                }
                heard = Heard::Something;
                end = until;
            }
            Err(error) if late(&error) => return beaten.map(|()| heard),
            Err(error) if error.kind() == IoKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn late(error: &io::Error) -> bool {
    matches!(error.kind(), IoKind::TimedOut | IoKind::WouldBlock)
}
