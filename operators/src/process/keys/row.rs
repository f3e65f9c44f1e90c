//! The form of a key as a row of a table.
//!
//! A row stands under the high half of the key's hash, as four bytes, and the key. So rows are in the
//! order of key groups. It is the length of what comes next as four bytes, timers and where they
//! wait, and for each state its place, its length and what it holds; numbers are little-endian. A table
//! serves one run, so this form is of no concern to another.

use super::Held;
use crate::key::hash;
use crate::keyed::Key;
use crate::process::contents::{Bytes, Contents, Kept, Moments, Timers};
use crate::process::states::States;
use crate::state::journal::Noted;
use crate::state::{decode, encode_into};
use crate::time::EventTime;

/// Bytes of a hash in front of the key of a row.
const HASH: usize = 4;

/// The timers of event time and of the time of day, where the key waits and when its cells are to be
/// cleaned, and when it was noted.
type Beside = (Vec<EventTime>, Vec<EventTime>, [Option<EventTime>; 4], Noted);

/// What the row of a key stands under.
pub(super) fn key_of<K: Key>(key: &K) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_key(&mut bytes, hash(key), key);
    bytes
}

/// Appends what the row of a key with this hash stands under.
pub(super) fn append_key<K: Key>(bytes: &mut Vec<u8>, hash: u64, key: &K) {
    bytes.extend(hash.to_be_bytes().into_iter().take(HASH));
    encode_into(bytes, key);
}

/// The key whose row stands under these bytes.
pub(super) fn key<K: Key>(bytes: &[u8]) -> K {
    let key = bytes.get(HASH..).and_then(|key| decode(key).ok());
    key.expect("a key is read as it was written")
}

/// Appends the row of a key.
pub(super) fn append<K>(bytes: &mut Vec<u8>, held: &Held<K>) {
    let Contents { cells, .. } = &held.contents;
    let Timers { event, processing, cleanup } = held.contents.timers();
    let waits = [event.queued, processing.queued, *cleanup, cells.cleanup];
    let beside = (event.all(), processing.all(), waits, held.noted);
    counted(bytes, |bytes| encode_into(bytes, &beside));
    for (place, cell) in cells.iter() {
        bytes.extend((place as u32).to_le_bytes());
        counted(bytes, |bytes| cell.encode_into(bytes));
    }
}

/// The length of a row.
pub(super) fn length<K>(held: &Held<K>) -> usize {
    let mut bytes = Vec::new();
    append(&mut bytes, held);
    bytes.len()
}

/// What a key has whose row this is.
pub(super) fn contents(row: &[u8], of: &States) -> (Contents, Noted) {
    let ((event, processing, waits, noted), states) = parts(row);
    let mut contents = Contents::default();
    for (place, bytes) in states {
        let cell = of.declared.get(place).and_then(|it| (it.decode)(bytes).ok());
        contents.cells.put(place, cell.expect("a cell is read as it was written"));
    }
    let [event_queued, processing_queued, cleanup_queued, cleanup] = waits;
    let event = Moments::new(event, event_queued);
    let processing = Moments::new(processing, processing_queued);
    contents.put_timers(Timers { event, processing, cleanup: cleanup_queued });
    contents.cells.cleanup = cleanup;
    (contents, noted)
}

/// What is to be saved of a key whose row this is.
pub(super) fn kept(row: &[u8], of: &States) -> Kept {
    let ((event, processing, ..), states) = parts(row);
    let states = states.filter_map(|(place, bytes)| {
        Some((of.declared.get(place)?.name.clone(), Bytes(bytes.to_vec())))
    });
    Kept::new(states, event, processing)
}

/// What is beside the states, and each state with its place.
fn parts(row: &[u8]) -> (Beside, impl Iterator<Item = (usize, &[u8])>) {
    const WHOLE: &str = "a row is read as it was written";
    let (beside, mut rest) = split(row).expect(WHOLE);
    let states = std::iter::from_fn(move || {
        let (place, behind) = rest.split_first_chunk()?;
        let (state, behind) = split(behind).expect(WHOLE);
        rest = behind;
        Some((u32::from_le_bytes(*place) as usize, state))
    });
    (decode(beside).expect(WHOLE), states)
}

/// Appends the length of what `append` appends, and that.
fn counted(bytes: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len();
    bytes.extend([0; 4]);
    append(bytes);
    let length = u32::try_from(bytes.len() - start - 4).expect("a state has less than 4 GiB");
    if let Some(place) = bytes.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        *place = length.to_le_bytes();
    }
}

/// What [`counted`] appended, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
