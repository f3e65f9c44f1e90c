//! Real graphs, with the answers of SciPy and igraph.

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
fn shared(name: &str) -> Option<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = here.ancestors().skip(1).map(|it| it.join("shared/data").join(name));
    let Some(path) = folders.find(|it| it.exists()) else {
        println!("skipped: {name} is not here");
        return None;
    };
    let file = std::fs::File::open(path).expect("a file that is there");
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("a compressed text");
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
