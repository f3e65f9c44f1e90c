//! The watch over the processes of a job: through failures and restarts to the end.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::child::{Child, Failure};
use super::hosts::{Hosts, Places};
use super::plan::Plan;
use super::policy::Policy;
use super::refused;
use crate::error::Result;
use crate::signals::on_stop;

/// How long the launcher rests between two looks.
const REST: Duration = Duration::from_millis(10);

/// How long it looks on after a failure before it says which was the first: a process that is killed
/// may be gone for the others before it is for the launcher.
const SETTLE: Duration = Duration::from_millis(50);

/// How long it waits for the last lines of processes that have ended.
const LAST_LINES: Duration = Duration::from_secs(1);

/// How often the launcher was told to stop.
#[derive(Clone, Debug, Default)]
struct Signals(Arc<AtomicUsize>);

impl Signals {
    fn heed() -> Result<Self> {
        let signals = Self::default();
        let told = Arc::clone(&signals.0);
        let count = move || _ = told.fetch_add(1, Ordering::Relaxed);
        on_stop(count).map_err(|error| refused("cannot heed Ctrl-C").because(error))?;
        Ok(signals)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs a job to its end, and gives the exit status.
pub(super) fn run(plan: &Plan, hosts: &Hosts, policy: Policy, grace: Duration) -> Result<u8> {
    let signals = Signals::heed()?;
    let began = Instant::now();
    let mut failures = Vec::new();
    loop {
        let again = !failures.is_empty();
        let Some(failure) = attempt(plan, &hosts.places()?, again, grace, &signals)? else {
            return Ok(0);
        };
        if signals.count() > 0 {
            return Ok(failure.code());
        }
        failures.push(began.elapsed());
        let Some(pause) = policy.pause(&failures) else {
            say(&match policy {
                Policy::Never => "not started again (--restart)".to_owned(),
                _ => format!("not started again after {} failures ({policy})", failures.len()),
            });
            return Ok(failure.code());
        };
        let from = if plan.checkpoints() { " from the last checkpoint" } else { "" };
        say(&format!(
            "restart {} in {}{from} ({policy})",
            failures.len(),
            humantime::format_duration(pause)
        ));
        let due = Instant::now() + pause;
        while Instant::now() < due {
            if signals.count() > 0 {
                return Ok(failure.code());
            }
            sleep(REST.min(due.saturating_duration_since(Instant::now())));
        }
    }
}

/// Starts all processes and waits until all have ended; gives the failure that ended them, if one
/// did.
fn attempt(
    plan: &Plan,
    places: &Places,
    again: bool,
    grace: Duration,
    signals: &Signals,
) -> Result<Option<Failure>> {
    let mut children = Vec::with_capacity(places.machines.len());
    for (index, machine) in places.machines.iter().enumerate() {
        let start = plan.start(index, &places.file, machine.as_deref(), again)?;
        children.push(Child::start(index, start)?);
    }
    let mut failure = None;
    let mut noticed: Option<Instant> = None;
    let mut heeded = 0;
    let mut kill_at: Option<Instant> = None;
    loop {
        let (running, failed) = look(&mut children)?;
        if failure.is_none()
            && !failed.is_empty()
            && (running == 0 || noticed.get_or_insert_with(Instant::now).elapsed() >= SETTLE)
        {
            failure = first(&failed);
            kill_at = Some(Instant::now() + grace);
            children.iter_mut().for_each(Child::stop);
        }
        if running == 0 {
            break;
        }
        let told = signals.count();
        if told > heeded {
            if heeded == 0 {
                children.iter_mut().for_each(Child::stop);
            }
            if told > 1 || failure.is_some() {
                kill_at = Some(Instant::now());
            }
            heeded = told;
        }
        if kill_at.is_some_and(|at| at <= Instant::now()) {
            children.iter().for_each(Child::kill);
            kill_at = None;
        }
        sleep(REST);
    }
    let due = Instant::now() + LAST_LINES;
    let passed_on = || children.iter().flat_map(|it| &it.output).all(JoinHandle::is_finished);
    while Instant::now() < due && !passed_on() {
        sleep(REST);
    }
    if let Some(failure) = failure {
        say(&failure.to_string());
    }
    Ok(failure)
}

/// How many processes run, and which have failed.
fn look(children: &mut [Child]) -> Result<(usize, Vec<Failure>)> {
    let mut running = 0;
    let mut failed = Vec::new();
    for child in children {
        match child.ended()? {
            None => running += 1,
            Some(status) => failed.extend(Failure::of(child.index, status)),
        }
    }
    Ok((running, failed))
}

/// The failure that was most likely the reason of the others: those that lost a process exit with
/// status 1.
fn first(failed: &[Failure]) -> Option<Failure> {
    let own = failed.iter().find(|it| it.killed()).or(failed.iter().find(|it| it.code() != 1));
    own.or(failed.first()).copied()
}

/// Says what the launcher does, whether or not anybody listens.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "launch: {what}");
}
