//! Whether somebody wants a savepoint, so that a checkpoint is due before its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The wishes of one process. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Set by a signal, until the savepoint is made.
    signalled: Arc<AtomicBool>,
    /// Set by a signal or a request, until a checkpoint is begun for it.
    begin: Arc<AtomicBool>,
}

impl Wanted {
    /// What `SIGUSR1` sets. Where there is no such signal, nothing does.
    pub(super) fn on_signal() -> Self {
        let wanted = Self::default();
        #[cfg(unix)]
        for flag in [&wanted.signalled, &wanted.begin] {
            // A program that cannot have the signal still has requests.
            let _ = signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(flag));
        }
        wanted
    }

    pub(super) fn want(&self) {
        self.begin.store(true, Ordering::Release);
    }

    /// Whether a checkpoint is to be begun now. Answers yes once.
    pub(super) fn begins(&self) -> bool {
        self.begin.swap(false, Ordering::AcqRel)
    }

    /// Whether a signal has come. Answers yes once.
    pub(super) fn signalled(&self) -> bool {
        self.signalled.swap(false, Ordering::AcqRel)
    }
}
