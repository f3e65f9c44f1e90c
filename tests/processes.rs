//! Jobs as processes: how they end, whatever happens to them. Each test runs this file again as a
//! child whose job is a scenario of [`scenario`].

#![cfg(unix)]

mod child;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tidemill::Result;
use tidemill::prelude::*;

use child::{Ended, Running, run, start};

const SCENARIO: &str = "TIDEMILL_TEST_SCENARIO";
const ARGUMENTS: &str = "TIDEMILL_TEST_ARGUMENTS";
const FOLDER: &str = "TIDEMILL_TEST_FOLDER";

/// What a child does. Without the environment of one, this is a test that does nothing.
#[test]
fn scenario() {
    let Ok(name) = std::env::var(SCENARIO) else { return };
    let arguments = std::env::var(ARGUMENTS).expect("given with the scenario");
    let arguments = ["test"].into_iter().chain(arguments.split_whitespace());
    let settings = Settings::try_parse_from("test", arguments).unwrap_or_else(|it| it.exit());
    let folder = PathBuf::from(std::env::var(FOLDER).expect("given with the scenario"));
    let job = Job::new("test", settings);
    let done = job.run(move |flow| match name.as_str() {
        "count" => count(flow, &folder),
        "panic" => panics(flow),
        "endless" => endless(flow, &folder),
        "follow" => follow(flow, &folder),
        "full" => full(flow),
        "turning" => turning(flow, &folder),
        "idle" => idle(flow, &folder),
        unknown => panic!("there is no scenario {unknown}"),
    });
    match done {
        Ok(_) => std::process::exit(0),
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::exit(1);
        }
    }
}

/// Counts numbers per key and window.
fn count(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    flow.read(generate(1, |index, random| (index as i64, random.below(100))).limit(50_000))?
        .event_time(|it| EventTime::from_millis(it.0), Disorder::up_to(seconds(100)))
        .key_by(|it| it.1)
        .window(Tumbling::new(seconds(1)))
        .aggregate(Count)
        .map(|pane| format!("{} {} {}", pane.key, pane.span.start().millis(), pane.value))
        .write(to_text(folder.join("out")))
}

fn panics(flow: &Flow<'_>) -> Result<()> {
    flow.read(generate(1, |index, _| index))?
        .map(|index| {
            assert!(index < 5_000, "too far");
            index
        })
        .filter(|_| false)
        .write(collect())
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

fn follow(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    flow.read(text(folder.join("followed.txt")).follow())?
        .inspect(|line| println!("\nread {line}"))
        .write(to_text(folder.join("out")))
}

fn full(flow: &Flow<'_>) -> Result<()> {
    flow.read(generate(1, |index, _| index))?.write(to_text("/dev/full").single_file())
}

/// A loop that comes further with every round, on one worker or another, and needs more than it may take.
fn turning(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    let links = flow.read(generate(1, |index, _| (index, index + 1)).limit(200))?.inserts();
    let first = links.clone().filter(|it| it.0 == 0).map(|it| it.1);
    let reached = first.clone().iterate_in(Loop::named("turning").at_most(60), |reached| {
        let (links, first) = (links.enter(&reached), first.enter(&reached));
        let next = reached.map(|it| (it, ())).join(links).map(|(_, ((), to))| to);
        next.concat(first).distinct()
    });
    let reached = reached.changes().map(|it| format!("{it:?}"));
    reached.write(to_text(folder.join("out")))
}

fn idle(flow: &Flow<'_>, folder: &Path) -> Result<()> {
    flow.read(tcp_lines(fs::read_to_string(folder.join("address")).expect("an address")))?
        .inspect(|line| println!("\nread {line}"))
        .write(to_text(folder.join("out")))
}

fn command(scenario: &str, arguments: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
    command.args(["--exact", "scenario", "--nocapture"]);
    command.env(SCENARIO, scenario).env(ARGUMENTS, arguments).env(FOLDER, folder);
    command
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

/// A host file for two processes on ports that nobody else uses.
fn hosts(folder: &Path) -> PathBuf {
    let free = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listeners = [free(), free()];
    let lines = listeners.map(|it| format!("{}\n", it.local_addr().expect("it is bound")));
    let path = folder.join("hosts.txt");
    fs::write(&path, lines.concat()).expect("written");
    path
}

/// Two processes of one job.
fn pair(scenario: &str, folder: &Path) -> [Running; 2] {
    let hosts = hosts(folder);
    [0, 1].map(|index| {
        let arguments = format!("-n 2 -p {index} -h {} --quiet", hosts.display());
        start(&mut command(scenario, &arguments, folder))
    })
}

#[test]
fn two_processes_give_the_same_rows_as_one() {
    let (one, two) = (folder(), folder());
    run(&mut command("count", "--quiet", one.path())).well();
    for process in pair("count", two.path()) {
        process.wait().well();
    }
    let rows = written(one.path());
    assert_eq!(rows.len(), 5_000);
    assert_eq!(written(two.path()), rows);
}

#[test]
fn a_panic_ends_all_workers_with_the_name_of_the_operator() {
    for workers in [1, 2, 4] {
        let folder = folder();
        let said = run(&mut command("panic", &format!("-w {workers}"), folder.path())).badly();
        assert!(said.contains("operator `map` panicked at"), "{said}");
        assert!(said.contains("too far"), "{said}");
    }
}

#[test]
fn a_panic_ends_all_processes() {
    let folder = folder();
    let said = pair("panic", folder.path()).map(|process| process.wait().badly());
    assert!(said.iter().any(|it| it.contains("operator `map` panicked")), "{said:?}");
}

#[test]
fn a_loop_that_turns_too_often_ends_all_processes() {
    let folder = folder();
    let said = pair("turning", folder.path()).map(|process| process.wait().badly());
    let named =
        |it: &String| it.contains("operator `turning` cannot go on") && it.contains("60 rounds");
    assert!(said.iter().any(named), "{said:?}");
    assert!(said.iter().all(|it| named(it) || it.contains("lost process")), "{said:?}");
}

#[test]
fn a_full_disk_ends_the_job_with_the_name_of_the_file() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = folder();
    let said = run(&mut command("full", "", folder.path())).badly();
    assert!(said.contains("cannot write to /dev/full"), "{said}");
}

#[test]
fn interrupting_closes_what_was_written() {
    for (workers, signal) in [(1, "INT"), (2, "INT"), (2, "TERM")] {
        let folder = folder();
        let arguments = format!("-w {workers} --quiet");
        let mut job = start(&mut command("endless", &arguments, folder.path()));
        job.line_with("ready");
        job.signal(signal);
        let Ended { err, waited, .. } = job.wait().well();
        eprintln!("{workers} workers ended {waited:?} after {signal}");
        let lines = written(folder.path());
        assert!(lines.len() > 1_000, "{err}");
        // One line, that says how it ended and what came of it.
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(err.starts_with("test: stopped after"), "{err}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_that_outlives_its_terminal_is_stopped_in_good_order() {
    let folder = folder();
    let job = command("endless", "--quiet", folder.path());
    let mut hidden = Command::new("nohup");
    hidden.arg(job.get_program()).args(job.get_args());
    job.get_envs().for_each(|(name, value)| _ = hidden.env(name, value.unwrap_or_default()));
    let mut job = start(&mut hidden);
    job.line_with("ready");
    job.signal("HUP");
    // Had it heard that, this would be the second signal, which ends it at once.
    job.signal("TERM");
    let Ended { err, .. } = job.wait().well();
    assert!(err.contains("test: stopped after"), "{err}");
    assert!(written(folder.path()).len() > 1_000, "{err}");
}

#[test]
fn interrupting_one_of_two_processes_ends_both() {
    let folder = folder();
    let mut pair = pair("endless", folder.path());
    // Of all indexes, 1,000 is made by the first.
    pair[0].line_with("ready");
    pair[1].signal("INT");
    for process in pair {
        process.wait().well();
    }
    assert!(written(folder.path()).len() > 1_000);
}

#[test]
fn interrupting_ends_a_followed_file() {
    let folder = folder();
    fs::write(folder.path().join("followed.txt"), "one\ntwo\nunfini").expect("written");
    let mut job = start(&mut command("follow", "-w 2 --quiet", folder.path()));
    job.line_with("read two");
    job.signal("INT");
    let waited = job.wait().well().waited;
    eprintln!("ended {waited:?} after the signal");
    assert_eq!(written(folder.path()), ["one", "two"]);
}

#[test]
fn a_process_that_is_killed_takes_the_other_along() {
    for killed in [0, 1] {
        let folder = folder();
        let mut pair = pair("endless", folder.path());
        pair[0].line_with("ready");
        pair[killed].signal("KILL");
        let [first, second] = pair;
        let (killed, other) = if killed == 0 { (first, second) } else { (second, first) };
        killed.wait();
        let ended = other.wait();
        eprintln!("the other ended after {:?}: {}", ended.waited, ended.err);
        let said = ended.badly();
        assert!(said.contains("process"), "{said}");
    }
}

#[test]
fn an_idle_job_leaves_the_processor_alone() {
    let folder = folder();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    fs::write(folder.path().join("address"), address).expect("written");
    let mut job = start(&mut command("idle", "-w 2 --quiet", folder.path()));
    let (mut stream, _) = listener.accept().expect("it connects");
    std::io::Write::write_all(&mut stream, b"hello\n").expect("sent");
    job.line_with("read hello");
    if let Some(share) = busy(job.id()) {
        eprintln!("an idle job with two workers takes {:.2} % of a core", 100.0 * share);
    }
    job.signal("INT");
    job.wait().well();
    assert_eq!(written(folder.path()), ["hello"]);
}

/// The share of a core that a process took over a while, where the system can say.
fn busy(id: u32) -> Option<f64> {
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
    };
    // Long enough for the hundredths of a second that the system counts in.
    const SECONDS: u64 = 2;
    let before = ticks()?;
    std::thread::sleep(std::time::Duration::from_secs(SECONDS));
    Some((ticks()? - before) / 100.0 / SECONDS as f64)
}

#[test]
fn settings_that_contradict_each_other_are_refused_by_name() {
    let folder = folder();
    for (arguments, name) in [
        ("-w 0", "-w/--threads"),
        ("-n 2 -p 2", "-p/--process"),
        ("-n 2 -h missing-hosts.txt", "missing-hosts.txt"),
        ("--epoch-ms 0", "--epoch-ms"),
        ("--epoch-rows 0", "--epoch-rows"),
        ("--in-flight-mb 0", "--in-flight-mb"),
        ("-w 8 --max-parallelism 4", "--max-parallelism"),
        ("--workers 3", "--workers"),
    ] {
        let said = run(&mut command("count", arguments, folder.path())).badly();
        assert!(said.contains(name), "{arguments}: {said}");
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn explaining_touches_nothing() {
    let folder = folder();
    let explain = |format: &str| {
        run(&mut command("count", &format!("--explain {format}"), folder.path())).well().out
    };
    assert!(explain("").contains("window"));
    assert!(explain("dot").contains("digraph"));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_process_whose_partner_does_not_come_can_be_interrupted() {
    for index in [0, 1] {
        let folder = folder();
        let arguments = format!("-n 2 -p {index} -h {} --quiet", hosts(folder.path()).display());
        // Early or late, the signal ends the process: before the job begins that is its default.
        let job = start(&mut command("count", &arguments, folder.path()));
        std::thread::sleep(std::time::Duration::from_millis(300));
        job.signal("INT");
        let said = job.wait().badly();
        assert!(said.contains(&format!("for process {}", 1 - index)), "{said}");
    }
}
