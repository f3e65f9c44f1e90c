//! Every algorithm at the ends of what a graph can be, as users of the tool run it.

use std::collections::BTreeMap;

use tidemill::graph::TOLERANCE;

use super::tool::{Desk, WAYS, values};

pub(super) const ALL: [&str; 15] = [
    "bfs",
    "sssp",
    "wcc",
    "scc",
    "pagerank",
    "ppr",
    "lcc",
    "triangles",
    "kcore",
    "cdlp",
    "ktruss",
    "mis",
    "betweenness",
    "msf",
    "motifs",
];

/// Runs an algorithm on the files `e` and, if it is there, `c`.
fn run(desk: &Desk, way: &str, algorithm: &str, source: u64, more: &[&str]) -> Values {
    let source = source.to_string();
    let own: &[&str] = match algorithm {
        "bfs" | "ppr" => &["--source", &source],
        "sssp" => &["--weighted", "--source", &source],
        "msf" => &["--weighted"],
        "betweenness" => &["--undirected", "--sources", "1"],
        _ => &[],
    };
    let changes: &[&str] = if desk.path("c").exists() { &["--changes", "c"] } else { &[] };
    desk.run(way, &[&[algorithm, "--edges", "e"], own, changes, more].concat()).well();
    values(&desk.text("out"))
}

type Values = BTreeMap<u64, String>;

/// What is expected of a vertex.
enum Is {
    Text(String),
    /// Off by a ten-thousandth of it.
    Near(f64),
    /// Off by a ten-thousandth, as all values are together.
    Share(f64),
    /// In the set or not: not both ends of an edge, and not neither.
    Chosen,
}

fn text(it: impl ToString) -> Is {
    Is::Text(it.to_string())
}

/// Compares the values of all vertices; gives those that are in a set.
#[track_caller]
fn compare(found: &Values, count: usize, of: &str, expected: impl Fn(u64) -> Is) {
    assert_eq!(found.len(), count, "{of}: as many vertices");
    let mut off = 0.0;
    let number = |it: &str| it.parse::<f64>().expect("a number");
    for (vertex, has) in found {
        let (same, is) = match expected(*vertex) {
            Is::Text(is) => (*has == is, is),
            Is::Near(is) => ((number(has) - is).abs() <= TOLERANCE * is, is.to_string()),
            Is::Share(is) => {
                off += (number(has) - is).abs();
                (off <= TOLERANCE, is.to_string())
            }
            Is::Chosen => (has == "0" || has == "1", "0 or 1".to_owned()),
        };
        assert!(same, "{of}: {vertex} has {has}, not {is}");
    }
}

#[test]
fn an_empty_file_is_an_empty_graph() {
    let desk = Desk::new();
    desk.put("e", "");
    for algorithm in ALL {
        for way in WAYS {
            assert!(run(&desk, way, algorithm, 1, &[]).is_empty(), "{algorithm} {way}");
        }
    }
}

/// What the only vertex has.
fn alone(algorithm: &str, vertex: u64) -> Is {
    match algorithm {
        "wcc" | "scc" | "cdlp" => text(vertex),
        "pagerank" | "ppr" => Is::Near(1.0),
        "mis" => text(1),
        "msf" => text(format!("{vertex} 0")),
        "motifs" => text("0 0 0"),
        _ => text(0),
    }
}

#[test]
fn one_vertex_has_all_values() {
    let desk = Desk::new();
    let only = u64::MAX;
    desk.put("v", &format!("{only}\n"));
    for (edges, comes) in [("", true), ("18446744073709551615 18446744073709551615 3\n", false)] {
        desk.put("e", edges);
        let sign = if comes { '+' } else { '-' };
        // Whether it is in the file of vertices or of edges, a loop at it changes nothing.
        desk.put("c", &format!("7 {sign} {only} {only} 3\n"));
        for algorithm in ALL {
            for way in ["-w 1", "-w 2"] {
                let found = run(&desk, way, algorithm, only, &["--vertices", "v"]);
                compare(&found, 1, &format!("{algorithm} {way}"), |it| alone(algorithm, it));
                assert_eq!(desk.text("out.changes"), "", "{algorithm} {way}");
            }
        }
    }
    for algorithm in ALL {
        let found = run(&desk, "-w 2", algorithm, only, &[]);
        compare(&found, 1, algorithm, |it| alone(algorithm, it));
        let value = found[&only].as_str();
        let nothing = value.split(' ').map(|_| "-").collect::<Vec<_>>().join(" ");
        assert_eq!(desk.text("out.changes"), format!("7 {only} {value} {nothing}\n"));
    }
}

/// What two vertices have between which an edge leads from `first`, the least length of which is this.
fn pair(algorithm: &str, vertex: u64, first: u64, second: u64, length: f64) -> Is {
    let begins = vertex == first;
    match algorithm {
        "bfs" => text(if begins { 0 } else { 1 }),
        "sssp" => text(if begins { 0.0 } else { length }),
        "wcc" => text(first.min(second)),
        "scc" | "cdlp" => text(vertex),
        "pagerank" => Is::Near(if begins { 1.0 } else { 1.85 } / 2.85),
        "ppr" => Is::Share(if begins { 1.0 } else { 0.85 } / 1.85),
        "kcore" => text(1),
        "ktruss" => text(2),
        "mis" => Is::Chosen,
        "msf" if vertex == first.min(second) => text(format!("{vertex} 0")),
        "msf" => text(format!("{} {length}", first.min(second))),
        "motifs" => text("0 0 0"),
        _ => text(0),
    }
}

#[test]
fn the_greatest_id_is_one_like_others() {
    let desk = Desk::new();
    let greatest = u64::MAX;
    desk.put("e", &format!("{greatest} 0 2.5\n"));
    for algorithm in ALL {
        for way in WAYS {
            let found = run(&desk, way, algorithm, greatest, &[]);
            compare(&found, 2, &format!("{algorithm} {way}"), |it| {
                pair(algorithm, it, greatest, 0, 2.5)
            });
            assert!(algorithm != "mis" || found[&0] != found[&greatest]);
        }
    }
}

#[test]
fn a_million_edges_between_two_are_one() {
    let desk = Desk::new();
    let edges: String = (1..=1_000_000).rev().map(|it| format!("1 2 {it}\n")).collect();
    desk.put("e", &edges);
    desk.put("c", "0 - 1 2 1\n0 - 1 2 2\n");
    for algorithm in ALL {
        let found = run(&desk, "-w 2", algorithm, 1, &[]);
        compare(&found, 2, algorithm, |it| pair(algorithm, it, 1, 2, 1.0));
        assert!(algorithm != "mis" || found[&1] != found[&2]);
        let changed = match algorithm {
            "sssp" => "0 2 1 3\n",
            "msf" => "0 2 1 1 1 3\n",
            _ => "",
        };
        assert_eq!(desk.text("out.changes"), changed, "{algorithm}");
    }
}

#[test]
fn a_star_of_a_hundred_thousand_has_all_values() {
    const LEAVES: u64 = 100_000;
    let desk = Desk::new();
    let edges: String = (1..=LEAVES).map(|it| format!("0 {it} 1\n")).collect();
    desk.put("e", &edges);
    desk.put("c", "5 - 0 77 1\n");
    let leaves = LEAVES as f64;
    for algorithm in ALL {
        let found = run(&desk, "-w 2", algorithm, 0, &[]);
        compare(&found, LEAVES as usize + 1, algorithm, |vertex| {
            let leaf = vertex > 0;
            let shared = |centre: f64, each: f64| if leaf { each } else { centre };
            match algorithm {
                "bfs" | "sssp" => text(u8::from(leaf)),
                "wcc" => text(0),
                "scc" => text(vertex),
                "pagerank" => Is::Near(shared(1.0, 1.0 + 0.85 / leaves) / (leaves + 1.85)),
                "ppr" => Is::Share(shared(1.0, 0.85 / leaves) / 1.85),
                "kcore" => text(1),
                // After an even number of iterations leaves have what the centre had before.
                "cdlp" => text(u8::from(leaf)),
                "ktruss" => text(2),
                "mis" => Is::Chosen,
                // The ways from the leaf that is followed, as if from all, each pair once.
                "betweenness" => Is::Near(shared((leaves - 1.0) * (leaves + 1.0) / 2.0, 0.0)),
                "msf" => text(format!("0 {}", u8::from(leaf))),
                "motifs" => text("0 0 0"),
                _ => text(0),
            }
        });
        let chosen = found.values().filter(|it| *it == "1").count();
        assert!(algorithm != "mis" || chosen == 1 || (chosen == 100_000 && found[&0] == "0"));
        let value = found[&77].as_str();
        let nothing = value.split(' ').map(|_| "-").collect::<Vec<_>>().join(" ");
        let gone = format!("5 77 {value} {nothing}\n");
        let changes = desk.text("out.changes");
        assert!(changes.contains(&gone), "{algorithm}");
        // Ranks and the scale of a sample depend on how many there are.
        let apart = ["pagerank", "ppr", "betweenness"].contains(&algorithm);
        assert!(apart || changes == gone, "{algorithm}");
    }
}

const LENGTH: u64 = 100_000;

/// Labels of a path after ten iterations: each time the lesser of those next to it.
fn labels() -> Vec<u64> {
    let mut labels = Vec::from_iter(0..LENGTH);
    for _ in 0..10 {
        let least = |at: usize| {
            let before = at.checked_sub(1).map(|it| labels[it]);
            before.into_iter().chain(labels.get(at + 1).copied()).min().unwrap_or_default()
        };
        labels = (0..labels.len()).map(least).collect();
    }
    labels
}

fn check_path(algorithm: &str, way: &str, labels: &[u64]) {
    let desk = Desk::new();
    let edges: String = (1..LENGTH).map(|it| format!("{} {it} 1\n", it - 1)).collect();
    desk.put("e", &edges);
    let found = run(&desk, way, algorithm, 0, &[]);
    let visits = |it: u64| (1.0 - 0.85_f64.powf(it as f64 + 1.0)) / 0.15;
    let sum: f64 = (0..LENGTH).map(visits).sum();
    // The one that ways are followed from: those behind it see fewer and fewer go on.
    let passed = |it: u64| found[&it].parse::<f64>().expect("a number");
    compare(&found, LENGTH as usize, &format!("{algorithm} {way}"), |vertex| match algorithm {
        "bfs" | "sssp" | "scc" => text(vertex),
        "pagerank" => Is::Near(visits(vertex) / sum),
        "ppr" => Is::Share(0.85_f64.powf(vertex as f64) * 0.15),
        "kcore" => text(1),
        "cdlp" => text(labels[vertex as usize]),
        "ktruss" => text(2),
        "mis" => Is::Chosen,
        "betweenness" => Is::Near(passed(vertex)),
        "msf" if vertex > 0 => text(format!("{} 1", vertex - 1)),
        "msf" => text("0 0"),
        "motifs" => text("0 0 0"),
        _ => text(0),
    });
    if algorithm == "mis" {
        let chosen = |it: u64| found.get(&it).is_some_and(|it| it == "1");
        for vertex in 0..LENGTH {
            let beside = vertex.checked_sub(1).is_some_and(chosen) || chosen(vertex + 1);
            assert!(chosen(vertex) != beside, "{vertex} and those beside it");
        }
    }
    if algorithm == "betweenness" {
        let all = LENGTH as f64;
        let source = (0..LENGTH).find(|it| (1..LENGTH - 1).contains(it) && passed(*it) == 0.0);
        let source = source.expect("one that no way from it leads through");
        for vertex in (0..LENGTH).filter(|it| *it != source) {
            let behind = if vertex < source { vertex } else { LENGTH - 1 - vertex };
            let far = passed(vertex) / (behind as f64 * all / 2.0).max(1.0) - 1.0;
            assert!(behind == 0 || far.abs() < 1e-9, "{vertex} {way}");
        }
    }
}

#[test]
fn a_path_of_a_hundred_thousand_has_all_values() {
    let labels = labels();
    for way in ["-w 1", "-w 2"] {
        ALL.into_iter().for_each(|algorithm| check_path(algorithm, way, &labels));
    }
}

#[test]
fn two_processes_walk_a_path_of_a_hundred_thousand() {
    for algorithm in ["sssp", "wcc", "scc", "pagerank", "kcore", "msf"] {
        check_path(algorithm, "-n 2", &[]);
    }
}
