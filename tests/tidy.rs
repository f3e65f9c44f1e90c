//! House rules that a compiler cannot see, checked over every file of the repository.
//!
//! Each room opens with a module doc, stays small enough to read in one sitting, and borrows only
//! from the rooms listed before it. The operators touch nothing outside, no file names a place on
//! somebody's machine, and every example says what it shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of a crate and where they are.
struct House {
    sources: &'static str,
    /// Every room, lowest first. A room may use those before it.
    rooms: &'static [&'static str],
    /// What no file mentions outside comments.
    forbidden: &'static [&'static str],
}

const OPERATORS: House = House {
    sources: "operators/src",
    rooms: &[
        "time",
        "event",
        "key",
        "rule",
        "aggregate",
        "batch",
        "mark",
        "state",
        "plan",
        "count",
        "partitions",
        "flow",
        "drive",
        "stream",
        "events",
        "event_time",
        "keyed",
        "process",
        "window",
        "collection",
        "join",
        "fixpoint",
    ],
    forbidden: &["std::fs", "std::net", "std::path", "Instant::now", "SystemTime", "tokio"],
};

const TIDEMILL: House = House {
    sources: "src",
    rooms: &[
        "error",
        "config",
        "metrics",
        "retry",
        "runtime",
        "signals",
        "record",
        "graph",
        "connect",
        "spill",
        "checkpoint",
        "cluster",
        "job",
        "graph_tool",
        "observe",
        "launch",
        "prelude",
    ],
    forbidden: &[],
};

/// Files that stand outside the order: they put the rooms together.
const DOORS: [&str; 3] = ["lib", "main", "bin"];

const LINES_PER_FILE: usize = 400;
const LINES_PER_FUNCTION: usize = 60;

#[test]
fn every_room_is_tidy() {
    let faults = [OPERATORS, TIDEMILL].iter().flat_map(|house| {
        let root = root().join(house.sources);
        let files = files(&root, &["rs"]);
        assert!(!files.is_empty(), "no sources in {}", root.display());
        files.into_iter().flat_map(move |path| {
            let text = read(&path);
            let place = path.strip_prefix(&root).expect("a file found below its root");
            named(&path, inspect(house, place, &text))
        })
    });
    expect_none(faults.collect());
}

#[test]
fn no_file_names_a_place_on_a_machine() {
    let texts = files(&root(), &["rs", "md", "toml", "py", "sh"]);
    let faults = texts.into_iter().flat_map(|path| named(&path, machine_paths(&read(&path))));
    expect_none(faults.collect());
}

#[test]
fn every_example_says_what_it_shows() {
    let programs = files(&root().join("examples"), &["rs"]);
    let faults = programs.into_iter().flat_map(|path| named(&path, undocumented(&read(&path))));
    expect_none(faults.collect());
}

#[test]
fn untidy_rooms_are_noticed() {
    let faults = |text: &str| inspect(&OPERATORS, Path::new("drive.rs"), text);
    let none: [String; 0] = [];
    assert_eq!(faults("//! A room.\nuse crate::event::Event;\n"), none);
    assert_eq!(faults("fn bare() {}\n"), ["opens without a module doc"]);
    assert_eq!(
        faults(&format!("//! A room.\n{}", "const A: u8 = 0;\n".repeat(500))),
        ["is longer than 400 lines"]
    );
    for start in ["fn", "    pub fn", "pub(crate) const fn", "async fn"] {
        let indent = &start[..start.len() - start.trim_start().len()];
        let text =
            format!("//! A room.\n{start} long() {{\n{}{indent}}}\n", "  step();\n".repeat(59));
        assert_eq!(faults(&text), ["line 2: a function of 61 lines"], "{start}");
    }
}

#[test]
fn short_functions_and_declarations_pass() {
    let text = "fn one() {}\nfn declared();\nfn two() {\n}\n";
    let many = format!("//! A room.\n{}fn last() {{\n}}\n", text.repeat(40));
    assert_eq!(inspect(&OPERATORS, Path::new("drive.rs"), &many), [""; 0]);
}

#[test]
fn a_look_at_an_upper_room_is_noticed() {
    let faults = |place: &str, text: &str| {
        inspect(&OPERATORS, Path::new(place), &format!("//! A room.\n{text}")).len()
    };
    assert_eq!(faults("drive.rs", "use crate::window::Pane;\n"), 1);
    assert_eq!(faults("drive/two.rs", "use crate::{event::Event, window::{Pane, Span}};\n"), 1);
    assert_eq!(faults("drive.rs", "fn f() { crate::keyed::f(crate::window::g()) }\n"), 2);
    assert_eq!(faults("event.rs", "use crate::event_time::EventTime;\n"), 1);
    assert_eq!(faults("event_time.rs", "use crate::event::Event;\n"), 0);
    assert_eq!(faults("drive.rs", "/// Made by [`Windowed`](crate::window::Windowed).\n"), 0);
    assert_eq!(
        faults("drive.rs", "#[cfg(test)]\nmod tests {\n    use crate::window::Pane;\n}\n"),
        0
    );
    assert_eq!(faults("lib.rs", "pub use crate::window::Pane;\n"), 0);
    assert_eq!(faults("attic.rs", ""), 1, "a room that is not in the list");
}

#[test]
fn operators_that_touch_the_outside_are_noticed() {
    let faults = |text: &str| {
        inspect(&OPERATORS, Path::new("drive.rs"), &format!("//! A room.\n{text}")).len()
    };
    assert_eq!(faults("use std::fs::File;\n"), 1);
    assert_eq!(faults("use std::{fmt, net::TcpStream};\n"), 1);
    assert_eq!(faults("fn now() { std::time::Instant::now(); }\n"), 1);
    assert_eq!(faults("use tokio::runtime::Runtime;\n"), 1);
    assert_eq!(faults("use std::{fmt, rc::Rc};\n"), 0);
    assert_eq!(faults("// A SystemTime would make this a race.\n"), 0);
}

#[test]
fn places_on_a_machine_are_noticed() {
    for folder in ["work", "tmp"] {
        assert_eq!(machine_paths(&format!("fine\nFile::open(\"/{folder}/data\")\n")).len(), 1);
        assert_eq!(machine_paths(&format!("see `/{folder}`")).len(), 1);
        assert_eq!(machine_paths(&format!("/{folder}/first")).len(), 1);
        assert_eq!(
            machine_paths(&format!("build/{folder}/data, https://a.org/{folder}/")).len(),
            0
        );
        assert_eq!(machine_paths(&format!("/{folder}ing, /{folder}-file")).len(), 0);
    }
}

#[test]
fn examples_without_a_header_are_noticed() {
    assert_eq!(undocumented("fn main() {}\n").len(), 1);
    assert_eq!(undocumented("//! Shows nothing.\n\nfn main() {}\n").len(), 0);
}

/// The faults of the file at `place` below the sources of a house.
fn inspect(house: &House, place: &Path, text: &str) -> Vec<String> {
    let mut faults = undocumented(text);
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let tests = place.iter().any(|it| it == "tests" || it == "tests.rs");
    if body.lines().count() > LINES_PER_FILE && !tests {
        faults.push(format!("is longer than {LINES_PER_FILE} lines"));
    }
    faults.extend(long_functions(body));
    faults.extend(upward_imports(house, place, &code(body)));
    faults.extend(outside(house, &code(text)));
    faults
}

fn undocumented(text: &str) -> Vec<String> {
    let documented = text.starts_with("//! ");
    if documented { Vec::new() } else { vec!["opens without a module doc".into()] }
}

fn long_functions(body: &str) -> Vec<String> {
    let lines: Vec<&str> = body.lines().collect();
    let mut faults = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| begins_function(line)) {
        let rest = &lines[start..];
        let signature = rest.iter().position(|it| it.ends_with(['{', '}', ';'])).unwrap_or(0);
        if !rest[signature].ends_with('{') {
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let close = format!("{indent}}}");
        let length = rest.iter().position(|it| *it == close).map_or(0, |end| end + 1);
        if length > LINES_PER_FUNCTION {
            faults.push(format!("line {}: a function of {length} lines", start + 1));
        }
    }
    faults
}

fn begins_function(line: &str) -> bool {
    let qualifier = |word: &&str| {
        ["pub", "const", "async", "unsafe", "extern", "default"].contains(word)
            || word.starts_with("pub(")
    };
    line.split_whitespace().find(|word| !qualifier(word)) == Some("fn")
}

fn upward_imports(house: &House, place: &Path, code: &str) -> Vec<String> {
    let first = place.iter().next().and_then(|it| it.to_str()).unwrap_or_default();
    let room = first.trim_end_matches(".rs");
    if DOORS.contains(&room) {
        return Vec::new();
    }
    let Some(here) = house.rooms.iter().position(|it| *it == room) else {
        return vec![format!("`{room}` is not in the list of rooms of tests/tidy.rs")];
    };
    let used = borrowed(code, "crate");
    let above = house.rooms[here + 1..].iter().filter(|above| used.contains(**above));
    above.map(|above| format!("looks up at `{above}`")).collect()
}

fn outside(house: &House, code: &str) -> Vec<String> {
    let from_std = borrowed(code, "std");
    let mentioned = house.forbidden.iter().filter(|it| match it.strip_prefix("std::") {
        Some(module) => from_std.contains(module),
        None => code.contains(**it),
    });
    mentioned.map(|it| format!("mentions `{it}`")).collect()
}

/// The text without the lines that are comments: a link in a doc is not a dependence.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The modules of `from` that the code names: `from::module` or `from::{module, other::Thing}`.
fn borrowed<'a>(code: &'a str, from: &str) -> BTreeSet<&'a str> {
    let mut modules = BTreeSet::new();
    for (at, found) in code.match_indices(&format!("{from}::")) {
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            None => modules.extend(identifier(rest)),
            Some(group) => modules.extend(branches(group).into_iter().filter_map(identifier)),
        }
    }
    modules
}

/// The parts between the commas of a group, up to its closing brace, inner groups left whole.
fn branches(group: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut start = 0;
    let mut parts = Vec::new();
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                parts.push(&group[start..at]);
                break;
            }
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

fn identifier(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let end = text.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(text.len());
    (end > 0).then_some(&text[..end])
}

/// The lines that name a folder which exists on one machine only.
fn machine_paths(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // Written apart, so that this file does not name them.
        for needle in [["/", "work"].concat(), ["/", "tmp"].concat()] {
            let named = line.match_indices(&needle).any(|(at, _)| {
                let part = |it: char| it.is_alphanumeric() || "_-.".contains(it);
                !line[..at].ends_with(|it| part(it) || it == '}')
                    && !line[at + needle.len()..].starts_with(part)
            });
            if named {
                faults.push(format!("line {}: names a path below {needle}", number + 1));
            }
        }
    }
    faults
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` with one of these extensions, but for hidden folders and build output.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let visible = |path: &PathBuf| {
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        !name.starts_with('.') && name != "target"
    };
    let wanted = |path: &PathBuf| {
        path.extension().and_then(|it| it.to_str()).is_some_and(|it| extensions.contains(&it))
    };
    let paths = paths.into_iter().filter(visible);
    paths
        .flat_map(|path| if path.is_dir() { files(&path, extensions) } else { vec![path] })
        .filter(wanted)
        .collect()
}

fn named(path: &Path, faults: Vec<String>) -> Vec<String> {
    let place = path.strip_prefix(root()).unwrap_or(path).display();
    faults.into_iter().map(|fault| format!("{place}: {fault}")).collect()
}

fn expect_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
