//! The example `debian` against a slow model: after every change, packages are struck off until all needs
//! of those that are left are met.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde::Deserialize;
use tidemill::connect::Random;
use tidemill::prelude::*;

#[allow(dead_code)]
#[path = "../examples/debian.rs"]
mod debian;

#[derive(Deserialize)]
struct Package {
    id: u32,
    name: String,
}

#[derive(Deserialize)]
struct Edge {
    src: u32,
    dst: u32,
    kind: String,
    group: u32,
}

/// Packages by name, and for each of their needs those that meet it.
struct Model {
    names: BTreeMap<u32, String>,
    needs: Vec<(u32, Vec<u32>)>,
}

impl Model {
    fn read(packages: &Path, edges: &Path) -> Self {
        let packages = read_all(&csv::<Package>(packages)).unwrap();
        let mut needs = BTreeMap::<(u32, String, u32), Vec<u32>>::new();
        for it in read_all(&csv::<Edge>(edges)).unwrap() {
            if ["depends", "pre-depends"].contains(&it.kind.as_str()) {
                needs.entry((it.src, it.kind, it.group)).or_default().push(it.dst);
            }
        }
        let needs = needs.into_iter().map(|((package, ..), of)| (package, of)).collect();
        Self { names: packages.into_iter().map(|it| (it.id, it.name)).collect(), needs }
    }

    /// What does not work if these are gone, themselves included.
    fn broken(&self, gone: &BTreeSet<u32>) -> BTreeSet<u32> {
        let mut left: BTreeSet<u32> = self.names.keys().copied().collect();
        left.retain(|it| !gone.contains(it));
        loop {
            let unmet = |of: &[u32]| !of.iter().any(|it| left.contains(it));
            let broken: Vec<u32> =
                self.needs.iter().filter(|(_, of)| unmet(of)).map(|it| it.0).collect();
            let before = left.len();
            broken.iter().for_each(|it| _ = left.remove(it));
            if left.len() == before {
                return self.names.keys().copied().filter(|it| !left.contains(it)).collect();
            }
        }
    }

    /// After each change, the packages that broke and those that work again.
    fn told(&self, changes: &[String]) -> Vec<String> {
        let ids: BTreeMap<&str, u32> =
            self.names.iter().map(|(id, name)| (name.as_str(), *id)).collect();
        let (mut gone, mut before) = (BTreeSet::new(), BTreeSet::new());
        let mut told = Vec::new();
        for line in changes {
            let (sign, name) = line.split_once(' ').unwrap();
            let changed = ids[name];
            _ = if sign == "-" { gone.insert(changed) } else { gone.remove(&changed) };
            let broken = self.broken(&gone);
            let names = |what: &str, one: &BTreeSet<u32>, other: &BTreeSet<u32>| {
                let those = one.difference(other).filter(|it| **it != changed);
                let mut names: Vec<&str> = those.map(|it| self.names[it].as_str()).collect();
                names.sort_unstable();
                let first = names.iter().take(4).copied().collect::<Vec<_>>().join(", ");
                let more = if names.len() > 4 { ", ..." } else { "" };
                (!names.is_empty()).then(|| format!("{what} {}: {first}{more}", names.len()))
            };
            let parts = [names("breaks", &broken, &before), names("brings back", &before, &broken)];
            let parts = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
            let parts = if parts.is_empty() { "changes nothing else".to_owned() } else { parts };
            told.push(format!("{line:<20}{parts}"));
            before = broken;
        }
        told
    }
}

fn run(arguments: &[&str]) -> tidemill::Result<Vec<String>> {
    let report = collect();
    let given = ["debian", "--quiet"].iter().chain(arguments);
    let arguments = debian::Arguments::parse_from(given);
    let sink = report.clone();
    debian::run(&arguments, move || sink.clone())?;
    Ok(report.take())
}

/// Compares the example with the model on several numbers of workers.
#[track_caller]
fn check(packages: &Path, edges: &Path, changes: &[String], workers: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changes.txt");
    fs::write(&file, changes.join("\n")).unwrap();
    let files = [packages, edges, &file].map(|it| it.to_str().unwrap());
    let expected = Model::read(packages, edges).told(changes);
    for workers in workers {
        let [packages, edges, changes] = files;
        let input = ["--packages", packages, "--edges", edges, "--changes", changes];
        let found = run(&[&input[..], &["-w", workers]].concat()).unwrap();
        assert_eq!(found, expected, "{workers} workers");
    }
}

fn built_in(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name)
}

fn lines(changes: &[&str]) -> Vec<String> {
    changes.iter().map(|it| (*it).to_owned()).collect()
}

/// Changes of any of these packages: each goes, or returns if it is gone; some of them again.
fn any_changes(names: &[String], count: usize, random: &mut Random) -> Vec<String> {
    let mut gone = BTreeSet::new();
    let change = |_| {
        let name = &names[random.below(names.len() as u64) as usize];
        let again = random.below(8) == 0;
        let goes = gone.contains(name) == again;
        _ = if goes { gone.insert(name.clone()) } else { gone.remove(name) };
        format!("{} {name}", if goes { '-' } else { '+' })
    };
    (0..count).map(change).collect()
}

#[test]
fn the_desktop_breaks_and_works_again_as_the_model_says() {
    let (packages, edges) = (built_in("debian-packages.csv.gz"), built_in("debian-edges.csv.gz"));
    let names: Vec<String> = Model::read(&packages, &edges).names.into_values().collect();
    let mut random = Random::new(5);
    check(&packages, &edges, &any_changes(&names, 60, &mut random), &["1", "2", "4"]);
}

#[test]
fn packages_that_need_each_other_break_together() {
    for seed in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let mut random = Random::new(seed);
        let names: Vec<String> = (0..12).map(|it| format!("p{it}")).collect();
        let rows = names.iter().enumerate().map(|(id, name)| format!("{id},{name}\n"));
        let packages = "id,name\n".to_owned() + &rows.collect::<String>();
        let mut edges = "src,dst,kind,group,via_virtual\n".to_owned();
        for group in 0..16 {
            // Now and then the same package twice, or one that needs itself.
            let (src, kind) =
                (random.below(12), ["depends", "pre-depends"][random.below(2) as usize]);
            for _ in 0..1 + random.below(3) {
                let dst = random.below(12);
                edges += &format!("{src},{dst},{kind},{},0\n", group % 5);
            }
        }
        edges += "0,1,suggests,0,0\n";
        let [packages, edges] = [("packages.csv", packages), ("edges.csv", edges)].map(|it| {
            fs::write(folder.path().join(it.0), it.1).unwrap();
            folder.path().join(it.0)
        });
        check(&packages, &edges, &any_changes(&names, 40, &mut random), &["1", "2"]);
    }
}

#[test]
fn a_need_is_met_while_one_alternative_works() {
    let found = run(&["--remove", "mawk", "gawk"]).unwrap();
    assert_eq!(found[0], "- mawk              changes nothing else");
    assert_eq!(found[1], "- gawk              breaks 2: base-files, bash");
}

#[test]
fn the_whole_archive_breaks_as_the_model_says() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = here.ancestors().skip(1).map(|it| it.join("shared/data/graphs/debian"));
    let Some(folder) = folders.find(|it| it.is_dir()) else {
        println!("skipped: graphs/debian is not here");
        return;
    };
    let (packages, edges) = (folder.join("packages.csv.gz"), folder.join("edges.csv.gz"));
    let changes = lines(&[
        "- libssl3",
        "- exim4-daemon-light",
        "- postfix",
        "+ libssl3",
        "- mawk",
        "- libc6",
        "+ libc6",
        "- perl-base",
        "+ mawk",
        "+ perl-base",
        "- python3-minimal",
        "+ postfix",
    ]);
    check(&packages, &edges, &changes, &["2"]);
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    let said = |arguments: &[&str]| format!("{:#}", run(arguments).unwrap_err());
    assert!(said(&["--remove", "no-such-thing"]).contains("there is no package no-such-thing"));
    assert!(said(&["--changes", "no-such-file"]).contains("cannot read no-such-file"));
}
