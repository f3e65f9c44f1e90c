//! The page `docs/graphs.md` does what it shows.

use std::path::Path;
use std::process::Command;

use super::child::run;
use super::tool::Desk;

#[test]
fn the_commands_of_the_page_give_what_it_shows() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/graphs.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let folder = Path::new(env!("CARGO_BIN_EXE_tidemill")).parent().expect("a folder").to_owned();
    let before = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&before);
    let path = std::env::join_paths([folder].into_iter().chain(folders)).expect("a path");
    let desk = Desk::new();
    let mut commands = 0;
    for part in page.split("```console\n").skip(1) {
        let (part, _) = part.split_once("```").expect("the end of what is shown");
        for shown in part.split("$ ").skip(1) {
            let (line, expected) = shown.split_once('\n').expect("a line");
            let mut shell = Command::new("sh");
            shell.args(["-c", line]).current_dir(desk.path("")).env("PATH", &path);
            let out = run(&mut shell).well().out;
            assert_eq!(out.trim_end(), expected.trim_end(), "{line}");
            commands += 1;
        }
    }
    assert!(commands > 10, "the page shows commands");
}

/// It names every algorithm that there is.
#[test]
fn the_page_knows_every_algorithm() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/graphs.md");
    let page = std::fs::read_to_string(page).expect("the page");
    for algorithm in super::ends::ALL {
        assert!(page.contains(&format!("| `{algorithm}` |")), "{algorithm}");
    }
}
