//! Event-time streams, collections that change and fixpoints over graphs, in one job: Apache Flink's job
//! model on [timely dataflow](https://docs.rs/timely) and
//! [differential dataflow](https://docs.rs/differential-dataflow).
//!
//! A job reads sources, gives records event time, windows them by key, joins them with collections that it
//! keeps exact as rows come and go, and writes sinks. It runs on threads and across processes by the flags `-w -n -p -h`, and what it gives is the same for any
//! number of workers and any order of arrival within the declared disorder. With `--checkpoint` it
//! survives the loss of any process, and commits every row once.
//!
//! ```no_run
//! use tidemill::prelude::*;
//!
//! #[derive(serde::Deserialize)]
//! struct Impression {
//!     ad: u64,
//!     at_ms: i64,
//!     clicked: bool,
//! }
//!
//! fn main() -> tidemill::Result<()> {
//!     Job::from_args("click-through")?.run(|flow| {
//!         flow.read(csv::<Impression>("impressions.csv"))?
//!             .event_time(|it| EventTime::from_millis(it.at_ms), Disorder::up_to(seconds(5)))
//!             .key_value(|it| (it.ad, f64::from(u8::from(it.clicked))))
//!             .window(Sliding::new(minutes(5), minutes(1)))
//!             .aggregate((Count, Mean::of(|clicked: &f64| *clicked)))
//!             .map(|pane| (pane.key, pane.span.end().to_string(), pane.value.0, pane.value.1))
//!             .write(to_csv("rates").columns(["ad", "until", "shown", "rate"]))
//!     })?;
//!     Ok(())
//! }
//! ```
//!
//! `program -w 2` runs it on two threads, `program --explain` shows it as a graph, `program --help` says
//! what else there is. A job whose sources end ends by itself, with every window fired.
//!
//! # Where to look
//!
//! - [`Job`] and [`config::Settings`]: running.
//! - [`connect`]: files, sockets, generators, and how to write a source or sink of your own.
//! - [`stream`], [`events`], [`keyed`], [`window`], [`aggregate`]: the vocabulary. It is the crate
//!   [`tidemill_operators`], re-exported here.
//! - [`event_time::Disorder`]: what makes a record late.
//! - [`process`]: functions with keyed state and timers.
//! - [`collection`]: collections that change, their joins, reductions and loops; [`join`]: two streams, or a
//!   stream and a table, by key and time.
//! - [`graph`]: distances, components, ranks and more, kept current as edges come and go;
//!   [`graph_tool`]: the same from the command line. [`fixpoint`]: how such algorithms are written.
//! - [`checkpoint`]: what a job with `--checkpoint` leaves behind, and goes on from with `--restore`.
//! - [`rule::Rule`]: an operator of your own.
//! - [`MapAsync`]: calling services from a job.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `postgres`: `connect::to_postgres`, a sink for tables of PostgreSQL.
//! - `nats`: `connect::from_nats` and `connect::to_nats`, streams of NATS JetStream.
//! - `tls`: encrypted connections between the processes of a job.
//! - `cloud`: checkpoints in the object stores of S3 and its like, Google Cloud and Azure.

#![warn(clippy::unwrap_used)]

pub mod checkpoint;
pub mod cluster;
pub mod config;
pub mod connect;
pub mod error;
pub mod graph;
pub mod graph_tool;
mod job;
#[cfg(unix)]
pub mod launch;
pub mod metrics;
pub mod prelude;
pub mod retry;
mod runtime;
mod signals;
mod spill;

pub use error::{Error, ErrorKind, Result};
pub use job::{AsyncOptions, Cause, Failed, Job, MapAsync, Read, Write};
pub use tidemill_operators::{
    aggregate, batch, collection, count, drive, event, event_time, events, fixpoint, flow, join,
    key, keyed, mark, partitions, plan, process, rule, state, stream, time, window,
};
