//! The proof that a process knows the secret of its job, which does not show the secret.
//!
//! Each side draws a nonce; each proof is an HMAC-SHA256 under the secret of everything both have
//! said, of which side it comes from, and of what ties the connection to its encryption. So a proof
//! that was overheard serves on no other connection, in no other direction and for no other job.
//!
//! Without a secret the key is empty: then the same words are said, and prove nothing.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::card::Role;
use crate::config::Secret;
use crate::error::{Error, ErrorKind, Result};

/// A proof.
pub(super) type Proof = [u8; 32];

/// Everything that was said on a connection before the proofs.
#[derive(Debug)]
pub(super) struct Transcript {
    /// What the caller and the answerer said, as they said it.
    pub(super) caller: Vec<u8>,
    pub(super) answerer: Vec<u8>,
    /// What only the two ends of an encrypted connection know; empty for a plain one.
    pub(super) channel: Vec<u8>,
}

impl Transcript {
    /// The proof of one side, which also vouches for its `verdict` on the other.
    pub(super) fn prove(&self, secret: &Secret, role: Role, verdict: u8) -> Proof {
        self.digest(secret, role, verdict).finalize().into_bytes().into()
    }

    /// Whether this is the proof of that side. Takes as long for a wrong one.
    pub(super) fn proves(&self, secret: &Secret, role: Role, verdict: u8, proof: &Proof) -> bool {
        self.digest(secret, role, verdict).verify_slice(proof).is_ok()
    }

    fn digest(&self, secret: &Secret, role: Role, verdict: u8) -> Hmac<Sha256> {
        let mut digest =
            Hmac::<Sha256>::new_from_slice(secret.bytes()).expect("HMAC takes keys of any length");
        let side: &[u8] = match role {
            Role::Caller => b"tidemill caller",
            Role::Answerer => b"tidemill answerer",
        };
        for part in [side, &[verdict], &self.caller, &self.answerer, &self.channel] {
            // With its length, so that no byte can move from one part to the next.
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Stopped, "the system has no random numbers").because(error)
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> Transcript {
        Transcript { caller: b"ab".into(), answerer: b"c".into(), channel: Vec::new() }
    }

    #[test]
    fn a_proof_holds_for_one_secret_side_verdict_and_conversation() {
        let secret = Secret::new(b"0123456789abcdef");
        let proof = transcript().prove(&secret, Role::Caller, 0);
        assert!(transcript().proves(&secret, Role::Caller, 0, &proof));
        assert!(!transcript().proves(&secret, Role::Answerer, 0, &proof));
        assert!(!transcript().proves(&secret, Role::Caller, 1, &proof));
        assert!(!transcript().proves(&Secret::new(b"another secret.."), Role::Caller, 0, &proof));
        assert!(!transcript().proves(&Secret::new(b""), Role::Caller, 0, &proof));
        let mut moved = transcript();
        (moved.caller, moved.answerer) = (b"a".into(), b"bc".into());
        assert!(!moved.proves(&secret, Role::Caller, 0, &proof));
        let channel = Transcript { channel: b"x".into(), ..transcript() };
        assert!(!channel.proves(&secret, Role::Caller, 0, &proof));
    }

    #[test]
    fn the_digest_is_the_one_of_rfc_4231() {
        // Test case 2, so that another implementation could join.
        let mut digest = Hmac::<Sha256>::new_from_slice(b"Jefe").expect("any length");
        digest.update(b"what do ya want for nothing?");
        let bytes: Proof = digest.finalize().into_bytes().into();
        let hex: String = bytes.iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn random_bytes_differ() {
        let (one, two): ([u8; 32], [u8; 32]) = (random().expect("some"), random().expect("some"));
        assert_ne!(one, two);
    }
}
