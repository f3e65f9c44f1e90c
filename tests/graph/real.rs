//! Real graphs, with the answers of SciPy, igraph and NetworkX.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::tool::{Desk, compare};

/// A graph, whether it is directed, where walks begin, and whether it has weights.
struct Real {
    name: &'static str,
    direction: &'static str,
    source: u64,
    weighted: bool,
}

const GRAPHS: [Real; 4] = [
    Real { name: "cal-roads", direction: "--undirected", source: 14_300, weighted: true },
    Real { name: "wiki-vote", direction: "--directed", source: 2_565, weighted: false },
    Real { name: "openflights-routes", direction: "--directed", source: 340, weighted: true },
    Real { name: "musae-facebook", direction: "--undirected", source: 16_895, weighted: false },
];

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

#[test]
fn real_graphs_have_the_answers_of_other_tools() {
    for graph in GRAPHS {
        let Some(answers) = answers(graph.name) else { return };
        let Some(edges) = shared(&format!("graphs/{}.csv.gz", graph.name)) else { return };
        let desk = Desk::new();
        desk.put("e", &edges);
        let source = graph.source.to_string();
        let check = |way: &str, arguments: &[&str], expected: &BTreeMap<u64, String>| {
            let files = [graph.direction, "--edges", "e"];
            desk.run(way, &[arguments, &files].concat()).well();
            compare(&desk.values(), expected, &format!("{arguments:?} of {} {way}", graph.name));
        };
        for way in ["-w 1", "-w 2", "-n 2"] {
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
            if graph.weighted {
                let lengths = reached(&answers["sssp"], "Infinity");
                check(way, &["sssp", "--weighted", "--source", &source], &lengths);
            }
        }
    }
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
