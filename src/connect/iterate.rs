//! An iterator as a source.

use std::sync::Arc;

use super::{Polled, Reader, Source, Wake};
use crate::error::{Error, ErrorKind, Result};

/// Reads what an iterator gives, in one partition. `make` is called to begin, and to begin again
/// after a restart, when as many records are skipped as were read: each time it must give the same.
///
/// The iterator should not block: it runs on the worker.
///
/// ```
/// # use tidemill::connect::iterate;
/// let squares = iterate(|| (0..100_u64).map(|number| number * number));
/// ```
pub fn iterate<I, M>(make: M) -> Iterate<M>
where
    M: Fn() -> I + Send + Sync + 'static,
    I: IntoIterator + 'static,
    I::Item: 'static,
{
    Iterate { make: Arc::new(make) }
}

/// An iterator as a source: see [`iterate`].
pub struct Iterate<M> {
    make: Arc<M>,
}

const PARTITION: &str = "iterator";

impl<I, M> Source for Iterate<M>
where
    M: Fn() -> I + Send + Sync + 'static,
    I: IntoIterator + 'static,
    I::Item: 'static,
{
    type Record = I::Item;

    fn partitions(&self, _lanes: usize) -> Result<Vec<String>> {
        Ok(vec![PARTITION.to_owned()])
    }

    fn open(
        &self,
        _partition: &str,
        position: Option<&[u8]>,
        _wake: Wake,
    ) -> Result<Box<dyn Reader<Record = I::Item>>> {
        let read = count_of(position, PARTITION)?;
        let mut records = (self.make)().into_iter();
        for _ in 0..read {
            if records.next().is_none() {
                let message = format!("the iterator gives fewer than the {read} records read");
                return Err(Error::new(ErrorKind::State, message));
            }
        }
        Ok(Box::new(Iteration { records, read, resumed_at: read }))
    }

    fn bounded(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        PARTITION.to_owned()
    }
}

/// The count that a position is.
pub(crate) fn count_of(position: Option<&[u8]>, partition: &str) -> Result<u64> {
    let Some(position) = position else { return Ok(0) };
    postcard::from_bytes(position).map_err(|cause| {
        let message = format!("the saved position in {partition} cannot be read");
        Error::new(ErrorKind::State, message).because(cause)
    })
}

/// The position that is a count.
pub(crate) fn position_of(count: u64) -> Vec<u8> {
    postcard::to_stdvec(&count).expect("a number can always be written")
}

struct Iteration<I> {
    records: I,
    read: u64,
    resumed_at: u64,
}

impl<I: Iterator> Reader for Iteration<I> {
    type Record = I::Item;

    fn poll(&mut self, most: usize, records: &mut Vec<I::Item>) -> Result<Polled> {
        let before = records.len();
        records.extend(self.records.by_ref().take(most));
        let count = records.len() - before;
        self.read += count as u64;
        Ok(if count < most { Polled::Ended } else { Polled::Ready })
    }

    fn position(&self) -> Vec<u8> {
        position_of(self.read)
    }

    fn bytes(&self) -> u64 {
        (self.read - self.resumed_at) * size_of::<I::Item>() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(source: &impl Source<Record = u64>, from: Option<&[u8]>) -> Result<Vec<u64>> {
        let mut reader = source.open(PARTITION, from, Arc::new(|| ()))?;
        let mut records = Vec::new();
        while reader.poll(3, &mut records)? != Polled::Ended {}
        Ok(records)
    }

    #[test]
    fn an_iterator_is_read_and_continued_where_it_was() {
        for count in 0..10 {
            let source = iterate(move || 0..count);
            let all: Vec<u64> = (0..count).collect();
            assert_eq!(drain(&source, None).unwrap(), all);
            for read in 0..=count {
                let rest = drain(&source, Some(&position_of(read))).unwrap();
                assert_eq!(rest, all[read as usize..]);
            }
            assert!(drain(&source, Some(&position_of(count + 1))).is_err());
        }
    }
}
