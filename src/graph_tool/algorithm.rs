//! The algorithms of `tidemill graph`, and how what they give is written.

use clap::ValueEnum;

use super::names::Names;
use super::{GraphTool, Line};
use crate::error::Result;
use crate::graph::{DAMPING, Graph, Real, Sources, TOLERANCE, Values};
use crate::stream::Stream;

/// Graphalytics' infinite number of steps.
const FAR: u64 = i64::MAX as u64;

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Algorithm {
    /// Steps from the source
    Bfs,
    /// Length of the shortest way from the source
    Sssp,
    /// Weakly connected component: its least vertex
    Wcc,
    /// Share of a vertex in the visits of a random walk
    Pagerank,
    /// The same for a walk that always begins again at the source
    Ppr,
    /// Strongly connected component: its least vertex
    Scc,
    /// Local clustering coefficient
    Lcc,
    /// Number of triangles with this corner
    Triangles,
    /// Core number
    Kcore,
    /// Community by label propagation
    Cdlp,
    /// Truss number
    Ktruss,
    /// Maximal independent set: 1 for those in it, 0 for the others
    Mis,
    /// Shortest ways that lead through a vertex
    Betweenness,
    /// Minimum spanning forest: the next vertex on the way to the least of the tree, and the weight
    /// of the edge to it
    Msf,
    /// Number of triangles, of cycles of four and of cliques of four with this corner
    Motifs,
}

impl Algorithm {
    /// The columns of a value.
    pub(super) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Msf => &["parent", "weight"],
            Self::Motifs => &["triangles", "cycles", "cliques"],
            _ => &["value"],
        }
    }
}

impl GraphTool {
    /// What changes in the answer, epoch by epoch.
    pub(super) fn compute<'scope>(
        &self,
        graph: &Graph<'scope>,
        names: &Names,
    ) -> Result<Stream<'scope, Line>> {
        let damping = self.damping.unwrap_or(DAMPING);
        let tolerance = self.tolerance.unwrap_or(TOLERANCE);
        let names = names.clone();
        let id = move |it| names.text(it);
        let count = |it: u64| it.to_string();
        Ok(match self.algorithm {
            Algorithm::Bfs => one(graph.bfs(self.source()?), |it| it.unwrap_or(FAR).to_string()),
            Algorithm::Sssp => one(graph.sssp(self.source()?), real),
            Algorithm::Wcc => one(graph.wcc(), id),
            Algorithm::Scc => one(graph.scc(), id),
            Algorithm::Cdlp => one(graph.cdlp(self.iterations.unwrap_or(10)), id),
            Algorithm::Lcc => one(graph.lcc(), real),
            Algorithm::Triangles => one(graph.triangles(), count),
            Algorithm::Kcore => one(graph.kcore(), count),
            Algorithm::Ktruss => one(graph.ktruss(), count),
            Algorithm::Pagerank => match self.iterations {
                Some(iterations) => one(graph.pagerank_iterations(damping, iterations), real),
                None => one(graph.pagerank(damping, tolerance), real),
            },
            Algorithm::Ppr => one(graph.ppr(self.source()?, damping, tolerance), real),
            Algorithm::Mis => one(graph.mis(), |it| u8::from(it).to_string()),
            Algorithm::Betweenness => {
                let seed = self.seed.unwrap_or(0);
                let sample = self.sources.map(|count| Sources::Sample { count, seed });
                one(graph.betweenness(sample.unwrap_or(Sources::All)), real)
            }
            Algorithm::Msf => several(graph.msf(), move |it| vec![id(it.parent), real(it.weight)]),
            Algorithm::Motifs => several(graph.motifs(), |it| {
                [it.triangles, it.cycles, it.cliques].map(|it| it.to_string()).to_vec()
            }),
        })
    }
}

/// Values of one column.
fn one<'scope, V: Clone + 'static>(
    values: Values<'scope, V>,
    text: impl Fn(V) -> String + 'static,
) -> Stream<'scope, Line> {
    several(values, move |it| vec![text(it)])
}

fn several<'scope, V: Clone + 'static>(
    values: Values<'scope, V>,
    text: impl Fn(V) -> Vec<String> + 'static,
) -> Stream<'scope, Line> {
    values.updates().map(move |it| (it.epoch, it.vertex, it.old.map(&text), it.new.map(&text)))
}

fn real(value: Real) -> String {
    if value.0.is_infinite() { "Infinity".to_owned() } else { value.to_string() }
}
