//! Operators on timely dataflow: event-time streams and windows, incremental collections and fixpoints.
//!
//! This is the vocabulary of [Tidemill](https://docs.rs/tidemill), on timely and differential alone: no
//! file, no socket, no clock, no async runtime. Use it in a timely program of your own; the
//! `tidemill` crate adds jobs, connectors and a command line.
//!
//! ```
//! use tidemill_operators::aggregate::{Count, Mean};
//! use tidemill_operators::event_time::Disorder;
//! use tidemill_operators::flow::Flow;
//! use tidemill_operators::stream::Stream;
//! use tidemill_operators::time::{EventTime, minutes, seconds};
//! use tidemill_operators::window::Sliding;
//! use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
//!
//! // (sensor, seconds, degrees)
//! let readings = [(1u32, 10, 20.0), (1, 70, 22.0), (2, 65, 5.0), (1, 62, 24.0)];
//! let means = timely::example(move |scope| {
//!     let readings = Stream::from_inner(&Flow::new(scope), readings.to_stream(scope));
//!     readings
//!         .event_time(|it| EventTime::from_secs(it.1), Disorder::up_to(seconds(30)))
//!         .key_value(|(sensor, _, degrees)| (sensor, degrees))
//!         .window(Sliding::new(minutes(2), minutes(1)))
//!         .aggregate((Count, Mean::of(|degrees: &f64| *degrees)))
//!         .values()
//!         .map(|pane| (pane.key, pane.span.start().to_string(), pane.value.0, pane.value.1 as i64))
//!         .inner()
//!         .capture()
//! });
//! let mut means: Vec<_> = means.extract().into_iter().flat_map(|(_, panes)| panes).collect();
//! means.sort();
//! assert_eq!(means[1], (1, "1970-01-01T00:00:00Z".to_owned(), 3, 22));
//! ```
//!
//! # Three ideas
//!
//! **An epoch is the engine's only clock.** Its timestamp is a [counter of small batches](time::Epoch) of
//! input. Event time is data, and the [watermark](mark) is a function of the epoch: at the end of each
//! epoch every worker says how far its event time has come, and windows fire when the epoch is
//! complete. So what is computed depends on the input and its epochs, never on a race.
//!
//! **A [rule](rule::Rule) and its [wiring](drive) never mix.** What an operator does is plain state that a
//! test calls directly. When it does it, who holds which capability, what is saved and restored: that
//! is written once.
//!
//! **Verbs are methods of handles.** [`Stream`](stream::Stream) becomes [`Events`](events::Events) by
//! [`event_time`](stream::Stream::event_time), [`Keyed`](keyed::Keyed) by
//! [`key_by`](events::Events::key_by), [`Windowed`](window::Windowed) by
//! [`window`](keyed::Keyed::window). A window over a stream without event time does not compile.
//! [`Stream::inner`](stream::Stream::inner) gives the engine's own stream back.
//!
//! # Collections, joins and loops
//!
//! A [`Collection`](collection::Collection) is a multiset that changes from epoch to epoch, and what is
//! computed of it is kept current, under deletions too: by [joins and aggregates](collection), and in
//! [loops](collection::Collection::iterate) that end when nothing changes any more, also of [several
//! collections](collection::Collection::fixpoint) that define each other and one within the other.
//! [Streams join](join) by time: in intervals, in windows, with the version of a moment, or with what a
//! collection holds at the epoch.
//!
//! Where the data are too large to go round a loop themselves they stay on their workers, and something
//! smaller goes round: in [bulk iteration](fixpoint) a model that all compute on, until it has converged
//! ([`Collection::bulk`](collection::Collection::bulk)), or messages between the parts
//! ([`Collection::rounds`](collection::Collection::rounds)).
//!
//! ```
//! use tidemill_operators::collection::Loop;
//! use tidemill_operators::flow::Flow;
//! use tidemill_operators::stream::Stream;
//! use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
//!
//! // Who is whose ancestor; that 3 is a child of 2 was a mistake.
//! let parents = [((1, 2), 1), ((2, 3), 1), ((1, 4), 1), ((4, 5), 1), ((2, 3), -1)];
//! let ancestors = timely::example(move |scope| {
//!     let parents = Stream::from_inner(&Flow::new(scope), parents.to_stream(scope)).changelog();
//!     let ancestors = parents.clone().iterate_in(Loop::named("ancestors").at_most(100), |found| {
//!         let parents = parents.enter(&found);
//!         let next = found.map(|(old, young)| (young, old)).join(parents.clone());
//!         next.map(|(_, (old, child))| (old, child)).concat(parents).distinct()
//!     });
//!     ancestors.changes().inner().capture()
//! });
//! assert_eq!(ancestors.extract(), [(0, vec![((1, 2), 1), ((1, 4), 1), ((1, 5), 1), ((4, 5), 1)])]);
//! ```

#![warn(clippy::unwrap_used)]

pub mod aggregate;
pub mod batch;
pub mod collection;
pub mod count;
pub mod drive;
pub mod event;
pub mod event_time;
pub mod events;
pub mod fixpoint;
pub mod flow;
pub mod join;
pub mod key;
pub mod keyed;
pub mod mark;
pub mod partitions;
pub mod plan;
pub mod process;
pub mod rule;
pub mod state;
pub mod stream;
pub mod time;
pub mod window;
