//! The lines that `tidemill graph` reads: edges, vertices and changes of edges.
//!
//! Fields are separated by spaces, tabs or commas. Lines that are blank or begin with `#` are skipped,
//! and so is a first line that names its fields: one that begins with `src`, `source`, `from`, `vertex`
//! or `time`.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::collection::Diff;
use crate::connect::{Decode, Decoded, InputFormat, Stopped};
use crate::error::Result;
use crate::graph::{Edge, Real};
use crate::time::Epoch;

/// An edge that comes or goes.
pub(super) type Change = (Edge, Epoch, Diff);

/// What stands on a line: an edge between vertices that are written in one way or another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row<I> {
    pub(super) from: I,
    pub(super) to: I,
    pub(super) weight: Real,
    pub(super) epoch: Epoch,
    pub(super) diff: Diff,
}

impl Row<u64> {
    pub(super) fn change(self) -> Change {
        let Self { from, to, weight, epoch, diff } = self;
        (Edge { from, to, weight }, epoch, diff)
    }
}

/// What a vertex is while it is read.
pub(super) trait Id: Clone + 'static {
    /// Reads it.
    fn read(text: &str, ids: Ids) -> Result<Self, String>;
}

impl Id for u64 {
    fn read(text: &str, ids: Ids) -> Result<Self, String> {
        ids.number(text)
    }
}

impl Id for String {
    fn read(text: &str, _: Ids) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

/// What stands on the lines of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `src dst [weight]`
    Edges,
    /// `vertex`
    Vertices,
    /// `time +|- src dst [weight]`
    Changes,
}

/// How ids are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Ids {
    /// From 0 to 18446744073709551615
    Unsigned,
    /// From -9223372036854775808 to 9223372036854775807
    Signed,
    /// Any text without blanks and commas
    String,
}

impl Ids {
    /// The number of a vertex that is written as a number: in the order of ids.
    pub(super) fn number(self, id: &str) -> Result<u64, String> {
        let range = match self {
            Self::Unsigned | Self::String => match id.parse() {
                Ok(number) => return Ok(number),
                Err(_) if id.parse::<i64>().is_ok() => "negative: see --ids signed",
                Err(_) => "no integer of 64 bits",
            },
            Self::Signed => match id.parse::<i64>() {
                Ok(number) => return Ok((number as u64) ^ (1 << 63)),
                Err(_) => "no signed integer of 64 bits",
            },
        };
        Err(format!("the vertex {id:?} is {range}"))
    }

    /// How the number of a vertex is written.
    pub(super) fn text(self, number: u64) -> String {
        match self {
            Self::Unsigned | Self::String => number.to_string(),
            Self::Signed => ((number ^ (1 << 63)) as i64).to_string(),
        }
    }
}

/// How weights are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// Not at all: what stands behind the two vertices is skipped.
    Skipped,
    /// Each edge has one: a number, which is finite.
    Required,
    /// It is a length, so not negative.
    Lengths,
}

/// The last time of a change: the epochs after it are those before everything and after everything.
const LAST_TIME: u64 = u64::MAX - 2;

/// The format of a file of edges, vertices or changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines<I> {
    shape: Shape,
    ids: Ids,
    weights: Weights,
    id: PhantomData<I>,
}

impl<I: Id> InputFormat for Lines<I> {
    type Record = Row<I>;
    type Decode = LinesOf<I>;
    const NAME: &'static str = "graph";

    fn needs_first_line(&self) -> bool {
        true
    }

    fn decoder(&self, _file: &str, first_line: Option<&[u8]>) -> Result<LinesOf<I>> {
        let first = first_line.and_then(|it| std::str::from_utf8(it).ok()).unwrap_or_default();
        let first = fields(first).next().unwrap_or_default().to_ascii_lowercase();
        let header = ["src", "source", "from", "vertex", "time"].contains(&first.as_str());
        Ok(LinesOf { lines: self.clone(), header })
    }
}

/// Reads one file.
pub(super) struct LinesOf<I> {
    lines: Lines<I>,
    header: bool,
}

impl<I: Id> Decode for LinesOf<I> {
    type Record = Row<I>;

    fn first_line_is_header(&self) -> bool {
        self.header
    }

    fn decode(&mut self, run: &[u8], _: bool, most: usize, records: &mut Vec<Row<I>>) -> Decoded {
        let mut consumed = 0;
        for line in run.split_inclusive(|it| *it == b'\n').take(most) {
            match std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned()) {
                Ok(text) => match self.lines.read(text.trim()) {
                    Ok(change) => records.extend(change),
                    Err(reason) => return malformed(consumed, line, reason),
                },
                Err(reason) => return malformed(consumed, line, reason),
            }
            consumed += line.len();
        }
        Decoded { consumed, why: Stopped::Done }
    }
}

fn malformed(consumed: usize, line: &[u8], reason: String) -> Decoded {
    Decoded { consumed, why: Stopped::Malformed { length: line.len(), reason } }
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t', ',', '\r', '\n']).filter(|it| !it.is_empty())
}

impl<I: Id> Lines<I> {
    /// Lines of a shape.
    pub(super) fn new(shape: Shape, ids: Ids, weights: Weights) -> Self {
        Self { shape, ids, weights, id: PhantomData }
    }

    /// What a line says, if anything.
    fn read(&self, line: &str) -> Result<Option<Row<I>>, String> {
        let mut fields = fields(line).peekable();
        if fields.peek().is_none_or(|it| it.starts_with('#')) {
            return Ok(None);
        }
        let mut next = |what: &str| fields.next().ok_or_else(|| format!("the {what} is missing"));
        let (mut epoch, mut diff) = (0, 1);
        if self.shape == Shape::Changes {
            let time = next("time")?;
            let time_of = time.parse::<u64>().ok().filter(|it| *it <= LAST_TIME);
            let outside = || format!("the time {time:?} is no integer from 0 to {LAST_TIME}");
            epoch = time_of.ok_or_else(outside)? + 1;
            diff = match next("sign")? {
                "+" => 1,
                "-" => -1,
                sign => return Err(format!("{sign:?} is neither + nor -")),
            };
        }
        if self.shape == Shape::Vertices {
            let vertex = I::read(next("vertex")?, self.ids)?;
            let (from, weight) = (vertex.clone(), Real(1.0));
            return Ok(Some(Row { from, to: vertex, weight, epoch, diff }));
        }
        let from = I::read(next("first vertex")?, self.ids)?;
        let to = I::read(next("second vertex")?, self.ids)?;
        let weight = match (self.weights, fields.next()) {
            (Weights::Skipped, _) => 1.0,
            (weights, Some(text)) => weights.read(text)?,
            (_, None) if diff < 0 => {
                return Err("the weight is missing: an edge is deleted with its weight".into());
            }
            (_, None) => return Err("the weight is missing".into()),
        };
        Ok(Some(Row { from, to, weight: Real(weight), epoch, diff }))
    }
}

impl Weights {
    fn read(self, text: &str) -> Result<f64, String> {
        match text.parse::<f64>() {
            Ok(weight) if !weight.is_finite() => Err(format!("the weight {text} is not finite")),
            Ok(weight) if weight < 0.0 && self == Self::Lengths => {
                Err(format!("the weight {text} is negative, but a length is not"))
            }
            // There is one zero.
            Ok(weight) => Ok(weight + 0.0),
            Err(_) => Err(format!("the weight {text:?} is not a number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        shape: Shape,
        ids: Ids,
        weights: Weights,
        line: &str,
    ) -> Result<Option<Change>, String> {
        let row = Lines::<u64>::new(shape, ids, weights).read(line)?;
        Ok(row.map(Row::change))
    }

    #[test]
    fn names_are_read_as_they_are() {
        let lines = Lines::<String>::new(Shape::Changes, Ids::String, Weights::Skipped);
        let row = |from: &str, to: &str| {
            let (from, to) = (from.to_owned(), to.to_owned());
            Ok(Some(Row { from, to, weight: Real(1.0), epoch: 4, diff: -1 }))
        };
        assert_eq!(lines.read("3 - ann 0017"), row("ann", "0017"));
        assert_eq!(lines.read("3,-,\"é\",#"), row("\"é\"", "#"));
        assert_eq!(lines.read("3 - ann"), Err("the second vertex is missing".into()));
    }

    #[test]
    fn edges_are_read_whatever_separates_them() {
        for line in ["3 4 0.5", "3,4,0.5", "3\t4\t0.5", " 3 ,  4, 0.5 more"] {
            let edge = Edge::weighted(3, 4, 0.5);
            let found = read(Shape::Edges, Ids::Unsigned, Weights::Required, line);
            assert_eq!(found, Ok(Some((edge, 0, 1))), "{line}");
        }
        for line in ["", "# 3 4", "#3 4"] {
            assert_eq!(read(Shape::Edges, Ids::Unsigned, Weights::Skipped, line), Ok(None));
        }
    }

    #[test]
    fn changes_have_a_time_and_a_sign() {
        let found = |line: &str| read(Shape::Changes, Ids::Unsigned, Weights::Skipped, line);
        assert_eq!(found("0 + 1 2"), Ok(Some((Edge::new(1, 2), 1, 1))));
        assert_eq!(found("7,-,1,2"), Ok(Some((Edge::new(1, 2), 8, -1))));
        assert_eq!(found("7 * 1 2"), Err("\"*\" is neither + nor -".into()));
        let last = Ok(Some((Edge::new(1, 2), u64::MAX - 1, 1)));
        assert_eq!(found("18446744073709551613 + 1 2"), last);
        for time in ["-7", "18446744073709551614", "18446744073709551615", "1.5", "now"] {
            let range = "is no integer from 0 to 18446744073709551613";
            assert_eq!(found(&format!("{time} + 1 2")), Err(format!("the time {time:?} {range}")));
        }
    }

    #[test]
    fn an_edge_is_deleted_with_its_weight() {
        let found = |line: &str| read(Shape::Changes, Ids::Unsigned, Weights::Required, line);
        assert_eq!(found("7 - 1 2 0.5"), Ok(Some((Edge::weighted(1, 2, 0.5), 8, -1))));
        let missing = "the weight is missing: an edge is deleted with its weight";
        assert_eq!(found("7 - 1 2"), Err(missing.into()));
        assert_eq!(found("7 + 1 2"), Err("the weight is missing".into()));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let found = |ids, line: &str| read(Shape::Edges, ids, Weights::Required, line);
        let unsigned = |line: &str| found(Ids::Unsigned, line);
        assert_eq!(unsigned("1"), Err("the second vertex is missing".into()));
        assert_eq!(unsigned("1 2"), Err("the weight is missing".into()));
        let length = |line: &str| read(Shape::Edges, Ids::Unsigned, Weights::Lengths, line);
        let negative = "the weight -1 is negative, but a length is not";
        assert_eq!(length("1 2 -1"), Err(negative.into()));
        assert_eq!(unsigned("1 2 -1"), Ok(Some((Edge::weighted(1, 2, -1.0), 0, 1))));
        for zero in ["1 2 0", "1 2 -0", "1 2 -0.0"] {
            assert_eq!(length(zero), Ok(Some((Edge::weighted(1, 2, 0.0), 0, 1))));
        }
        for weight in ["inf", "-inf", "NaN", "1e999"] {
            let infinite = format!("the weight {weight} is not finite");
            assert_eq!(unsigned(&format!("1 2 {weight}")), Err(infinite));
        }
        assert_eq!(unsigned("1 2 x"), Err("the weight \"x\" is not a number".into()));
        assert_eq!(unsigned("a 2 1"), Err("the vertex \"a\" is no integer of 64 bits".into()));
        let negative = "the vertex \"-1\" is negative: see --ids signed";
        assert_eq!(unsigned("-1 2 1"), Err(negative.into()));
        assert!(found(Ids::Signed, "-1 2 1").is_ok());
    }

    #[test]
    fn ids_keep_their_order_and_come_back() {
        let ids = ["-9223372036854775808", "-1", "0", "7", "9223372036854775807"];
        let numbers: Vec<u64> = ids.iter().flat_map(|it| Ids::Signed.number(it)).collect();
        assert!(numbers.len() == 5 && numbers.is_sorted());
        assert!(numbers.iter().zip(ids).all(|(number, id)| Ids::Signed.text(*number) == id));
        assert_eq!(Ids::Unsigned.number("18446744073709551615"), Ok(u64::MAX));
    }
}
