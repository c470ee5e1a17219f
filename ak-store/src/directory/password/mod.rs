//! Passwords: hashed with Argon2id, and checked against everything that an installation may bring along.
//!
//! A new password is stored the way Django stores one (`argon2$argon2id$v=19$m=…,t=…,p=…$salt$hash`), so that either product
//! reads what the other wrote. The forms that are read are those of Django's own hashers:
//!
//! | form | what it is |
//! |---|---|
//! | `argon2$argon2id$v=19$m=…,t=…,p=…$salt$hash` | Argon2 (RFC 9106), also `argon2i` and `argon2d` |
//! | `pbkdf2_sha256$iterations$salt$hash`, `pbkdf2_sha1$…` | PBKDF2 (RFC 8018) with HMAC |
//! | `bcrypt_sha256$$2b$cost$…` | bcrypt over the hexadecimal SHA-256 of the password |
//! | `bcrypt$$2b$cost$…` | bcrypt over the password's first 72 bytes |
//! | `scrypt$n$salt$r$p$hash` | scrypt (RFC 7914), 64 bytes |
//!
//! Everything else (empty, Django's unusable `!…`, damaged, or so costly that checking it would be an attack) matches no password.
//!
//! Hashing is slow on purpose. It runs on a bounded number of threads with a bounded queue before them ([`PasswordHasher`]), so
//! that a flood of sign-ins takes neither all memory nor the threads that answer everything else.

mod encoded;
mod families;
mod pool;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use zeroize::Zeroizing;

pub use pool::Limits;

use self::encoded::Encoded;
use self::families::argon2::Argon2Hash;
use self::pool::Pool;
use crate::clock::{Rng, SystemRng};

/// Longest password in bytes. A longer one is never stored, and matches nothing.
pub const MAX_PASSWORD_BYTES: usize = 4096;

/// Why a password was not hashed or checked. It never holds the password or the hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The password has more than [`MAX_PASSWORD_BYTES`] bytes.
    #[error("the password is longer than {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
    /// As many passwords as may wait are waiting: try again in a moment.
    #[error("too many passwords are being checked at once")]
    Busy,
    /// The work could not be done, for a reason that does not lie in the password.
    #[error("hashing failed: {0}")]
    Failed(&'static str),
}

/// What checking a password found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is the password.
    pub matches: bool,
    /// Whether the stored form is weaker than a new one would be: hash the password again and replace it. Only ever set on a match.
    pub needs_upgrade: bool,
}

impl Verdict {
    const NO: Self = Self { matches: false, needs_upgrade: false };
}

/// How much work a new hash takes (Argon2id, RFC 9106 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes. Work on one password is not spread over threads, whatever this says.
    pub lanes: u32,
}

impl Default for Cost {
    /// OWASP's first choice: 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

impl Cost {
    /// As little work as Argon2 can do. It protects nothing.
    pub const fn cheap_for_tests() -> Self {
        Self { memory_kib: 8, passes: 1, lanes: 1 }
    }
}

/// Hashes and checks passwords on a bounded pool. Clones share the pool.
#[derive(Clone)]
pub struct PasswordHasher {
    cost: Cost,
    rng: Arc<dyn Rng>,
    pool: Pool,
}

impl std::fmt::Debug for PasswordHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordHasher").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl PasswordHasher {
    /// A hasher that makes hashes of this cost, with as many threads as the machine has cores and [`Limits::default`]'s queue.
    /// A cost that Argon2 does not allow, or that this module would refuse to read again, is brought into bounds.
    pub fn new(cost: Cost) -> Self {
        Self::with_limits(cost, Limits::default(), Arc::new(SystemRng))
    }

    /// A hasher with a pool of this size, and salts from this generator.
    pub fn with_limits(cost: Cost, limits: Limits, rng: Arc<dyn Rng>) -> Self {
        Self { cost: Argon2Hash::in_bounds(cost), rng, pool: Pool::new(limits) }
    }

    /// The stored form of `password`, with a new salt.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(PasswordError::TooLong);
        }
        let (cost, salt, password) = (self.cost, self.rng.bytes::<16>(), owned(password));
        let hash = self.pool.run(move || Argon2Hash::derive(cost, &salt, password.as_bytes())).await?;
        hash.ok_or(PasswordError::Failed("Argon2 refused its parameters"))
    }

    /// Whether `password` is the one that `stored` was made of.
    ///
    /// Where `stored` can match nothing, the work of [`PasswordHasher::verify_decoy`] is done all the same. The time that an
    /// imported form takes still differs: who must hide it answers no earlier than at a fixed moment.
    pub async fn verify(&self, password: &str, stored: &str) -> Result<Verdict, PasswordError> {
        let Some(encoded) = Encoded::parse(stored) else {
            self.verify_decoy(password).await?;
            return Ok(Verdict::NO);
        };
        if password.len() > MAX_PASSWORD_BYTES {
            return Ok(Verdict::NO);
        }
        let (cost, password) = (self.cost, owned(password));
        let check = move || {
            let matches = encoded.matches(password.as_bytes());
            Verdict { matches, needs_upgrade: matches && encoded.is_weaker_than(cost) }
        };
        self.pool.run(check).await
    }

    /// Does the work of checking `password` against a hash of this hasher's cost and forgets the result: for accounts that do
    /// not exist or have no password. It is [`PasswordError::Busy`] when a real check would be.
    pub async fn verify_decoy(&self, password: &str) -> Result<(), PasswordError> {
        if password.len() > MAX_PASSWORD_BYTES {
            return Ok(());
        }
        let (cost, password) = (self.cost, owned(password));
        let work = move || std::hint::black_box(Argon2Hash::derive(cost, &[0x61; 16], password.as_bytes())).is_some();
        self.pool.run(work).await.map(|_| ())
    }
}

/// Whether `password` is the one that `stored` was made of. Takes its time, on the thread it is called on: for threads on which that is
/// allowed. Everybody else has [`PasswordHasher::verify`].
pub fn matches(password: &str, stored: &str) -> bool {
    password.len() <= MAX_PASSWORD_BYTES && Encoded::parse(stored).is_some_and(|encoded| encoded.matches(password.as_bytes()))
}

/// A copy for another thread, wiped when that thread is done.
fn owned(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.to_owned())
}

/// Whether `text` is a well-formed hash in one of the forms that [`PasswordHasher::verify`] reads.
pub fn is_hash(text: &str) -> bool {
    Encoded::parse(text).is_some()
}
