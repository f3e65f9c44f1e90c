//! What the studies of graphs share: a random graph, changes of it, and times.

use std::time::{Duration, Instant};

use clap::Parser;

/// Edges that are loaded between two steps of the dataflow.
pub const STEP: usize = 4096;

/// Breadth-first distances and components of a random graph that changes.
#[derive(Parser, Clone, Debug)]
pub struct GraphSettings {
    /// Vertices.
    #[arg(long, default_value_t = 1_000_000)]
    pub vertices: u64,
    /// Edges.
    #[arg(long, default_value_t = 5_000_000)]
    pub edges: u64,
    /// Worker threads.
    #[arg(short = 'w', long, default_value_t = 2)]
    pub workers: usize,
    /// Rounds of changes of one edge; of larger ones the fewer, but ten.
    #[arg(long, default_value_t = 500)]
    pub rounds: usize,
    /// Edges that are swapped in a round: one comes for each that goes.
    #[arg(long, value_delimiter = ',', default_value = "1,100,1000,10000")]
    pub batches: Vec<usize>,
    /// Epochs of a thousand swaps that follow each other, four at once.
    #[arg(long, default_value_t = 0)]
    pub sustained: usize,
    /// How edges are drawn.
    #[arg(long, value_enum, default_value = "uniform")]
    pub shape: Shape,
    /// By which part of itself a PageRank may be off.
    #[arg(long, default_value_t = 1e-4)]
    pub tolerance: f64,
    /// What to compute.
    #[arg(value_enum, default_value = "bfs")]
    pub algorithm: Algorithm,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Algorithm {
    /// Steps from vertex 0 along edges.
    Bfs,
    /// The least vertex that hangs together with each.
    Wcc,
    /// Twenty iterations of PageRank.
    Iterations,
    /// PageRank to a tolerance.
    Pagerank,
}

/// A distribution of edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// Both ends are drawn of all vertices alike.
    Uniform,
    /// [R-MAT](https://doi.org/10.1137/1.9781611972740.43) with the parameters of Graph 500: a few vertices
    /// have many edges.
    Rmat,
}

impl GraphSettings {
    /// How many rounds of changes there are of this size.
    pub fn rounds_of(&self, batch: usize) -> usize {
        (50 * self.rounds / batch.max(1)).clamp(self.rounds.min(10), self.rounds)
    }
}

/// Random numbers: [splitmix](https://doi.org/10.1145/2714064.2660195).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next one, below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^= it >> 31;
        ((u128::from(it) * u128::from(limit)) >> 64) as u64
    }
}

/// A random graph, and the changes that follow.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// The edges of the graph.
    pub first: Vec<(u32, u32)>,
    further: Edges,
}

impl Drawn {
    /// The graph of the study; two of these are the same.
    pub fn new(settings: &GraphSettings) -> Self {
        let mut edges =
            Edges { random: Random(7), vertices: settings.vertices, shape: settings.shape };
        let mut first = Vec::with_capacity(settings.edges as usize);
        first.extend(edges.by_ref().take(settings.edges as usize));
        Self { first, further: edges }
    }

    /// Edges that come, each with one that goes.
    pub fn swaps(&self) -> impl Iterator<Item = ((u32, u32), (u32, u32))> {
        self.further.clone().zip(self.first.iter().copied())
    }
}

/// Edges one after the other.
#[derive(Clone, Debug)]
struct Edges {
    random: Random,
    vertices: u64,
    shape: Shape,
}

impl Edges {
    /// Draws a quarter of the matrix of all edges, a quarter of this, and so on.
    fn quadrants(&mut self) -> (u64, u64) {
        let (mut from, mut to) = (0, 0);
        for _ in 0..u64::BITS - (self.vertices - 1).leading_zeros() {
            let (down, right) = match self.random.below(100) {
                0..57 => (0, 0),
                57..76 => (0, 1),
                76..95 => (1, 0),
                _ => (1, 1),
            };
            (from, to) = (from * 2 + down, to * 2 + right);
        }
        (from, to)
    }
}

impl Iterator for Edges {
    type Item = (u32, u32);

    fn next(&mut self) -> Option<(u32, u32)> {
        match self.shape {
            Shape::Uniform => {
                let [from, to] = [(); 2].map(|()| self.random.below(self.vertices) as u32);
                Some((from, to))
            }
            Shape::Rmat => loop {
                let (from, to) = self.quadrants();
                if from.max(to) < self.vertices {
                    return Some((from as u32, to as u32));
                }
            },
        }
    }
}

/// Times of one kind.
#[derive(Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Notes how long something took.
    pub fn note(&mut self, since: Instant) {
        self.0.push(since.elapsed());
    }

    /// The median, the 99th percentile and how many there are, in milliseconds.
    pub fn line(&mut self, what: &str) -> String {
        self.0.sort_unstable();
        let at = |share: f64| {
            let place = ((self.0.len() as f64 * share) as usize).min(self.0.len().max(1) - 1);
            self.0.get(place).map_or(0.0, |it| it.as_secs_f64() * 1e3)
        };
        format!("{what}: median {:.3} ms, p99 {:.3} ms of {}", at(0.5), at(0.99), self.0.len())
    }
}

/// Tells in megabytes how much memory this process took at most, where the system says so.
pub fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|it| it.starts_with("VmHWM:"));
    let digits = line.map(|it| it.chars().filter(char::is_ascii_digit).collect::<String>());
    digits.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0) / 1024
}
