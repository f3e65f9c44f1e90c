//! Reading a bounded source into memory.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::{Polled, Source, Wake};
use crate::error::{Error, ErrorKind, Result};

/// Reads everything that a bounded source has, partition by partition: for a small table that a job
/// looks things up in.
///
/// ```
/// use tidemill::connect::{iterate, read_all};
///
/// assert_eq!(read_all(&iterate(|| 1..=3))?, [1, 2, 3]);
/// # Ok::<(), tidemill::Error>(())
/// ```
///
/// # Errors
///
/// If the source has no end, or cannot be read.
pub fn read_all<S: Source>(source: &S) -> Result<Vec<S::Record>> {
    if !source.bounded() {
        let message = format!("{} has no end, so it cannot be read into memory", source.name());
        return Err(Error::new(ErrorKind::Setting, message));
    }
    let news = Arc::new((Mutex::new(false), Condvar::new()));
    let told = Arc::clone(&news);
    let wake: Wake = Arc::new(move || {
        *told.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        told.1.notify_one();
    });
    let mut records = Vec::new();
    for partition in source.partitions(1)? {
        let mut reader = source.open(&partition, None, Arc::clone(&wake))?;
        loop {
            match reader.poll(4096, &mut records)? {
                Polled::Ready => {}
                Polled::Ended => break,
                Polled::Pending => {
                    let waiting = news.0.lock().unwrap_or_else(PoisonError::into_inner);
                    let awake = news.1.wait_while(waiting, |news| !std::mem::take(news));
                    drop(awake.unwrap_or_else(PoisonError::into_inner));
                }
            }
        }
    }
    Ok(records)
}
