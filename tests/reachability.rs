//! The example `reachability` against a slow model: whatever a walk from the roots comes to.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;

use clap::Parser;
use tidemill::connect::Random;
use tidemill::prelude::*;

#[allow(dead_code)]
#[path = "../examples/reachability.rs"]
mod reachability;

/// What the example says of lines in a file.
fn told(arguments: &str, lines: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("links.txt");
    fs::write(&file, lines.concat()).unwrap();
    run(&format!("{arguments} --input {}", file.display()))
}

fn run(arguments: &str) -> Vec<String> {
    let report = collect();
    let given = ["reachability", "--quiet"].into_iter().chain(arguments.split(' '));
    let arguments = reachability::Arguments::parse_from(given);
    let sink = report.clone();
    reachability::run(&arguments, move || sink.clone()).unwrap();
    report.take()
}

/// The places that a walk comes to which begins at a root.
fn walk(links: &BTreeMap<(String, String), i32>, roots: &[&str]) -> BTreeSet<String> {
    let mut reached: BTreeSet<String> = roots.iter().map(|it| (*it).to_owned()).collect();
    loop {
        let before = reached.len();
        for ((from, to), times) in links {
            if *times > 0 && reached.contains(from) {
                reached.insert(to.clone());
            }
        }
        if reached.len() == before {
            roots.iter().for_each(|root| _ = reached.remove(*root));
            return reached;
        }
    }
}

/// What is to be said after each line: a walk for each.
fn model(lines: &[String], roots: &[&str]) -> Vec<String> {
    let mut links = BTreeMap::new();
    let mut before = BTreeSet::new();
    let mut told = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let link = (words[1].to_owned(), words[2].to_owned());
        *links.entry(link).or_default() += if words[0] == "+" { 1 } else { -1 };
        let reached = walk(&links, roots);
        let names = |what: &str, one: &BTreeSet<String>, other: &BTreeSet<String>| {
            let names: Vec<_> = one.difference(other).cloned().collect();
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        let parts = [names("reached", &reached, &before), names("lost", &before, &reached)];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let follows = if parts.is_empty() { "no change".to_owned() } else { parts.join("; ") };
        told.push(format!("{:<24}{follows}", line.trim_end()));
        before = reached;
    }
    told
}

/// Links that come and go among few places, so that circles and double links are frequent; at times one
/// goes that is not there.
fn history(seed: u64, places: u64) -> Vec<String> {
    let mut random = Random::new(seed);
    let mut there = Vec::<(u64, u64)>::new();
    let mut lines = Vec::new();
    for _ in 0..120 {
        let any = (random.below(places), random.below(places));
        let goes = random.below(100) < 45;
        let (sign, (from, to)) = match random.below(there.len() as u64) as usize {
            at if goes && at < there.len() && random.below(10) > 0 => ('-', there.swap_remove(at)),
            _ if goes => ('-', any),
            _ => {
                there.push(any);
                ('+', any)
            }
        };
        lines.push(format!("{sign} {from} {to}\n"));
    }
    lines
}

#[test]
fn what_follows_from_each_line_is_what_a_walk_finds() {
    for (seed, places) in [(1, 4), (2, 8), (3, 20)] {
        let lines = history(seed, places);
        let expected = model(&lines, &["0", "3"]);
        for workers in [1, 2, 4] {
            let found = told(&format!("-w {workers} --from 0 3"), &lines);
            assert_eq!(found, expected, "seed {seed}, {workers} workers");
        }
    }
}

#[test]
fn the_office_is_cut_off_and_comes_back() {
    let found = run("-w 2");
    let of = |line: &str| {
        let found = found.iter().find_map(|it| it.strip_prefix(line)).unwrap();
        found.trim_start().to_owned()
    };
    assert_eq!(of("- switch server"), "lost: archive, server", "the two lead to each other only");
    assert_eq!(of("- router switch"), "no change", "there is another way");
    assert_eq!(of("- internet tunnel"), "lost: archive, laptop, printer, server, switch, tunnel");
}

#[test]
fn larger_epochs_come_to_the_same() {
    let lines = history(4, 9);
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    told(&format!("-w 2 --from 0 --epoch-rows 17 --output {}", output.display()), &lines);
    let mut reached = BTreeSet::new();
    let rows = read_all(&csv::<(String, char)>(&output)).unwrap();
    for (place, change) in rows {
        let fits = if change == '+' { reached.insert(place) } else { reached.remove(&place) };
        assert!(fits, "what comes was not there, and what goes was");
    }
    let mut links = BTreeMap::new();
    for line in &lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let link = (words[1].to_owned(), words[2].to_owned());
        *links.entry(link).or_default() += if words[0] == "+" { 1 } else { -1 };
    }
    assert_eq!(reached, walk(&links, &["0"]));
}

#[test]
fn lines_may_come_from_a_socket_and_make_no_sense() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sender = thread::spawn(move || {
        let mut stream = loop {
            match TcpStream::connect(free) {
                Ok(stream) => break stream,
                Err(_) => thread::yield_now(),
            }
        };
        stream.write_all(b"+ internet a\nwhat?\n+ a b\n").unwrap();
    });
    let found = run(&format!("--listen {free}"));
    sender.join().unwrap();
    let expected = [
        "+ internet a            reached: a",
        "what?                   cannot be understood: what?",
        "+ a b                   reached: b",
    ];
    assert_eq!(found, expected);
}
