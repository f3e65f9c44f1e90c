//! The settings of the network between the processes of a job: the secret they share, how soon a
//! lost process is noticed, and TLS.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{HEADING, Settings, refused};
use crate::error::Result;

/// Where a secret is looked for when there is no `--secret-file`.
pub const SECRET_VARIABLE: &str = "TIDEMILL_SECRET";

/// The fewest bytes a secret may have: who listens to a handshake can try out short ones.
const SHORTEST_SECRET: usize = 16;

/// The most bytes a secret may have.
const LONGEST_SECRET: usize = 4096;

/// The shortest heartbeat: less is noise on a busy machine.
pub(crate) const SHORTEST_HEARTBEAT_MS: u64 = 100;

/// How the processes of a job trust, watch and understand each other.
#[derive(Args, Clone, Debug)]
#[command(about = None, long_about = None)]
#[non_exhaustive]
pub struct Network {
    /// Secret that all processes share [default: the environment's TIDEMILL_SECRET]
    #[arg(help_heading = HEADING, long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,

    /// Another process is lost when nothing is heard of it for this long, in milliseconds
    #[arg(help_heading = HEADING, long, value_name = "N", default_value_t = 5_000)]
    pub heartbeat_ms: u64,

    /// Certificate chain of this process, in PEM: encrypts what passes between processes
    #[arg(help_heading = HEADING, long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM
    #[arg(help_heading = HEADING, long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Authority that signed the certificates of all processes, in PEM
    #[arg(help_heading = HEADING, long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
}

/// What the processes of a job know and nobody else does; empty if they have none.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Vec<u8>);

/// The files of TLS.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "TLS is refused without the feature"))]
pub(crate) struct TlsFiles<'a> {
    pub(crate) cert: &'a PathBuf,
    pub(crate) key: &'a PathBuf,
    pub(crate) ca: &'a PathBuf,
}

impl Secret {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Secret(none)" } else { "Secret(hidden)" })
    }
}

impl Settings {
    /// The same settings, with processes that are lost when nothing is heard of them for so long.
    #[must_use]
    pub fn heartbeat_ms(mut self, heartbeat_ms: u64) -> Self {
        self.network.heartbeat_ms = heartbeat_ms;
        self
    }

    /// The same settings with the secret that the processes share in a file.
    #[must_use]
    pub fn secret_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.network.secret_file = Some(file.into());
        self
    }
}

impl Network {
    /// The longest silence of a process that is not yet lost.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }

    /// The secret of this job's processes.
    pub(crate) fn secret(&self) -> Result<Secret> {
        self.secret_or(std::env::var_os(SECRET_VARIABLE))
    }

    /// The secret of the file, or else the one in the environment.
    fn secret_or(&self, environment: Option<OsString>) -> Result<Secret> {
        let (text, place) = match (&self.secret_file, environment) {
            (Some(file), _) => {
                let place = format!("the secret file {} (--secret-file)", file.display());
                let text = fs::read(file)
                    .map_err(|it| refused(format!("{place} cannot be read")).because(it))?;
                (text, place)
            }
            (None, Some(text)) => {
                let text = text.into_encoded_bytes();
                (text, format!("the secret in the environment ({SECRET_VARIABLE})"))
            }
            (None, None) => return Ok(Secret(Vec::new())),
        };
        let secret = text.trim_ascii();
        if !(SHORTEST_SECRET..=LONGEST_SECRET).contains(&secret.len()) {
            return Err(refused(format!(
                "{place} has {} bytes, but needs {SHORTEST_SECRET} to {LONGEST_SECRET}; `openssl \
                 rand -hex 32` makes a good one",
                secret.len(),
            )));
        }
        Ok(Secret(secret.to_vec()))
    }

    /// The files of TLS, if it is asked for.
    pub(crate) fn tls(&self) -> Result<Option<TlsFiles<'_>>> {
        let files = [
            ("--tls-cert", &self.tls_cert),
            ("--tls-key", &self.tls_key),
            ("--tls-ca", &self.tls_ca),
        ];
        let Some((given, _)) = files.iter().find(|(_, file)| file.is_some()) else {
            return Ok(None);
        };
        if cfg!(not(feature = "tls")) {
            return Err(refused(format!(
                "{given} needs a program that was built with the feature `tls` of the crate \
                 `tidemill`"
            )));
        }
        match (&self.tls_cert, &self.tls_key, &self.tls_ca) {
            (Some(cert), Some(key), Some(ca)) => Ok(Some(TlsFiles { cert, key, ca })),
            _ => {
                let missing: Vec<_> = files
                    .iter()
                    .filter(|(_, file)| file.is_none())
                    .map(|(flag, _)| *flag)
                    .collect();
                Err(refused(format!("{given} is of use only with {}", missing.join(" and "))))
            }
        }
    }

    /// Finds out whether processes at these addresses can talk with these settings.
    pub(super) fn check(&self, addresses: &[String]) -> Result<()> {
        if self.heartbeat_ms < SHORTEST_HEARTBEAT_MS {
            return Err(refused(format!(
                "--heartbeat-ms is {}, but must be at least {SHORTEST_HEARTBEAT_MS}",
                self.heartbeat_ms
            )));
        }
        self.tls()?;
        let secret = self.secret()?;
        if secret.0.is_empty()
            && addresses.len() > 1
            && let Some(address) = addresses.iter().find(|it| !loopback(it))
        {
            return Err(refused(format!(
                "the address {address} is not on this machine alone, and processes that talk over \
                 a network need a secret: --secret-file, or {SECRET_VARIABLE} in the environment"
            )));
        }
        Ok(())
    }
}

/// Whether an address `HOST:PORT` can be reached from this machine only.
pub(crate) fn loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => bare.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(arguments: &str) -> Network {
        let arguments = ["program"].into_iter().chain(arguments.split_whitespace());
        Settings::try_parse_from("test", arguments).expect("valid").network
    }

    #[test]
    fn a_secret_comes_from_the_file_or_else_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        fs::write(&file, "0123456789abcdef of the file\n").expect("written");
        let environment = || Some(OsString::from("0123456789abcdef elsewhere"));
        let said = network(&format!("--secret-file {}", file.display()));
        let secret = said.secret_or(environment()).expect("long enough");
        assert_eq!(secret.bytes(), b"0123456789abcdef of the file");
        assert_eq!(format!("{secret:?}"), "Secret(hidden)");
        let unsaid = network("");
        assert_eq!(
            unsaid.secret_or(environment()).expect("long").bytes(),
            b"0123456789abcdef elsewhere"
        );
        assert_eq!(unsaid.secret_or(None).expect("none is fine").bytes(), b"");
    }

    #[test]
    fn a_secret_that_is_short_or_missing_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        fs::write(&file, "  short \n").expect("written");
        let mut network = network("");
        network.secret_file = Some(file.clone());
        let error = network.secret_or(None).expect_err("too short").to_string();
        assert!(error.contains("(--secret-file) has 5 bytes, but needs 16"), "{error}");
        fs::remove_file(&file).expect("it is there");
        let error = network.secret_or(None).expect_err("missing").to_string();
        assert!(error.contains("(--secret-file) cannot be read"), "{error}");
        network.secret_file = None;
        let error = network.secret_or(Some("short".into())).expect_err("short").to_string();
        assert!(error.contains("(TIDEMILL_SECRET) has 5 bytes"), "{error}");
    }

    #[test]
    fn addresses_on_this_machine_alone_are_known() {
        for address in ["localhost:1", "LocalHost:1", "127.0.0.1:1", "127.9.0.1:1", "[::1]:1"] {
            assert!(loopback(address), "{address}");
        }
        assert!(loopback("[::ffff:127.0.0.1]:1"));
        for address in ["node1:1", "0.0.0.0:1", "10.0.0.1:1", "[::]:1", "localhost.org:1"] {
            assert!(!loopback(address), "{address}");
        }
    }

    #[test]
    fn tls_needs_all_of_its_files() {
        let mut network = network("");
        assert!(network.tls().expect("not asked for").is_none());
        network.tls_key = Some("key.pem".into());
        let error = network.tls().err().expect("two are missing").to_string();
        if cfg!(feature = "tls") {
            assert_eq!(error, "--tls-key is of use only with --tls-cert and --tls-ca");
        } else {
            assert!(error.contains("--tls-key needs a program") && error.contains("`tls`"));
        }
    }
}
