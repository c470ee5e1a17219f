//! bcrypt in its modular form `$2b$cost$` and 53 characters, with or without SHA-256 before it.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::directory::password::encoded::number;

/// Each step doubles the work; 16 is some seconds.
const COSTS: std::ops::RangeInclusive<u32> = 4..=16;
/// bcrypt reads no more of a password.
const KEY_BYTES: usize = 72;
/// Neither the salt nor the hash fills its last character; some writers leave bits there.
const BASE64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));
/// Characters of the salt, which stands before the hash.
const SALT_CHARS: usize = 22;

#[derive(Debug)]
pub(in super::super) struct BcryptHash {
    /// Whether the hexadecimal SHA-256 of the password is what was hashed.
    sha256: bool,
    cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
}

impl BcryptHash {
    pub(in super::super) fn parse(text: &str, sha256: bool) -> Option<Self> {
        let mut parts = text.split('$');
        // `2x` marks hashes of a faulty implementation, which no correct one agrees with.
        let ("", "2a" | "2b" | "2y") = (parts.next()?, parts.next()?) else { return None };
        let cost = parts.next().filter(|cost| cost.len() == 2)?;
        let cost = number(cost.strip_prefix('0').unwrap_or(cost), *COSTS.end()).filter(|cost| COSTS.contains(cost))?;
        let (salt, hash) = parts.next()?.split_at_checked(SALT_CHARS)?;
        let salt = BASE64.decode(salt).ok()?.try_into().ok()?;
        let hash = BASE64.decode(hash).ok()?.try_into().ok()?;
        parts.next().is_none().then_some(Self { sha256, cost, salt, hash })
    }

    pub(in super::super) fn matches(&self, password: &[u8]) -> bool {
        let mut key = Zeroizing::new(Vec::with_capacity(KEY_BYTES));
        if self.sha256 {
            key.extend_from_slice(hex::encode(Sha256::digest(password)).as_bytes());
        } else {
            key.extend(password.iter().take(KEY_BYTES));
        }
        // The key is a C string: its closing zero counts, where there is room for it.
        if key.len() < KEY_BYTES {
            key.push(0);
        }
        let found = bcrypt::bcrypt(self.cost, self.salt, &key);
        found.split_last().is_some_and(|(_, found)| found.ct_eq(&self.hash).into())
    }
}
