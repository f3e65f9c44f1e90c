//! Rows of delimited text and where their fields end.
//!
//! Delimiters and line feeds are found eight bytes at a time, by arithmetic on a word, without a
//! branch for each byte. Only rows near a quote take the slower path, which is `csv-core`'s.

/// Finds the rows of a run of lines.
pub(crate) struct Rows<'b> {
    bytes: &'b [u8],
    delimiter: u64,
    quote: u64,
    /// Where the current word starts, and a bit for each delimiter, line feed and quote still to be
    /// visited in it.
    word: usize,
    ends: u64,
    line_feeds: u64,
    quotes: u64,
}

const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const ONES: u64 = 0x0101_0101_0101_0101;
const LINE_FEED: u64 = ONES * b'\n' as u64;

/// The high bit of each byte that is zero.
fn zero_bytes(word: u64) -> u64 {
    !(((word & LOW) + LOW) | word | LOW)
}

/// A row found by [`Rows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Where the row ends, without its line feed.
    pub(crate) end: usize,
    /// Where the next one begins.
    pub(crate) next: usize,
    /// Whether there may be a quote in it.
    pub(crate) quoted: bool,
}

impl<'b> Rows<'b> {
    /// The rows of `bytes`.
    pub(crate) fn new(bytes: &'b [u8], delimiter: u8, quote: Option<u8>) -> Self {
        let delimiter = ONES * u64::from(delimiter);
        // Without a quote we look for line feeds twice, and never look at what was found.
        let quote = quote.map_or(LINE_FEED, |quote| ONES * u64::from(quote));
        let mut rows = Self { bytes, delimiter, quote, word: 0, ends: 0, line_feeds: 0, quotes: 0 };
        rows.load(0);
        rows
    }

    /// Continues elsewhere.
    pub(crate) fn go_to(&mut self, offset: usize) {
        self.load(offset);
    }

    /// Appends where each field of the next row ends, and gives the row, which begins where the one
    /// before ended. There must be bytes left.
    pub(crate) fn next(&mut self, ends: &mut Vec<usize>) -> Span {
        let mut quotes = self.quotes;
        loop {
            while self.ends != 0 {
                let bit = self.ends & self.ends.wrapping_neg();
                let end = self.word + (bit.trailing_zeros() / 8) as usize;
                self.ends ^= bit;
                ends.push(end);
                if self.line_feeds & bit != 0 {
                    let quoted = quotes != 0 && self.quote != LINE_FEED;
                    return Span { end, next: end + 1, quoted };
                }
            }
            if self.word + 8 >= self.bytes.len() {
                let end = self.bytes.len();
                ends.push(end);
                let quoted = quotes != 0 && self.quote != LINE_FEED;
                return Span { end, next: end, quoted };
            }
            self.load(self.word + 8);
            quotes |= self.quotes;
        }
    }

    fn load(&mut self, at: usize) {
        self.word = at;
        let rest = &self.bytes[at..];
        let word = match rest.first_chunk::<8>() {
            Some(word) => u64::from_le_bytes(*word),
            None => {
                let mut word = [b' '; 8];
                word[..rest.len()].copy_from_slice(rest);
                u64::from_le_bytes(word)
            }
        };
        let line_feeds = zero_bytes(word ^ LINE_FEED);
        let delimiters = zero_bytes(word ^ self.delimiter);
        self.quotes = zero_bytes(word ^ self.quote);
        self.line_feeds = line_feeds;
        self.ends = line_feeds | delimiters;
        if rest.len() < 8 {
            // The padding is not part of the row, whatever the delimiter.
            self.ends &= (1 << (8 * rest.len())) - 1;
        }
    }
}

/// A row and where its fields are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'r> {
    bytes: &'r [u8],
    begin: usize,
    ends: &'r [usize],
    gap: usize,
}

impl<'r> Row<'r> {
    /// A row of `bytes` with `gap` bytes between a field and the next.
    pub(crate) fn new(bytes: &'r [u8], begin: usize, ends: &'r [usize], gap: usize) -> Self {
        Self { bytes, begin, ends, gap }
    }

    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes up to the end of a field and where it begins in them, if there is one.
    #[inline]
    pub(crate) fn field(&self, column: usize) -> Option<(&'r [u8], usize)> {
        let end = *self.ends.get(column)?;
        let begin = match column.checked_sub(1) {
            Some(before) => self.ends[before] + self.gap,
            None => self.begin,
        };
        Some((self.bytes.get(..end)?, begin))
    }

    /// The bytes of a field, if there is one.
    pub(crate) fn bytes(&self, column: usize) -> Option<&'r [u8]> {
        let (bytes, begin) = self.field(column)?;
        bytes.get(begin..)
    }
}

/// Takes rows with quotes apart.
pub(crate) struct Quoted {
    core: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Quoted {
    /// For this delimiter and quote.
    pub(crate) fn new(delimiter: u8, quote: Option<u8>) -> Self {
        let core = csv_core::ReaderBuilder::new()
            .delimiter(delimiter)
            .quote(quote.unwrap_or(b'"'))
            .quoting(quote.is_some())
            .terminator(csv_core::Terminator::Any(b'\n'))
            .build();
        Self { core, text: Vec::new(), ends: vec![0; 64] }
    }

    /// Reads the row at the beginning of `bytes`, and gives its bytes there, or nothing if it does
    /// not end there. `last` says that the end of `bytes` ends a row too.
    pub(crate) fn read(&mut self, bytes: &[u8], last: bool) -> Option<(usize, Row<'_>)> {
        if self.text.len() < bytes.len().min(4096) {
            self.text.resize(4096, 0);
        }
        self.core.reset();
        let (mut taken, mut written, mut fields) = (0, 0, 0);
        let mut ended_by_end = false;
        loop {
            let rest: &[u8] = if taken < bytes.len() { &bytes[taken..] } else { b"\n" };
            if taken == bytes.len() {
                if !last || ended_by_end {
                    return None;
                }
                ended_by_end = true;
            }
            let (found, read, wrote, ended) =
                self.core.read_record(rest, &mut self.text[written..], &mut self.ends[fields..]);
            if !ended_by_end {
                taken += read;
            }
            (written, fields) = (written + wrote, fields + ended);
            match found {
                csv_core::ReadRecordResult::Record => break,
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                csv_core::ReadRecordResult::OutputEndsFull => {
                    self.ends.resize(2 * self.ends.len(), 0);
                }
                csv_core::ReadRecordResult::End => return None,
            }
        }
        let row = bytes[..taken].strip_suffix(b"\n").unwrap_or(&bytes[..taken]);
        if row.ends_with(b"\r") && fields > 0 {
            self.ends[fields - 1] -= 1;
        }
        Some((taken, Row::new(&self.text, 0, &self.ends[..fields], 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn simple(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        text.split(|byte| *byte == b'\n')
            .map(|line| line.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect())
            .collect()
    }

    fn scanned(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut rows = Rows::new(text, b',', Some(b'"'));
        let (mut begin, mut found) = (0, Vec::new());
        while begin < text.len() {
            let mut ends = Vec::new();
            let span = rows.next(&mut ends);
            let row = Row::new(text, begin, &ends, 1);
            found.push((0..row.len()).map(|c| row.bytes(c).unwrap().to_vec()).collect());
            begin = span.next;
        }
        found
    }

    proptest! {
        #[test]
        fn rows_are_those_of_a_simple_split(text in "[a,\n\u{e9}]{1,60}") {
            prop_assert_eq!(scanned(text.as_bytes()), simple(text.as_bytes()));
        }
    }

    #[test]
    fn a_row_with_a_quote_is_known_as_such() {
        let text = b"a,b,c,d,e,f,g\n\"a\",2\n";
        let mut rows = Rows::new(text, b',', Some(b'"'));
        let mut ends = Vec::new();
        rows.next(&mut ends);
        assert!(rows.next(&mut ends).quoted);
    }

    #[test]
    fn quotes_are_taken_off() {
        let check = |text: &str, last, expected: Option<(usize, &[&str])>| {
            let mut quoted = Quoted::new(b',', Some(b'"'));
            let found = quoted.read(text.as_bytes(), last).map(|(taken, row)| {
                let field = |c| String::from_utf8(row.bytes(c).unwrap().to_vec()).unwrap();
                (taken, (0..row.len()).map(field).collect::<Vec<_>>())
            });
            let expected =
                expected.map(|(taken, row)| (taken, row.iter().map(|it| it.to_string()).collect()));
            assert_eq!(found, expected, "{text:?}");
        };
        check("\"a,\"\"b\",c\nd", false, Some((10, &["a,\"b", "c"])));
        check("\"a\nb\"\r\nd", false, Some((7, &["a\nb"])));
        check("\"a\r\"\n", false, Some((5, &["a\r"])));
        check("\"a", true, None);
        check("\"a\"", false, None);
        check("\"a\"", true, Some((3, &["a"])));
        check("a,\"b\"\r", true, Some((6, &["a", "b"])));
        check("a\"b,\"\"\n", true, Some((7, &["a\"b", ""])));
    }
}
