//! What `tidemill graph` reads, what it makes of what is odd, and what it refuses.

use std::fs::File;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tidemill::graph::{DAMPING, TOLERANCE};

use super::tool::{Desk, WAYS};

/// The last line of what the tool says when it refuses.
fn refused(desk: &Desk, arguments: &[&str]) -> String {
    _ = std::fs::remove_file(desk.path("out"));
    let said = desk.run("-w 2", arguments).badly();
    assert!(!desk.path("out").exists(), "no answer is written");
    said.lines().next_back().unwrap_or_default().to_owned()
}

fn answer(desk: &Desk, arguments: &[&str]) -> String {
    desk.run("-w 2", arguments).well();
    desk.text("out")
}

/// What changes, with `e` and `c`.
fn changes(desk: &Desk, way: &str, arguments: &[&str]) -> String {
    desk.run(way, &[arguments, &["--edges", "e", "--changes", "c"]].concat()).well();
    desk.text("out.changes")
}

const LONG: [&str; 4] = ["sssp", "--weighted", "--source", "1"];

#[test]
fn weights_are_finite_and_lengths_not_negative() {
    let desk = Desk::new();
    for weight in ["NaN", "inf", "-inf", "infinity", "1e999"] {
        desk.put("e", &format!("1 2 1\n2 3 {weight}\n"));
        for arguments in [LONG.as_slice(), &["msf", "--weighted"], &["wcc", "--weighted"]] {
            let said = refused(&desk, &[arguments, &["--edges", "e"]].concat());
            let where_it_is = format!("e, line 2, byte 6: the weight {weight} is not finite");
            assert!(said.contains(&where_it_is), "{said}");
        }
    }
    desk.put("e", "1 2 1\n2 3 -1.5\n1 3 2\n");
    let said = refused(&desk, &[LONG.as_slice(), &["--edges", "e"]].concat());
    assert!(said.contains("e, line 2, byte 6: the weight -1.5 is negative"), "{said}");
    let forest = answer(&desk, &["msf", "--weighted", "--edges", "e"]);
    assert_eq!(forest, "1 1 0\n2 1 1\n3 2 -1.5\n");
    let one = answer(&desk, &["wcc", "--weighted", "--edges", "e"]);
    assert_eq!(one, "1 1\n2 1\n3 1\n");
    // Without the flag nobody looks at them.
    desk.put("e", "1 2 NaN\n2 3 heavy\n");
    assert_eq!(answer(&desk, &["bfs", "--source", "1", "--edges", "e"]), "1 0\n2 1\n3 2\n");
}

#[test]
fn an_edge_gets_another_weight() {
    let desk = Desk::new();
    desk.put("e", "1 2 1\n2 3 1\n1 3 5\n");
    // Shorter, longer again, and so long that another way is shorter.
    desk.put("c", "0 - 1 3 5\n0 + 1 3 0.5\n1 + 1 3 1.5\n1 - 1 3 0.5\n2 - 1 3 1.5\n2 + 1 3 9\n");
    for way in WAYS {
        assert_eq!(changes(&desk, way, &LONG), "0 3 2 0.5\n1 3 0.5 1.5\n2 3 1.5 2\n", "{way}");
        assert_eq!(desk.text("out"), "1 0\n2 1\n3 2\n", "{way}");
        let forest = changes(&desk, way, &["msf", "--weighted"]);
        // The edge from 2 to 3 comes before one of 1.5, and with it the one from 1 to 2.
        assert_eq!(forest, "0 3 2 1 1 0.5\n1 3 1 0.5 2 1\n", "{way}");
    }
}

#[test]
fn an_edge_is_deleted_by_its_weight() {
    let desk = Desk::new();
    desk.put("e", "1 2 1\n1 2 4\n");
    desk.put("c", "3 - 1 2\n");
    let said = refused(&desk, &[LONG.as_slice(), &["--edges", "e", "--changes", "c"]].concat());
    let missing = "c, line 1, byte 0: the weight is missing: an edge is deleted with its weight";
    assert!(said.contains(missing), "{said}");
    // One of two goes; one that is not there is owed, until it comes twice.
    desk.put("c", "3 - 1 2 1\n4 - 1 2 2\n5 + 1 2 2\n6 + 1 2 2\n");
    for way in WAYS {
        assert_eq!(changes(&desk, way, &LONG), "3 2 1 4\n6 2 4 2\n", "{way}");
    }
    // Without --weighted all edges between two are the same.
    desk.put("c", "3 - 1 2 77\n4 - 1 2\n");
    assert_eq!(changes(&desk, "-w 2", &["wcc"]), "4 1 1 -\n4 2 1 -\n");
}

#[test]
fn times_of_changes_are_sorted() {
    let desk = Desk::new();
    desk.put("e", "1 2\n");
    let last = u64::MAX - 2;
    desk.put("c", &format!("{last} - 1 2\n9 + 2 3\n9 - 2 3\n7 + 3 4\n0 + 2 3\n"));
    for way in WAYS {
        let gone = format!("{last} 1 1 -\n{last} 2 1 2\n{last} 3 1 2\n{last} 4 1 2\n");
        assert_eq!(changes(&desk, way, &["wcc"]), format!("0 3 - 1\n7 4 - 1\n{gone}"), "{way}");
    }
    for time in ["18446744073709551614", "18446744073709551615", "99999999999999999999", "-1"] {
        desk.put("c", &format!("0 + 2 3\n{time} + 1 2\n"));
        let said = refused(&desk, &["wcc", "--edges", "e", "--changes", "c"]);
        let range = format!("the time {time:?} is no integer from 0 to {last}");
        assert!(said.contains("c, line 2, byte 8: ") && said.contains(&range), "{said}");
    }
}

#[test]
fn an_edge_that_is_there_twice_goes_twice() {
    let desk = Desk::new();
    desk.put("e", "1 2\n1 2\n2 1\n");
    desk.put("c", "0 - 1 2\n1 - 1 2\n2 - 1 2\n3 + 1 2\n4 + 1 2\n");
    // Directed, the one from 2 to 1 is another; the third deletion is owed.
    let bfs = |direction| changes(&desk, "-w 2", &["bfs", "--source", "1", direction]);
    let far = i64::MAX;
    assert_eq!(bfs("--directed"), format!("1 2 1 {far}\n4 2 {far} 1\n"));
    assert_eq!(bfs("--undirected"), "2 1 0 -\n2 2 1 -\n3 1 - 0\n3 2 - 1\n");
}

#[test]
fn a_loop_is_a_vertex() {
    let desk = Desk::new();
    desk.put("e", "5 5\n1 2\n");
    desk.put("c", "0 - 5 5\n1 + 2 2\n2 - 1 2\n");
    let triangles = changes(&desk, "-w 2", &["kcore"]);
    assert_eq!(desk.text("out"), "1 1\n2 1\n5 0\n");
    assert_eq!(triangles, "0 5 0 -\n2 1 1 -\n2 2 1 0\n");
}

#[test]
fn vertices_may_be_those_of_edges_or_others() {
    let desk = Desk::new();
    desk.put("e", "1 2\n");
    desk.put("v", "vertex\n2\n9 of nothing\n\n# 7\n9\n");
    let edges = ["wcc", "--edges", "e", "--vertices", "v"];
    // Those that edges name are there although the file does not.
    assert_eq!(answer(&desk, &edges), "1 1\n2 1\n9 9\n");
    for (bad, why) in [("x", "no integer of 64 bits"), ("-4", "negative: see --ids signed")] {
        desk.put("v", &format!("2\n{bad}\n"));
        let said = refused(&desk, &edges);
        let line = format!("v, line 2, byte 2: the vertex {bad:?} is {why}");
        assert!(said.contains(&line), "{said}");
    }
    // A source that is not there reaches nothing.
    let far = i64::MAX;
    let none = answer(&desk, &["bfs", "--source", "3", "--edges", "e"]);
    assert_eq!(none, format!("1 {far}\n2 {far}\n"));
    desk.put("e", "1 2 1\n");
    let none = answer(&desk, &["sssp", "--weighted", "--source", "3", "--edges", "e"]);
    assert_eq!(none, "1 Infinity\n2 Infinity\n");
    assert_eq!(answer(&desk, &["ppr", "--source", "3", "--edges", "e"]), "1 0\n2 0\n");
}

#[test]
fn compressed_files_are_read() {
    let desk = Desk::new();
    let lines = b"# a path\n1\t2\n2,3\r\n3  4";
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(lines).expect("memory takes all");
    let gzip = packed.finish().expect("memory takes all");
    let zstd = zstd::encode_all(lines.as_slice(), 3).expect("memory takes all");
    for (name, bytes) in [("e.gz", &gzip), ("e.zst", &zstd)] {
        std::fs::write(desk.path(name), bytes).expect("a file of a test");
        for way in WAYS {
            desk.run(way, &["bfs", "--source", "1", "--edges", name]).well();
            assert_eq!(desk.text("out"), "1 0\n2 1\n3 2\n4 3\n", "{name} {way}");
        }
        File::create(desk.path(name)).and_then(|mut it| it.write_all(&bytes[..9])).expect("a file");
        let said = refused(&desk, &["wcc", "--edges", name]);
        assert!(said.contains(name), "{said}");
    }
}

/// The values of a walk along one edge.
fn ranks(desk: &Desk, arguments: &[&str]) -> [f64; 2] {
    let text = answer(desk, &[arguments, &["--edges", "e"]].concat());
    let mut values = text.lines().map(|it| it[2..].parse().expect("a number"));
    [values.next(), values.next()].map(|it| it.expect("two vertices"))
}

#[test]
fn damping_and_tolerance_are_those_that_are_given() {
    let desk = Desk::new();
    desk.put("e", "1 2\n");
    for damping in [0.0, 0.3, 0.85, 0.99] {
        let given = damping.to_string();
        let [one, two] = ranks(&desk, &["pagerank", "--damping", &given, "--tolerance", "1e-9"]);
        assert!((two / one - (1.0 + damping)).abs() < 1e-8, "{damping}: {one} {two}");
        let [one, two] = ranks(&desk, &["ppr", "--source", "1", "--damping", &given]);
        assert!((two / one - damping).abs() < 1e-3, "{damping}: {one} {two}");
        let [one, two] = ranks(&desk, &["pagerank", "--iterations", "90", "--damping", &given]);
        assert!((two / one - (1.0 + damping)).abs() < 1e-9, "{damping}: {one} {two}");
    }
    // A ring with one way across, whose ranks take long to settle.
    let ring: String = (0..50).map(|it| format!("{it} {}\n", (it + 1) % 50)).collect();
    desk.put("e", &format!("{ring}0 25\n"));
    let near =
        |tolerance: &str| answer(&desk, &["pagerank", "--edges", "e", "--tolerance", tolerance]);
    let (coarse, fine) = (near("0.1"), near("1e-12"));
    let off = coarse.lines().zip(fine.lines()).map(|(one, other)| {
        let value = |it: &str| it.split(' ').nth(1).and_then(|it| it.parse::<f64>().ok());
        value(one).zip(value(other)).map_or(f64::NAN, |(one, other)| (one / other - 1.0).abs())
    });
    let off = off.fold(0.0, f64::max);
    assert!(off > 1e-9 && off <= 0.1, "{off}");
    for (flag, values) in [("--damping", ["1", "-0.1", "NaN"]), ("--tolerance", ["0", "-1", "NaN"])]
    {
        for value in values {
            let given = format!("{flag}={value}");
            let said = refused(&desk, &["pagerank", "--edges", "e", &given]);
            assert!(said.contains(flag), "{said}");
        }
    }
}

#[test]
fn a_seed_chooses_the_sources() {
    let desk = Desk::new();
    let ring: String = (0..100).map(|it| format!("{it} {}\n", it + 1)).collect();
    desk.put("e", &ring);
    let of = |seed: &str| {
        let sample = ["betweenness", "--sources", "2", "--seed", seed, "--edges", "e"];
        answer(&desk, &sample)
    };
    let all = ["1", "2", "3", "4"].map(of);
    assert_eq!(all[0], of("1"), "a seed always chooses the same");
    assert!(all.iter().any(|it| *it != all[0]), "another chooses others");
    let said = desk.run("-w 2", &["betweenness", "--edges", "e", "--seed", "1"]).badly();
    assert!(said.contains("--sources"), "{said}");
}

#[test]
fn the_help_says_what_is_true() {
    let desk = Desk::new();
    let help = desk.run("-w 1", &["wcc", "--edges", "e", "--help"]).well().out;
    for default in [DAMPING, TOLERANCE] {
        assert!(help.contains(&format!("[default: {default}]")), "{help}");
    }
    for word in ["self-loop", "several times", "not there", "not negative", "cannot be read"] {
        assert!(help.contains(word), "{word}: {help}");
    }
}
