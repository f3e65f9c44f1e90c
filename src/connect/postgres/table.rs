//! What is said to the server about a table: the statements, with every name in quotes.

use crate::error::{Error, ErrorKind, Result};
use crate::key::hash;

/// The table that a sink writes to, and how.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// As the user wrote it.
    pub(super) name: String,
    /// What the sink is called in the table of commits.
    pub(super) sink: String,
    schema: Option<String>,
    quoted: String,
    keys: Vec<String>,
}

/// One column, as the server describes it.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) required: bool,
}

impl Table {
    /// The table of this name, which may have its schema before it.
    pub(super) fn new(name: &str, sink: &str, keys: Vec<String>) -> Result<Self> {
        let (schema, table) = match name.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, name),
        };
        let parts = schema.iter().chain([&table]);
        if sink.is_empty() || parts.clone().any(|part| part.is_empty() || part.contains('\0')) {
            let message = format!("{name:?}: name a table as `table` or `schema.table`");
            return Err(Error::new(ErrorKind::Setting, message));
        }
        Ok(Self {
            name: name.to_owned(),
            sink: sink.to_owned(),
            quoted: beside(schema, table),
            schema: schema.map(str::to_owned),
            keys,
        })
    }

    /// The table's name in quotes.
    pub(super) fn quoted(&self) -> &str {
        &self.quoted
    }

    /// Whether rows replace others.
    pub(super) fn upserts(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Refuses keys that are not among the columns.
    pub(super) fn check(&self, columns: &[String]) -> Result<()> {
        match self.keys.iter().find(|key| !columns.contains(key)) {
            None => Ok(()),
            Some(key) => {
                let message = format!(
                    "`upsert` of table {} names {key}, which is not among the columns {}",
                    self.name,
                    columns.join(", ")
                );
                Err(Error::new(ErrorKind::Setting, message))
            }
        }
    }

    /// What is needed to stage rows at all, for all sinks of the schema.
    pub(super) fn foundation(&self) -> String {
        let (commits, transactions) = (self.commits(), self.transactions());
        format!(
            "CREATE SEQUENCE IF NOT EXISTS {transactions};
             CREATE TABLE IF NOT EXISTS {commits} (
                 sink text, worker integer, transaction bigint NOT NULL,
                 rows bigint NOT NULL, committed_at timestamptz NOT NULL DEFAULT now(),
                 PRIMARY KEY (sink, worker)
             )"
        )
    }

    /// The staging table for rows of these columns. Its name says which they are, so that rows
    /// staged before a change of the program or of the table stay readable.
    pub(super) fn staging(&self, columns: &[Column]) -> String {
        const READABLE: usize = 32;
        let described = columns.iter().map(|it| (&it.name, &it.kind, it.required));
        let digest = hash(&(&self.sink, &self.name, Vec::from_iter(described)));
        let plain =
            |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '_' };
        let readable: String = self.sink.chars().map(plain).take(READABLE).collect();
        beside(self.schema.as_deref(), &format!("tidemill_staged_{readable}_{:08x}", digest as u32))
    }

    /// Creates the staging table.
    pub(super) fn create(&self, staged: &str, columns: &[Column]) -> String {
        let columns = columns.iter().map(|it| {
            let required = if it.required { " NOT NULL" } else { "" };
            format!("{} {}{required}", identifier(&it.name), it.kind)
        });
        let columns = Vec::from_iter(columns).join(", ");
        format!(
            "CREATE TABLE IF NOT EXISTS {staged} (
                 tidemill_worker integer NOT NULL, tidemill_transaction bigint NOT NULL,
                 tidemill_row bigint NOT NULL, {columns},
                 PRIMARY KEY (tidemill_transaction, tidemill_row)
             )"
        )
    }

    /// Takes rows into this table, or with their numbers into a staging table.
    pub(super) fn copy(&self, staged: Option<&str>, columns: &[String]) -> String {
        let columns = list(columns);
        let (table, columns) = match staged {
            None => (self.quoted.as_str(), columns),
            Some(staged) => (staged, format!("{NUMBERS}, {columns}")),
        };
        format!("COPY {table} ({columns}) FROM STDIN (FORMAT csv, NULL '\\N')")
    }

    /// Moves the rows of a transaction from a staging table to the table.
    pub(super) fn advance(&self, staged: &str, transaction: i64, columns: &[String]) -> String {
        let (into, names) = (&self.quoted, list(columns));
        let moved = format!(
            "WITH moved AS (
                 DELETE FROM {staged} WHERE tidemill_transaction = {transaction} RETURNING *
             )"
        );
        if !self.upserts() {
            return format!(
                "{moved} INSERT INTO {into} ({names}) SELECT {names} FROM moved ORDER BY tidemill_row"
            );
        }
        let keys = list(&self.keys);
        let others = columns.iter().filter(|it| !self.keys.contains(it)).map(|it| identifier(it));
        let set = Vec::from_iter(others.map(|it| format!("{it} = EXCLUDED.{it}"))).join(", ");
        let done = if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {set}") };
        // Sorted by key, so that two workers do not wait for each other in a circle.
        format!(
            "{moved}, newest AS (
                 SELECT DISTINCT ON ({keys}) * FROM moved ORDER BY {keys}, tidemill_row DESC
             )
             INSERT INTO {into} ({names}) SELECT {names} FROM newest ORDER BY {keys}
             ON CONFLICT ({keys}) DO {done}"
        )
    }

    /// The table in which commits are noted.
    pub(super) fn commits(&self) -> String {
        beside(self.schema.as_deref(), "tidemill_commits")
    }

    /// The sequence that numbers transactions.
    pub(super) fn transactions(&self) -> String {
        beside(self.schema.as_deref(), "tidemill_transactions")
    }
}

/// The columns that say where a staged row belongs.
const NUMBERS: &str = "tidemill_worker, tidemill_transaction, tidemill_row";

fn list(columns: &[String]) -> String {
    Vec::from_iter(columns.iter().map(|it| identifier(it))).join(", ")
}

fn beside(schema: Option<&str>, name: &str) -> String {
    schema.map_or_else(|| identifier(name), |it| format!("{}.{}", identifier(it), identifier(name)))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, keys: &[&str]) -> Table {
        let keys = keys.iter().map(|it| (*it).to_owned()).collect();
        Table::new(name, name, keys).expect("a table")
    }

    #[test]
    fn names_stay_names_whatever_they_hold() {
        let odd = table("a\"; DROP TABLE b", &[]);
        assert_eq!(odd.quoted(), "\"a\"\"; DROP TABLE b\"");
        assert_eq!(table("s.t", &[]).commits(), "\"s\".\"tidemill_commits\"");
        for refused in ["", ".t", "s.", "a\0b"] {
            let error = Table::new(refused, "sink", Vec::new()).expect_err("not a table");
            assert_eq!(error.kind(), ErrorKind::Setting);
        }
    }

    #[test]
    fn a_staging_table_is_named_by_sink_and_columns() {
        let column = |name: &str, kind: &str| Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
            required: false,
        };
        let columns = [column("a", "bigint")];
        let staged = table("Rates of März", &[]).staging(&columns);
        assert!(staged.starts_with("\"tidemill_staged_rates_of_m_rz_"), "{staged}");
        assert_ne!(staged, table("Rates of März", &[]).staging(&[column("a", "text")]));
        assert_ne!(staged, table("Rates of März", &[]).staging(&[column("b", "bigint")]));
        assert!(table(&"long".repeat(30), &[]).staging(&columns).len() <= 63 + 2);
    }

    #[test]
    fn keys_are_among_the_columns() {
        let error = table("t", &["a", "c"]).check(&["a".to_owned(), "b".to_owned()]);
        assert!(error.expect_err("no column c").to_string().contains("names c"));
    }
}
