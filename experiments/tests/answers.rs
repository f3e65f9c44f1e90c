//! The hand-written programs answer as the model does, or their speed means nothing.

use std::fs::File;
use std::path::PathBuf;

use clap::Parser;
use tidemill_experiments::answer::model;
use tidemill_experiments::events::{event, write_csv};
use tidemill_experiments::plain;
use tidemill_experiments::settings::Settings;

/// Runs the plain timely program with these arguments and compares it with the model.
fn check(arguments: &str) {
    let program = std::iter::once("study").chain(arguments.split_whitespace());
    let settings = Settings::try_parse_from(program).expect("arguments parse");
    let expected = model((0..settings.events).map(|i| event(i, settings.keys)), &settings);
    let answer = plain::run(&settings).expect("the program runs");
    assert_eq!(answer, expected, "{arguments}");
}

#[test]
fn tumbling_windows_agree_on_any_number_of_workers() {
    check("--events 0");
    check("--events 1");
    for workers in [1, 2, 4] {
        check(&format!("-w {workers} --events 300000 --keys 1000 --size 700"));
        check(&format!("-w {workers} --events 300000 --keys 7 --size 10 --advance-every 1"));
    }
}

#[test]
fn sliding_windows_agree_in_both_ways_of_combining() {
    for combine in ["anew", "running"] {
        for workers in [1, 2, 3] {
            let shape = format!("--combine {combine} -w {workers} --events 300000");
            check(&format!("{shape} --keys 1000 --size 1200 --slide 200"));
            check(&format!("{shape} --keys 20 --size 60000 --slide 1000"));
        }
    }
}

#[test]
fn a_file_gives_the_answer_of_the_generator() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("events.csv");
    let events = 200_000;
    write_csv(std::io::BufWriter::new(File::create(&path).expect("a file")), events, 1_000)
        .expect("the events fit the disk");
    for workers in [1, 2, 3] {
        let path = path.display();
        check(&format!("-w {workers} --events {events} --keys 1000 --size 500 --csv {path}"));
    }
}
