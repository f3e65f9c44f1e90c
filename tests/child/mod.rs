//! Child processes of tests, which cannot hang them: whoever waits too long fails with what was said.

// Each test file that uses this room uses another part of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(180);

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
    /// How long it was waited for.
    pub(crate) waited: Duration,
}

impl Ended {
    /// The same, if it ended well.
    pub(crate) fn well(self) -> Self {
        assert!(self.status.success(), "{self:?}");
        self
    }

    /// What it said, if it ended badly but by itself.
    pub(crate) fn badly(self) -> String {
        assert!(self.status.code().is_some_and(|it| it != 0), "{self:?}");
        self.err
    }
}

/// A process that runs; killed when dropped.
pub(crate) struct Running {
    command: String,
    child: Child,
    lines: Receiver<String>,
    out: String,
    err: Option<JoinHandle<String>>,
}

/// Starts a process.
pub(crate) fn start(command: &mut Command) -> Running {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut stderr = child.stderr.take().expect("it is piped");
    let (tell, lines) = channel();
    std::thread::spawn(move || {
        stdout.lines().map_while(|line| line.ok()).try_for_each(|line| tell.send(line))
    });
    let err = std::thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).expect("a pipe can be read");
        String::from_utf8_lossy(&text).into_owned()
    });
    let command = format!("{command:?}");
    Running { command, child, lines, out: String::new(), err: Some(err) }
}

/// Runs a process to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    start(command).wait()
}

impl Running {
    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process has printed a line with this text, and gives it.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => self.out += &(line + "\n"),
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("did not say `{text}`")),
                Err(RecvTimeoutError::Disconnected) => {
                    self.fail(&format!("ended before it said `{text}`"))
                }
            }
        }
    }

    /// Sends a signal, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    }

    /// Whether the process is still running.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Kills the process, and says whether it was still running.
    pub(crate) fn kill(mut self) -> bool {
        let running = self.is_running();
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
        running
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> Ended {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if began.elapsed() > PATIENCE {
                self.fail("did not end");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let waited = began.elapsed();
        let (out, err) = self.said();
        Ended { status, out, err, waited }
    }

    fn said(&mut self) -> (String, String) {
        let out = std::mem::take(&mut self.out) + &self.lines.iter().collect::<Vec<_>>().join("\n");
        let err = self.err.take().map(|it| it.join().expect("it only reads"));
        (out, err.unwrap_or_default())
    }

    fn fail(&mut self, what: &str) -> ! {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let (out, err) = self.said();
        panic!("{}\n{what}\n--- out\n{out}\n--- err\n{err}", self.command);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of an example, which `cargo test` builds beside the tests.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("a test has a file");
    let folder = test.ancestors().nth(2).expect("it is in target/<profile>/deps");
    let program: PathBuf = folder.join("examples").join(name);
    assert!(program.is_file(), "build the examples first: cargo build --examples");
    Command::new(program)
}
