//! A NATS server of the tests' own, with JetStream, on a port that it chooses itself.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use super::{Process, patiently, program};

pub(crate) struct Server {
    // Stopped before its folder is removed.
    _process: Process,
    _folder: TempDir,
    url: String,
}

/// The server that the tests of this file share, if there is a program for it.
pub(crate) fn server() -> Option<Arc<Server>> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return Some(running);
    }
    let Some(program) = program("nats-server", &[PathBuf::from("/usr/sbin")]) else {
        eprintln!("skipped: there is no NATS server; Debian has it in the package nats-server");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let process = Process::start(
        Command::new(program)
            .args(["-a", "127.0.0.1", "-p", "-1", "-js", "-sd"])
            .arg(folder.path())
            .arg("--ports_file_dir")
            .arg(folder.path()),
    );
    let ports = || {
        let mut files = fs::read_dir(folder.path()).ok()?.flatten().map(|it| it.path());
        let file = files.find(|it| it.extension().is_some_and(|it| it == "ports"))?;
        let ports: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        Some(ports["nats"][0].as_str()?.to_owned())
    };
    let url = patiently("the start of NATS", ports);
    let started = Arc::new(Server { _process: process, _folder: folder, url });
    *shared = Arc::downgrade(&started);
    Some(started)
}

impl Server {
    /// How to connect.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}
