//! The writer of a table: rows on their way, staged, and moved on.

use std::io::Write;
use std::marker::PhantomData;

use ::postgres::{Client, Transaction};
use serde::{Deserialize, Serialize};

use super::link::{Fault, Link};
use super::rows::Waiting;
use super::table::{Column, Table};
use crate::connect::Writer;
use crate::error::{Error, ErrorKind, Result};

/// Bytes of rows that are sent at once.
const CHUNK: usize = 1 << 20;

/// Taken while tables are made, so that two writers do not make the same.
const SETUP_LOCK: i64 = 0x7469_6465_6d69_6c6c;

/// The writing end of one worker.
pub(super) struct TableWriter<T> {
    table: Table,
    link: Link,
    worker: i32,
    peers: i32,
    waiting: Waiting,
    promise: Promise,
    /// The staging table, once it is known to be there.
    staging: Option<String>,
    /// What is staged and not prepared.
    open: Option<Open>,
    /// The first transaction of this run: what this worker staged before is of an earlier one.
    first: Option<i64>,
    swept: bool,
    records: PhantomData<fn(T)>,
}

/// What rows wait for before they are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// Nothing has told yet: shown neither early nor kept in memory.
    Unknown,
    /// A flush.
    Flush,
    /// A commit.
    Commit,
}

/// A transaction in the making.
#[derive(Clone, Copy)]
struct Open {
    transaction: i64,
    rows: i64,
}

/// A transaction as a checkpoint keeps it.
#[derive(Serialize, Deserialize)]
struct Prepared {
    sink: String,
    worker: i32,
    transaction: i64,
    rows: i64,
    staging: String,
    columns: Vec<String>,
}

impl<T: Serialize + Send> TableWriter<T> {
    pub(super) fn new(
        table: Table,
        link: Link,
        columns: Option<Vec<String>>,
        worker: usize,
        peers: usize,
    ) -> Self {
        let small = |count: usize| i32::try_from(count).expect("fewer than 2^31 workers");
        Self {
            table,
            link,
            worker: small(worker),
            peers: small(peers),
            waiting: Waiting::new(columns),
            promise: Promise::Unknown,
            staging: None,
            open: None,
            first: None,
            swept: false,
            records: PhantomData,
        }
    }

    /// Whether rows may go to the table without having been staged.
    fn direct(&self) -> bool {
        self.promise != Promise::Commit && !self.table.upserts() && self.open.is_none()
    }

    fn copy(&mut self) -> Result<()> {
        if self.waiting.count() > 0 {
            let statement = self.table.copy(None, self.waiting.columns());
            let waiting = &self.waiting;
            self.link.run("write to", Some(waiting), |client| {
                let mut step = client.transaction()?;
                copied(&mut step, &statement, waiting.plain())?;
                Ok(step.commit()?)
            })?;
            self.waiting.clear();
        }
        Ok(())
    }

    fn stage(&mut self) -> Result<()> {
        if self.waiting.count() == 0 {
            return Ok(());
        }
        let staging = self.staging()?;
        let Open { transaction, rows } = self.transaction()?;
        let waiting = &self.waiting;
        let numbered = waiting.numbered(&format!("{},{transaction},", self.worker), rows as u64);
        let statement = self.table.copy(Some(&staging), waiting.columns());
        // An attempt of which nothing was heard may have gone well.
        let undo = format!(
            "DELETE FROM {staging}
             WHERE tidemill_transaction = {transaction} AND tidemill_row >= {rows}"
        );
        self.link.run("stage rows of", Some(waiting), |client| {
            let mut step = client.transaction()?;
            step.batch_execute(&undo)?;
            copied(&mut step, &statement, &numbered)?;
            Ok(step.commit()?)
        })?;
        self.open = Some(Open { transaction, rows: rows + waiting.count() as i64 });
        self.waiting.clear();
        Ok(())
    }

    /// The transaction that rows are staged for, begun if none is.
    fn transaction(&mut self) -> Result<Open> {
        if let Some(open) = self.open {
            return Ok(open);
        }
        let draw = format!("SELECT nextval('{}')", self.table.transactions().replace('\'', "''"));
        let transaction = self.link.run("number a transaction of", None, |client| {
            Ok(client.query_one(&draw, &[])?.try_get(0)?)
        })?;
        self.first.get_or_insert(transaction);
        Ok(Open { transaction, rows: 0 })
    }

    /// The staging table, made if it is not there.
    fn staging(&mut self) -> Result<String> {
        if let Some(staging) = &self.staging {
            return Ok(staging.clone());
        }
        let (table, columns) = (&self.table, self.waiting.columns());
        table.check(columns)?;
        let staging = self.link.run("stage rows of", None, |client| {
            let mut step = client.transaction()?;
            step.execute("SELECT pg_advisory_xact_lock($1)", &[&SETUP_LOCK])?;
            let described = described(&mut step, table, columns)?;
            let staging = table.staging(&described);
            // Asked first: who finds everything there needs no right to create it.
            if missing(&mut step, &table.commits())? {
                step.batch_execute(&table.foundation())?;
            }
            if missing(&mut step, &staging)? {
                step.batch_execute(&table.create(&staging, &described))?;
            }
            // A table that cannot be moved to is better found now than when it is committed to.
            step.batch_execute(&format!("EXPLAIN {}", table.advance(&staging, 0, columns)))?;
            step.commit()?;
            Ok(staging)
        })?;
        self.staging = Some(staging.clone());
        Ok(staging)
    }

    /// What is staged, as it will be committed.
    fn staged(&mut self) -> Option<Prepared> {
        let (Open { transaction, rows }, staging) = (self.open.take()?, self.staging.clone()?);
        let (sink, columns) = (self.table.sink.clone(), self.waiting.columns().to_vec());
        Some(Prepared { sink, worker: self.worker, transaction, rows, staging, columns })
    }

    /// Moves staged rows to the table, unless that has happened.
    fn advance(&mut self, prepared: &Prepared) -> Result<()> {
        let table = &self.table;
        self.link.run("commit rows to", None, |client| advanced(client, table, prepared))?;
        let own = self.first.is_some_and(|first| first <= prepared.transaction);
        if own && !std::mem::replace(&mut self.swept, true) {
            self.sweep()?;
        }
        Ok(())
    }

    /// Removes what earlier runs staged and no checkpoint holds. All that the checkpoint which this
    /// run continues from holds was committed before the first transaction of this run was.
    fn sweep(&mut self) -> Result<()> {
        let (Some(staging), Some(first)) = (&self.staging, self.first) else { return Ok(()) };
        let Self { worker, peers, .. } = *self;
        let gone =
            if worker == 0 { format!(" OR tidemill_worker >= {peers}") } else { String::new() };
        let sweep = format!(
            "DELETE FROM {staging}
             WHERE tidemill_transaction < {first} AND (tidemill_worker = {worker}{gone})"
        );
        self.link
            .run("clean up what was staged for", None, |client| Ok(client.batch_execute(&sweep)?))
    }

    fn show(&mut self) -> Result<()> {
        if self.direct() {
            return self.copy();
        }
        self.stage()?;
        match self.staged() {
            Some(staged) => self.advance(&staged),
            None => Ok(()),
        }
    }
}

/// Sends rows, and commits nothing.
fn copied(step: &mut Transaction<'_>, statement: &str, rows: &[u8]) -> Result<(), Fault> {
    let mut copy = step.copy_in(statement)?;
    copy.write_all(rows)?;
    copy.finish()?;
    Ok(())
}

fn missing(step: &mut Transaction<'_>, table: &str) -> Result<bool, Fault> {
    let asked = step.query_one("SELECT to_regclass($1::text) IS NULL", &[&table])?;
    Ok(asked.try_get(0)?)
}

/// The columns as the server describes them, in the same order.
fn described(
    step: &mut Transaction<'_>,
    table: &Table,
    columns: &[String],
) -> Result<Vec<Column>, Fault> {
    let rows = step.query(
        "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
         WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped",
        &[&table.quoted()],
    )?;
    let mut found = Vec::new();
    for row in rows {
        let (name, kind) = (row.try_get(0)?, row.try_get(1)?);
        found.push(Column { name, kind, required: row.try_get(2)? });
    }
    let describe = |name: &String| {
        found.iter().find(|it| it.name == *name).cloned().ok_or_else(|| {
            let message = format!("table {} has no column {name}", table.name);
            Fault::from(Error::new(ErrorKind::Setting, message))
        })
    };
    columns.iter().map(describe).collect()
}

/// Moves staged rows to the table and notes it, in one transaction.
fn advanced(client: &mut Client, table: &Table, prepared: &Prepared) -> Result<(), Fault> {
    let Prepared { sink, worker, transaction, rows, staging, columns } = prepared;
    let commits = table.commits();
    let mut step = client.transaction()?;
    step.execute(
        &format!(
            "INSERT INTO {commits} (sink, worker, transaction, rows) VALUES ($1, $2, -1, 0)
             ON CONFLICT DO NOTHING"
        ),
        &[sink, worker],
    )?;
    // Whoever commits the same waits here.
    let last = step.query_one(
        &format!("SELECT transaction FROM {commits} WHERE sink = $1 AND worker = $2 FOR UPDATE"),
        &[sink, worker],
    )?;
    let there = step.query_one(
        &format!("SELECT count(*) FROM {staging} WHERE tidemill_transaction = $1"),
        &[transaction],
    )?;
    let (last, there) = (last.try_get::<_, i64>(0)?, there.try_get::<_, i64>(0)?);
    if there == 0 && *transaction <= last {
        return Ok(());
    }
    if there != *rows {
        let message = format!(
            "{there} of the {rows} rows prepared for table {} in transaction {transaction} are in \
             {staging}: was it emptied, or the database put back to an earlier state?",
            table.name
        );
        return Err(Error::new(ErrorKind::State, message).into());
    }
    step.batch_execute(&table.advance(staging, *transaction, columns))?;
    step.execute(
        &format!(
            "UPDATE {commits} SET transaction = greatest(transaction, $3), rows = rows + $4,
             committed_at = now() WHERE sink = $1 AND worker = $2"
        ),
        &[sink, worker, transaction, rows],
    )?;
    Ok(step.commit()?)
}

fn unreadable(cause: postcard::Error) -> Error {
    let message = "a prepared transaction of a table of PostgreSQL cannot be understood";
    Error::new(ErrorKind::State, message).because(cause)
}

fn parsed(prepared: &[u8]) -> Result<Option<Prepared>> {
    match prepared {
        [] => Ok(None),
        bytes => postcard::from_bytes(bytes).map(Some).map_err(unreadable),
    }
}

impl<T: Serialize + Send> Writer for TableWriter<T> {
    type Record = T;

    fn write(&mut self, records: &mut Vec<T>) -> Result<()> {
        for record in records.drain(..) {
            self.waiting.add(&record, &self.table.name)?;
            if self.waiting.size() >= CHUNK {
                if self.promise == Promise::Flush && self.direct() {
                    self.copy()?;
                } else {
                    self.stage()?;
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.promise == Promise::Commit {
            return Ok(());
        }
        self.promise = Promise::Flush;
        self.show()
    }

    fn prepare(&mut self) -> Result<Vec<u8>> {
        self.promise = Promise::Commit;
        self.stage()?;
        match self.staged() {
            Some(staged) => postcard::to_stdvec(&staged).map_err(unreadable),
            None => Ok(Vec::new()),
        }
    }

    fn commit(&mut self, prepared: &[u8]) -> Result<()> {
        self.promise = Promise::Commit;
        parsed(prepared)?.map_or(Ok(()), |prepared| self.advance(&prepared))
    }

    fn abort(&mut self, prepared: &[u8]) -> Result<()> {
        self.promise = Promise::Commit;
        let Some(Prepared { staging, transaction, .. }) = parsed(prepared)? else { return Ok(()) };
        let undo = format!("DELETE FROM {staging} WHERE tidemill_transaction = {transaction}");
        self.link.run("abort rows of", None, |client| Ok(client.batch_execute(&undo)?))
    }

    fn close(&mut self) -> Result<()> {
        self.show()
    }
}
