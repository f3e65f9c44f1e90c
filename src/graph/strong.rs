//! Strong components that follow each change.
//!
//! An edge that goes can only break the component that both of its ends are in: its vertices are looked at
//! anew. One that comes between two components can only unite those that lie on a way from its end back to its
//! beginning: they are [searched for](super::reach) from both sides. Whatever else is as it was. The
//! components of those that are looked at anew are found [by themselves](super::peel), as no other
//! vertex is in one with them.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::answers::Answers;
use super::edge::Edge;
use super::part::{Direction, Part};
use super::peel::{Note, Peel, Stage};
use super::reach::{BACK, FORTH, Search, Step};
use super::together::Together;
use super::update::{Update, Values};
use super::{Graph, ends};
use crate::collection::Diff;
use crate::fixpoint::{Owners, Post, Round, Rounds};
use crate::time::Epoch;

/// What parts tell each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Word {
    /// So much has changed that all is looked at anew.
    Begin,
    /// A way came or went; the least vertex of the component that it begins in.
    Way {
        from: u64,
        to: u64,
        of: u64,
        came: bool,
    },
    /// The component with this least vertex is looked at anew.
    Open(u64),
    Step(Step),
    Note(Note),
}

/// First the ends of changed edges are compared, then is searched, then peeled.
const COMPARE: u32 = 0;
const SEARCH: u32 = 1;
const PEEL: u32 = 2;

/// The components of a part's vertices.
struct Strong {
    part: Part<()>,
    /// The least vertex of the component of each.
    least: Answers<u64>,
    /// The vertices of this part in each component of several; some may have left it.
    members: HashMap<u64, Vec<u32>, FixedState>,
    /// The ways that came or went.
    ways: Vec<(u32, u32)>,
    search: Search,
    peel: Peel,
}

impl Strong {
    fn new(owners: Owners) -> Self {
        Self {
            part: Part::new(owners, Direction::Directed),
            least: Answers::new(),
            members: HashMap::default(),
            ways: Vec::new(),
            search: Search::new(),
            peel: Peel::default(),
        }
    }

    /// Takes the changes of an epoch; gives the vertices of this part that they touch.
    fn change(&mut self, changes: &[(Edge, Diff)]) -> Vec<u32> {
        let mut touched = Vec::new();
        if self.part.is_empty() && changes.iter().all(|(_, diff)| *diff > 0) {
            self.part.load(changes);
            let vertices = &self.part.vertices;
            touched.extend((0..vertices.len() as u32).filter(|it| vertices.mine(*it)));
            for from in &touched {
                self.ways.extend(self.part.outgoing(*from).iter().map(|it| (*from, it.0)));
            }
            return touched;
        }
        let mut ways = Vec::new();
        for (edge, diff) in changes {
            self.part.change(edge, *diff, &mut touched, &mut ways);
        }
        let ours = ways.iter().filter(|it| self.part.vertices.mine(it.from));
        self.ways.extend(ours.map(|it| (it.from, it.to)));
        self.ways.sort_unstable();
        self.ways.dedup();
        touched
    }

    /// Tells the parts of their ends of the ways that came or went.
    fn tell(&mut self, post: &mut Post<Word>) {
        let peers = self.part.vertices.owners().peers();
        if self.ways.len() > self.part.vertices.len() / 2 {
            self.ways.clear();
            (0..peers).for_each(|it| post.to(it, Word::Begin));
        }
        for (from, to) in std::mem::take(&mut self.ways) {
            let came = self.part.leads(from, to, ());
            let (vertices, of) = (&self.part.vertices, self.least.get(from));
            let (from, owner) = (vertices.id(from), vertices.owner(to));
            post.to(owner, Word::Way { from, to: vertices.id(to), of, came });
        }
    }

    /// Compares the ends of a way, and looks at a component anew.
    fn compare(&mut self, word: &Word, post: &mut Post<Word>) {
        let vertices = &self.part.vertices;
        match *word {
            Word::Begin => {
                for slot in 0..vertices.len() as u32 {
                    if self.part.vertices.mine(slot) {
                        self.peel.open(slot);
                    }
                }
                self.members.clear();
            }
            Word::Way { from, to, of, came } => {
                let Some(slot) = vertices.find(to) else { return };
                let same = self.least.get(slot) == of;
                if same && !came {
                    let peers = vertices.owners().peers();
                    (0..peers).for_each(|it| post.to(it, Word::Open(of)));
                } else if !same && came {
                    self.search.find(FORTH, slot);
                    let Some(from) = vertices.find(from) else { return };
                    let step = Step::At(BACK as u8, vertices.id(from));
                    if vertices.mine(from) {
                        self.search.find(BACK, from);
                    } else {
                        post.to(vertices.owner(from), Word::Step(step));
                    }
                }
            }
            Word::Open(of) => {
                let mut members = self.members.remove(&of).unwrap_or_default();
                members.extend(vertices.find(of).filter(|it| vertices.mine(*it)));
                members.retain(|it| self.least.get(*it) == of);
                members.into_iter().for_each(|it| self.peel.open(it));
            }
            Word::Step(Step::At(_, id)) => {
                if let Some(slot) = vertices.find(id) {
                    self.search.find(BACK, slot);
                }
            }
            Word::Step(Step::Left(_)) | Word::Note(_) => unreachable!("ends are compared first"),
        }
    }

    fn search(&mut self, first: bool, mail: &[Word], post: &mut Post<Word>) {
        let steps = mail.iter().map(|it| match it {
            Word::Step(step) => *step,
            _ => unreachable!("while a search goes on, only its steps are told"),
        });
        let steps = Vec::from_iter(steps);
        self.search.go_on(first, &steps, &self.part, post, Word::Step);
    }

    /// Peels; whether there is more to do.
    fn peel(&mut self, round: Round, mail: &[Word], post: &mut Post<Word>) -> bool {
        let first = round.step == 0;
        if round.phase == PEEL && first {
            for slot in self.search.end(&self.part) {
                // All of a component lie on such a way if one of them does.
                self.members.remove(&self.least.get(slot));
                self.peel.open(slot);
            }
        }
        let notes = mail.iter().map(|it| match it {
            Word::Note(note) => *note,
            _ => unreachable!("while components are peeled, only that is spoken of"),
        });
        let (notes, stage) = (Vec::from_iter(notes), Stage::of(round.phase - PEEL));
        self.peel.go_on(stage, first, &notes, &self.part, post, Word::Note);
        for (slot, least) in self.peel.found() {
            self.least.set(slot, least);
            if least != self.part.vertices.id(slot) {
                self.members.entry(least).or_default().push(slot);
            }
        }
        !self.peel.done()
    }
}

impl Rounds<Edge> for Strong {
    type Message = Word;
    type Output = Update<u64>;

    fn accept(&mut self, changes: Vec<(Edge, Diff)>) {
        let touched = self.change(&changes);
        let slots = self.part.vertices.len();
        self.least.grow(slots);
        self.search.grow(slots);
        self.peel.grow(slots);
        for slot in touched {
            if self.least.was_there(slot) {
                self.least.note(slot);
            } else {
                self.least.set(slot, self.part.vertices.id(slot));
            }
        }
    }

    fn round(&mut self, round: Round, mail: Vec<Word>, post: &mut Post<Word>) -> Option<Round> {
        let first = round.step == 0;
        match round.phase {
            COMPARE => {
                if first {
                    self.tell(post);
                }
                mail.iter().for_each(|it| self.compare(it, post));
                Some(Round::of_phase(SEARCH))
            }
            SEARCH => {
                self.search(first, &mail, post);
                Some(Round::of_phase(PEEL))
            }
            phase => {
                let more = self.peel(round, &mail, post);
                more.then_some(Round::of_phase(phase + 1))
            }
        }
    }

    fn finish(&mut self, epoch: Epoch, out: &mut Vec<Update<u64>>) {
        self.peel.end();
        self.least.finish(&mut self.part, epoch, |_, least| least, out, |_| ());
    }
}

impl<'scope> Graph<'scope> {
    /// The strongly connected component of each vertex: the least of the vertices that it reaches and
    /// that reach it. In an undirected graph these are the [connected](Self::wcc) ones.
    ///
    /// # Guarantees
    ///
    /// At the end of each epoch, exactly the components of the graph as it is then.
    ///
    /// # Cost
    ///
    /// Maintained, at the cost of what might change: an edge that goes within a component costs the vertices of
    /// that component and their edges, even if it stays whole. One that comes between two components
    /// costs what can be reached from its end, or what reaches its beginning, whichever is less, and
    /// then what it unites. All others cost nothing. In a graph most of which is one component a
    /// deletion costs about as much as the first answer; if many edges change at once, they are looked at
    /// together.
    ///
    /// The first answer, as what is looked at anew: a look at each edge for those that are alone, then
    /// as many rounds between workers as ways are long, for each layer of components that hide behind lesser
    /// vertices.
    ///
    /// State: five words for each vertex, on each worker that has an edge of it; each edge twice, in four bytes.
    ///
    /// # Example
    ///
    /// ```
    /// use tidemill::flow::Flow;
    /// use tidemill::graph::{Edge, Graph};
    /// use tidemill::stream::Stream;
    /// use timely::dataflow::operators::{Capture, ToStream, capture::Extract};
    ///
    /// let components = timely::example(|scope| {
    ///     let edges = [(3, 5), (5, 3), (3, 1), (1, 4)].map(|(from, to)| Edge::new(from, to));
    ///     let edges = Stream::from_inner(&Flow::new(scope), edges.to_stream(scope)).inserts();
    ///     Graph::directed(edges).scc().collection().changes().inner().capture()
    /// });
    /// let expected = [(1, 1), (3, 3), (4, 4), (5, 3)].map(|it| (it, 1));
    /// assert_eq!(components.extract(), [(0, expected.to_vec())]);
    /// ```
    pub fn scc(&self) -> Values<'scope, u64> {
        match self.direction {
            Direction::Directed => {
                let rule = |owners| Together::new(Strong::new(owners));
                Values { updates: self.edges.clone().rounds("scc", ends, rule) }
            }
            Direction::Undirected => self.wcc(),
        }
    }
}
