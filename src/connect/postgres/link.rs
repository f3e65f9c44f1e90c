//! The connection of one writer: opened when needed, and again when it was lost.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use ::postgres::error::DbError;
use ::postgres::{Client, Config};

use super::rows::Waiting;
use super::table::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::retry::Retry;

/// Opens a connection.
pub(super) type Connect = dyn Fn(&Config) -> Result<Client, ::postgres::Error> + Send + Sync;

/// A connection that survives being lost.
pub(super) struct Link {
    config: Config,
    connect: Arc<Connect>,
    retry: Retry,
    client: Option<Client>,
    table: String,
}

/// Why a step failed.
pub(super) enum Fault {
    /// The server or the way to it.
    Server(::postgres::Error),
    /// What is wrong is known better here.
    Known(Error),
}

impl From<::postgres::Error> for Fault {
    fn from(cause: ::postgres::Error) -> Self {
        Self::Server(cause)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Known(error)
    }
}

/// Writing into a `COPY` wraps the server's error.
impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        match cause.downcast::<::postgres::Error>() {
            Ok(cause) => Self::Server(cause),
            Err(cause) => Self::Known(
                Error::new(ErrorKind::Write, "cannot send rows to the server").because(cause),
            ),
        }
    }
}

impl Link {
    /// A connection that is not open yet.
    pub(super) fn new(config: Config, connect: Arc<Connect>, retry: Retry, table: &Table) -> Self {
        Self { config, connect, retry, client: None, table: table.name.clone() }
    }

    /// Makes sure that the server can be reached and has the table.
    pub(super) fn find(&mut self, table: &Table) -> Result<()> {
        let name = table.quoted().to_owned();
        self.run("find", None, |client| {
            let found = client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&name])?;
            if found.try_get::<_, bool>(0)? {
                return Ok(());
            }
            let message =
                format!("there is no table {}: create it before the job runs", table.name);
            Err(Error::new(ErrorKind::Setting, message).into())
        })
    }

    /// Does `work`, from its beginning again after what may pass: a lost connection, a server that
    /// restarts, a deadlock. `what` it does to the table is for errors, and so are the `rows` sent.
    pub(super) fn run<R>(
        &mut self,
        what: &str,
        rows: Option<&Waiting>,
        mut work: impl FnMut(&mut Client) -> Result<R, Fault>,
    ) -> Result<R> {
        let mut failed = 0;
        loop {
            let cause = match self.client().and_then(&mut work) {
                Ok(done) => return Ok(done),
                Err(Fault::Known(error)) => return Err(error),
                Err(Fault::Server(cause)) => cause,
            };
            failed += 1;
            match self.retry.pause_after(failed).filter(|_| passes(&cause)) {
                None => return Err(self.refused(what, rows, cause)),
                Some(pause) => {
                    self.client = None;
                    std::thread::sleep(pause);
                }
            }
        }
    }

    fn client(&mut self) -> Result<&mut Client, Fault> {
        match &mut self.client {
            Some(client) => Ok(client),
            none => Ok(none.insert((self.connect)(&self.config)?)),
        }
    }

    fn refused(&self, what: &str, rows: Option<&Waiting>, cause: ::postgres::Error) -> Error {
        let message = format!("cannot {what} table {}", self.table);
        let Some(refusal) = cause.as_db_error() else {
            return Error::new(ErrorKind::Write, message).because(cause);
        };
        let place = refusal.where_().unwrap_or_default();
        let row = line_of(place).zip(rows).and_then(|(line, rows)| rows.on_line(line));
        let row = row.map_or_else(String::new, |row| format!(", row {row}"));
        let kind = match refusal.code().code().get(..2) {
            // Data and constraints, not the server.
            Some("22" | "23") => ErrorKind::Malformed,
            _ => ErrorKind::Write,
        };
        Error::new(kind, message + &row).because(told(refusal))
    }
}

/// What the server said, in one line.
fn told(refusal: &DbError) -> String {
    let mut told = refusal.message().to_owned();
    let more = [refusal.detail(), refusal.hint(), refusal.where_()];
    for part in more.into_iter().flatten() {
        told.push_str("; ");
        told.push_str(&part.replace('\n', " "));
    }
    told
}

/// The line that `COPY rates, line 3, column shown: "x"` speaks of.
fn line_of(place: &str) -> Option<usize> {
    let (_, rest) = place.rsplit_once(", line ")?;
    let digits = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..digits)?.parse().ok()
}

/// Whether it may go well another time.
fn passes(cause: &::postgres::Error) -> bool {
    let Some(code) = cause.code() else {
        let lost = cause.source().is_some_and(|it| it.is::<io::Error>());
        return lost || cause.is_closed();
    };
    // Connections, rollbacks to resolve conflicts, resources, and an operator who stops the server.
    ["08", "40", "53", "57P"].iter().any(|class| code.code().starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read_off_what_the_server_says() {
        assert_eq!(line_of("COPY rates, line 3, column shown: \"x\""), Some(3));
        assert_eq!(line_of("COPY odd, line 9, line 12"), Some(12));
        assert_eq!(line_of("SQL statement"), None);
    }
}
