//! Noticing that a file that is followed has grown, been replaced or cut off.

use std::fs::{self, File, Metadata};
use std::io;
use std::time::Duration;

use crate::connect::Wake;
use crate::connect::tick::Ticker;
use crate::error::{Error, ErrorKind, Result};

/// Looks at a file every so often, and wakes the worker when it has changed.
pub(crate) struct Watch {
    path: String,
    _ticker: Ticker,
}

/// Which file it is, whatever its name; nothing where the system cannot tell.
pub(crate) fn identity(found: &Metadata) -> Option<u64> {
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::ino(found));
    #[cfg(not(unix))]
    return None;
}

impl Watch {
    /// Looks at a file that need not exist yet.
    pub(crate) fn start(path: &str, interval: Duration, wake: Wake) -> Result<Self> {
        let watched = path.to_owned();
        let mut known = None;
        let ticker = Ticker::start(interval, move || {
            let state = fs::metadata(&watched).ok().map(|it| (identity(&it), it.len()));
            if state != known {
                known = state;
                wake();
            }
        })?;
        Ok(Self { path: path.to_owned(), _ticker: ticker })
    }

    /// Whether another file has taken the name of the one that is `open` and was read up to a byte.
    ///
    /// # Errors
    ///
    /// When the open file has become shorter than that.
    pub(crate) fn replaced(&self, open: &File, read_up_to: u64) -> Result<bool> {
        let path = &self.path;
        let cannot = |cause: io::Error| {
            Error::new(ErrorKind::Read, format!("cannot look at {path}")).because(cause)
        };
        let mine = open.metadata().map_err(cannot)?;
        if mine.len() < read_up_to {
            let message = format!(
                "{path} was cut off: it has {} bytes, and {read_up_to} were read; rotate it by \
                 renaming it instead, or start the job without its saved position",
                mine.len()
            );
            return Err(Error::new(ErrorKind::Read, message));
        }
        match fs::metadata(path) {
            Ok(there) => Ok(identity(&there) != identity(&mine)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(cannot(cause)),
        }
    }
}
