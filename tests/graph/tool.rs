//! `tidemill graph` as its users run it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::child::{Ended, run};

/// How a job is run: one worker, two, or two processes of one.
pub(crate) const WAYS: [&str; 3] = ["-w 1", "-w 2", "-n 2"];

/// A folder in which a test runs the tool.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for tests"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file of a test");
        path
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"))
    }

    /// Runs the tool in a way, with its output in `out`.
    pub(crate) fn run(&self, way: &str, arguments: &[&str]) -> Ended {
        let program = env!("CARGO_BIN_EXE_tidemill");
        let mut command = Command::new(program);
        if way.starts_with("-n") {
            let launched = ["-w", "1", "--", program];
            command.arg("launch").args(way.split(' ')).args(launched).args(["graph", "--quiet"]);
        } else {
            command.args(["graph", "--quiet"]).args(way.split(' '));
        }
        let out = self.path("out");
        run(command.current_dir(self.0.path()).arg("--output").arg(out).args(arguments))
    }

    /// The fields of the lines of the output.
    pub(crate) fn values(&self) -> BTreeMap<u64, String> {
        values(&self.text("out"))
    }
}

/// Lines of a vertex and a value.
pub(crate) fn values(text: &str) -> BTreeMap<u64, String> {
    let lines = text.lines().map(|line| line.split_once(' ').expect("a vertex and a value"));
    lines.map(|(id, value)| (id.parse().expect("an id"), value.trim().to_owned())).collect()
}

/// Compares numbers: exactly if they are whole, otherwise within 1e-4 of each other.
#[track_caller]
pub(crate) fn compare(found: &BTreeMap<u64, String>, expected: &BTreeMap<u64, String>, of: &str) {
    assert_eq!(found.len(), expected.len(), "{of}: as many vertices");
    for (vertex, value) in expected {
        let has = found.get(vertex).unwrap_or_else(|| panic!("{of}: no {vertex}"));
        let same = has == value || {
            let number = |it: &str| it.parse::<f64>().unwrap_or(f64::NAN);
            let (one, other) = (number(has), number(value));
            let real = [has, value].into_iter().any(|it| it.contains(['.', 'e']));
            one == other || (real && (one - other).abs() <= 1e-4 * other.abs())
        };
        assert!(same, "{of}: {vertex} has {has}, not {value}");
    }
}

fn graphalytics(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graph/graphalytics").join(name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// The edges and vertices of a file that has a vertex and its neighbours on each line.
fn lists(desk: &Desk, path: &Path) {
    let (mut edges, mut vertices) = (String::new(), String::new());
    for line in read(path).lines() {
        let mut fields = line.split_whitespace();
        let Some(from) = fields.next() else { continue };
        vertices += &format!("{from}\n");
        fields.for_each(|to| edges += &format!("{from} {to}\n"));
    }
    desk.put("e", &edges);
    desk.put("v", &vertices);
}

fn example(graph: &str, algorithm: &str, arguments: &str, answer: &str) {
    let desk = Desk::new();
    fs::copy(graphalytics(&format!("example/example-{graph}.e")), desk.path("e")).expect("a copy");
    fs::copy(graphalytics(&format!("example/example-{graph}.v")), desk.path("v")).expect("a copy");
    let expected = values(&read(&graphalytics(&format!("example/example-{graph}-{answer}"))));
    check(&desk, algorithm, &format!("--{graph} {arguments}"), &expected);
}

fn check(desk: &Desk, algorithm: &str, arguments: &str, expected: &BTreeMap<u64, String>) {
    for way in WAYS {
        let files = [algorithm, "--edges", "e", "--vertices", "v"];
        let all: Vec<&str> = files.into_iter().chain(arguments.split_whitespace()).collect();
        desk.run(way, &all).well();
        compare(&desk.values(), expected, &format!("{algorithm} {arguments} {way}"));
    }
}

fn validation(folder: &str, kind: &str, algorithm: &str, arguments: &str) {
    let desk = Desk::new();
    let name = |end: &str| graphalytics(&format!("{folder}/{kind}-{end}"));
    if name("input").exists() {
        lists(&desk, &name("input"));
    } else {
        fs::copy(name("input.e"), desk.path("e")).expect("a copy");
        fs::copy(name("input.v"), desk.path("v")).expect("a copy");
    }
    let direction = if kind == "dir" { "--directed" } else { "--undirected" };
    let expected = values(&read(&name("output")));
    check(&desk, algorithm, &format!("{direction} {arguments}"), &expected);
}

#[test]
fn graphalytics_examples_pass() {
    for (graph, source) in [("directed", 1), ("undirected", 2)] {
        example(graph, "bfs", &format!("--source {source}"), "BFS");
        example(graph, "sssp", &format!("--weighted --source {source}"), "SSSP");
        example(graph, "wcc", "", "WCC");
        example(graph, "pagerank", "--iterations 2", "PR");
        example(graph, "lcc", "", "LCC");
        example(graph, "cdlp", "--iterations 2", "CDLP");
    }
}

#[test]
fn graphalytics_validation_graphs_pass() {
    for kind in ["dir", "undir"] {
        validation("bfs", kind, "bfs", "--source 1");
        validation("sssp", kind, "sssp", "--weighted --source 1");
        validation("wcc", kind, "wcc", "");
        let iterations = if kind == "dir" { 14 } else { 26 };
        validation("pr", kind, "pagerank", &format!("--iterations {iterations}"));
        validation("lcc", kind, "lcc", "");
        validation("cdlp", kind, "cdlp", "--iterations 5");
    }
}

#[test]
fn changes_are_epochs_of_their_own() {
    let desk = Desk::new();
    desk.put("e", "src,dst\n1,2\n2,3\n# no more\n\n3,3\n2,3\n");
    desk.put("c", "5 + 1 3\n5 - 2 3\n7 - 1 3\n7 - 2 3\n7 - 3 3\n9 + 1 4\n9 - 1 4\n");
    for way in WAYS {
        let arguments = ["bfs", "--source", "1", "--edges", "e", "--changes", "c"];
        desk.run(way, &arguments).well();
        assert_eq!(desk.text("out"), "1 0\n2 1\n3 2\n", "{way}");
        assert_eq!(desk.text("out.changes"), "5 3 2 1\n7 3 1 -\n", "{way}");
    }
    let csv = ["wcc", "--edges", "e", "--changes", "c", "--changed", "d", "--format", "csv"];
    desk.run("-w 2", &csv).well();
    assert_eq!(desk.text("out"), "vertex,value\n1,1\n2,1\n3,1\n");
    assert_eq!(desk.text("d"), "time,vertex,old,new\n7,3,1,-\n");
}

#[test]
fn what_cannot_be_read_ends_with_file_and_line() {
    let desk = Desk::new();
    let refused = |arguments: &[&str]| {
        let said = desk.run("-w 2", arguments).badly();
        said.lines().next_back().unwrap_or_default().to_owned()
    };
    desk.put("e", "1 2 1\n2 3 -1\n");
    let said = refused(&["sssp", "--weighted", "--source", "1", "--edges", "e"]);
    assert!(said.contains("e, line 2, byte 6: the weight -1 is negative"), "{said}");
    desk.put("e", "1 2\n2 x\n");
    let said = refused(&["wcc", "--edges", "e"]);
    assert!(said.contains("e, line 2, byte 4: the vertex \"x\" is no integer"), "{said}");
    desk.put("e", "1 2\n");
    desk.put("c", "0 + 1 2\n1 ? 1 2\n");
    let said = refused(&["wcc", "--edges", "e", "--changes", "c"]);
    assert!(said.contains("c, line 2, byte 8: \"?\" is neither + nor -"), "{said}");
    let said = refused(&["bfs", "--edges", "e"]);
    assert!(said.contains("bfs begins at a vertex: name it with --source"), "{said}");
    let said = refused(&["wcc", "--edges", "e", "--source", "1"]);
    assert!(said.contains("--source has no meaning for wcc"), "{said}");
    let said = refused(&["wcc", "--edges", "e", "--sources", "3"]);
    assert!(said.contains("--sources has no meaning for wcc"), "{said}");
    let said = refused(&["betweenness", "--edges", "e", "--sources", "0"]);
    assert!(said.contains("--sources is greater than 0"), "{said}");
    let said = refused(&["wcc", "--edges", "nowhere"]);
    assert!(said.contains("nowhere"), "{said}");
}

#[test]
fn ids_may_be_negative_or_the_greatest() {
    let desk = Desk::new();
    desk.put("e", "-5 7\n9223372036854775807 -9223372036854775808\n");
    desk.run("-w 2", &["wcc", "--ids", "signed", "--edges", "e"]).well();
    let least = i64::MIN;
    let expected = format!("{least} {least}\n-5 -5\n7 -5\n{} {least}\n", i64::MAX);
    assert_eq!(desk.text("out"), expected);
    desk.put("e", "18446744073709551615 0\n");
    desk.run("-w 2", &["bfs", "--source", "18446744073709551615", "--edges", "e"]).well();
    assert_eq!(desk.text("out"), "0 1\n18446744073709551615 0\n");
}

#[test]
fn ids_may_be_names() {
    let desk = Desk::new();
    desk.put("e", "from,to\nann,bob\ncarl,ann\nZoe,été\n10,9\n");
    desk.put("v", "alone\n");
    desk.put("c", "4 + bob Zoe\n4 - 10 9\n5 + 10 new\n");
    let named = ["--ids", "string", "--edges", "e", "--vertices", "v", "--changes", "c"];
    for way in WAYS {
        desk.run(way, &[["wcc"].as_slice(), &named].concat()).well();
        // In the order of their bytes: digits, capitals, others, accents.
        let components = "10 10\n9 10\nZoe Zoe\nalone alone\nann ann\nbob ann\ncarl ann\nété Zoe\n";
        assert_eq!(desk.text("out"), components, "{way}");
        let joined = "4 10 10 -\n4 9 10 -\n4 ann ann Zoe\n4 bob ann Zoe\n4 carl ann Zoe\n";
        let changes = format!("{joined}5 10 - 10\n5 new - 10\n");
        assert_eq!(desk.text("out.changes"), changes, "{way}");
        let far = i64::MAX;
        desk.run(way, &[["bfs", "--source", "carl", "--directed"].as_slice(), &named].concat())
            .well();
        let steps =
            format!("10 {far}\n9 {far}\nZoe {far}\nalone {far}\nann 1\nbob 2\ncarl 0\nété {far}\n");
        assert_eq!(desk.text("out"), steps, "{way}");
        let changes = desk.text("out.changes");
        assert!(changes.contains(&format!("4 Zoe {far} 3\n4 été {far} 4\n")), "{changes}");
        desk.run(way, &[["bfs", "--source", "nobody"].as_slice(), &named].concat()).well();
        assert!(desk.text("out").lines().all(|it| it.ends_with(&far.to_string())), "{way}");
    }
}

#[test]
fn values_of_several_columns_are_written_as_such() {
    let desk = Desk::new();
    desk.put("e", "1 2 0.5\n2 3 1\n1 3 2\n");
    desk.put("c", "7 - 2 3 1\n8 - 1 3 2\n");
    let files = ["--edges", "e", "--changes", "c"];
    desk.run("-w 2", &[["msf", "--weighted"].as_slice(), &files].concat()).well();
    assert_eq!(desk.text("out"), "1 1 0\n2 1 0.5\n3 2 1\n");
    assert_eq!(desk.text("out.changes"), "7 3 2 1 1 2\n8 3 1 2 - -\n");
    desk.run("-w 2", &[["motifs", "--format", "csv"].as_slice(), &files].concat()).well();
    let triangle = "vertex,triangles,cycles,cliques\n1,1,0,0\n2,1,0,0\n3,1,0,0\n";
    assert_eq!(desk.text("out"), triangle);
    let header =
        "time,vertex,old_triangles,old_cycles,old_cliques,new_triangles,new_cycles,new_cliques";
    assert_eq!(desk.text("out.changes").lines().next(), Some(header));
}

#[test]
fn a_path_of_a_hundred_thousand_is_walked_by_two() {
    let desk = Desk::new();
    let path: String = (1..100_000).map(|it| format!("{} {it}\n", it - 1)).collect();
    desk.put("e", &path);
    desk.run("-w 2", &["bfs", "--source", "0", "--edges", "e"]).well();
    assert!(desk.values().iter().all(|(vertex, steps)| vertex.to_string() == *steps));
    desk.put("c", "0 - 50000 50001\n1 + 50000 50001\n");
    desk.run("-w 2", &["wcc", "--edges", "e", "--changes", "c"]).well();
    assert!(desk.text("out").lines().all(|line| line.ends_with(" 0")));
    let changes = desk.text("out.changes");
    assert!(changes.starts_with("0 50001 0 50001\n") && changes.ends_with("1 99999 50001 0\n"));
    assert_eq!(changes.lines().count(), 2 * 49_999);
}
