//! Processes that meet over encrypted connections, and those that lack the right certificate.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::cluster::tests::{addresses, both_ways, identity, meeting, met};
use crate::cluster::wire::Wire;

/// An authority and the certificates that it signs.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names are fine");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { folder, issuer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a process uses whose certificate is for `host`, if it trusts `trusted`.
    fn tls(&self, host: &str, trusted: &Self) -> Tls {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([host.to_owned()]).expect("a name");
        let cert = params.signed_by(&key, &self.issuer).expect("signed");
        std::fs::write(self.file("cert.pem"), cert.pem()).expect("written");
        std::fs::write(self.file("key.pem"), key.serialize_pem()).expect("written");
        let (cert, key, ca) = (self.file("cert.pem"), self.file("key.pem"), trusted.file("ca.pem"));
        Tls::new(&TlsFiles { cert: &cert, key: &key, ca: &ca }).expect("good files")
    }
}

/// What process 1 says when process 0 answers with other files.
fn refusal(answerer: Option<Tls>, caller: Option<Tls>) -> String {
    let addresses = addresses(2);
    let patience = std::time::Duration::from_millis(300);
    let [mut lower, mut upper] = [0, 1].map(|index| identity(index, 2));
    (lower.tls, upper.tls) = (answerer, caller);
    let listening = meeting(lower, &addresses, 5 * patience);
    let met = meeting(upper, &addresses, patience).join().expect("no panic");
    assert!(listening.join().expect("no panic").is_err());
    format!("{:#}", met.map(|_| ()).expect_err("they must not meet"))
}

#[test]
fn processes_meet_and_talk_both_ways_at_once() {
    let authority = Authority::new();
    let [mut lower, mut upper] = [0, 1].map(|index| identity(index, 2));
    lower.tls = Some(authority.tls("127.0.0.1", &authority));
    upper.tls = Some(authority.tls("127.0.0.1", &authority));
    let [mut lower, mut upper] = met(lower, upper);
    assert!(matches!((&lower.data, &upper.data), (Wire::Sealed(_), Wire::Sealed(_))));
    both_ways(&mut lower.data, &mut upper.data);
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    let answerer = authority.tls("elsewhere.example", &authority);
    let said = refusal(Some(answerer), Some(authority.tls("127.0.0.1", &authority)));
    assert!(said.contains("not valid for name"), "{said}");
}

#[test]
fn a_certificate_of_another_authority_is_refused_by_either_side() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let said = refusal(Some(theirs.tls("127.0.0.1", &ours)), Some(ours.tls("127.0.0.1", &ours)));
    assert!(said.contains("invalid peer certificate"), "{said}");
    let said = refusal(Some(ours.tls("127.0.0.1", &ours)), Some(theirs.tls("127.0.0.1", &ours)));
    assert!(said.contains("received fatal alert"), "{said}");
}

#[test]
fn tls_on_one_side_only_is_named() {
    let authority = Authority::new();
    let said = refusal(Some(authority.tls("127.0.0.1", &authority)), None);
    assert!(said.contains("is TLS set on one side only?"), "{said}");
    let said = refusal(None, Some(authority.tls("127.0.0.1", &authority)));
    assert!(said.contains("connecting"), "{said}");
}

#[test]
fn files_that_cannot_be_used_are_named_with_their_flag() {
    let authority = Authority::new();
    let _ = authority.tls("127.0.0.1", &authority);
    let good = ["cert.pem", "key.pem", "ca.pem"].map(|it| authority.file(it));
    let empty = authority.file("empty.pem");
    std::fs::write(&empty, "").expect("written");
    for (at, flag) in [(0, "--tls-cert"), (1, "--tls-key"), (2, "--tls-ca")] {
        let mut files = good.clone();
        files[at] = empty.clone();
        let [cert, key, ca] = &files;
        let error = Tls::new(&TlsFiles { cert, key, ca }).expect_err("an empty file");
        let said = format!("{error:#}");
        assert!(said.contains("empty.pem") && said.contains(flag), "{said}");
    }
}
