//! Servers that tests start for themselves, on this machine alone, and stop by their number.

// Each test file that uses this room uses another part of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[cfg(feature = "nats")]
pub(crate) mod nats;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;

/// How long a server may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is stopped when dropped.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|cause| panic!("{command:?}: {cause}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // As `Ctrl-C` does, so that it cleans up behind itself.
        let kill = format!("kill -INT {}", self.0.id());
        let told = Command::new("sh").args(["-c", &kill]).status();
        if !told.is_ok_and(|it| it.success()) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

/// A program found on the path or in one of these folders.
fn program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    on_path.chain(folders.iter().cloned()).map(|it| it.join(name)).find(|it| it.is_file())
}

/// Tries until there is something.
fn patiently<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} takes too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folders below one, such as those of the versions of a program.
fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten();
    entries.flatten().map(|it| it.path()).collect()
}
