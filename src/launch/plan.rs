//! What is run: the program with the flags that make it one process of a job, here or by ssh.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use super::{Launch, refused};
use crate::cluster::LAUNCHED;
use crate::config::SECRET_VARIABLE;
use crate::error::Result;

/// The program of a job and how it is started.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    program: OsString,
    arguments: Vec<OsString>,
    processes: usize,
    workers: usize,
    ssh: OsString,
    /// Passed to every process, where nobody else sees it.
    pub(super) secret: Option<String>,
}

/// One process that can be started.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) command: Command,
    /// What is written to its standard input first.
    pub(super) input: String,
    /// Whether it runs here; otherwise signals do not reach it.
    pub(super) here: bool,
}

impl Plan {
    pub(super) fn new(launch: &Launch, processes: usize) -> Self {
        let mut program = launch.program.iter().cloned();
        Self {
            program: program.next().unwrap_or_default(),
            arguments: program.collect(),
            processes,
            workers: launch.workers,
            ssh: launch.ssh.clone(),
            secret: None,
        }
    }

    /// Whether the program is told where it saves its state.
    pub(super) fn checkpoints(&self) -> bool {
        self.given("--checkpoint")
    }

    /// Whether the program is told where its secret is.
    pub(super) fn brings_secret(&self) -> bool {
        self.given("--secret-file")
    }

    fn given(&self, flag: &str) -> bool {
        self.flags().0.iter().any(|it| is_flag(it, flag))
    }

    /// The arguments before and from a `--`.
    fn flags(&self) -> (&[OsString], &[OsString]) {
        let end = self.arguments.iter().position(|it| it == "--").unwrap_or(self.arguments.len());
        self.arguments.split_at(end)
    }

    /// The arguments of process `index`; `again` says that it ran before.
    fn arguments(&self, index: usize, hosts: &Path, again: bool) -> Vec<OsString> {
        let (flags, rest) = self.flags();
        let mut arguments = Vec::with_capacity(self.arguments.len() + 10);
        let restoring = again && self.checkpoints();
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            if restoring && is_flag(flag, "--restore") {
                if flag == "--restore" {
                    // Its value goes with it.
                    flags.next();
                }
            } else {
                arguments.push(flag.clone());
            }
        }
        if restoring {
            arguments.extend(["--restore", "latest"].map(OsString::from));
        }
        for (flag, value) in [("-n", self.processes), ("-w", self.workers), ("-p", index)] {
            arguments.extend([flag.into(), value.to_string().into()]);
        }
        arguments.extend(["-h".into(), hosts.into()]);
        arguments.extend_from_slice(rest);
        arguments
    }

    /// How process `index` is started on `machine`, or on this one.
    pub(super) fn start(
        &self,
        index: usize,
        hosts: &Path,
        machine: Option<&str>,
        again: bool,
    ) -> Result<Start> {
        let arguments = self.arguments(index, hosts, again);
        let Some(machine) = machine else {
            let mut command = Command::new(&self.program);
            command.args(arguments).env(LAUNCHED, "1");
            if let Some(secret) = &self.secret {
                command.env(SECRET_VARIABLE, secret);
            }
            return Ok(Start { command, input: String::new(), here: true });
        };
        let folder = std::env::current_dir()
            .map_err(|error| refused("the current folder is not known").because(error))?;
        let script = self.script(&folder, &arguments)?;
        let mut command = Command::new(&self.ssh);
        command.args(["-T", "-o", "BatchMode=yes", "--", machine, &script]);
        // Not among the arguments, which everybody on a machine can see.
        let input = self.secret.as_ref().map_or(String::new(), |it| format!("{it}\n"));
        Ok(Start { command, input, here: false })
    }

    /// What another machine's shell is told to run.
    fn script(&self, folder: &Path, arguments: &[OsString]) -> Result<String> {
        let secret = match self.secret {
            Some(_) => {
                format!("IFS= read -r {SECRET_VARIABLE}; export {SECRET_VARIABLE}; ")
            }
            None => String::new(),
        };
        let mut script = format!(
            "{secret}export {LAUNCHED}=1; cd {} && exec {}",
            quoted(folder.as_os_str())?,
            quoted(&self.program)?
        );
        for argument in arguments {
            script.push(' ');
            script += &quoted(argument)?;
        }
        Ok(script)
    }
}

/// Whether an argument is this flag, alone or as `flag=value`.
fn is_flag(argument: &OsStr, flag: &str) -> bool {
    argument
        .to_str()
        .and_then(|it| it.strip_prefix(flag))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

/// A word for a shell, with nothing in it that the shell would act upon.
fn quoted(word: &OsStr) -> Result<String> {
    let word = word.to_str().ok_or_else(|| {
        refused(format!("`{}` is no Unicode and cannot be passed by ssh", word.to_string_lossy()))
    })?;
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &str) -> Plan {
        Plan {
            program: "./job".into(),
            arguments: arguments.split_whitespace().map(OsString::from).collect(),
            processes: 3,
            workers: 2,
            ssh: "ssh".into(),
            secret: None,
        }
    }

    fn started(arguments: &str, again: bool) -> String {
        let arguments = plan(arguments).arguments(1, Path::new("hosts"), again);
        arguments.iter().map(|it| it.to_str().expect("plain")).collect::<Vec<_>>().join(" ")
    }

    const ADDED: &str = "-n 3 -w 2 -p 1 -h hosts";

    #[test]
    fn a_process_learns_its_place() {
        assert_eq!(started("--input a", false), format!("--input a {ADDED}"));
        assert_eq!(started("--input -- a b", false), format!("--input {ADDED} -- a b"));
    }

    #[test]
    fn a_restart_restores_the_latest_checkpoint() {
        let again = |arguments| started(arguments, true);
        assert_eq!(
            again("-c --checkpoint d"),
            format!("-c --checkpoint d --restore latest {ADDED}")
        );
        assert_eq!(again("--checkpoint=d"), format!("--checkpoint=d --restore latest {ADDED}"));
        for given in ["--restore 7 --checkpoint d", "--restore=7 --checkpoint d"] {
            assert_eq!(again(given), format!("--checkpoint d --restore latest {ADDED}"), "{given}");
        }
        assert_eq!(
            again("--checkpoint d --restore 7 -x"),
            format!("--checkpoint d -x --restore latest {ADDED}")
        );
    }

    #[test]
    fn what_the_program_was_told_stays_otherwise() {
        for given in ["--checkpoint d --restore 7", "--restore=7"] {
            assert_eq!(started(given, false), format!("{given} {ADDED}"));
        }
        // Without checkpoints there is nothing to restore, and `--` ends the flags.
        for given in ["--input a", "--restore 7", "--checkpoints d", "--checkpoint-dir d"] {
            assert_eq!(started(given, true), format!("{given} {ADDED}"));
        }
        assert_eq!(started("-- --checkpoint d", true), format!("{ADDED} -- --checkpoint d"));
    }

    #[test]
    fn another_machine_gets_the_secret_where_nobody_sees_it() {
        let mut plan = plan("it's $HOME");
        plan.secret = Some("hidden".into());
        let start = plan.start(1, Path::new("hosts"), Some("node1"), false).expect("plain words");
        let words: Vec<_> = start.command.get_args().map(|it| it.to_string_lossy()).collect();
        assert_eq!(words[..5], ["-T", "-o", "BatchMode=yes", "--", "node1"]);
        assert!(words[5].ends_with(
            r"&& exec './job' 'it'\''s' '$HOME' '-n' '3' '-w' '2' '-p' '1' '-h' 'hosts'"
        ));
        assert!(!words[5].contains("hidden"));
        assert_eq!((start.input.as_str(), start.here), ("hidden\n", false));
    }
}
