//! A plan as text for a terminal.
//!
//! Operators come in topological order, each below the ways that lead to it, so the page reads
//! downwards like the program does and shows any graph, loops included.

use std::fmt;

use super::{Plan, printable};

/// Where names begin: the longest kind and two spaces.
const INDENT: usize = 10;

/// Writes `plan`.
pub(super) fn write(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if plan.nodes.is_empty() {
        return writeln!(f, "no operators");
    }
    for id in plan.order() {
        let node = &plan.nodes[id.0];
        writeln!(f, "{:INDENT$}{}", node.kind, printable(&node.name))?;
        for edge in plan.edges.iter().filter(|it| it.to == id) {
            let arrow = if edge.routing.exchanges() { '⇐' } else { '←' };
            let from = printable(&plan.nodes[edge.from.0].name);
            let text = edge.text();
            let comma = if text.is_empty() { "" } else { ", " };
            writeln!(f, "{:INDENT$}{arrow} {from}{comma}{text}", "")?;
        }
        for note in &node.notes {
            writeln!(f, "{:INDENT$}{}", "", printable(note))?;
        }
        if let Some(state) = &node.state {
            writeln!(f, "{:INDENT$}state: {}", "", printable(state))?;
        }
        writeln!(f)?;
    }
    writeln!(f, "← stays on its worker   ⇐ is exchanged between workers")
}

#[cfg(test)]
mod tests {
    use super::super::tests::flights;
    use super::super::{Node, Routing};
    use super::*;

    #[test]
    fn a_job_reads_from_sources_to_sinks() {
        let expected = "\
source    flights
          csv, 4 partitions

operator  event time
          ← flights
          disorder up to 15 min

operator  delays
          ⇐ event time, by key origin
          sliding windows of 3 h every 30 min
          state: per key and open window, until the watermark passes

sink      delays.csv
          ⇐ delays, all to one worker

sink      late.csv
          ← delays, late

← stays on its worker   ⇐ is exchanged between workers
";
        assert_eq!(flights().to_string(), expected);
    }

    #[test]
    fn two_sources_meet_in_a_diamond() {
        let mut plan = Plan::new();
        let clicks = plan.add(Node::source("clicks"));
        let join = plan.add(Node::operator("join"));
        let views = plan.add(Node::source("views"));
        let sink = plan.add(Node::sink("out"));
        plan.connect(clicks, join, Routing::ByKey(String::new()));
        plan.connect(views, join, Routing::Broadcast);
        plan.connect_labelled(join, sink, Routing::Rebalance, "matched");
        plan.connect_labelled(join, sink, Routing::Local, "unmatched");
        let expected = "\
source    clicks

source    views

operator  join
          ⇐ clicks, by key
          ⇐ views, to every worker

sink      out
          ⇐ join, matched, spread evenly
          ← join, unmatched

← stays on its worker   ⇐ is exchanged between workers
";
        assert_eq!(plan.to_string(), expected);
    }

    #[test]
    fn odd_names_stay_on_their_line() {
        let mut plan = Plan::new();
        plan.add(Node::source("a \"b\"\n\tßé 流").note("x\r\ny"));
        let first: Vec<_> = plan.to_string().lines().take(2).map(String::from).collect();
        assert_eq!(first, ["source    a \"b\"\\n\\tßé 流", "          x\\r\\ny"]);
    }

    #[test]
    fn an_empty_plan_says_so() {
        assert_eq!(Plan::new().to_string(), "no operators\n");
    }
}
