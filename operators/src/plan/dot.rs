//! A plan as a Graphviz graph, in the DOT language.
//!
//! In a quoted string of DOT a backslash begins an escape, a quote ends the string and an ampersand
//! begins an HTML entity. All three are escaped here, so any name is drawn as it is.

use super::{Kind, Node, Plan, printable};

const HEAD: &str = r##"digraph job {
  graph [rankdir=TB, nodesep=0.5, ranksep=0.5, fontname="Helvetica"];
  node [style="filled", fillcolor="#ffffff", color="#5b6b7a", fontname="Helvetica", fontsize=11, margin="0.18,0.08"];
  edge [color="#5b6b7a", fontname="Helvetica", fontsize=10, arrowsize=0.7];
"##;

/// Writes `plan`.
pub(super) fn write(plan: &Plan) -> String {
    let mut out = String::from(HEAD);
    for (at, node) in plan.nodes.iter().enumerate() {
        let look = match node.kind {
            Kind::Source => r##", shape=ellipse, fillcolor="#e8f1ea""##,
            Kind::Operator if node.state.is_some() => r##", shape=box, fillcolor="#fbf3df""##,
            Kind::Operator => ", shape=box",
            Kind::Sink => r##", shape=note, fillcolor="#e6edf5""##,
        };
        out += &format!("  n{at} [label={}{look}];\n", label(node));
    }
    for edge in &plan.edges {
        let mut attributes = Vec::new();
        let text = edge.text();
        if !text.is_empty() {
            // The space keeps the text off the line.
            attributes.push(format!("label=\" {}\"", escaped(&text)));
        }
        if edge.routing.exchanges() {
            attributes.push("style=bold, penwidth=2.4".to_owned());
        }
        let attributes = match attributes.join(", ") {
            none if none.is_empty() => none,
            some => format!(" [{some}]"),
        };
        out += &format!("  n{} -> n{}{attributes};\n", edge.from.0, edge.to.0);
    }
    out + "}\n"
}

/// The name, the notes and the state, a line each.
fn label(node: &Node) -> String {
    let mut lines = vec![escaped(&printable(&node.name))];
    lines.extend(node.notes.iter().map(|it| escaped(&printable(it))));
    lines.extend(node.state.iter().map(|it| format!("state: {}", escaped(&printable(it)))));
    format!("\"{}\"", lines.join("\\n"))
}

/// `text` for the inside of a quoted string.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::Routing;
    use super::super::tests::flights;
    use super::*;

    fn body(plan: &Plan) -> String {
        write(plan).strip_prefix(HEAD).expect("the head comes first").to_owned()
    }

    #[test]
    fn exchanged_records_are_bold_and_state_is_in_the_label() {
        let expected = r##"  n0 [label="flights\ncsv, 4 partitions", shape=ellipse, fillcolor="#e8f1ea"];
  n1 [label="event time\ndisorder up to 15 min", shape=box];
  n2 [label="delays\nsliding windows of 3 h every 30 min\nstate: per key and open window, until the watermark passes", shape=box, fillcolor="#fbf3df"];
  n3 [label="delays.csv", shape=note, fillcolor="#e6edf5"];
  n4 [label="late.csv", shape=note, fillcolor="#e6edf5"];
  n0 -> n1;
  n1 -> n2 [label=" by key origin", style=bold, penwidth=2.4];
  n2 -> n3 [label=" all to one worker", style=bold, penwidth=2.4];
  n2 -> n4 [label=" late"];
}
"##;
        assert_eq!(body(&flights()), expected);
    }

    #[test]
    fn odd_names_are_quoted() {
        let mut plan = Plan::new();
        let odd = plan.add(Node::operator("\"a\"\n<b> & {c|d} \\N ü流"));
        plan.connect_labelled(odd, odd, Routing::Local, "\"again\\");
        let expected = r#"  n0 [label="\"a\"\\n<b> &amp; {c|d} \\N ü流", shape=box];
  n0 -> n0 [label=" \"again\\"];
}
"#;
        assert_eq!(body(&plan), expected);
    }
}
