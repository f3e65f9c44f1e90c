//! Stopping on `Ctrl-C` and `SIGTERM`.

use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use super::host::Fate;

/// The jobs that a signal stops.
static RUNNING: Mutex<Vec<Weak<Fate>>> = Mutex::new(Vec::new());

/// While this is held, a signal stops the job; a second one ends the process at once.
#[derive(Debug)]
pub(super) struct Stops;

pub(super) fn stops(fate: &Arc<Fate>) -> Stops {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // A program that has a handler of its own keeps it.
        let _ = ctrlc::try_set_handler(|| {
            let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            let jobs: Vec<_> = running.iter().filter_map(Weak::upgrade).collect();
            if jobs.iter().all(|fate| fate.stopping()) {
                std::process::exit(130);
            }
            jobs.iter().for_each(|fate| fate.stop());
        });
    });
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(fate));
    Stops
}

impl Drop for Stops {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|fate| fate.strong_count() > 0);
    }
}
