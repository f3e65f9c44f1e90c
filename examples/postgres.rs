//! Counts clicks per page and minute into a table of PostgreSQL, and says how many rows it wrote.
//!
//! A count is replaced when a later one for the same page and minute comes, so the table is the same
//! however often the job is started again. It needs a server and the table:
//!
//! ```sh
//! psql shop -c 'CREATE TABLE clicks (page text, minute timestamptz, clicks bigint,
//!     PRIMARY KEY (page, minute))'
//! cargo run --features postgres --example postgres -- --url postgres://localhost/shop
//! ```

use clap::Parser;
use serde::Serialize;
use tidemill::prelude::*;

#[derive(Parser)]
struct Arguments {
    /// The server and database, as in postgres://user:password@localhost/shop.
    #[arg(long)]
    url: String,
    /// The table to write to.
    #[arg(long, default_value = "clicks")]
    table: String,
    #[command(flatten)]
    settings: Settings,
}

/// A row of the table: its fields are the columns.
#[derive(Serialize)]
struct Clicks {
    page: String,
    minute: String,
    clicks: u64,
}

fn main() -> tidemill::Result<()> {
    let Arguments { url, table, settings } = Arguments::parse();
    let seen = Job::new("clicks", settings).run(move |flow| {
        flow.read(generate(7, |index, random| (index, random.below(5))).limit(100_000))?
            // A click every 10 milliseconds.
            .event_time(|it| EventTime::from_millis(10 * it.0 as i64), Disorder::ascending())
            .key_by(|it| it.1)
            .window(Tumbling::new(minutes(1)))
            .aggregate(Count)
            .map(|pane| Clicks {
                page: format!("/page/{}", pane.key),
                minute: pane.span.start().to_string(),
                clicks: pane.value,
            })
            .write(to_postgres(&url, &table).upsert(["page", "minute"]))
    })?;
    println!("{} rows", seen.rows_out());
    Ok(())
}
