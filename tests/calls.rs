//! Asynchronous functions in whole jobs: order, bounds, failures, epochs and ends.

mod child;

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tidemill::metrics::Snapshot;
use tidemill::prelude::*;
use tidemill::{Error, ErrorKind, Result};

const PATIENCE: Duration = Duration::from_secs(60);
const SCENARIO: &str = "TIDEMILL_TEST_CALLS";

fn job(workers: usize) -> Job {
    Job::new("test", Settings::default().workers(workers).quiet())
}

/// Runs a job on a thread of its own, and gives what it ends with.
fn started(job: impl FnOnce() -> Result<Snapshot> + Send + 'static) -> Receiver<Result<Snapshot>> {
    let (tell, ended) = channel();
    thread::spawn(move || tell.send(job()));
    ended
}

/// The error that a job on this many workers ends with.
fn failure(
    workers: usize,
    build: impl Fn(&Flow<'_>) -> Result<()> + Send + Sync + 'static,
) -> Error {
    let ended = started(move || job(workers).run(build));
    ended.recv_timeout(PATIENCE).expect("the job ends").expect_err("the job fails")
}

/// Lets the runtime go on with something else this many times.
async fn turns(count: u64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// Waits until `done` holds, without keeping a thread of the runtime to itself.
fn until(done: impl Fn() -> bool) -> impl Future<Output = ()> {
    std::future::poll_fn(move |context| {
        if done() {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// A number that looks random, for how long the call with another number takes.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60
}

#[test]
fn every_record_has_its_result_on_any_number_of_workers() {
    for (workers, ordered) in [1, 2, 4].into_iter().flat_map(|it| [(it, true), (it, false)]) {
        let results = collect::<(u64, u64)>();
        let sink = results.clone();
        let seen = job(workers).run(move |flow| {
            let options = if ordered { AsyncOptions::ordered() } else { AsyncOptions::unordered() };
            let squared = |number: u64| async move {
                turns(scattered(number)).await;
                Ok::<_, Error>((number, number * number))
            };
            flow.read(generate(1, |index, _| index).limit(10_000))?
                .map_async(squared, options.in_flight(17))?
                .write(sink.clone())
        });
        let seen = seen.expect("the job runs");
        let expected = Vec::from_iter((0..10_000u64).map(|it| (it, it * it)));
        assert_eq!(results.sorted(), expected, "{workers} workers, ordered: {ordered}");
        assert_eq!(seen.rows_out(), 10_000);
    }
}

#[test]
fn ordered_results_leave_in_the_order_of_each_workers_records() {
    for workers in [1, 2, 4] {
        let results = collect::<(u64, u64)>();
        let sink = results.clone();
        job(workers)
            .run(move |flow| {
                let peers = flow.scope().peers() as u64;
                let kept = |number: u64| async move {
                    turns(scattered(number)).await;
                    Ok::<_, Error>(number)
                };
                // Lane k of n makes the records whose index is k modulo n.
                flow.read(generate(1, |index, _| index).limit(5_000))?
                    .map_async(kept, AsyncOptions::ordered().in_flight(8))?
                    .map(move |number| (number % peers, number))
                    .write(sink.clone())
            })
            .expect("the job runs");
        let mut lanes = BTreeMap::<u64, Vec<u64>>::new();
        for (lane, number) in results.take() {
            lanes.entry(lane).or_default().push(number);
        }
        assert_eq!(lanes.len(), workers);
        assert!(lanes.values().all(|lane| lane.is_sorted()), "{workers} workers");
        assert_eq!(lanes.values().map(Vec::len).sum::<usize>(), 5_000);
    }
}

#[test]
fn the_bound_on_calls_is_reached_and_never_exceeded() {
    const MOST: usize = 5;
    for ordered in [true, false] {
        let (now, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (calls, highest) = (Arc::clone(&now), Arc::clone(&peak));
        job(1)
            .run(move |flow| {
                let (calls, highest) = (Arc::clone(&calls), Arc::clone(&highest));
                let counted = move |number: u64| {
                    let (calls, highest) = (Arc::clone(&calls), Arc::clone(&highest));
                    async move {
                        let flying = calls.fetch_add(1, Ordering::SeqCst) + 1;
                        highest.fetch_max(flying, Ordering::SeqCst);
                        // The first ones wait for each other.
                        until(|| highest.load(Ordering::SeqCst) >= MOST).await;
                        turns(scattered(number)).await;
                        calls.fetch_sub(1, Ordering::SeqCst);
                        Ok::<_, Error>(number)
                    }
                };
                let options =
                    if ordered { AsyncOptions::ordered() } else { AsyncOptions::unordered() };
                flow.read(iterate(|| 0..2_000u64))?
                    .map_async(counted, options.in_flight(MOST))?
                    .write(collect())
            })
            .expect("the job runs");
        assert_eq!(now.load(Ordering::SeqCst), 0);
        assert_eq!(peak.load(Ordering::SeqCst), MOST, "ordered: {ordered}");
    }
}

#[test]
fn a_failed_attempt_is_made_again_as_often_as_allowed() {
    let calls = Arc::new(Mutex::new(BTreeMap::<u64, u32>::new()));
    let made = Arc::clone(&calls);
    let (sure, failed) = (collect::<u64>(), collect::<Failed<u64>>());
    let (sure_sink, failed_sink) = (sure.clone(), failed.clone());
    job(2)
        .run(move |flow| {
            let made = Arc::clone(&made);
            // The record says how many of its calls fail.
            let ask = move |number: u64| {
                let attempt = {
                    let mut made = made.lock().expect("nobody panics");
                    let made = made.entry(number).or_default();
                    *made += 1;
                    u64::from(*made)
                };
                async move { if attempt > number { Ok(number) } else { Err("not yet") } }
            };
            let options = AsyncOptions::unordered().retry(Retry::fixed(3, Duration::ZERO));
            let (sure, failed) =
                flow.read(iterate(|| 0..5u64))?.try_map_async(ask, options)?.split(Either::from);
            failed.write(failed_sink.clone())?;
            sure.write(sure_sink.clone())
        })
        .expect("the job runs");
    assert_eq!(sure.sorted(), [0, 1, 2]);
    let gone = |record| Failed { record, attempts: 3, reason: "not yet".to_owned() };
    assert_eq!(failed.sorted(), [gone(3), gone(4)]);
    let made = calls.lock().expect("nobody panics");
    assert_eq!(Vec::from_iter(made.values().copied()), [1, 2, 3, 3, 3]);
}

#[test]
fn an_attempt_that_takes_too_long_counts_as_failed() {
    let first = Arc::new(AtomicBool::new(true));
    let results = collect::<u64>();
    let sink = results.clone();
    job(1)
        .run(move |flow| {
            let first = Arc::clone(&first);
            let slow = move |number: u64| {
                let hangs = number == 7 && first.swap(false, Ordering::SeqCst);
                async move {
                    if hangs {
                        pending::<()>().await;
                    }
                    Ok::<_, Error>(number)
                }
            };
            let options = AsyncOptions::ordered()
                .timeout(millis(50))
                .retry(Retry::fixed(100, Duration::ZERO));
            flow.read(iterate(|| 0..10u64))?.map_async(slow, options)?.write(sink.clone())
        })
        .expect("the second attempt succeeds");
    assert_eq!(results.take(), Vec::from_iter(0..10));

    let error = failure(1, |flow| {
        let never = |_: u64| pending::<Result<u64>>();
        let options = AsyncOptions::ordered().timeout(millis(1));
        flow.read(iterate(|| 0..10u64))?.map_async(never, options)?.write(collect())
    });
    let said = format!("{error:#}");
    assert!(said.contains("`map_async`") && said.contains("longer than 1ms"), "{said}");
}

#[test]
fn a_call_that_fails_stops_the_job_with_its_operator_and_error() {
    for workers in [1, 2] {
        let error = failure(workers, |flow| {
            let ask = |number: u64| async move {
                if number == 40 { Err(format!("no answer for {number}")) } else { Ok(number) }
            };
            let options = AsyncOptions::unordered().retry(Retry::fixed(2, Duration::ZERO));
            // Without end: only the error ends it.
            flow.read(generate(1, |index, _| index))?.map_async(ask, options)?.write(collect())
        });
        assert_eq!(error.kind(), ErrorKind::Stopped);
        let said = format!("{error:#}");
        let expected = "operator `map_async` cannot go on: a call failed 2 times: no answer for 40";
        assert_eq!(said, expected);
    }
}

#[test]
fn a_call_that_panics_stops_the_job_with_its_operator() {
    for (workers, at_once) in [(1, true), (1, false), (2, false)] {
        let error = failure(workers, move |flow| {
            let ask = move |number: u64| {
                assert!(!at_once || number != 40, "too far at once");
                async move {
                    turns(3).await;
                    assert!(number != 40, "too far");
                    Ok::<_, Error>(number)
                }
            };
            flow.read(generate(1, |index, _| index))?
                .map_async(ask, AsyncOptions::ordered())?
                .write(collect())
        });
        let said = format!("{error:#}");
        assert!(said.contains("operator `map_async` panicked at tests"), "{said}");
        assert!(said.contains("too far"), "{said}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = [
        ("in_flight", AsyncOptions::ordered().in_flight(0)),
        ("timeout", AsyncOptions::ordered().timeout(Duration::ZERO)),
        ("retry", AsyncOptions::ordered().retry(Retry::fixed(0, Duration::ZERO))),
    ];
    for (setting, options) in refused {
        let error = failure(1, move |flow| {
            let same = |it: u64| async move { Ok::<_, Error>(it) };
            flow.read(iterate(|| 0..10u64))?.map_async(same, options.clone())?.write(collect())
        });
        assert_eq!(error.kind(), ErrorKind::Setting);
        assert!(error.to_string().contains(setting), "{error:#}");
    }
}

#[test]
fn an_epoch_completes_only_when_its_calls_have() {
    for (workers, ordered) in [1, 2, 4].into_iter().flat_map(|it| [(it, true), (it, false)]) {
        let begun = Arc::new(Mutex::new(Vec::<(u64, u64)>::new()));
        let done = Arc::new(Mutex::new(BTreeSet::<u64>::new()));
        let checked = Arc::new(AtomicUsize::new(0));
        let (noted, calls, checks) = (Arc::clone(&begun), Arc::clone(&done), Arc::clone(&checked));
        let settings = Settings::default().workers(workers).epoch_rows(3).quiet();
        Job::new("test", settings)
            .run(move |flow| {
                let (noted, calls) = (Arc::clone(&noted), Arc::clone(&calls));
                let (known, finished) = (Arc::clone(&noted), Arc::clone(&calls));
                let checks = Arc::clone(&checks);
                let numbers = flow.read(generate(1, |index, _| index).limit(300))?;
                let call = move |number: u64| {
                    let calls = Arc::clone(&calls);
                    async move {
                        turns(20 * scattered(number)).await;
                        calls.lock().expect("nobody panics").insert(number);
                        Ok::<_, Error>(number)
                    }
                };
                let options =
                    if ordered { AsyncOptions::ordered() } else { AsyncOptions::unordered() };
                let note = move |epoch, numbers: &mut Vec<u64>| {
                    let mut noted = noted.lock().expect("nobody panics");
                    noted.extend(numbers.iter().map(|number| (epoch, *number)));
                };
                numbers.clone().watch(note, |_| ());
                numbers.map_async(call, options.in_flight(4))?.watch(
                    |_, _| (),
                    move |complete| {
                        let known = known.lock().expect("nobody panics");
                        let finished = finished.lock().expect("nobody panics");
                        for (_, number) in known.iter().filter(|(epoch, _)| *epoch < complete) {
                            assert!(finished.contains(number), "{number} is in flight");
                            checks.fetch_add(1, Ordering::Relaxed);
                        }
                    },
                );
                Ok(())
            })
            .expect("the job runs");
        assert!(checked.load(Ordering::Relaxed) >= 300);
        assert_eq!(done.lock().expect("nobody panics").len(), 300);
    }
}

#[test]
fn no_watermark_overtakes_a_call() {
    for (workers, ordered) in [1, 2, 4].into_iter().flat_map(|it| [(it, true), (it, false)]) {
        let (panes, late) = (collect::<(u64, i64, u64)>(), collect::<u64>());
        let (pane_sink, late_sink) = (panes.clone(), late.clone());
        let settings = Settings::default().workers(workers).epoch_rows(50).quiet();
        Job::new("test", settings)
            .run(move |flow| {
                let call = |number: u64| async move {
                    turns(20 * scattered(number)).await;
                    Ok::<_, Error>(number)
                };
                let options =
                    if ordered { AsyncOptions::ordered() } else { AsyncOptions::unordered() };
                let (panes, late) = flow
                    .read(generate(1, |index, _| index).limit(3_000))?
                    .event_time(|it| EventTime::from_millis(*it as i64), Disorder::ascending())
                    .map_async(call, options.in_flight(9))?
                    .key_by(|it| it % 3)
                    .window(Tumbling::new(millis(100)))
                    .with_late()
                    .aggregate(Count);
                late.map(|it| it.value.1).write(late_sink.clone())?;
                panes
                    .map(|pane| (pane.key, pane.span.start().millis(), pane.value))
                    .write(pane_sink.clone())
            })
            .expect("the job runs");
        let mut expected = Vec::new();
        for key in 0..3 {
            for start in (0..3_000u64).step_by(100) {
                let count = (start..start + 100).filter(|it| it % 3 == key).count() as u64;
                expected.push((key, start as i64, count));
            }
        }
        assert_eq!(late.sorted(), [0u64; 0], "{workers} workers, ordered: {ordered}");
        assert_eq!(panes.sorted(), expected, "{workers} workers, ordered: {ordered}");
    }
}

#[test]
fn sources_wait_for_calls() {
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let settings = Settings::default().epoch_rows(100).in_flight(8, 1).quiet();
    let job = Job::new("test", settings);
    let metrics = job.metrics();
    let ended = started(move || {
        job.run(move |flow| {
            let gate = Arc::clone(&gate);
            let call = move |number: u64| {
                let gate = Arc::clone(&gate);
                async move {
                    // Nothing wakes it but the clock: the machine is to have nothing else to do.
                    while !gate.load(Ordering::Acquire) {
                        tokio::time::sleep(millis(1)).await;
                    }
                    Ok::<_, Error>(number)
                }
            };
            flow.read(generate(1, |index, _| index).limit(10_000))?
                .map_async(call, AsyncOptions::ordered())?
                .write(collect())
        })
    });
    let deadline = Instant::now() + PATIENCE;
    let read = || metrics.snapshot().rows_in();
    while read() < 800 {
        assert!(Instant::now() < deadline, "{:?}", metrics.snapshot());
        thread::yield_now();
    }
    // Long enough for everything to be read, if the source did not wait.
    thread::sleep(Duration::from_millis(200));
    assert!(read() <= 1_000, "{} rows are in flight", read());
    open.store(true, Ordering::Release);
    let seen = ended.recv_timeout(PATIENCE).expect("the job ends").expect("it ends well");
    assert_eq!((seen.rows_in(), seen.rows_out()), (10_000, 10_000));
}

/// What a child does. Without its environment, this is a test that does nothing.
#[test]
fn scenario() {
    let Ok(scenario) = std::env::var(SCENARIO) else { return };
    let settings = Settings::default().workers(2).quiet();
    let settings = if scenario == "explain" {
        Settings::try_parse_from("test", ["test", "--explain"]).expect("it is a setting")
    } else {
        settings
    };
    let ran = Job::new("test", settings).run(|flow| {
        let call = |number: u64| async move {
            if number == 1_000 {
                println!("\nready");
            }
            turns(scattered(number)).await;
            Ok::<_, Error>(number)
        };
        flow.read(generate(1, |index, _| index).rate(20_000.0))?
            .map_async(call, AsyncOptions::unordered().in_flight(7))?
            .write(collect())
    });
    let seen = ran.expect("it is stopped");
    assert_eq!(seen.rows_in(), seen.rows_out(), "what was read is worked off");
    std::process::exit(0);
}

fn child(scenario: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this is a program"));
    command.args(["--exact", "scenario", "--nocapture"]).env(SCENARIO, scenario);
    command
}

#[test]
#[cfg(unix)]
fn a_job_that_is_stopped_finishes_its_calls() {
    let mut running = child::start(&mut child("run"));
    running.line_with("ready");
    running.signal("INT");
    running.wait().well();
}

#[test]
fn the_plan_shows_how_calls_are_made() {
    let ended = child::run(&mut child("explain")).well();
    let expected = "as completed, at most 7 calls in flight, one attempt of 30s";
    assert!(ended.out.contains(expected), "{}", ended.out);
}
