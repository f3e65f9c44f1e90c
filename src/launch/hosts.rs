//! Where the processes run: the host file that was given, or one with free ports of this machine.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::refused;
use crate::config::{Settings, loopback};
use crate::error::Result;

/// The addresses of all processes.
#[derive(Debug)]
pub(super) enum Hosts {
    /// As a file says, which every machine can read at the same path.
    Given { file: PathBuf, addresses: Vec<String> },
    /// This machine, on ports that are free at each start.
    Local { count: usize },
}

/// Where one start takes place.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) file: PathBuf,
    /// The machine of each process, if it is another.
    pub(super) machines: Vec<Option<String>>,
    /// Removed when the processes have ended.
    _made: Option<NamedTempFile>,
}

impl Hosts {
    pub(super) fn new(file: Option<&Path>, count: Option<usize>) -> Result<Self> {
        if count == Some(0) {
            return Err(refused("-n/--processes is 0, but must be at least 1"));
        }
        let Some(file) = file else { return Ok(Self::Local { count: count.unwrap_or(1) }) };
        let count = match count {
            Some(count) => count,
            None => lines(file)?,
        };
        let addresses = Settings::default()
            .processes(count, 0)
            .max_parallelism(u32::try_from(count).unwrap_or(u32::MAX))
            .hostfile(file)
            .addresses()?;
        let file = std::path::absolute(file).map_err(|error| {
            refused(format!("the host file {} cannot be found", file.display())).because(error)
        })?;
        Ok(Self::Given { file, addresses })
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Self::Given { addresses, .. } => addresses.len(),
            Self::Local { count } => *count,
        }
    }

    /// The places of the next start.
    pub(super) fn places(&self) -> Result<Places> {
        match self {
            Self::Given { file, addresses } => {
                let own = own_name();
                let machines = addresses.iter().map(|it| other_machine(it, &own)).collect();
                Ok(Places { file: file.clone(), machines, _made: None })
            }
            Self::Local { count } => {
                let made = free_ports(*count).map_err(|error| {
                    refused("cannot make a host file with free ports").because(error)
                })?;
                let file = made.path().to_owned();
                Ok(Places { file, machines: vec![None; *count], _made: Some(made) })
            }
        }
    }
}

/// The addresses in a host file.
fn lines(file: &Path) -> Result<usize> {
    let text = fs::read_to_string(file).map_err(|error| {
        refused(format!("the host file {} (--hosts) cannot be read", file.display())).because(error)
    })?;
    let lines = text.lines().map(str::trim);
    match lines.filter(|line| !line.is_empty() && !line.starts_with('#')).count() {
        0 => Err(refused(format!("the host file {} (--hosts) is empty", file.display()))),
        count => Ok(count),
    }
}

/// A host file with ports that nobody uses at the moment.
fn free_ports(count: usize) -> std::io::Result<NamedTempFile> {
    // All at once, so that they differ.
    let free: Vec<_> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut file = tempfile::Builder::new().prefix("tidemill-hosts-").suffix(".txt").tempfile()?;
    for listener in free {
        writeln!(file, "{}", listener.local_addr()?)?;
    }
    file.flush()?;
    Ok(file)
}

/// The host of an address, if it is not this machine.
fn other_machine(address: &str, own: &str) -> Option<String> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_lowercase();
    // `node1` and `node1.example.org` are one machine, `10.0.0.1` and `10.0.0.2` are not.
    let named = host.parse::<std::net::IpAddr>().is_err() && !host.starts_with(char::is_numeric);
    let here = loopback(address) || named && !own.is_empty() && first(host) == first(own);
    (!here).then(|| host.to_owned())
}

/// The name of this machine.
fn own_name() -> String {
    nix::unistd::gethostname().map_or(String::new(), |it| it.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_file_says_how_many_processes_there_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hosts.txt");
        fs::write(&file, "# three\nlocalhost:1\n\nnode1:1\n10.0.0.1:1\n").expect("written");
        let hosts = Hosts::new(Some(&file), None).expect("valid");
        assert_eq!(hosts.count(), 3);
        let places = hosts.places().expect("known");
        assert_eq!(places.machines.first(), Some(&None));
        assert_eq!(places.machines.get(2), Some(&Some("10.0.0.1".into())));
        assert_eq!(Hosts::new(Some(&file), Some(2)).expect("fewer").count(), 2);
        let error = Hosts::new(Some(&file), Some(4)).expect_err("more").to_string();
        assert!(error.contains("has 3 of the 4 addresses"), "{error}");
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hosts.txt");
        let missing = Hosts::new(Some(&file), None).expect_err("missing").to_string();
        assert!(missing.contains("(--hosts) cannot be read"), "{missing}");
        fs::write(&file, "# none\n").expect("written");
        let empty = Hosts::new(Some(&file), None).expect_err("empty").to_string();
        assert!(empty.contains("is empty"), "{empty}");
        let none = Hosts::new(None, Some(0)).expect_err("none").to_string();
        assert!(none.contains("-n/--processes is 0"), "{none}");
    }

    #[test]
    fn each_local_process_gets_a_port_of_its_own() {
        let places = Hosts::new(None, Some(3)).expect("valid").places().expect("free ports");
        let settings = Settings::default().processes(3, 0).hostfile(&places.file);
        settings.check().expect("three different addresses of this machine");
        let file = places.file.clone();
        drop(places);
        assert!(!file.exists());
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        let other = |address| other_machine(address, "node1.example.org");
        for here in ["localhost:1", "[::1]:1", "127.0.0.1:1", "node1:1", "NODE1.example.org:1"] {
            assert_eq!(other(here), None, "{here}");
        }
        for there in ["node2:1", "node11:1", "10.0.0.1:1"] {
            assert!(other(there).is_some(), "{there}");
        }
        assert_eq!(other("[fe80::1]:1").as_deref(), Some("fe80::1"));
        assert!(other_machine("10.0.0.1:1", "10.0.0.2").is_some());
    }
}
