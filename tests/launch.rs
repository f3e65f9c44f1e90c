//! The launcher and the processes that it starts, watches and starts again. The program it starts is
//! this file, as a child whose job is a scenario of [`scenario`].

#![cfg(unix)]

mod child;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tidemill::Result;
use tidemill::prelude::*;

use child::{Running, run, start};

const SCENARIO: &str = "TIDEMILL_TEST_SCENARIO";
const ARGUMENTS: &str = "TIDEMILL_TEST_ARGUMENTS";
const FOLDER: &str = "TIDEMILL_TEST_FOLDER";

/// What a child does. Without the environment of one, this is a test that does nothing.
#[test]
fn scenario() {
    let Ok(name) = std::env::var(SCENARIO) else { return };
    let arguments = std::env::var(ARGUMENTS).expect("given with the scenario");
    let mut arguments: Vec<_> = ["test"].into_iter().chain(arguments.split_whitespace()).collect();
    // These belong to a job that saves its state; here only how they are passed matters.
    for flag in ["--checkpoint", "--restore"] {
        if let Some(at) = arguments.iter().position(|it| *it == flag) {
            println!("{}", arguments.drain(at..at + 2).collect::<Vec<_>>().join(" "));
        }
    }
    let settings = Settings::try_parse_from("test", arguments).unwrap_or_else(|it| it.exit());
    let folder = PathBuf::from(std::env::var(FOLDER).expect("given with the scenario"));
    let index = settings.process;
    println!("process {index} is {}", std::process::id());
    if name == "third_time" {
        third_time(&folder, index);
    }
    let done = Job::new(name.clone(), settings).run(move |flow| match name.as_str() {
        "count" | "third_time" => count(flow, &folder),
        "endless" => endless(flow, &folder),
        unknown => panic!("there is no scenario {unknown}"),
    });
    std::process::exit(match done {
        Ok(_) => 0,
        Err(error) => {
            eprintln!("error: {error:#}");
            1
        }
    });
}

/// The second process fails with status 7 but for the third time.
fn third_time(folder: &Path, index: usize) {
    if index == 1 {
        let ran = folder.join("ran");
        let times = fs::read_to_string(&ran).map_or(0, |it| it.len());
        fs::write(&ran, "x".repeat(times + 1)).expect("written");
        if times < 2 {
            std::process::exit(7);
        }
    }
}

fn count(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    flow.read(generate(1, |index, random| (index as i64, random.below(100))).limit(50_000))?
        .event_time(|it| EventTime::from_millis(it.0), Disorder::up_to(seconds(100)))
        .key_by(|it| it.1)
        .window(Tumbling::new(seconds(1)))
        .aggregate(Count)
        .map(|pane| format!("{} {} {}", pane.key, pane.span.start().millis(), pane.value))
        .write(to_text(folder.join("out")))
}

/// Says when it has begun, and never ends by itself.
fn endless(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    flow.read(generate(1, |index, _| index).rate(20_000.0))?
        .inspect(|index| {
            if *index == 1_000 {
                println!("\nready");
            }
        })
        .write(to_text(folder.join("out")))
}

/// A script that runs a scenario with the arguments it is given, as a job's program would.
fn program(scenario: &str, folder: &Path) -> PathBuf {
    let path = folder.join(scenario);
    let this = std::env::current_exe().expect("a test has a file");
    script(
        &path,
        &format!(
            "{SCENARIO}={scenario} {FOLDER}='{}' {ARGUMENTS}=\"$*\" exec '{}' --exact scenario \
             --nocapture",
            folder.display(),
            this.display()
        ),
    );
    path
}

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// `tidemill launch` with a scenario as its program.
fn launch(flags: &str, scenario: &str, arguments: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.arg("launch").args(flags.split_whitespace()).arg("--").arg(program(scenario, folder));
    command.args(arguments.split_whitespace()).env_remove("TIDEMILL_SECRET");
    command
}

/// One process of a scenario, by hand.
fn process(scenario: &str, arguments: &str, folder: &Path) -> Running {
    let mut command = Command::new(program(scenario, folder));
    start(command.args(arguments.split_whitespace()).env_remove("TIDEMILL_SECRET"))
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Every line of the finished files in the output, sorted.
fn written(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder.join("out")).expect("an output folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(!name.starts_with('.'), "{name} was not closed");
        lines.extend(fs::read_to_string(path).expect("text").lines().map(str::to_owned));
    }
    lines.sort();
    lines
}

/// Waits for the processes of a launch to say who they are, and gives their numbers in order.
fn numbers(launched: &mut Running, count: usize) -> Vec<String> {
    let mut numbers = vec![String::new(); count];
    while numbers.iter().any(String::is_empty) {
        let line = launched.line_with(" is ");
        // Behind what the test harness prints first: `process 1 is 4711`.
        let Some((_, said)) = line.split_once("process ") else { continue };
        let (index, number) = said.split_once(" is ").expect("as the scenario says it");
        numbers[index.parse::<usize>().expect("an index")] = number.to_owned();
    }
    numbers
}

fn signal(number: &str, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {number}")]).status();
    assert!(sent.expect("a shell").success());
}

/// Waits for the end of a process that is not a child of this one.
fn await_end(number: &str) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let alive = Command::new("sh")
            .args([
                "-c",
                &format!(
                    "kill -0 {number} 2>/dev/null && ! grep -qs '^State:.*Z' /proc/{number}/status"
                ),
            ])
            .status();
        if !alive.expect("a shell").success() {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "process {number} lingers");
    }
}

#[test]
fn launched_processes_give_the_same_rows_as_one() {
    let (one, three) = (folder(), folder());
    run(&mut launch("", "count", "--quiet", one.path())).well();
    let ended = run(&mut launch("-n 3 -w 2", "count", "--quiet", three.path())).well();
    let rows = written(one.path());
    assert_eq!(rows.len(), 5_000);
    assert_eq!(written(three.path()), rows);
    for index in 0..3 {
        assert!(ended.out.lines().any(|it| it.starts_with(&format!("[{index}] "))), "{ended:?}");
        assert!(ended.err.contains(&format!("[{index}] count: ")), "{ended:?}");
    }
}

#[test]
fn a_process_that_is_killed_is_started_again_with_the_others() {
    let folder = folder();
    let flags = "-n 3 --restart fixed:1:100ms";
    let mut launched = start(&mut launch(flags, "endless", "--quiet", folder.path()));
    let first = numbers(&mut launched, 3);
    launched.line_with("ready");
    signal(&first[1], "KILL");
    let second = numbers(&mut launched, 3);
    launched.line_with("ready");
    for number in &first {
        await_end(number);
    }
    // The policy allows one restart.
    signal(&second[2], "KILL");
    let ended = launched.wait();
    assert_eq!(ended.status.code(), Some(128 + 9), "{ended:?}");
    for said in [
        "launch: process 1 was ended by signal 9 (SIGKILL)",
        "launch: restart 1 in 100ms (fixed:1:100ms)",
        "launch: process 2 was ended by signal 9 (SIGKILL)",
        "launch: not started again after 2 failures (fixed:1:100ms)",
    ] {
        assert!(ended.err.contains(said), "{}", ended.err);
    }
    for number in &second {
        await_end(number);
    }
}

#[test]
fn a_job_that_succeeds_the_third_time_succeeds() {
    let folder = folder();
    let flags = "-n 2 --restart exponential:1ms:10ms:2.0";
    let arguments = "--quiet --checkpoint saved --restore 7";
    let ended = run(&mut launch(flags, "third_time", arguments, folder.path())).well();
    assert_eq!(written(folder.path()).len(), 5_000);
    let count = |text: &str, of: &str| text.matches(of).count();
    assert_eq!(count(&ended.err, "launch: process 1 exited with status 7"), 2, "{ended:?}");
    assert_eq!(count(&ended.err, "from the last checkpoint"), 2, "{ended:?}");
    assert_eq!(count(&ended.out, "[1] --restore 7"), 1, "{ended:?}");
    assert_eq!(count(&ended.out, "[1] --restore latest"), 2, "{ended:?}");
}

#[test]
fn without_a_policy_a_failure_ends_the_launch_with_its_status() {
    let folder = folder();
    let ended = run(&mut launch("-n 2", "third_time", "--quiet", folder.path()));
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    assert!(ended.err.contains("launch: not started again (--restart)"), "{ended:?}");
}

#[test]
fn interrupting_the_launcher_ends_the_job_in_good_order() {
    for name in ["INT", "TERM"] {
        let folder = folder();
        let mut launched = start(&mut launch("-n 2", "endless", "--quiet", folder.path()));
        let numbers = numbers(&mut launched, 2);
        launched.line_with("ready");
        launched.signal(name);
        let ended = launched.wait().well();
        for index in 0..2 {
            let stopped = format!("[{index}] endless: stopped after");
            assert!(ended.err.contains(&stopped), "{ended:?}");
        }
        assert!(written(folder.path()).len() > 1_000);
        numbers.iter().for_each(|it| await_end(it));
    }
}

#[test]
fn interrupting_twice_ends_processes_that_do_not_listen() {
    let folder = folder();
    let mut launched = start(&mut launch("-n 2", "endless", "--quiet", folder.path()));
    let numbers = numbers(&mut launched, 2);
    launched.line_with("ready");
    signal(&numbers[0], "STOP");
    launched.signal("INT");
    launched.signal("INT");
    let ended = launched.wait();
    assert!(!ended.status.success(), "{ended:?}");
    numbers.iter().for_each(|it| await_end(it));
}

#[test]
fn no_process_outlives_the_launcher() {
    let folder = folder();
    let mut launched = start(&mut launch("-n 2", "endless", "--quiet", folder.path()));
    let numbers = numbers(&mut launched, 2);
    launched.line_with("ready");
    launched.signal("KILL");
    launched.wait();
    numbers.iter().for_each(|it| await_end(it));
}

#[test]
fn a_process_that_is_stopped_is_noticed_and_all_start_again() {
    let folder = folder();
    let flags = "-n 2 --restart fixed:1:1ms --grace 200ms";
    let arguments = "--quiet --heartbeat-ms 600";
    let mut launched = start(&mut launch(flags, "endless", arguments, folder.path()));
    let first = numbers(&mut launched, 2);
    launched.line_with("ready");
    signal(&first[0], "STOP");
    // The other says so and ends; the one that is stopped has to be killed.
    let second = numbers(&mut launched, 2);
    launched.line_with("ready");
    first.iter().for_each(|it| await_end(it));
    launched.signal("INT");
    let ended = launched.wait().well();
    let lost = "[1] lost process 0: nothing heard for 600ms (--heartbeat-ms)";
    assert!(ended.err.contains(lost), "{ended:?}");
    assert!(ended.err.contains("launch: process 1 exited with status 1"), "{ended:?}");
    second.iter().for_each(|it| await_end(it));
}

#[test]
fn other_machines_are_reached_by_ssh() {
    let folder = folder();
    // Shows what it is told, and runs it here.
    let ssh = folder.path().join("ssh");
    script(
        &ssh,
        "for last; do host=$command; command=$last; done\necho \"ssh $host\"\nexec sh -c \"$command\"",
    );
    let free = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let ports = [free(), free()].map(|it| it.local_addr().expect("bound").port());
    // Another way to write 127.0.0.1, which is not taken for this machine.
    let hosts = folder.path().join("hosts.txt");
    fs::write(&hosts, format!("127.1:{}\nlocalhost:{}\n", ports[0], ports[1])).expect("written");
    let flags = format!("--hosts {} --ssh {}", hosts.display(), ssh.display());
    let mut launched = start(&mut launch(&flags, "endless", "--quiet", folder.path()));
    let numbers = numbers(&mut launched, 2);
    launched.line_with("ready");
    launched.signal("INT");
    let ended = launched.wait().well();
    assert!(ended.out.lines().any(|it| it == "[0] ssh 127.1"), "{ended:?}");
    assert!(ended.err.contains("[0] endless: stopped after"), "{ended:?}");
    numbers.iter().for_each(|it| await_end(it));
}

#[test]
fn what_cannot_be_launched_is_refused_by_name() {
    let folder = folder();
    for (flags, fault) in [
        ("-n 0", "-n/--processes is 0"),
        ("--hosts missing.txt", "missing.txt (--hosts) cannot be read"),
        ("--restart sometimes", "write none, fixed:3:10s"),
    ] {
        let said = run(&mut launch(flags, "count", "", folder.path())).badly();
        assert!(said.contains(fault), "{flags}: {said}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    let said = run(command.args(["launch", "-n", "2", "--", "no/such/program"])).badly();
    assert!(said.contains("cannot start process 0, no/such/program"), "{said}");
    let help = run(Command::new(env!("CARGO_BIN_EXE_tidemill")).args(["launch", "--help"])).well();
    assert!(help.out.contains("Press Ctrl-C to stop the job in good order"), "{help:?}");
}

/// Passes connections on from the address it gives, until they are severed: then it swallows what
/// comes, and closes nothing.
fn relay(to: String, severed: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for caller in listener.incoming().map_while(std::io::Result::ok) {
            let Ok(server) = TcpStream::connect(&to) else { continue };
            let other = (caller.try_clone().expect("open"), server.try_clone().expect("open"));
            for (mut from, mut into) in [(caller, server), (other.1, other.0)] {
                let severed = Arc::clone(&severed);
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut bytes) {
                        if !severed.load(Ordering::Relaxed)
                            && into.write_all(&bytes[..count]).is_err()
                        {
                            break;
                        }
                    }
                    // Kept open: the ends of a severed line hear nothing, not even an end.
                    std::mem::forget((from, into));
                });
            }
        }
    });
    address
}

#[test]
fn a_severed_line_ends_both_processes() {
    let folder = folder();
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let first = free.local_addr().expect("bound").to_string();
    let unused = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let second = unused.local_addr().expect("bound").to_string();
    drop(free);
    let severed = Arc::new(AtomicBool::new(false));
    let through = relay(first.clone(), Arc::clone(&severed));
    let hosts = [first, through].map(|it| format!("{it}\n{second}\n"));
    let mut processes = [0, 1].map(|index| {
        let file = folder.path().join(format!("hosts-{index}.txt"));
        fs::write(&file, &hosts[index]).expect("written");
        let arguments = format!("-n 2 -p {index} -h {} --quiet --heartbeat-ms 600", file.display());
        process("endless", &arguments, folder.path())
    });
    processes[0].line_with("ready");
    severed.store(true, Ordering::Relaxed);
    for (index, process) in processes.into_iter().enumerate() {
        let said = process.wait().badly();
        let lost = format!("lost process {}: nothing heard for 600ms", 1 - index);
        assert!(said.contains(&lost), "{said}");
    }
}

#[test]
fn processes_that_do_not_fit_together_say_so_at_once() {
    let folder = folder();
    let free = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let hosts = folder.path().join("hosts.txt");
    let lines = [free(), free()].map(|it| format!("{}\n", it.local_addr().expect("bound")));
    fs::write(&hosts, lines.concat()).expect("written");
    let processes = [0, 1].map(|index| {
        let workers = index + 1;
        let arguments = format!("-n 2 -p {index} -w {workers} -h {} --quiet", hosts.display());
        process("endless", &arguments, folder.path())
    });
    for process in processes {
        let said = process.wait().badly();
        assert!(said.contains("do not fit together: -w/--threads is "), "{said}");
    }
}

#[test]
fn a_process_that_was_stopped_does_not_blame_the_others() {
    let folder = folder();
    let free = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let hosts = folder.path().join("hosts.txt");
    let lines = [free(), free()].map(|it| format!("{}\n", it.local_addr().expect("bound")));
    fs::write(&hosts, lines.concat()).expect("written");
    // The second is patient, and so notices nothing of the first's absence.
    let mut processes = [(0, 300), (1, 60_000)].map(|(index, heartbeat)| {
        let arguments =
            format!("-n 2 -p {index} -h {} --quiet --heartbeat-ms {heartbeat}", hosts.display());
        process("endless", &arguments, folder.path())
    });
    processes[0].line_with("ready");
    processes[0].signal("STOP");
    // Several times the silence that the first would allow the second.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    processes[0].signal("CONT");
    std::thread::sleep(std::time::Duration::from_millis(600));
    processes[1].signal("INT");
    for process in processes {
        process.wait().well();
    }
}
