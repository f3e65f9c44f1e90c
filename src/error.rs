//! The one error type of this crate.

use std::error::Error as StdError;
use std::fmt;

/// What a fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, on what, and what to try.
///
/// Each layer adds only what it knows; the cause below is [`source`](StdError::source). `Display`
/// writes this layer, `{:#}` the whole chain in one line, and so does `Debug`: what a `main` that
/// returns the error prints is meant to be read.
pub struct Error {
    kind: ErrorKind,
    message: String,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is unknown, contradictory or out of range.
    Setting,
    /// A file, socket or other place outside could not be read.
    Read,
    /// A file, socket or other place outside could not be written.
    Write,
    /// A write was reported as failed and may have happened.
    InDoubt,
    /// A record cannot be understood.
    Malformed,
    /// Saved state cannot be used.
    State,
    /// A worker or process stopped before the job was done.
    Stopped,
}

impl Error {
    /// An error of `kind` that says `message`: lower case, no full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    /// The same error with what caused it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if f.alternate() {
            let mut cause = self.source();
            while let Some(it) = cause {
                write!(f, ": {it}")?;
                cause = it.source();
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|it| it as &(dyn StdError + 'static))
    }
}
