//! Everything that a process function keeps for one key: its states and its timers.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::cell::Cells;
use super::states::States;
use crate::time::EventTime;

/// What is kept for one key.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) cells: Cells,
    /// Most keys of most jobs have none.
    timers: Option<Box<Timers>>,
}

/// The timers of one key: those of event time, and those of the time of day.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    pub(crate) event: Moments,
    pub(crate) processing: Moments,
    /// Where the key waits for something to expire.
    pub(crate) cleanup: Option<EventTime>,
}

/// Moments in order, and for which of them the key waits in an agenda.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    moments: Vec<EventTime>,
    pub(crate) queued: Option<EventTime>,
}

impl Moments {
    /// Adds a moment; says whether it is new.
    pub(crate) fn set(&mut self, at: EventTime) -> bool {
        let place = self.moments.binary_search(&at);
        place.map_err(|place| self.moments.insert(place, at)).is_err()
    }

    /// Takes a moment out; says whether it was there.
    pub(crate) fn delete(&mut self, at: EventTime) -> bool {
        let place = self.moments.binary_search(&at);
        place.map(|place| self.moments.remove(place)).is_ok()
    }

    pub(crate) fn first(&self) -> Option<EventTime> {
        self.moments.first().copied()
    }

    pub(crate) fn all(&self) -> &[EventTime] {
        &self.moments
    }

    /// These moments, which are in order, of which the key waits for `queued`.
    pub(crate) fn new(moments: Vec<EventTime>, queued: Option<EventTime>) -> Self {
        Self { moments, queued }
    }

    fn none(&self) -> bool {
        self.moments.is_empty() && self.queued.is_none()
    }
}

/// The timers of a key without timers.
static NO_TIMERS: Timers = Timers {
    event: Moments { moments: Vec::new(), queued: None },
    processing: Moments { moments: Vec::new(), queued: None },
    cleanup: None,
};

impl Contents {
    /// The timers of the key.
    pub(crate) fn timers(&self) -> &Timers {
        self.timers.as_deref().unwrap_or(&NO_TIMERS)
    }

    /// The timers of the key, to be set.
    pub(crate) fn timers_mut(&mut self) -> &mut Timers {
        self.timers.get_or_insert_default()
    }

    /// The timers of the key, if it has ever had some.
    pub(crate) fn some_timers(&mut self) -> Option<&mut Timers> {
        self.timers.as_deref_mut()
    }

    /// Puts back timers in order, and for what the key waits.
    pub(crate) fn put_timers(&mut self, timers: Timers) {
        let Timers { event, processing, cleanup } = &timers;
        let none = event.none() && processing.none() && cleanup.is_none();
        self.timers = (!none).then(|| Box::new(timers));
    }

    /// Whether there is nothing to keep.
    pub(crate) fn empty(&self) -> bool {
        let Timers { event, processing, .. } = self.timers();
        event.moments.is_empty() && processing.moments.is_empty() && self.cells.empty()
    }

    /// Bytes of memory, without what the entries of states point to.
    pub(crate) fn bytes(&self) -> usize {
        let timers = self.timers.as_ref().map_or(0, |timers| {
            let moments = timers.event.moments.len() + timers.processing.moments.len();
            size_of::<Timers>() + moments * size_of::<EventTime>()
        });
        size_of::<Self>() + self.cells.bytes() + timers
    }

    /// What is saved.
    pub(crate) fn keep(&self, states: &States) -> Kept {
        let name = |place: usize| Rc::clone(&states.declared[place].name);
        let cells = self.cells.iter().filter(|(_, cell)| !cell.empty());
        let cells = cells.map(|(place, cell)| {
            let mut bytes = Vec::new();
            cell.encode_into(&mut bytes);
            (name(place), Bytes(bytes))
        });
        let Timers { event, processing, .. } = self.timers();
        Kept::new(cells, event.moments.clone(), processing.moments.clone())
    }

    /// What was saved. States that are not declared any more are dropped, and their names noted.
    ///
    /// # Errors
    ///
    /// If what was saved is of another type.
    pub(crate) fn of(
        kept: Kept,
        states: &States,
        dropped: &mut BTreeSet<String>,
    ) -> Result<Self, String> {
        let mut contents = Self::default();
        for (Name(name), Bytes(bytes)) in kept.states {
            let Some(place) = states.declared.iter().position(|it| it.name == name) else {
                dropped.insert(name.to_string());
                continue;
            };
            let cell = (states.declared[place].decode)(&bytes)
                .map_err(|why| format!("its state `{name}` is of another type: {why}"))?;
            contents.cells.put(place, cell);
        }
        let event = Moments::new(kept.event_timers, None);
        let processing = Moments::new(kept.processing_timers, None);
        contents.put_timers(Timers { event, processing, cleanup: None });
        Ok(contents)
    }
}

/// What is saved for a key: each state by its name, and the timers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    states: Vec<(Name, Bytes)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    event_timers: Vec<EventTime>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    processing_timers: Vec<EventTime>,
}

impl Kept {
    pub(crate) fn new(
        states: impl Iterator<Item = (Rc<str>, Bytes)>,
        event_timers: Vec<EventTime>,
        processing_timers: Vec<EventTime>,
    ) -> Self {
        let states = states.map(|(name, bytes)| (Name(name), bytes)).collect();
        Self { states, event_timers, processing_timers }
    }
}

/// The name of a state.
#[derive(Clone, Debug)]
struct Name(Rc<str>);

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a state")
    }

    fn visit_str<E>(self, name: &str) -> Result<Name, E> {
        Ok(Name(name.into()))
    }
}

/// Bytes that are saved as such, not as a sequence of numbers.
#[derive(Clone, Debug)]
pub struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(Bytes(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        Ok(Bytes(bytes))
    }
}
