//! `tidemill graph`: algorithms on graphs in files, as a job.
//!
//! Edges are read as the lines of one or more files, in parallel; the answer is written as a line
//! `vertex value` for each vertex, in the format of [LDBC Graphalytics](https://ldbcouncil.org/benchmarks/graphalytics/)
//! or as CSV. With `--changes` the edges of a second file come and go, those of a time as one epoch, and a
//! line `time vertex old new` says what changed; `-` stands for a vertex that is not there.
//!
//! # What counts as a graph
//!
//! As in [`graph`](crate::graph): an edge from a vertex to itself means nothing else than that it is
//! there; an edge that is there several times counts once (by the least weight where weights count), and
//! goes when it was deleted as often. A vertex that an edge names is there, whether the file of vertices
//! names it or not. A line that cannot be read ends the job with file and line; so does a weight that is not
//! finite, and one below 0 where it is a length. With weights an edge that goes is named with its weight:
//! with another it is another edge, which then is missing.
//!
//! Vertices are integers, or, with `--ids string`, have names of any characters but blanks and commas; a
//! first field that begins with `#` is a comment, and a first line that begins with a name for the
//! field is its header. Then each worker keeps all names; they count as numbered in their order (by bytes)
//! where an algorithm asks which vertex is less.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use timely::ExchangeData;

use crate::config::Settings;
use crate::connect::{Files, Sink, to_files};
use crate::error::{Error, ErrorKind, Result};
use crate::flow::Flow;
use crate::graph::{Direction, Graph};
use crate::job::{Job, Read, Write};
use crate::stream::Stream;

mod algorithm;
mod lines;
mod names;
mod report;
mod timeline;

use algorithm::Algorithm;
use lines::{Id, Ids, Lines, Row, Shape, Weights};
use names::Names;
use report::{LinesOut, OnFirst};

/// What `tidemill graph` is told.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTERWARDS)]
pub struct GraphTool {
    /// What to compute
    algorithm: Algorithm,

    /// Lines `src dst [weight]`, separated by spaces, commas or tabs; `#` begins a comment. May be given
    /// several times
    #[arg(long, value_name = "FILE", required = true)]
    edges: Vec<PathBuf>,

    /// A vertex on each line, for those without edges
    #[arg(long, value_name = "FILE")]
    vertices: Option<PathBuf>,

    /// Edges lead from the first vertex to the second [default]
    #[arg(long, conflicts_with = "undirected")]
    directed: bool,

    /// Edges lead both ways
    #[arg(long)]
    undirected: bool,

    /// Read a weight with each edge: for sssp, which needs it, and for msf, where without this flag all
    /// weigh the same
    #[arg(long)]
    weighted: bool,

    /// Where to begin: for bfs, sssp and ppr
    #[arg(long, value_name = "VERTEX", allow_hyphen_values = true)]
    source: Option<String>,

    /// How often to go over the whole graph: for cdlp [default: 10], and for pagerank instead of a
    /// tolerance
    #[arg(long, value_name = "N", conflicts_with = "tolerance")]
    iterations: Option<u32>,

    /// The greatest relative error of a value, for pagerank; and for ppr the greatest sum of all errors
    /// [default: 0.0001]
    #[arg(long, value_name = "X")]
    tolerance: Option<f64>,

    /// With which probability a random walk goes on: for pagerank and ppr [default: 0.85]
    #[arg(long, value_name = "X")]
    damping: Option<f64>,

    /// From how many vertices to follow shortest ways: for betweenness [default: all]
    #[arg(long, value_name = "N")]
    sources: Option<usize>,

    /// Which these are: any number [default: 0]
    #[arg(long, value_name = "N", requires = "sources")]
    seed: Option<u64>,

    /// How ids of vertices are written
    #[arg(long, value_name = "KIND", default_value = "unsigned")]
    ids: Ids,

    /// Where to write a line `vertex value` for each vertex
    #[arg(long, value_name = "FILE")]
    output: PathBuf,

    /// Lines `time +|- src dst [weight]`: edges that come and go afterwards
    #[arg(long, value_name = "FILE")]
    changes: Option<PathBuf>,

    /// Where to write a line `time vertex old new` for what changes [default: OUTPUT.changes]
    #[arg(long, value_name = "FILE", requires = "changes")]
    changed: Option<PathBuf>,

    /// How lines are written
    #[arg(long, value_name = "FORMAT", default_value = "graphalytics")]
    format: Format,

    #[command(flatten)]
    settings: Settings,
}

const AFTERWARDS: &str = "What counts as a graph:
  A self-loop says that its vertex is there, and nothing else. An edge that is there several times
  counts once, by its least weight, and goes when it was deleted as often. Vertices that only edges
  name are there, too. A deletion of what is not there is owed: the next insertion pays it.
  With --weighted a deletion names the weight, too. Weights are finite, and for sssp not negative.
  A line that cannot be read ends the job with its file and line.

Examples:
  tidemill graph bfs --edges follows.csv.gz --source 12 --output steps -w 2
  tidemill graph wcc --edges links.e --vertices links.v --output components --changes edits";

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Fields separated by spaces
    Graphalytics,
    /// A header, and fields separated by commas
    Csv,
}

/// A line of the answer or of what changed: epoch, vertex, and the columns of its value before and after.
type Line = (u64, u64, Option<Vec<String>>, Option<Vec<String>>);

impl GraphTool {
    /// Runs the job.
    ///
    /// # Errors
    ///
    /// If a setting is missing or does not go with the algorithm, a file cannot be read or written, or a
    /// line cannot be understood: with the file and the line.
    pub fn run(self) -> Result<()> {
        self.check()?;
        // All edges are one epoch, however many there are.
        let settings = self.settings.clone().in_flight(u64::MAX, u64::MAX >> 20);
        Job::new("graph", settings).run(move |flow| self.build(flow)).map(|_| ())
    }

    fn check(&self) -> Result<()> {
        use Algorithm::{Betweenness, Bfs, Cdlp, Pagerank, Ppr, Sssp};
        let name = self.name();
        let refuse = |message: String| Err(Error::new(ErrorKind::Setting, message));
        let given = [
            ("--source", self.source.is_some(), [Bfs, Sssp, Ppr].as_slice()),
            ("--iterations", self.iterations.is_some(), &[Pagerank, Cdlp]),
            ("--tolerance", self.tolerance.is_some(), &[Pagerank, Ppr]),
            ("--damping", self.damping.is_some(), &[Pagerank, Ppr]),
            ("--sources", self.sources.is_some(), &[Betweenness]),
        ];
        let senseless = |(_, given, of): &&(_, bool, &[_])| *given && !of.contains(&self.algorithm);
        if let Some((flag, ..)) = given.iter().find(senseless) {
            return refuse(format!("{flag} has no meaning for {name}: leave it out"));
        }
        if [Bfs, Sssp, Ppr].contains(&self.algorithm) {
            self.source()?;
        }
        if self.algorithm == Sssp && !self.weighted {
            return refuse(format!("{name} needs --weighted edges: give it, or use bfs"));
        }
        if self.damping.is_some_and(|it| !(0.0..1.0).contains(&it)) {
            return refuse("--damping is from 0 to less than 1".to_owned());
        }
        if self.tolerance.is_some_and(|it| it.is_nan() || it <= 0.0) {
            return refuse("--tolerance is greater than 0".to_owned());
        }
        if self.sources == Some(0) {
            return refuse("--sources is greater than 0".to_owned());
        }
        let checkpoints = &self.settings.checkpoints;
        if checkpoints.place.is_some() || checkpoints.restore.is_some() {
            let message =
                "--checkpoint and --restore have no meaning here: the files are read again";
            return refuse(message.to_owned());
        }
        Ok(())
    }

    fn name(&self) -> String {
        let value = self.algorithm.to_possible_value();
        value.map_or_else(String::new, |it| it.get_name().to_owned())
    }

    fn source(&self) -> Result<u64> {
        let missing = || format!("{} begins at a vertex: name it with --source", self.name());
        let text = self.source.as_deref().ok_or_else(missing);
        let number = text.and_then(|it| match self.ids {
            Ids::String => Ok(names::SOURCE),
            _ => self.ids.number(it).map_err(|it| format!("--source: {it}")),
        });
        number.map_err(|it| Error::new(ErrorKind::Setting, it))
    }

    fn build(&self, flow: &Flow<'_>) -> Result<()> {
        let (changes, names) = if self.ids == Ids::String {
            names::number(self.read(flow)?, self.source.clone())
        } else {
            (self.read(flow)?.map(Row::change), Names::Numbers(self.ids))
        };
        let direction = if self.undirected { Direction::Undirected } else { Direction::Directed };
        let graph = Graph::new(timeline::at_their_epochs(changes), direction);
        self.write(self.compute(&graph, &names)?, &names)
    }

    /// Everything that stands in the files.
    fn read<'scope, I: Id + ExchangeData>(
        &self,
        flow: &Flow<'scope>,
    ) -> Result<Stream<'scope, Row<I>>> {
        let weights = match self.algorithm {
            _ if !self.weighted => Weights::Skipped,
            Algorithm::Sssp => Weights::Lengths,
            _ => Weights::Required,
        };
        let lines = |shape| Lines::<I>::new(shape, self.ids, weights);
        let mut all = flow.read(Files::new(&self.edges, lines(Shape::Edges)))?;
        if let Some(path) = &self.vertices {
            all = all.union(flow.read(Files::new(path, lines(Shape::Vertices)))?);
        }
        if let Some(path) = &self.changes {
            all = all.union(flow.read(Files::new(path, lines(Shape::Changes)))?);
        }
        Ok(all)
    }

    fn write(&self, lines: Stream<'_, Line>, names: &Names) -> Result<()> {
        let csv = self.format == Format::Csv;
        let separator = if csv { "," } else { " " };
        let (known, columns) = (names.clone(), self.algorithm.columns());
        let lines = lines.map(move |it| (it.0, known.place(it.1), it.2, it.3));
        let lines = lines.each_epoch(|lines| lines);
        let written = names.clone();
        let answer = lines.clone().filter(|it| it.0 == 0).flat_map(move |(_, vertex, _, new)| {
            new.map(|new| [&[written.at(vertex)], new.as_slice()].concat().join(separator))
        });
        let header = csv.then(|| [&["vertex"], columns].concat().join(separator));
        answer.write(OnFirst(to_lines(self.output.clone(), header)))?;
        if self.changes.is_none() {
            return Ok(());
        }
        let written = names.clone();
        let changed = lines.filter(|it| it.0 > 0).map(move |(epoch, vertex, old, new)| {
            let line = [(epoch - 1).to_string(), written.at(vertex)];
            let none = || columns.iter().map(|_| "-".to_owned()).collect();
            let (old, new) = (old.unwrap_or_else(none), new.unwrap_or_else(none));
            [line.as_slice(), &old, &new].concat().join(separator)
        });
        let path = self.changed.clone().unwrap_or_else(|| {
            let mut name = self.output.clone().into_os_string();
            name.push(".changes");
            name.into()
        });
        let header = csv.then(|| match columns {
            ["value"] => "time,vertex,old,new".to_owned(),
            _ => {
                let of = |when: &str| columns.iter().map(|it| format!("{when}_{it}")).collect();
                let (old, new): (Vec<_>, Vec<_>) = (of("old"), of("new"));
                format!("time,vertex,{},{}", old.join(","), new.join(","))
            }
        });
        changed.write(OnFirst(to_lines(path, header)))
    }
}

fn to_lines(path: PathBuf, header: Option<String>) -> impl Sink<Record = String> {
    to_files(path, LinesOut { header }).single_file().overwrite()
}
