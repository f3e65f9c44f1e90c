//! A part of a collection, held in order.

use std::rc::Rc;

use crate::collection::{Diff, Record};

/// Records with how often each is there, in their own order, a record once at most.
///
/// The order follows from the contents alone, whatever came when. So what is summed up in this order is
/// the same number, bit by bit, in a run that continues.
///
/// A version of it is cheap to [take](Self::version). A version that is still there when changes come is
/// copied before them, otherwise nothing is.
///
/// # Cost
///
/// Changes cost one pass over all records, as each round of an iteration over them does.
///
/// # Example
///
/// ```
/// use tidemill_operators::fixpoint::Contents;
///
/// let mut contents = Contents::default();
/// contents.accept(vec![('a', 1), ('c', 2)]);
/// let before = contents.version();
/// contents.accept(vec![('a', -1), ('b', 1)]);
/// assert_eq!(*before, [('a', 1), ('c', 2)]);
/// assert_eq!(*contents.version(), [('b', 1), ('c', 2)]);
/// ```
#[derive(Clone, Debug)]
pub struct Contents<D>(Rc<Vec<(D, Diff)>>);

impl<D> Default for Contents<D> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<D: Record> Contents<D> {
    /// Applies changes.
    pub fn accept(&mut self, changes: Vec<(D, Diff)>) {
        let records = Rc::make_mut(&mut self.0);
        records.extend(changes);
        // Two runs that are in order each are merged, not sorted anew.
        records.sort_by(|one, other| one.0.cmp(&other.0));
        records.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
        records.retain(|(_, times)| *times != 0);
    }

    /// What there is now; it stays as it is.
    pub fn version(&self) -> Rc<Vec<(D, Diff)>> {
        Rc::clone(&self.0)
    }
}
