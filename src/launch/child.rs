//! One process of a launch: started, told to stop, killed, and what became of it.

use std::fmt;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child as Process, ChildStdin, ExitStatus, Stdio};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::output::pass_on;
use super::plan::Start;
use crate::cluster::STOP;
use crate::error::{Error, ErrorKind, Result};

/// A process that was started.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) index: usize,
    process: Process,
    /// Open as long as the launcher lives: the process ends when it is not.
    input: ChildStdin,
    here: bool,
    ended: Option<ExitStatus>,
    pub(super) output: Vec<JoinHandle<()>>,
}

impl Child {
    pub(super) fn start(index: usize, start: Start) -> Result<Self> {
        let Start { mut command, input: first, here } = start;
        // In a group of its own, so that a terminal's Ctrl-C reaches the launcher alone.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let unable = |error| {
            Error::new(ErrorKind::Setting, format!("cannot start process {index}, {program}"))
                .because(error)
        };
        let mut process = command.spawn().map_err(unable)?;
        let input = process.stdin.take().expect("it is piped");
        let out = process.stdout.take().expect("it is piped");
        let err = process.stderr.take().expect("it is piped");
        let mut child = Self { index, process, input, here, ended: None, output: Vec::new() };
        child.output.push(pass_on(index, out, std::io::stdout()).map_err(unable)?);
        child.output.push(pass_on(index, err, std::io::stderr()).map_err(unable)?);
        // If it is gone already, its exit status says more.
        let _ = child.input.write_all(first.as_bytes());
        Ok(child)
    }

    /// What became of it, once it has ended.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.process.try_wait().map_err(|error| {
                let message = format!("cannot watch process {}", self.index);
                Error::new(ErrorKind::Stopped, message).because(error)
            })?;
        }
        Ok(self.ended)
    }

    /// Asks it to stop in good order.
    pub(super) fn stop(&mut self) {
        if self.here {
            self.signal(Signal::SIGTERM);
        } else if self.ended.is_none() {
            let _ =
                self.input.write_all(STOP.as_bytes()).and_then(|()| self.input.write_all(b"\n"));
        }
    }

    /// Ends it at once. One on another machine ends when it finds its input closed.
    pub(super) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Sends a signal to it and to what it started.
    fn signal(&self, signal: Signal) {
        // Not once it has been waited for: its number may belong to another by then.
        if self.ended.is_none()
            && let Ok(id) = i32::try_from(self.process.id())
        {
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.kill();
            let _ = self.process.wait();
        }
    }
}

/// How a process failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) index: usize,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Exited(i32),
    Killed(i32),
}

impl Failure {
    pub(super) fn of(index: usize, status: ExitStatus) -> Option<Self> {
        let how = match (status.code(), status.signal()) {
            (Some(0), _) => return None,
            (Some(code), _) => How::Exited(code),
            (None, signal) => How::Killed(signal.unwrap_or_default()),
        };
        Some(Self { index, how })
    }

    /// The exit status of a launcher that ends because of this.
    pub(super) fn code(self) -> u8 {
        let code = match self.how {
            How::Exited(code) => code,
            How::Killed(signal) => 128 + signal,
        };
        u8::try_from(code).unwrap_or(1)
    }

    /// Whether a signal ended the process. The others then fail because of it, not it of them.
    pub(super) fn killed(self) -> bool {
        matches!(self.how, How::Killed(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::Exited(code) => write!(f, "process {} exited with status {code}", self.index),
            How::Killed(number) => {
                write!(f, "process {} was ended by signal {number}", self.index)?;
                match Signal::try_from(number) {
                    Ok(signal) => write!(f, " ({})", signal.as_str()),
                    Err(_) => Ok(()),
                }
            }
        }
    }
}
