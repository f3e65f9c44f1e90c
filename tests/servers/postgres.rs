//! A PostgreSQL server of the tests' own, reached by a socket in its folder only.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use postgres::{Client, NoTls};
use tempfile::TempDir;

use super::{Process, folders, patiently, program};

pub(crate) struct Server {
    // Stopped before its folder is removed.
    _process: Process,
    folder: TempDir,
}

/// The server that the tests of this file share, if there is a program for it.
pub(crate) fn server() -> Option<Arc<Server>> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return Some(running);
    }
    let versions = folders(Path::new("/usr/lib/postgresql")).into_iter().map(|it| it.join("bin"));
    let versions = Vec::from_iter(versions);
    let Some(programs) = program("initdb", &versions).zip(program("postgres", &versions)) else {
        eprintln!(
            "skipped: there is no PostgreSQL server; Debian has it in the package postgresql"
        );
        return None;
    };
    let started = Arc::new(Server::start(&programs.0, &programs.1));
    *shared = Arc::downgrade(&started);
    Some(started)
}

impl Server {
    fn start(initdb: &Path, postgres: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let owner = owner();
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).expect("root may give away");
        }
        let command = |program: &Path| {
            let mut command = Command::new(program);
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command.current_dir(folder.path()).arg("-D").arg(&data);
            command
        };
        let made = command(initdb)
            .args(["-A", "trust", "-U", "tester", "-E", "UTF8", "--locale=C", "--no-sync"])
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let process = Process::start(
            command(postgres)
                .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "autovacuum=off", "-k"])
                .arg(folder.path()),
        );
        let server = Self { _process: process, folder };
        patiently("the start of PostgreSQL", || Client::connect(&server.url(), NoTls).ok());
        server
    }

    /// How to connect.
    pub(crate) fn url(&self) -> String {
        format!("host={} user=tester dbname=postgres", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A connection for looking on.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.url(), NoTls).expect("the server runs")
    }
}

/// Who runs the server, as user and group, if it is not whoever runs the tests: it refuses root.
fn owner() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    id(&["-u", "postgres"]).zip(id(&["-g", "postgres"]))
}
