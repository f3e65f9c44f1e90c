//! Rows gathered in any order and given back in the order of their keys.

/// Rows for a table, many at a time, whose keys may repeat.
///
/// A run is what a restart fills a table with: its rows are put behind one another into one piece of
/// memory, and only their places are sorted.
///
/// # Cost
///
/// A row costs its bytes and 32 more. A run that was cleared keeps its memory.
///
/// # Example
///
/// ```
/// use tidemill_operators::state::backend::Run;
///
/// let mut run = Run::default();
/// run.put(|bytes| bytes.push(b'z'), |bytes| bytes.extend(b"last"));
/// run.put(|bytes| bytes.push(b'a'), |bytes| bytes.extend(b"old"));
/// run.remove(|bytes| bytes.push(b'm'));
/// run.put(|bytes| bytes.push(b'a'), |bytes| bytes.extend(b"new"));
///
/// let rows = [(&b"a"[..], Some(&b"new"[..])), (b"m", None), (b"z", Some(b"last"))];
/// assert!(run.in_order().eq(rows));
/// ```
#[derive(Debug, Default)]
pub struct Run {
    /// Keys, each followed by its row.
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where a row is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// What its key begins with: most keys differ in that.
    first: u64,
    start: usize,
    /// The length of its key.
    key: u32,
    /// The length of the row behind it, unless it is to be removed.
    row: Option<u32>,
}

impl Run {
    /// Adds a row: both functions append to the bytes that they are given, first the key's and then
    /// the row's.
    ///
    /// # Panics
    ///
    /// If one of them appends 4 GiB or more.
    pub fn put(&mut self, key: impl FnOnce(&mut Vec<u8>), row: impl FnOnce(&mut Vec<u8>)) {
        let mut place = self.key(key);
        let start = self.bytes.len();
        row(&mut self.bytes);
        place.row = Some(length(self.bytes.len() - start));
        self.places.push(place);
    }

    /// Adds that the row under a key is to be removed: the function appends the key.
    ///
    /// # Panics
    ///
    /// If it appends 4 GiB or more.
    pub fn remove(&mut self, key: impl FnOnce(&mut Vec<u8>)) {
        let place = self.key(key);
        self.places.push(place);
    }

    fn key(&mut self, key: impl FnOnce(&mut Vec<u8>)) -> Place {
        let start = self.bytes.len();
        key(&mut self.bytes);
        let key = self.bytes.get(start..).unwrap_or_default();
        let mut first = [0; 8];
        first.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Place { first: u64::from_be_bytes(first), start, key: length(key.len()), row: None }
    }

    /// How many bytes its keys and rows have.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    /// The last that was added for each key, in the order of the keys: its row, or nothing if it is
    /// to be removed.
    pub fn in_order(&mut self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let Self { bytes, places } = self;
        let key = |it: &Place| part(bytes, it.start, it.key);
        places.sort_by(|a, b| a.first.cmp(&b.first).then_with(|| key(a).cmp(key(b))));
        places.dedup_by(|later, kept| {
            let same = later.first == kept.first && key(later) == key(kept);
            if same {
                *kept = *later;
            }
            same
        });
        let bytes = &*bytes;
        places.iter().map(|it| {
            let behind = it.start + it.key as usize;
            (part(bytes, it.start, it.key), it.row.map(|row| part(bytes, behind, row)))
        })
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a key or a row has less than 4 GiB")
}

fn part(bytes: &[u8], start: usize, length: u32) -> &[u8] {
    bytes.get(start..start + length as usize).expect("a place is within the bytes")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_without_bytes_may_be_removed_and_put_in_again() {
        let mut run = Run::default();
        run.remove(|_| ());
        run.put(|_| (), |_| ());
        assert!(run.in_order().eq([(&[][..], Some(&[][..]))]));
    }

    proptest! {
        #[test]
        fn the_last_of_each_key_comes_in_order(
            rows in prop::collection::vec(
                (prop::collection::vec(0..3u8, 0..12), prop::option::of("[ab]{0,3}")),
                0..60,
            ),
        ) {
            let (mut run, mut model) = (Run::default(), BTreeMap::new());
            for _ in 0..2 {
                for (key, row) in &rows {
                    let append = |bytes: &mut Vec<u8>| bytes.extend(key);
                    match row {
                        Some(row) => run.put(append, |bytes| bytes.extend(row.as_bytes())),
                        None => run.remove(append),
                    }
                    model.insert(&key[..], row.as_ref().map(|it| it.as_bytes()));
                }
                prop_assert_eq!(run.is_empty(), rows.is_empty());
                prop_assert!(run.in_order().eq(model.iter().map(|(key, row)| (*key, *row))));
                run.clear();
                prop_assert!(run.is_empty() && run.bytes() == 0 && run.in_order().next().is_none());
            }
        }
    }
}
