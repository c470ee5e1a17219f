//! PBKDF2 (RFC 8018) with HMAC, as Django writes it: `iterations$salt$hash`. The salt is used as the text it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::directory::password::encoded::number;

/// Ten times what Django takes today: some seconds of work.
const MAX_ITERATIONS: u32 = 10_000_000;

#[derive(Debug)]
enum Digest {
    Sha1([u8; 20]),
    Sha256([u8; 32]),
}

#[derive(Debug)]
pub(in super::super) struct Pbkdf2Hash {
    iterations: u32,
    salt: String,
    hash: Digest,
}

impl Pbkdf2Hash {
    pub(in super::super) fn parse_sha256(text: &str) -> Option<Self> {
        Self::parse(text, |hash| hash.try_into().ok().map(Digest::Sha256))
    }

    pub(in super::super) fn parse_sha1(text: &str) -> Option<Self> {
        Self::parse(text, |hash| hash.try_into().ok().map(Digest::Sha1))
    }

    fn parse(text: &str, digest: impl FnOnce(Vec<u8>) -> Option<Digest>) -> Option<Self> {
        let (iterations, rest) = text.split_once('$')?;
        let (salt, hash) = rest.split_once('$')?;
        let iterations = number(iterations, MAX_ITERATIONS)?;
        let hash = digest(STANDARD.decode(hash).ok()?)?;
        (!salt.is_empty()).then(|| Self { iterations, salt: salt.to_owned(), hash })
    }

    pub(in super::super) fn matches(&self, password: &[u8]) -> bool {
        match &self.hash {
            Digest::Sha1(hash) => {
                let mut found = [0; 20];
                pbkdf2_hmac::<Sha1>(password, self.salt.as_bytes(), self.iterations, &mut found);
                found.ct_eq(hash).into()
            }
            Digest::Sha256(hash) => {
                let mut found = [0; 32];
                pbkdf2_hmac::<Sha256>(password, self.salt.as_bytes(), self.iterations, &mut found);
                found.ct_eq(hash).into()
            }
        }
    }
}
