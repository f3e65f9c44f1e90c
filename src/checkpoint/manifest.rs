//! What a checkpoint consists of: the one small file that makes it one.
//!
//! A manifest is JSON that people can read. It begins with the version of its format and ends
//! with a checksum over all the text before it, so that any change to it is noticed. A checkpoint
//! whose manifest is there is complete, since it is written last; without one it does not exist.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidemill_operators::key::Group;
use tidemill_operators::time::Epoch;

use super::part::checksum;
use super::text;

/// The version of the format that this program writes, and the newest that it reads.
const VERSION: u32 = 1;

/// A complete checkpoint: what each operator saved, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The job whose state this is.
    pub job: String,
    /// The last epoch that the state includes.
    pub epoch: Epoch,
    /// The attempt that wrote it.
    #[serde(with = "hexadecimal")]
    pub run: u64,
    /// When it was written.
    pub created: Timestamp,
    /// How many key groups the keys are in; it never changes while a job has state.
    pub max_parallelism: u32,
    /// How many workers saved.
    pub workers: usize,
    /// Whether the job was at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What each operator saved, by its stable name.
    pub operators: BTreeMap<String, OperatorState>,
}

/// How a job came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// Its sources ended, and everything was worked off.
    Finished,
    /// It was asked to stop, to be continued later.
    Stopped,
}

/// What one operator saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorState {
    /// What the operator says its state is made of.
    pub type_name: String,
    /// What each worker saved. They are recalled in this order.
    pub pieces: Vec<Piece>,
}

/// What one worker saved of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The worker, as it was numbered then.
    pub worker: usize,
    /// Its sections. They are recalled in this order, so that a later one may override an earlier.
    pub sections: Vec<SectionRef>,
}

/// Where one section of an operator's state is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionRef {
    /// Which of the operator's sections on its worker this is.
    pub id: u64,
    /// The blocks that hold it; none if it is empty.
    pub blocks: Vec<BlockRef>,
}

/// Where a block of state is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlockRef {
    /// The file, by its path below the folder of the job or of the savepoint.
    pub file: String,
    /// Where in the file it begins.
    pub offset: u64,
    /// How many bytes are stored.
    pub length: u64,
    /// How many bytes these are once decompressed. If it is the same number, they are stored as
    /// they are; otherwise by zstd.
    pub raw_length: u64,
    /// The XXH3 checksum of the stored bytes.
    #[serde(with = "hexadecimal")]
    pub checksum: u64,
    /// The first and the last key group in it; nothing if it is for everyone or for partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<(Group, Group)>,
}

impl OperatorState {
    /// The piece that has all of the state of the key groups `owned`, if it has that of no others: a
    /// worker that owns them need not write again what it does not change.
    pub fn alone(&self, owned: &Range<Group>) -> Option<&Piece> {
        let mut touching = self.pieces.iter().filter(|it| it.blocks().any(|it| it.touches(owned)));
        let piece = touching.next().filter(|_| touching.next().is_none())?;
        let within = |(first, last)| owned.contains(&first) && owned.contains(&last);
        piece.blocks().filter_map(|it| it.groups).all(within).then_some(piece)
    }
}

impl Piece {
    fn blocks(&self) -> impl Iterator<Item = &BlockRef> {
        self.sections.iter().flat_map(|section| &section.blocks)
    }
}

impl BlockRef {
    /// Whether it can hold state of one of these key groups.
    pub(super) fn touches(&self, groups: &Range<Group>) -> bool {
        self.groups.is_some_and(|(first, last)| first < groups.end && groups.start <= last)
    }
}

impl Manifest {
    /// All blocks that the checkpoint consists of.
    pub fn blocks(&self) -> impl Iterator<Item = &BlockRef> {
        self.sections().flat_map(|section| &section.blocks)
    }

    fn sections(&self) -> impl Iterator<Item = &SectionRef> {
        let pieces = self.operators.values().flat_map(|operator| &operator.pieces);
        pieces.flat_map(|piece| &piece.sections)
    }

    /// How many bytes of files the checkpoint needs. Some of them may be shared with others.
    pub fn stored_bytes(&self) -> u64 {
        self.blocks().map(|block| block.length).sum()
    }

    /// The text of its file.
    pub(super) fn to_text(&self) -> String {
        #[derive(Serialize)]
        struct Written<'a> {
            version: u32,
            #[serde(flatten)]
            manifest: &'a Manifest,
        }
        sealed(&text::readable(&Written { version: VERSION, manifest: self }))
    }

    /// Reads the text of a file. An error says what is wrong with it.
    pub(super) fn from_text(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        // A newer program may seal its manifests in another way: ask for the version first.
        if let Ok(Version { version }) = serde_json::from_slice(text)
            && version > VERSION
        {
            return Err(format!(
                "has format version {version} and this program reads up to {VERSION}: it was \
                 written by a newer one, or it is damaged"
            ));
        }
        let damaged = "is damaged: it does not match its checksum";
        let text = std::str::from_utf8(text).map_err(|_| damaged)?;
        let (body, _) = text.rsplit_once(SEAL).ok_or(damaged)?;
        if sealed(&format!("{body}\n}}")) != text {
            return Err(damaged.to_owned());
        }
        serde_json::from_str(text).map_err(|cause| format!("is not a manifest: {cause}"))
    }
}

/// What stands between a manifest and its checksum.
const SEAL: &str = ",\n  \"checksum\": \"";

/// Adds the checksum of a JSON object to it, as its last field.
fn sealed(json: &str) -> String {
    let body = json.strip_suffix("\n}").expect("an object with fields, each in lines of its own");
    format!("{body}{SEAL}{:016x}\"\n}}\n", checksum(body.as_bytes()))
}

/// Numbers of 64 bits as 16 hexadecimal digits: JSON readers round large numbers.
mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{number:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let digits = std::borrow::Cow::<'de, str>::deserialize(from)?;
        u64::from_str_radix(&digits, 16).map_err(D::Error::custom)
    }
}
