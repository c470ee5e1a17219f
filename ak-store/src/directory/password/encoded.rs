//! A stored hash, taken apart.

use super::Cost;
use super::families::argon2::Argon2Hash;
use super::families::bcrypt::BcryptHash;
use super::families::pbkdf2::Pbkdf2Hash;
use super::families::scrypt::ScryptHash;

/// Longer texts are no hashes. The longest form in use has about 200 bytes.
const MAX_STORED_BYTES: usize = 1024;

/// A well-formed stored hash whose check takes an acceptable amount of work.
#[derive(Debug)]
pub(super) enum Encoded {
    Argon2(Argon2Hash),
    Pbkdf2(Pbkdf2Hash),
    Bcrypt(BcryptHash),
    Scrypt(ScryptHash),
}

impl Encoded {
    /// Reads a stored hash; `None` for everything that can match no password.
    pub(super) fn parse(stored: &str) -> Option<Self> {
        if stored.len() > MAX_STORED_BYTES {
            return None;
        }
        let (family, rest) = stored.split_once('$')?;
        match family {
            "argon2" => Argon2Hash::parse(rest).map(Self::Argon2),
            "pbkdf2_sha256" => Pbkdf2Hash::parse_sha256(rest).map(Self::Pbkdf2),
            "pbkdf2_sha1" => Pbkdf2Hash::parse_sha1(rest).map(Self::Pbkdf2),
            "bcrypt_sha256" => BcryptHash::parse(rest, true).map(Self::Bcrypt),
            "bcrypt" => BcryptHash::parse(rest, false).map(Self::Bcrypt),
            "scrypt" => ScryptHash::parse(rest).map(Self::Scrypt),
            _ => None,
        }
    }

    /// Whether this is the hash of `password`. Takes its time.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2(hash) => hash.matches(password),
            Self::Pbkdf2(hash) => hash.matches(password),
            Self::Bcrypt(hash) => hash.matches(password),
            Self::Scrypt(hash) => hash.matches(password),
        }
    }

    /// Whether a new hash of this cost would protect the password better.
    pub(super) fn is_weaker_than(&self, cost: Cost) -> bool {
        match self {
            Self::Argon2(hash) => hash.is_weaker_than(cost),
            Self::Pbkdf2(_) | Self::Bcrypt(_) | Self::Scrypt(_) => true,
        }
    }
}

/// A number as hashers write it: decimal digits without sign or leading zero, from 1 to `max`.
pub(super) fn number(text: &str, max: u32) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|number| plain && *number <= max)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_plain_and_bounded() {
        assert_eq!(number("19456", 20_000), Some(19_456));
        for odd in ["", "0", "007", "+7", "-7", " 7", "7 ", "20001", "99999999999", "٧"] {
            assert_eq!(number(odd, 20_000), None, "{odd:?}");
        }
    }
}
