//! The settings of checkpoints.

use std::convert::Infallible;
use std::num::{NonZeroU64, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::{HEADING, refused};
use crate::error::Result;
use crate::time::Epoch;

/// Where and how often a job keeps its state, and what it continues from.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct Checkpointing {
    /// Keep the job's state here: a folder that all processes share, or a URL such as s3://…
    #[arg(help_heading = HEADING, long = "checkpoint", value_name = "PLACE")]
    pub place: Option<String>,

    /// Time from one checkpoint to the next, in milliseconds
    #[arg(help_heading = HEADING, long = "checkpoint-ms", value_name = "N", default_value = "1000")]
    pub interval_ms: NonZeroU64,

    /// Checkpoints to keep
    #[arg(help_heading = HEADING, long, value_name = "N", default_value = "3")]
    pub keep: NonZeroUsize,

    /// Continue from a checkpoint: `latest` (or anew if there is none), an epoch, or a savepoint
    #[arg(help_heading = HEADING, long, value_name = "WHICH")]
    pub restore: Option<Restore>,

    /// Restore although the program lacks operators that have state, which is lost
    #[arg(help_heading = HEADING, long)]
    pub allow_dropped_state: bool,

    /// Restore although the program has operators without saved state, which begin anew
    #[arg(help_heading = HEADING, long)]
    pub allow_new_state: bool,

    /// Write all state anew after --restore, in the form that this program gives it
    #[arg(help_heading = HEADING, long)]
    pub rewrite_state: bool,
}

/// What a job continues from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restore {
    /// The newest checkpoint that is whole, or nothing if there is none yet.
    Latest,
    /// The checkpoint of this epoch.
    Epoch(Epoch),
    /// The savepoint at this place.
    Savepoint(String),
}

impl FromStr for Restore {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match (text, text.parse()) {
            ("latest", _) => Self::Latest,
            (_, Ok(epoch)) => Self::Epoch(epoch),
            _ => Self::Savepoint(text.to_owned()),
        })
    }
}

impl Checkpointing {
    /// The time from one checkpoint to the next.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval_ms.get())
    }

    pub(super) fn check(&self) -> Result<()> {
        let for_restore = self.allow_dropped_state || self.allow_new_state || self.rewrite_state;
        if self.restore.is_none() && for_restore {
            let message = "--allow-dropped-state, --allow-new-state and --rewrite-state are for \
                           --restore only";
            return Err(refused(message.to_owned()));
        }
        Ok(())
    }
}
