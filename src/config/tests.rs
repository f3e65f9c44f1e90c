//! What settings are understood, and what is said about those that are not.

use clap::Parser;
use timely::CommunicationConfig::{Cluster, Process, Thread};

use super::*;

fn parse(arguments: &str) -> Result<Settings, String> {
    let arguments = ["./bin/program"].into_iter().chain(arguments.split_whitespace());
    Settings::try_parse_from("flights", arguments).map_err(|it| it.to_string())
}

/// The message about settings that must be refused.
fn refusal(arguments: &str) -> String {
    parse(arguments).expect_err(arguments)
}

/// The message about a host file with this content, for two processes.
fn host_refusal(content: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("hosts.txt");
    std::fs::write(&file, content).expect("the file can be written");
    let settings = Settings::default().processes(2, 0).hostfile(&file);
    let error = settings.check().expect_err(content);
    assert_eq!(error.kind(), ErrorKind::Setting);
    error.to_string().replace(&file.display().to_string(), "hosts.txt")
}

#[test]
fn nothing_said_means_one_worker() {
    let settings = parse("").expect("no flags are fine");
    assert_eq!((settings.workers, settings.processes, settings.process), (1, 1, 0));
    assert_eq!((settings.epoch_ms, settings.epoch_rows), (50, None));
    assert_eq!((settings.in_flight_epochs, settings.in_flight_mb), (64, 64));
    assert_eq!((settings.max_parallelism, settings.explain, settings.quiet), (4096, None, false));
    assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
}

#[test]
fn timely_gets_its_own_configuration() {
    let communication = |settings: Settings| settings.timely().expect("valid").communication;
    assert!(matches!(communication(Settings::default()), Thread));
    assert!(matches!(communication(Settings::default().workers(3)), Process(3)));
    match communication(parse("-n 2 -p 1 -w 1").expect("valid")) {
        Cluster { threads: 1, process: 1, addresses, report: false, zerocopy: false } => {
            assert_eq!(addresses, ["localhost:2101", "localhost:2102"]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_file_is_read_past_comments_and_spare_lines() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("hosts.txt");
    std::fs::write(&file, "# two\r\nnode1:2101\r\n\r\n [::1]:2102 \nspare\n").expect("written");
    let settings = Settings::default().processes(2, 1).hostfile(&file);
    let refused = settings.check().expect_err("these are other machines").to_string();
    assert!(refused.contains("node1:2101") && refused.contains("--secret-file"), "{refused}");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef").expect("written");
    let settings = settings.secret_file(secret);
    match settings.timely().expect("valid").communication {
        Cluster { addresses, .. } => assert_eq!(addresses, ["node1:2101", "[::1]:2102"]),
        other => panic!("{other:?}"),
    }
    assert!(matches!(settings.processes(1, 0).timely().expect("valid").communication, Thread));
}

#[test]
fn explain_is_text_unless_said_otherwise() {
    let explain = |arguments| parse(arguments).expect(arguments).explain;
    assert_eq!(explain("--explain"), Some(Explain::Text));
    assert_eq!(explain("--explain dot"), Some(Explain::Dot));
    assert_eq!(explain("--explain -w 2"), Some(Explain::Text));
    assert!(refusal("--explain svg").contains("[possible values: text, dot]"));
}

#[test]
fn unknown_flags_are_refused_by_name() {
    assert!(refusal("--epochms 3").contains("'--epochms'"));
    assert!(refusal("-x").contains("'-x'"));
    assert!(refusal("stray").contains("'stray'"));
    assert!(refusal("-w two").contains("'two' for '--threads <N>'"));
    assert!(refusal("-w -1").contains("-1"));
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    for flag in ["-w", "-n", "--epoch-ms", "--epoch-rows", "--in-flight-epochs"] {
        let message = refusal(&format!("{flag} 0"));
        assert!(message.contains(flag) && message.contains("is 0, but must be at least 1"));
    }
    assert!(refusal("--in-flight-mb 0").contains("--in-flight-mb is 0"));
    assert!(
        refusal("--heartbeat-ms 99").contains("--heartbeat-ms is 99, but must be at least 100")
    );
    assert!(refusal("--max-parallelism 0").contains("--max-parallelism is 0"));
    assert!(refusal("--max-parallelism 32769").contains("can be 32768 at most"));
    assert!(parse("--max-parallelism 32768").is_ok());
    assert!(refusal("-n 70000 --max-parallelism 32768").contains("fewer than the 70000 workers"));
}

#[test]
fn contradictory_settings_are_refused_by_name() {
    assert!(
        refusal("-n 2 -p 2")
            .contains("-p/--process is 2, but of 2 processes (-n/--processes) the last is 1")
    );
    assert!(refusal("-p 1").contains("-p/--process is 1"));
    for flag in ["--allow-dropped-state", "--allow-new-state", "--rewrite-state"] {
        let message = refusal(&format!("--checkpoint saved {flag}"));
        assert!(message.contains(flag) && message.contains("--restore"), "{message}");
        assert!(parse(&format!("--checkpoint saved --restore latest {flag}")).is_ok());
    }
    assert!(
        refusal("-n 2 -w 3 --max-parallelism 5")
            .contains("--max-parallelism is 5, fewer than the 6 workers")
    );
    assert!(parse("-n 2 -w 3 --max-parallelism 6").is_ok());
}

#[test]
fn host_files_that_cannot_be_used_are_refused() {
    assert!(refusal("-n 2 -h no/such/file").contains("the host file no/such/file (-h/--hostfile)"));
    assert_eq!(
        host_refusal("a:1\n"),
        "the host file hosts.txt (-h/--hostfile) has 1 of the 2 addresses that -n/--processes asks \
         for"
    );
    assert_eq!(
        host_refusal("a:1\n\nA:1\n"),
        "lines 1 and 3 of the host file hosts.txt (-h/--hostfile) are both `A:1`; each process \
         needs an address of its own"
    );
    let faults = [
        ("node", "it has no port"),
        (":2101", "it has no host"),
        ("a b:2101", "it has a space"),
        ("::1:2101", "an IPv6 address goes in square brackets"),
        ("a:", "the port is not a number from 1 to 65535"),
        ("a:0", "the port is not a number from 1 to 65535"),
        ("a:70000", "the port is not a number from 1 to 65535"),
    ];
    for (line, fault) in faults {
        let message = host_refusal(&format!("{line}\nb:1\n"));
        assert!(message.starts_with("line 1 of the host file") && message.contains(fault));
    }
}

#[test]
fn help_lists_every_flag_under_one_heading() {
    let help = refusal("--help");
    assert!(
        help.starts_with("flights, a job for Tidemill\n\nUsage: program [OPTIONS]\n\nTidemill:\n"),
        "{help}"
    );
    assert!(help.contains("-h, --hostfile <FILE>"));
    assert!(help.contains("      --help "));
    assert!(help.contains("Examples:\n  program -w 4 "));
    assert!(refusal("-h").contains("--hostfile <FILE>"));
}

/// Counts words
#[derive(Parser, Debug)]
struct Words {
    /// Files to read
    #[arg(long, num_args = 1..)]
    input: Vec<String>,
    #[command(flatten)]
    settings: Settings,
    /// Longest words
    #[arg(long, default_value_t = 3)]
    top: usize,
}

#[test]
fn a_program_adds_flags_of_its_own() {
    let arguments = ["words", "--input", "a", "b", "-w", "2", "-h", "hosts", "--top", "5"];
    let words = Words::try_parse_from(arguments).expect("both kinds of flags are known");
    assert_eq!((words.input.len(), words.settings.workers, words.top), (2, 2, 5));
    assert_eq!(words.settings.hostfile.as_deref(), Some("hosts".as_ref()));

    let help = Words::try_parse_from(["words", "--help"]).expect_err("help ends it").to_string();
    assert!(help.starts_with("Counts words\n\nUsage: words [OPTIONS]\n\nOptions:\n"), "{help}");
    let ours = help.find("Tidemill:").expect("our flags have their heading");
    assert!(
        help.find("--top").expect("listed") < ours && help.find("--help").expect("listed") > ours
    );
    assert!(Words::try_parse_from(["words", "--tpo", "5"]).is_err());
}
