//! Tables of PostgreSQL as sinks.
//!
//! Rows are sent by `COPY`. With checkpoints they go to a table of their own first, a *staging*
//! table, and are moved on in the transaction that also notes the commit: a replay finds nothing to
//! move. `PREPARE TRANSACTION` would do without the staging table, but servers refuse it unless
//! they were configured for it, and one that is forgotten holds its locks for ever.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use super::{Sink, Writer};
use crate::error::{Error, ErrorKind, Result};
use crate::retry::Retry;
use crate::time::{millis, seconds};

mod link;
mod rows;
mod table;
mod writer;

use link::{Connect, Link};
use table::Table;
use writer::TableWriter;

/// Writes records to a table of PostgreSQL, which `url` and the table's name say, as in
/// `postgres://user@localhost/shop` and `rates` or `stats.rates`.
///
/// The fields of a struct go to the columns of the same names, those of a struct inside it to
/// `outer.inner`; a tuple needs [`columns`](PostgresSink::columns). Values travel as text that the
/// server reads according to the type of the column: a text for a time, a number for a `numeric`,
/// JSON in a text for a `jsonb`. `None` is `NULL`, bytes are for `bytea`. Other columns of the table
/// get their defaults.
///
/// ```no_run
/// use tidemill::prelude::*;
///
/// #[derive(serde::Serialize)]
/// struct Rate {
///     ad: u64,
///     until: String,
///     clicks: Option<f64>,
/// }
///
/// # fn main() -> tidemill::Result<()> {
/// Job::from_args("rates")?.run(|flow| {
///     let rates = flow.read(iterate(|| {
///         [Rate { ad: 7, until: "2026-01-01T12:00:00Z".to_owned(), clicks: None }]
///     }))?;
///     rates.write(to_postgres("postgres://localhost/shop", "rates").upsert(["ad", "until"]))
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn to_postgres<T: Serialize + Send + 'static>(
    url: impl Into<String>,
    table: impl Into<String>,
) -> PostgresSink<T> {
    let table = table.into();
    PostgresSink {
        url: url.into(),
        name: table.clone(),
        table,
        columns: None,
        keys: Vec::new(),
        retry: Retry::exponential(8, millis(100), seconds(5)),
        connect: Arc::new(|config| config.connect(::postgres::NoTls)),
        records: PhantomData,
    }
}

/// A table of PostgreSQL as a sink: made by [`to_postgres`].
///
/// # Guarantees
///
/// In a job with checkpoints every row is in the table exactly once, whenever the job or the server
/// crashed: rows of a checkpoint become visible in one transaction per worker, together with a row
/// in `tidemill_commits`, and committing again changes nothing. Without checkpoints rows become
/// visible as epochs complete, each at least once: a row may be written again after a connection
/// was lost.
///
/// With [`upsert`](Self::upsert) the last row of a key wins, in the order in which its worker wrote
/// them: let one worker write all rows of a key, as it does behind `key_by`.
///
/// # What it makes in the database
///
/// In the schema of the table: `tidemill_commits`, the sequence `tidemill_transactions`, and for each
/// sink and choice of columns a staging table, `tidemill_staged_…`. Rows are staged in a job with
/// checkpoints and for upserts, and otherwise those that exceed the buffer before the first epoch
/// completes.
/// Rows that a crash left staged are removed by the next run that continues from a checkpoint. The
/// user needs the right to create tables in that schema, once.
///
/// # Cost
///
/// Each row is sent once. Staged rows are written twice by the server. A worker has one connection
/// and buffers 1 MiB.
///
/// # Errors
///
/// Of the server, with the table, and for a value that is refused with its column and row. A value
/// of the wrong type or a missing one is found before a checkpoint depends on it; a row that breaks
/// a `CHECK` or `UNIQUE` constraint stops the job when it is committed, again after each restart,
/// until the row in its way or the constraint is gone.
///
/// A connection that is lost is opened again as [`retry`](Self::retry) says.
pub struct PostgresSink<T> {
    url: String,
    table: String,
    name: String,
    columns: Option<Vec<String>>,
    keys: Vec<String>,
    retry: Retry,
    connect: Arc<Connect>,
    records: PhantomData<fn(T)>,
}

impl<T> PostgresSink<T> {
    /// The columns that the fields of a record go to, in the order of the fields: those named as the
    /// fields are unless set.
    #[must_use]
    pub fn columns<N: Into<String>>(mut self, columns: impl IntoIterator<Item = N>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Replaces the row that has the same values in these columns, if there is one; the table needs
    /// a primary key or unique index on them. Unless set every record becomes a row of its own.
    #[must_use]
    pub fn upsert<N: Into<String>>(mut self, keys: impl IntoIterator<Item = N>) -> Self {
        self.keys = keys.into_iter().map(Into::into).collect();
        self
    }

    /// What the sink is called in `tidemill_commits`: as the table unless set. Two sinks that write to
    /// the same table, in one job or in two, need different names; a name stays the same for
    /// the life of a job's checkpoints.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How often something is tried that failed because the server could not be reached, was
    /// restarted or had too many clients: 8 times within some 11 s unless set.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Connects in another way than without encryption, such as with one of the TLS crates made for
    /// the crate `postgres`: `.connect_with(move |config| config.connect(tls.clone()))`.
    #[must_use]
    pub fn connect_with(
        mut self,
        connect: impl Fn(&::postgres::Config) -> Result<::postgres::Client, ::postgres::Error>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.connect = Arc::new(connect);
        self
    }
}

impl<T: Serialize + Send + 'static> Sink for PostgresSink<T> {
    type Record = T;

    fn open(&self, worker: usize, peers: usize) -> Result<Box<dyn Writer<Record = T>>> {
        let config = self.url.parse().map_err(|cause: ::postgres::Error| {
            // The cause says which part is wrong; the whole may hold a password.
            let message = format!("the url of the sink {} cannot be understood", self.name());
            Error::new(ErrorKind::Setting, message).because(cause)
        })?;
        let table = Table::new(&self.table, &self.name, self.keys.clone())?;
        let mut link = Link::new(config, Arc::clone(&self.connect), self.retry.clone(), &table);
        link.find(&table)?;
        Ok(Box::new(TableWriter::new(table, link, self.columns.clone(), worker, peers)))
    }

    fn name(&self) -> String {
        format!("postgres {}", self.table)
    }
}

impl<T> Clone for PostgresSink<T> {
    fn clone(&self) -> Self {
        let Self { url, table, name, columns, keys, retry, connect, records } = self;
        Self {
            url: url.clone(),
            table: table.clone(),
            name: name.clone(),
            columns: columns.clone(),
            keys: keys.clone(),
            retry: retry.clone(),
            connect: Arc::clone(connect),
            records: *records,
        }
    }
}

/// Leaves out the address, which may hold a password.
impl<T> fmt::Debug for PostgresSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSink")
            .field("table", &self.table)
            .field("name", &self.name)
            .field("columns", &self.columns)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
