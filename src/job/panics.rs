//! Panics: which operator one happened in, and that no thread dies unnoticed.
//!
//! A panic in a function of the user's unwinds its worker, which is caught there; what is known of it
//! is noted by a hook while the operator is still current. A panic of a thread that moves bytes
//! between processes is not caught anywhere, and would leave the workers waiting for ever: it ends
//! the process.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic;
use std::sync::{Mutex, Once, PoisonError};

use timely::logging::TimelyEvent;
use timely::scheduling::current;
use timely::worker::Worker;

use super::host::said;
use super::stopped;
use crate::cluster;
use crate::error::Error;
use crate::runtime;

thread_local! {
    /// The names of this worker's operators, by their identifiers.
    static NAMES: RefCell<HashMap<usize, String>> = RefCell::default();
    /// The operator and place of the last panic on this thread.
    static LAST: RefCell<Option<(Option<String>, String)>> = const { RefCell::new(None) };
}

/// How many jobs of several processes run, whose network threads must not die.
static SHARED: Mutex<usize> = Mutex::new(0);

/// Notes panics while a job runs.
#[derive(Debug)]
pub(super) struct Watch {
    shared: bool,
}

/// Begins to note panics; `shared` says that the job has several processes.
pub(super) fn watch(shared: bool) -> Watch {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or_default();
            if name.starts_with("timely:work") {
                let operator = current::operator_id()
                    .and_then(|id| NAMES.with_borrow(|names| names.get(&id).cloned()));
                let place = info.location().map_or_else(String::new, ToString::to_string);
                LAST.set(Some((operator, place)));
                return;
            }
            if name == runtime::THREAD {
                let place = info.location().map_or_else(String::new, ToString::to_string);
                LAST.set(Some((None, place)));
            }
            let moves_bytes = name.starts_with("timely:recv") || name.starts_with("timely:send");
            let shared = *SHARED.lock().unwrap_or_else(PoisonError::into_inner) > 0;
            if moves_bytes && shared {
                let other = name.rsplit('-').next().unwrap_or_default();
                cluster::lost(other, said(info.payload()));
            }
            before(info);
        }));
    });
    if shared {
        *SHARED.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }
    Watch { shared }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.shared {
            *SHARED.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        }
    }
}

/// Notes the names of the operators of dataflows that this worker begins from here on.
pub(super) fn name_operators(worker: &Worker) {
    NAMES.with_borrow_mut(HashMap::clear);
    let registry = worker.log_register();
    if let Some(mut registry) = registry {
        registry.insert::<timely::logging::TimelyEventBuilder, _>("timely", |_time, events| {
            for (_, event) in events.iter().flat_map(|events| events.iter()) {
                if let TimelyEvent::Operates(operator) = event {
                    NAMES.with_borrow_mut(|it| it.insert(operator.id, operator.name.clone()));
                }
            }
        });
    }
}

/// The error that a panic on this worker was.
pub(super) fn error(panic: &(dyn Any + Send)) -> Error {
    let message = said(panic).to_owned();
    match LAST.take() {
        Some((Some(operator), place)) => {
            stopped(format!("operator `{operator}` panicked at {place}")).because(message)
        }
        Some((None, place)) => stopped(format!("a worker panicked at {place}")).because(message),
        None => stopped("a worker panicked").because(message),
    }
}

/// The error that a panic in a call of an operator was, told on the thread where it happened.
pub(super) fn error_in(operator: &str, panic: &(dyn Any + Send)) -> Error {
    let place = LAST.take().map_or_else(String::new, |(_, place)| format!(" at {place}"));
    stopped(format!("operator `{operator}` panicked{place}")).because(said(panic).to_owned())
}
