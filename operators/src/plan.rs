//! The job as a graph to read: its operators, how records travel between them, where state is kept.
//!
//! Verbs note here what they build, so a job can be shown without being run. `Display` writes the
//! graph as text, [`Plan::dot`] for Graphviz. The plan also gives each operator the unique name
//! under which its counters are shown and its state is kept.
//!
//! # Guarantees
//!
//! Names depend only on the order in which operators are added and renamed, so all workers, and all
//! runs of the same program, agree on them. Any text is allowed in names and notes.

use std::fmt;

mod dot;
mod text;

/// An operator's place in a [`Plan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

/// Whether an operator reads, works or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Records enter the job here.
    Source,
    /// Records are worked on here.
    Operator,
    /// Records leave the job here.
    Sink,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::Operator => "operator",
            Self::Sink => "sink",
        })
    }
}

/// How records get from one operator to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routing {
    /// They stay on their worker.
    Local,
    /// All records of a key go to the same worker; says what the key is, or nothing.
    ByKey(String),
    /// Every worker receives all of them.
    Broadcast,
    /// They are spread evenly over the workers.
    Rebalance,
    /// They all go to one worker.
    One,
}

impl Routing {
    /// Whether records change workers, and so may cross the network.
    pub fn exchanges(&self) -> bool {
        *self != Self::Local
    }
}

/// Says nothing for [`Routing::Local`], otherwise where the records go, as in `by key origin`.
impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => Ok(()),
            Self::ByKey(key) if key.is_empty() => f.write_str("by key"),
            Self::ByKey(key) => write!(f, "by key {key}"),
            Self::Broadcast => f.write_str("to every worker"),
            Self::Rebalance => f.write_str("spread evenly"),
            Self::One => f.write_str("all to one worker"),
        }
    }
}

/// One operator of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    name: String,
    kind: Kind,
    state: Option<String>,
    notes: Vec<String>,
}

impl Node {
    /// A source.
    pub fn source(name: impl Into<String>) -> Self {
        Self::new(Kind::Source, name)
    }

    /// An operator between sources and sinks.
    pub fn operator(name: impl Into<String>) -> Self {
        Self::new(Kind::Operator, name)
    }

    /// A sink.
    pub fn sink(name: impl Into<String>) -> Self {
        Self::new(Kind::Sink, name)
    }

    /// A node of `kind`.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { name: name.into(), kind, state: None, notes: Vec::new() }
    }

    /// The same node with where its state is held and what frees it, as in
    /// `per key and open window, until the watermark passes`.
    #[must_use]
    pub fn state(mut self, held: impl Into<String>) -> Self {
        self.state = Some(held.into());
        self
    }

    /// The same node with one more thing worth knowing, such as the size of its windows.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// A way that records take between two operators.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edge {
    from: NodeId,
    to: NodeId,
    routing: Routing,
    label: Option<String>,
}

impl Edge {
    /// The label and the routing, as far as there is something to say.
    fn text(&self) -> String {
        let routing = self.routing.to_string();
        let parts = self.label.iter().chain((!routing.is_empty()).then_some(&routing));
        printable(&parts.map(String::as_str).collect::<Vec<_>>().join(", "))
    }
}

/// The operators of a job and the ways between them.
///
/// ```
/// use tidemill_operators::plan::{Node, Plan, Routing};
///
/// let mut plan = Plan::new();
/// let flights = plan.add(Node::source("flights"));
/// let hourly = plan.add(Node::operator("hourly").state("per key and open window"));
/// plan.connect(flights, hourly, Routing::ByKey("origin".into()));
/// assert_eq!(
///     plan.to_string(),
///     "source    flights\n\
///      \n\
///      operator  hourly\n          \
///                ⇐ flights, by key origin\n          \
///                state: per key and open window\n\
///      \n\
///      ← stays on its worker   ⇐ is exchanged between workers\n",
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct Plan {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

impl Plan {
    /// An empty plan.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an operator. A name that is taken gets the first free of the endings `-2`, `-3` and so
    /// on; an empty one becomes the kind of the operator.
    pub fn add(&mut self, mut node: Node) -> NodeId {
        let id = NodeId(self.nodes.len());
        node.name = self.free(id, &node.name, node.kind);
        self.nodes.push(node);
        id
    }

    /// Gives an operator another name, made unique as [`add`](Self::add) does, and returns it.
    ///
    /// # Panics
    ///
    /// If the operator is of another plan.
    pub fn rename(&mut self, id: NodeId, name: &str) -> &str {
        let name = self.free(id, name, self.nodes[id.0].kind);
        self.nodes[id.0].name = name;
        &self.nodes[id.0].name
    }

    /// The unique name of an operator, which is its stable id.
    ///
    /// # Panics
    ///
    /// If the operator is of another plan.
    pub fn name(&self, id: NodeId) -> &str {
        &self.nodes[id.0].name
    }

    /// Leads the records of one operator to another.
    ///
    /// # Panics
    ///
    /// If either operator is of another plan.
    pub fn connect(&mut self, from: NodeId, to: NodeId, routing: Routing) {
        self.lead(from, to, routing, None);
    }

    /// Leads the records of a named output of one operator, such as `late`, to another.
    ///
    /// # Panics
    ///
    /// If either operator is of another plan.
    pub fn connect_labelled(
        &mut self,
        from: NodeId,
        to: NodeId,
        routing: Routing,
        label: impl Into<String>,
    ) {
        self.lead(from, to, routing, Some(label.into()));
    }

    fn lead(&mut self, from: NodeId, to: NodeId, routing: Routing, label: Option<String>) {
        let known = self.nodes.len();
        assert!(from.0 < known && to.0 < known, "both operators are in this plan");
        self.edges.push(Edge { from, to, routing, label });
    }

    /// `name`, or the first numbered form of it that no other node than `id` has.
    fn free(&self, id: NodeId, name: &str, kind: Kind) -> String {
        let name = if name.is_empty() { kind.to_string() } else { name.to_owned() };
        let taken = |wanted: &str| {
            let mut others = self.nodes.iter().enumerate().filter(|(at, _)| *at != id.0);
            others.any(|(_, node)| node.name == wanted)
        };
        if !taken(&name) {
            return name;
        }
        let mut numbered = (2u64..).map(|n| format!("{name}-{n}"));
        numbered.find(|it| !taken(it)).expect("fewer than 2^64 nodes have names")
    }

    /// The operators, each after those it receives from; in the order they were added otherwise.
    ///
    /// A loop is cut at the operator of it that was added first.
    fn order(&self) -> Vec<NodeId> {
        let mut waiting: Vec<_> = (0..self.nodes.len()).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let fed = |node: usize| {
                let mut feeds = self.edges.iter().filter(|it| it.to.0 == node);
                feeds.all(|it| it.from.0 == node || !waiting.contains(&it.from.0))
            };
            let next = waiting.iter().position(|&node| fed(node)).unwrap_or(0);
            order.push(NodeId(waiting.remove(next)));
        }
        order
    }

    /// The graph in Graphviz's language: sources and sinks with their own shapes, state in the
    /// label, and ways on which records change workers drawn bold.
    pub fn dot(&self) -> String {
        dot::write(self)
    }
}

/// Lists the operators from sources to sinks, each with what it receives and what it keeps.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}

/// `text` on a single line: control characters appear as Rust writes them.
fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            line.extend(char.escape_default());
        } else {
            line.push(char);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn flights() -> Plan {
        let mut plan = Plan::new();
        let flights = plan.add(Node::source("flights").note("csv, 4 partitions"));
        let time = plan.add(Node::operator("event time").note("disorder up to 15 min"));
        let delays = plan.add(
            Node::operator("delays")
                .note("sliding windows of 3 h every 30 min")
                .state("per key and open window, until the watermark passes"),
        );
        let rates = plan.add(Node::sink("delays.csv"));
        let late = plan.add(Node::sink("late.csv"));
        plan.connect(flights, time, Routing::Local);
        plan.connect(time, delays, Routing::ByKey("origin".into()));
        plan.connect(delays, rates, Routing::One);
        plan.connect_labelled(delays, late, Routing::Local, "late");
        plan
    }

    fn names(plan: &Plan, ids: &[NodeId]) -> Vec<String> {
        ids.iter().map(|&id| plan.name(id).to_owned()).collect()
    }

    #[test]
    fn a_repeated_name_is_numbered() {
        let mut plan = Plan::new();
        let ids = ["map", "map", "map-2", "map", ""].map(|it| plan.add(Node::operator(it)));
        assert_eq!(names(&plan, &ids), ["map", "map-2", "map-2-2", "map-3", "operator"]);
    }

    #[test]
    fn renaming_frees_the_old_name_and_keeps_names_unique() {
        let mut plan = Plan::new();
        let first = plan.add(Node::operator("window"));
        let second = plan.add(Node::operator("window"));
        assert_eq!(plan.rename(first, "hourly"), "hourly");
        assert_eq!(plan.rename(second, "hourly"), "hourly-2");
        assert_eq!(plan.rename(second, "hourly-2"), "hourly-2");
        let third = plan.add(Node::operator("window"));
        assert_eq!(plan.name(third), "window");
    }

    #[test]
    fn an_operator_comes_after_its_inputs() {
        let mut plan = Plan::new();
        let [sink, join, left, right, source] =
            ["sink", "join", "left", "right", "source"].map(|it| plan.add(Node::operator(it)));
        let ways = [(join, sink), (left, join), (right, join), (source, left), (source, right)];
        for (from, to) in ways {
            plan.connect(from, to, Routing::Local);
        }
        assert_eq!(plan.order(), [source, left, right, join, sink]);
    }

    #[test]
    fn a_loop_is_cut_where_it_begins() {
        let mut plan = Plan::new();
        let [source, enter, step, sink] =
            ["source", "enter", "step", "sink"].map(|it| plan.add(Node::operator(it)));
        for (from, to) in
            [(source, enter), (enter, step), (step, enter), (step, step), (step, sink)]
        {
            plan.connect(from, to, Routing::Local);
        }
        assert_eq!(plan.order(), [source, enter, step, sink]);
    }

    #[test]
    fn an_operator_that_feeds_itself_still_comes_before_others() {
        let mut plan = Plan::new();
        let [sink, step] = ["sink", "step"].map(|it| plan.add(Node::operator(it)));
        plan.connect(step, step, Routing::Local);
        plan.connect(step, sink, Routing::Local);
        assert_eq!(plan.order(), [step, sink]);
    }
}
