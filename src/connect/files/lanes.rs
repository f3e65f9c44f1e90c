//! How a large plain file is cut so that all workers read it at once and in step.
//!
//! With `n` lanes and a stride of `S` bytes, the file is a row of blocks of `S` bytes, and lane `k`
//! reads the blocks `k`, `k + n`, `k + 2n`, … A block owns the lines that start in it. So each lane
//! is in file order, and the lanes advance through the file together: event time in one is never
//! further from event time in another than about `n` strides of the file.
//!
//! The name of a lane says all that is needed to read it: `flights.csv#1/2@1048576` is the first of
//! two lanes with a stride of one mebibyte, and `flights.csv` the whole file.

use std::ops::Range;

/// A part of a file that is read by one reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    /// The file.
    pub(crate) path: String,
    /// Which of the lanes this is, from 0.
    pub(crate) index: u64,
    /// How many lanes there are.
    pub(crate) count: u64,
    /// Bytes in a block.
    pub(crate) stride: u64,
}

impl Lane {
    /// The one lane of a file that is not cut.
    pub(crate) fn whole(path: &str) -> Self {
        Self { path: path.to_owned(), index: 0, count: 1, stride: u64::MAX }
    }

    /// Cuts a file of `size` bytes into at most `lanes`, each of at least two blocks.
    pub(crate) fn cut(path: &str, size: u64, lanes: usize, stride: u64) -> Vec<Self> {
        let count = (lanes as u64).min(size / stride.saturating_mul(2).max(1));
        if count <= 1 {
            return vec![Self::whole(path)];
        }
        (0..count).map(|index| Self { path: path.to_owned(), index, count, stride }).collect()
    }

    /// The stable name of the lane as a partition.
    pub(crate) fn name(&self) -> String {
        let Self { path, index, count, stride } = self;
        if *count == 1 && Self::parse_cut(path).is_none() {
            return path.clone();
        }
        format!("{path}#{}/{count}@{stride}", index + 1)
    }

    /// The lane of this name.
    pub(crate) fn parse(name: &str) -> Self {
        Self::parse_cut(name).unwrap_or_else(|| Self::whole(name))
    }

    fn parse_cut(name: &str) -> Option<Self> {
        let (path, cut) = name.rsplit_once('#')?;
        let (index, rest) = cut.split_once('/')?;
        let (count, stride) = rest.split_once('@')?;
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
        let (index, count, stride) = (number(index)?, number(count)?, number(stride)?);
        (index <= count).then(|| Self { path: path.to_owned(), index: index - 1, count, stride })
    }

    /// The bytes of a block of the file.
    pub(crate) fn block(&self, number: u64) -> Range<u64> {
        let start = self.stride.saturating_mul(number);
        start..start.saturating_add(self.stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_lanes_are_the_same_thing() {
        for path in ["a.csv", "b#c.csv", "d#1", "e#1/2@3", "f#0/1@2"] {
            for lane in Lane::cut(path, 100, 3, 10).into_iter().chain([Lane::whole(path)]) {
                assert_eq!(Lane::parse(&lane.name()), lane, "{path}");
            }
        }
        assert_eq!(Lane::cut("a.csv", 100, 2, 10)[0].name(), "a.csv#1/2@10");
        assert_eq!(Lane::whole("a.csv").name(), "a.csv");
    }

    #[test]
    fn a_small_file_has_one_lane() {
        assert_eq!(Lane::cut("a", 0, 4, 10).len(), 1);
        assert_eq!(Lane::cut("a", 39, 4, 10).len(), 1);
        assert_eq!(Lane::cut("a", 40, 4, 10).len(), 2);
        assert_eq!(Lane::cut("a", 1000, 4, 10).len(), 4);
    }
}
