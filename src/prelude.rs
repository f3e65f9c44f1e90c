//! What most programs use: `use tidemill::prelude::*;`.

pub use crate::aggregate::{
    Aggregate, ApproxDistinct, Collect, Count, Distinct, First, Fold, Last, Max, Mean, Min,
    Quantiles, Reduce, Sum, TopK, Variance,
};
pub use crate::collection::{Collection, Loop, Verdict};
pub use crate::config::{Restore, Settings};
pub use crate::connect::{
    Collected, CsvOutput, FileSink, Files, OnMalformed, Roll, collect, csv, generate, iterate,
    jsonl, read_all, tcp_lines, text, to_csv, to_files, to_jsonl, to_stdout, to_stdout_jsonl,
    to_text,
};
#[cfg(feature = "nats")]
pub use crate::connect::{NatsSink, NatsSource, from_nats, to_nats};
#[cfg(feature = "postgres")]
pub use crate::connect::{PostgresSink, to_postgres};
pub use crate::event::Event;
pub use crate::event_time::Disorder;
pub use crate::events::Events;
pub use crate::flow::Flow;
pub use crate::job::{AsyncOptions, Failed, Job, MapAsync, Read, Write};
pub use crate::join::{Interval, earlier, later};
pub use crate::keyed::Keyed;
pub use crate::process::{
    AggregatingState, BroadcastProcess, CoProcess, Context, Expiry, ListState, MapState, Process,
    ReducingState, States, ValueState,
};
pub use crate::retry::Retry;
pub use crate::rule::Either;
pub use crate::stream::Stream;
pub use crate::time::{EventTime, Span, days, hours, millis, minutes, seconds};
pub use crate::window::{
    Count as CountWindow, Cumulative, Global, Pane, Session, Sliding, Tumbling, evict, trigger,
};
