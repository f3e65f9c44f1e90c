//! Communities and strong components: what is computed by sweeps.

use super::part::Direction;
use super::sweep::{Next, Sweep, Sweeping};
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
        _: u32,
        _: u64,
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

    fn next(&self, _: u32, sweeps: u32, changed: bool) -> Next {
        if sweeps < self.iterations && changed { Next::Sweep } else { Next::End }
    }

    fn shown(&self, value: u64) -> u64 {
        value
    }
}

/// Finds the components of vertices that reach each other, many at a time, by colours ([Orzan][1]).
///
/// A vertex that nothing leads to, or that leads nowhere, is alone: it is taken out, until there is none.
/// Then the least vertex from which others are reached gives them its colour; those of its colour that
/// reach it are its component. They are taken out, and it begins again with the others.
///
/// [1]: https://research.vu.nl/en/publications/on-distributed-verification-and-verified-distribution
struct Strong;

/// What of a vertex is known: its colour, and in which stage of its life it is.
type Coloured = (u64, u8);

/// It has the colour of the least vertex from which it was reached so far.
const OPEN: u8 = 0;
/// It reaches the vertex whose colour it has.
const REACHES: u8 = 1;
/// Its component is found.
const FOUND: u8 = 2;

/// The stages, again and again.
const TRIM: u32 = 0;
const COLOUR: u32 = 1;
const REACH: u32 = 2;
const TAKE_OUT: u32 = 3;

impl Sweep for Strong {
    type Value = Coloured;
    type Shown = u64;

    fn start(&self, id: u64) -> Coloured {
        (id, OPEN)
    }

    fn step(
        &mut self,
        stage: u32,
        id: u64,
        own: Coloured,
        mut from: impl Iterator<Item = Coloured>,
        mut to: impl Iterator<Item = Coloured>,
    ) -> Coloured {
        let (colour, life) = own;
        match (stage, life) {
            (_, FOUND) => own,
            (TRIM, _) => {
                let found = |it: Coloured| it.1 == FOUND;
                let alone = from.all(found) || to.all(found);
                (id, if alone { FOUND } else { OPEN })
            }
            (COLOUR, _) => {
                let colours = from.filter(|it| it.1 != FOUND).map(|it| it.0);
                (colours.fold(colour, u64::min), OPEN)
            }
            (REACH, OPEN) => {
                let reaches = id == colour || to.any(|it| it == (colour, REACHES));
                (colour, if reaches { REACHES } else { OPEN })
            }
            (TAKE_OUT, REACHES) => (colour, FOUND),
            (TAKE_OUT, _) => (id, OPEN),
            _ => own,
        }
    }

    fn next(&self, stage: u32, _: u32, changed: bool) -> Next {
        match (stage, changed) {
            (TRIM | COLOUR | REACH, true) => Next::Sweep,
            (TRIM, false) => Next::Stage(COLOUR),
            (COLOUR, false) => Next::Stage(REACH),
            (REACH, false) => Next::Stage(TAKE_OUT),
            // Nothing was taken out: all is found.
            (_, false) => Next::End,
            (_, true) => Next::Stage(TRIM),
        }
    }

    fn shown(&self, value: Coloured) -> u64 {
        value.0
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
        let rule = move |owners| Sweeping::new(sweep, owners, direction);
        Values { updates: self.edges.clone().rounds("cdlp", ends, rule) }
    }

    /// The strongly connected component of each vertex: the least of the vertices that it reaches and
    /// that reach it. In an undirected graph these are the [connected](Self::wcc) ones.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the components of the graph as it is then.
    ///
    /// # Cost
    ///
    /// Computed anew in each epoch in which the graph changes, on arrays: as many sweeps over all edges as
    /// ways are long, for each layer of components that hide behind lesser vertices.
    pub fn scc(&self) -> Values<'scope, u64> {
        let direction = self.direction;
        let rule = move |owners| Sweeping::new(Strong, owners, direction);
        Values { updates: self.edges.clone().rounds("scc", ends, rule) }
    }
}
