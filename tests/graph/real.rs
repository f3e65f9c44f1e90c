//! Real graphs, with the answers of SciPy, igraph and NetworkX.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::tool::{Desk, WAYS, compare};

/// A graph, and whether its edges have weights.
struct Real {
    name: &'static str,
    weighted: bool,
}

/// The text of a shared data file, unless it is not there.
pub(crate) fn shared(name: &str) -> Option<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = here.ancestors().skip(1).map(|it| it.join("shared/data").join(name));
    let Some(path) = folders.find(|it| it.exists()) else {
        println!("skipped: {name} is not here");
        return None;
    };
    let file = std::fs::File::open(path).expect("a file that is there");
    let (mut text, mut file) = (String::new(), file);
    if name.ends_with(".gz") {
        MultiGzDecoder::new(file).read_to_string(&mut text).expect("a compressed text");
    } else {
        file.read_to_string(&mut text).expect("a text");
    }
    Some(text)
}

/// The answers of a graph: by column, a value for each vertex.
fn answers(name: &str) -> Option<BTreeMap<String, BTreeMap<u64, String>>> {
    let text = shared(&format!("reference/graphs/{name}.vertices.csv.gz"))?;
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next()?.split(',').collect();
    let mut answers = BTreeMap::<String, BTreeMap<u64, String>>::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let vertex = fields.first()?.parse().expect("an id");
        for (column, value) in columns.iter().zip(&fields).skip(1) {
            answers.entry((*column).to_owned()).or_default().insert(vertex, (*value).to_owned());
        }
    }
    Some(answers)
}

/// In these files -1 stands for what cannot be reached.
fn reached(values: &BTreeMap<u64, String>, far: &str) -> BTreeMap<u64, String> {
    let far = |it: &String| if it == "-1" { far.to_owned() } else { it.clone() };
    values.iter().map(|(vertex, value)| (*vertex, far(value))).collect()
}

/// The edges with the weights that stand for those they do not have.
fn weighted(edges: &str, directed: bool) -> String {
    let mut weighted = "src,dst,weight\n".to_owned();
    for line in edges.lines().skip(1) {
        let mut ends = line.split(',').map(|it| it.parse::<u64>().expect("an id"));
        let ends = ends.next().zip(ends.next());
        let (mut from, mut to) = ends.expect("two ends");
        if !directed && from > to {
            (from, to) = (to, from);
        }
        weighted += &format!("{from},{to},{}\n", 1 + (31 * from + 17 * to) % 10);
    }
    weighted
}

impl Real {
    fn check(&self) {
        let Self { name, .. } = self;
        let Some(answers) = answers(name) else { return };
        let Some(edges) = shared(&format!("graphs/{name}.csv.gz")) else { return };
        let Some(summary) = shared(&format!("reference/graphs/{name}.summary.json")) else {
            return;
        };
        let summary: Value = serde_json::from_str(&summary).expect("a summary");
        let directed = summary["directed"].as_bool().expect("a direction");
        let source = summary["source_vertex"].to_string();
        let desk = Desk::new();
        let lengthy = if self.weighted { edges.clone() } else { weighted(&edges, directed) };
        desk.put("e", &edges);
        desk.put("weighted", &lengthy);
        let values = |way: &str, arguments: &[&str]| {
            let direction = if directed { "--directed" } else { "--undirected" };
            desk.run(way, &[arguments, &[direction]].concat()).well();
            desk.values()
        };
        let check = |way: &str, arguments: &[&str], expected: &BTreeMap<u64, String>| {
            let found = values(way, &[arguments, &["--edges", "e"]].concat());
            compare(&found, expected, &format!("{arguments:?} of {name} {way}"));
        };
        for way in WAYS {
            let steps = reached(&answers["bfs"], "9223372036854775807");
            check(way, &["bfs", "--source", &source], &steps);
            check(way, &["wcc"], &answers["wcc"]);
            check(way, &["pagerank", "--iterations", "20"], &answers["pr20"]);
            check(way, &["pagerank"], &answers["pr_converged"]);
            check(way, &["cdlp", "--iterations", "10"], &answers["cdlp10"]);
            check(way, &["kcore"], &answers["core"]);
            check(way, &["lcc"], &answers["lcc"]);
            if let Some(strong) = answers.get("scc") {
                check(way, &["scc"], strong);
            }
            let lengths = reached(&answers["sssp"], "Infinity");
            let long = ["sssp", "--weighted", "--source", &source, "--edges", "weighted"];
            compare(&values(way, &long), &lengths, &format!("sssp of {name} {way}"));
            let corners = values(way, &["triangles", "--edges", "e"]);
            let corners = corners.values().map(|it| it.parse::<u64>().expect("a number"));
            let triangles = summary["triangles"].as_u64().map(|it| 3 * it);
            assert_eq!(Some(corners.sum()), triangles, "triangles of {name} {way}");
        }
    }
}

#[test]
fn roads_of_california_have_the_answers_of_other_tools() {
    Real { name: "cal-roads", weighted: true }.check();
}

#[test]
fn votes_of_wikipedia_have_the_answers_of_other_tools() {
    Real { name: "wiki-vote", weighted: false }.check();
}

#[test]
fn flights_have_the_answers_of_other_tools() {
    Real { name: "openflights-routes", weighted: true }.check();
}

#[test]
fn pages_that_like_each_other_have_the_answers_of_other_tools() {
    Real { name: "musae-facebook", weighted: false }.check();
}

#[test]
fn programmers_who_follow_each_other_have_the_answers_of_other_tools() {
    Real { name: "musae-github", weighted: false }.check();
}

#[test]
fn peers_of_gnutella_have_the_answers_of_other_tools() {
    Real { name: "p2p-gnutella31", weighted: false }.check();
}

#[test]
fn packages_of_debian_have_the_answers_of_other_tools() {
    Real { name: "debian-depends", weighted: false }.check();
}

#[test]
fn meanings_of_words_have_the_answers_of_other_tools() {
    Real { name: "wordnet-hypernyms", weighted: false }.check();
}

/// The friends of a karate club ([Zachary](https://doi.org/10.1086/jar.33.4.3629752)) as NetworkX 3.6 has
/// them, and what it says of them: the greatest `k` of `k_truss` with a vertex, `betweenness_centrality`,
/// which igraph 1.0 agrees with, the members of `enumerate_all_cliques` and `simple_cycles`, `core_number`,
/// `clustering`, and how vertices hang in the `minimum_spanning_tree` of the order of weights and ends.
#[test]
fn a_karate_club_has_the_answers_of_networkx() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graph/karate");
    let read =
        |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file of this test");
    let desk = Desk::new();
    desk.put("e", &read("edges.csv"));
    let answers = read("answers.csv");
    let rows = Vec::from_iter(answers.lines().map(|it| it.split(',').collect::<Vec<_>>()));
    for (algorithm, columns) in [
        ("ktruss", ["ktruss"].as_slice()),
        ("betweenness", &["betweenness"]),
        ("triangles", &["triangles"]),
        ("motifs", &["triangles", "cycles", "cliques"]),
        ("kcore", &["kcore"]),
        ("lcc", &["lcc"]),
        ("msf", &["parent", "weight"]),
    ] {
        for way in ["-w 1", "-w 2", "-n 2"] {
            desk.run(way, &[algorithm, "--undirected", "--weighted", "--edges", "e"]).well();
            let text = desk.text("out");
            let found = Vec::from_iter(text.lines().map(|it| it.split(' ').collect::<Vec<_>>()));
            assert_eq!(found.len() + 1, rows.len(), "{algorithm}: as many vertices");
            for (place, column) in (1..).zip(columns) {
                let at = rows[0].iter().position(|it| it == column).expect("a column");
                let values = |rows: &[Vec<&str>], at: usize| {
                    let value =
                        |row: &Vec<&str>| (row[0].parse().expect("an id"), row[at].to_owned());
                    rows.iter().map(value).collect()
                };
                let expected = values(&rows[1..], at);
                compare(
                    &values(&found, place),
                    &expected,
                    &format!("{column} by {algorithm} {way}"),
                );
            }
        }
    }
}
