//! The asynchronous runtime of the process: where calls and clients that do not block live.
//!
//! There is one for all jobs and workers of the process, started at its first use and never ended,
//! with few threads: what runs on it waits most of the time. Workers of the dataflow never wait for
//! it.

use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, ErrorKind, Result};

/// The name of the runtime's threads.
pub(crate) const THREAD: &str = "tidemill:async";

/// Enough to keep calls going while one of them computes.
const THREADS: usize = 2;

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// The runtime of the process, started if it was not.
pub(crate) fn handle() -> Result<Handle> {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = &*runtime {
        return Ok(runtime.handle().clone());
    }
    let mut builder = Builder::new_multi_thread();
    let built = builder.worker_threads(THREADS).thread_name(THREAD).enable_all().build();
    let built = built.map_err(|cause| {
        Error::new(ErrorKind::Stopped, "cannot start the asynchronous runtime").because(cause)
    })?;
    Ok(runtime.insert(built).handle().clone())
}
