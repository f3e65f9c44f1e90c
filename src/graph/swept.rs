//! Communities: what is computed by sweeps.

use super::part::Direction;
use super::sweep::{Sweep, Sweeping};
use super::together::Together;
use super::update::Values;
use super::{Graph, ends};

/// Takes the label that most neighbours have, of several the least.
struct Communities {
    iterations: u32,
    direction: Direction,
    /// The labels around a vertex.
    around: Vec<u64>,
}

impl Sweep for Communities {
    type Value = u64;
    type Shown = u64;

    fn start(&self, id: u64) -> u64 {
        id
    }

    fn step(
        &mut self,
        own: u64,
        from: impl Iterator<Item = u64>,
        to: impl Iterator<Item = u64>,
    ) -> u64 {
        self.around.clear();
        self.around.extend(to);
        if self.direction == Direction::Directed {
            self.around.extend(from);
        }
        self.around.sort_unstable();
        let runs = self.around.chunk_by(|one, other| one == other);
        // Of runs of the same length the last counts: that of the least label.
        let longest = runs.rev().max_by_key(|run| run.len());
        longest.and_then(|run| run.first()).copied().unwrap_or(own)
    }

    fn goes_on(&self, sweeps: u32, changed: bool) -> bool {
        sweeps < self.iterations && changed
    }

    fn shown(&self, value: u64) -> u64 {
        value
    }
}

impl<'scope> Graph<'scope> {
    /// Communities by label propagation, as LDBC Graphalytics defines them: each vertex begins with itself
    /// for a label and takes, so many times, the label that most of its neighbours have, of several the
    /// least. A neighbour that leads to a vertex and that it leads to counts twice.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the labels for the graph as it is then.
    ///
    /// # Cost
    ///
    /// Computed anew in each epoch in which the graph changes, on arrays: each iteration sorts the labels
    /// around each vertex. It ends early when no label changes.
    pub fn cdlp(&self, iterations: u32) -> Values<'scope, u64> {
        let direction = self.direction;
        let sweep = Communities { iterations, direction, around: Vec::new() };
        let rule = move |owners| Together::new(Sweeping::new(sweep, owners, direction));
        Values { updates: self.edges.clone().rounds("cdlp", ends, rule) }
    }
}
