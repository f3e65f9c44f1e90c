//! Why a value cannot be written or read, and where in it.

use std::fmt::{self, Display};

/// What is wrong and the fields, places and variants that lead there.
///
/// It is a pointer wide, so that the result of every small step stays small.
#[derive(Debug)]
pub(super) struct Error(Box<Fault>);

#[derive(Debug)]
struct Fault {
    what: String,
    /// The innermost first.
    path: Vec<String>,
}

impl Error {
    #[cold]
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(Box::new(Fault { what: what.into(), path: Vec::new() }))
    }

    #[cold]
    pub(super) fn too_deep() -> Self {
        Self::new(format!("it is nested more than {} deep", super::DEPTH))
    }

    #[cold]
    pub(super) fn too_long(len: usize) -> Self {
        Self::new(format!("a length of {len} is beyond 32 bits"))
    }

    /// The same, seen from around the part called `name`.
    #[cold]
    pub(super) fn within(mut self, name: String) -> Self {
        self.0.path.push(name);
        self
    }
}

impl Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.path.iter().rev().enumerate() {
            let dot = if place == 0 { "" } else { "." };
            write!(out, "{dot}{name}")?;
        }
        let colon = if self.0.path.is_empty() { "" } else { ": " };
        write!(out, "{colon}{}", self.0.what)
    }
}

impl std::error::Error for Error {}

impl serde::ser::Error for Error {
    fn custom<T: Display>(what: T) -> Self {
        Self::new(what.to_string())
    }
}

impl serde::de::Error for Error {
    fn custom<T: Display>(what: T) -> Self {
        Self::new(what.to_string())
    }
}
