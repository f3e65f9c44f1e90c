//! What tells a process to stop: `Ctrl-C`, `SIGTERM`, and `SIGHUP` when its terminal goes.
//!
//! A signal that is ignored when the process starts stays ignored, as shells mean it: `nohup` hides `SIGHUP`, and a
//! command in the background of a script does not hear the `Ctrl-C` for the one in front.

use std::io;

/// Calls `act` on a thread of its own whenever the process is told to stop, from now to its end. A handler that
/// the program has already is called, too.
#[cfg(unix)]
pub(crate) fn on_stop(mut act: impl FnMut() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|it| !ignored(*it));
    let mut signals = signal_hook::iterator::Signals::new(heard)?;
    let name = "tidemill:signals".to_owned();
    std::thread::Builder::new().name(name).spawn(move || {
        for _ in signals.forever() {
            act();
        }
    })?;
    Ok(())
}

/// As it is on Unix, as far as there is something of the kind.
#[cfg(not(unix))]
pub(crate) fn on_stop(act: impl FnMut() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(act).map_err(io::Error::other)
}

/// Whether a signal is ignored, where the system says so.
#[cfg(unix)]
fn ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|it| u64::from_str_radix(it.trim(), 16).ok());
    ignored.is_some_and(|set| set >> (signal - 1) & 1 == 1)
}
