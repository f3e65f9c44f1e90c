//! The addresses of the processes: from a host file, or the ports timely uses on one machine.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use super::refused;
use crate::error::Result;

/// The port of process 0 when there is no host file; the others follow.
const FIRST_PORT: u16 = 2101;

/// The addresses of `processes` processes on this machine.
pub(super) fn local(processes: usize) -> Result<Vec<String>> {
    let most = usize::from(u16::MAX - FIRST_PORT) + 1;
    if processes > most {
        return Err(refused(format!(
            "-n/--processes is {processes}, but without a host file (-h/--hostfile) there are \
             ports for {most} at most"
        )));
    }
    Ok((0..processes)
        .map(|index| format!("localhost:{}", usize::from(FIRST_PORT) + index))
        .collect())
}

/// The first `processes` addresses in `file`. Blank lines and lines that begin with `#` are passed
/// over, and so are addresses beyond those needed.
pub(super) fn read(file: &Path, processes: usize) -> Result<Vec<String>> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|it| {
        refused(format!("the host file {shown} (-h/--hostfile) cannot be read")).because(it)
    })?;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let addresses: Vec<_> = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .take(processes)
        .collect();

    let mut seen = HashMap::new();
    for &(line, address) in &addresses {
        if let Some(fault) = fault(address) {
            return Err(refused(format!(
                "line {line} of the host file {shown} (-h/--hostfile) is `{address}`: {fault}; \
                 write HOST:PORT, as in `node1:2101`"
            )));
        }
        if let Some(first) = seen.insert(address.to_lowercase(), line) {
            return Err(refused(format!(
                "lines {first} and {line} of the host file {shown} (-h/--hostfile) are both \
                 `{address}`; each process needs an address of its own"
            )));
        }
    }
    if addresses.len() < processes {
        return Err(refused(format!(
            "the host file {shown} (-h/--hostfile) has {} of the {processes} addresses that \
             -n/--processes asks for",
            addresses.len()
        )));
    }
    Ok(addresses.into_iter().map(|(_, address)| address.to_owned()).collect())
}

/// What keeps `address` from being a host and a port.
fn fault(address: &str) -> Option<&'static str> {
    let Some((host, port)) = address.rsplit_once(':') else {
        return Some("it has no port");
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() {
        Some("it has no host")
    } else if host.contains(char::is_whitespace) {
        Some("it has a space")
    } else if host.contains(':') && !bracketed {
        Some("an IPv6 address goes in square brackets")
    } else if !port.parse::<u16>().is_ok_and(|it| it > 0) {
        Some("the port is not a number from 1 to 65535")
    } else {
        None
    }
}
