//! Checkpoints: the state of a job, kept where it survives the job.
//!
//! A [`Store`] is the folder of one job, on a disk or in an object store. Each worker writes its
//! part of a checkpoint as one immutable file ([`Store::write_part`]); when all have, one of them
//! commits the checkpoint by writing its [`Manifest`] ([`Store::commit`]). A restart looks for the
//! newest checkpoint that is whole ([`Store::newest_whole`]), and each worker reads what it owns
//! ([`Store::read`]), whatever the number of workers then and now. The store knows nothing of
//! dataflows: when to write what is the job's affair.
//!
//! ```text
//! <place>/<job>/epochs/<epoch>/part-<worker>-<run>.tide    a worker's state, or what changed of it
//! <place>/<job>/epochs/<epoch>/manifest.json               written last: the checkpoint exists
//! <place>/<job>/savepoints/<epoch>/…                       full copies that nothing here deletes
//! <place>/<job>/requests/…                                 savepoints that somebody asked for
//! ```
//!
//! # Guarantees
//!
//! - A checkpoint is visible only when complete, and never changes. Of several runs that write the
//!   same epoch one commits it; the others are told.
//! - Damage is noticed: every byte that is read is covered by a checksum. What is missing,
//!   truncated, changed, written by a newer program or by another job is refused by its name.
//! - [Retention](Store::retain) deletes no file that a kept checkpoint names, none of a checkpoint
//!   that is being written, and no savepoint.
//! - On a local disk a checkpoint that was committed survives a power failure: files and their
//!   folders are synced. The file system must know hard links, which all usual ones do.
//!
//! # Example
//!
//! ```
//! use std::collections::BTreeMap;
//! use tidemill::checkpoint::{Manifest, OperatorState, Piece, Store};
//! use tidemill::state::{Owner, Part, Section};
//!
//! let store = Store::open("memory://", "clicks")?;
//! let part = Part { owner: Owner::Group(7), bytes: b"three clicks".to_vec() };
//! let saved = [("count".to_owned(), vec![Section { id: 0, parts: Some(vec![part.clone()]) }])];
//! let written = store.write_part(41, 0, 1, &saved)?;
//!
//! let piece = |sections| Piece { worker: 0, sections };
//! let operator = |sections| OperatorState { type_name: "u64".into(), pieces: vec![piece(sections)] };
//! let manifest = Manifest {
//!     job: "clicks".into(),
//!     epoch: 41,
//!     run: 1,
//!     created: jiff::Timestamp::UNIX_EPOCH,
//!     max_parallelism: 4096,
//!     workers: 1,
//!     ended: None,
//!     operators: written.into_iter().map(|(name, sections)| (name, operator(sections))).collect(),
//! };
//! store.commit(&manifest)?;
//!
//! let (newest, skipped) = store.newest_whole()?;
//! assert!(newest.as_ref() == Some(&manifest) && skipped.is_empty());
//! assert_eq!(store.read(&manifest, "count", 0..4096)?, [part]);
//! assert_eq!(store.read(&manifest, "count", 8..4096)?, []);
//! # Ok::<(), tidemill::Error>(())
//! ```

pub mod faults;
mod list;
mod manifest;
mod part;
mod place;
mod read;
mod request;
mod retain;
mod savepoint;
mod store;
mod text;
mod verify;
mod write;

pub use object_store;

pub use list::{Found, Listed};
pub use manifest::{BlockRef, Ended, Manifest, OperatorState, Piece, SectionRef};
pub use request::Request;
pub use retain::Retained;
pub use store::Store;
pub use write::PartWriter;
