//! Stopping on [signals](crate::signals), and on the word of the launcher.
//!
//! A process that the launcher started has a pipe from it as its standard input. It stops when told to
//! there, and ends at once when the pipe does: a launcher that was killed leaves nothing behind.

use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::thread::Builder;

use super::host::Fate;
use crate::cluster::{LAUNCHED, STOP, orphaned};
use crate::signals::on_stop;

/// The jobs that a signal stops, and whether one has told them to.
static RUNNING: Mutex<Vec<(Weak<Fate>, bool)>> = Mutex::new(Vec::new());

/// While this is held, a signal stops the job; a second one ends the process at once.
#[derive(Debug)]
pub(super) struct Stops;

pub(super) fn stops(fate: &Arc<Fate>) -> Stops {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // Without, the job runs; a signal ends it as it ends any program.
        let _ = on_stop(|| {
            // A job may be stopping because another process of it was told to: that is no reason
            // to take the first signal for a second one.
            if !stop_running() {
                std::process::exit(130);
            }
        });
        if std::env::var_os(LAUNCHED).is_some() {
            let _ = Builder::new().name("tidemill:launched".into()).spawn(obey);
        }
    });
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::downgrade(fate), false));
    Stops
}

/// Stops the running jobs; says whether there was one that had not been told to before.
fn stop_running() -> bool {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut news = false;
    for (fate, told) in running.iter_mut() {
        if let Some(fate) = fate.upgrade() {
            fate.stop();
            news |= !std::mem::replace(told, true);
        }
    }
    news
}

/// Does what the launcher says, as long as it lives.
fn obey() {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        if line == STOP {
            stop_running();
        }
    }
    orphaned()
}

impl Drop for Stops {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(fate, _)| fate.strong_count() > 0);
    }
}
