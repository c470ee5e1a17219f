//! Argon2 (RFC 9106), in the PHC form that Django stores after the word `argon2`.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::MAX_MEMORY_KIB;
use super::memory::Memory;
use crate::directory::password::Cost;
use crate::directory::password::encoded::number;

/// Most memory times passes, in KiB: some seconds of work.
const MAX_WORK_KIB: u64 = 16 * MAX_MEMORY_KIB as u64;
const MAX_LANES: u32 = 64;
const HASH_BYTES: usize = 32;

#[derive(Debug)]
pub(in super::super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    cost: Cost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Argon2Hash {
    /// Reads `argon2id$v=19$m=19456,t=2,p=1$salt$hash`; without `v=` it is the older version 16.
    pub(in super::super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$').peekable();
        let algorithm = match parts.next()? {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            "argon2d" => Algorithm::Argon2d,
            _ => return None,
        };
        let version = match parts.next_if(|part| part.starts_with("v=")) {
            Some("v=19") => Version::V0x13,
            Some("v=16") | None => Version::V0x10,
            Some(_) => return None,
        };
        let cost = parse_cost(parts.next()?)?;
        let salt = STANDARD_NO_PAD.decode(parts.next()?).ok().filter(|salt| (8..=64).contains(&salt.len()))?;
        let hash = STANDARD_NO_PAD.decode(parts.next()?).ok().filter(|hash| (16..=128).contains(&hash.len()))?;
        parts.next().is_none().then_some(Self { algorithm, version, cost, salt, hash })
    }

    pub(in super::super) fn matches(&self, password: &[u8]) -> bool {
        let mut found = vec![0; self.hash.len()];
        let done = run(self.algorithm, self.version, self.cost, &self.salt, password, &mut found);
        done.is_some() && bool::from(found.ct_eq(&self.hash))
    }

    /// Weaker is another variant or version, less memory, less work in all, or a shorter hash. A hash that takes more work than
    /// ours stays as it is.
    pub(in super::super) fn is_weaker_than(&self, cost: Cost) -> bool {
        self.algorithm != Algorithm::Argon2id
            || self.version != Version::V0x13
            || self.cost.memory_kib < cost.memory_kib
            || work(self.cost) < work(cost)
            || self.hash.len() < HASH_BYTES
    }

    /// The stored form of a new hash.
    pub(in super::super) fn derive(cost: Cost, salt: &[u8; 16], password: &[u8]) -> Option<String> {
        let mut hash = [0; HASH_BYTES];
        run(Algorithm::Argon2id, Version::V0x13, cost, salt, password, &mut hash)?;
        let Cost { memory_kib, passes, lanes } = cost;
        let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
        Some(format!("argon2$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}"))
    }

    /// The nearest cost that Argon2 allows and that [`Argon2Hash::parse`] reads.
    pub(in super::super) fn in_bounds(cost: Cost) -> Cost {
        let lanes = cost.lanes.clamp(1, MAX_LANES);
        let memory_kib = cost.memory_kib.clamp(8 * lanes, MAX_MEMORY_KIB);
        let most = u32::try_from(MAX_WORK_KIB / u64::from(memory_kib)).unwrap_or(u32::MAX);
        Cost { memory_kib, passes: cost.passes.clamp(1, most), lanes }
    }
}

fn parse_cost(text: &str) -> Option<Cost> {
    let mut parts = text.split(',');
    let memory_kib = number(parts.next()?.strip_prefix("m=")?, MAX_MEMORY_KIB)?;
    let passes = number(parts.next()?.strip_prefix("t=")?, u32::MAX)?;
    let lanes = number(parts.next()?.strip_prefix("p=")?, MAX_LANES)?;
    let cost = Cost { memory_kib, passes, lanes };
    (parts.next().is_none() && memory_kib >= 8 * lanes && work(cost) <= MAX_WORK_KIB).then_some(cost)
}

fn work(cost: Cost) -> u64 {
    u64::from(cost.memory_kib) * u64::from(cost.passes)
}

fn run(algorithm: Algorithm, version: Version, cost: Cost, salt: &[u8], password: &[u8], out: &mut [u8]) -> Option<()> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(out.len())).ok()?;
    let mut memory = Memory::of(params.block_count())?;
    Argon2::new(algorithm, version, params).hash_password_into_with_memory(password, salt, out, &mut memory.blocks).ok()
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_used_before_makes_no_difference() {
        for version in [Version::V0x10, Version::V0x13] {
            for algorithm in [Algorithm::Argon2d, Algorithm::Argon2i, Algorithm::Argon2id] {
                let hash = |memory_kib, password: &[u8]| {
                    let cost = Cost { memory_kib, passes: 2, lanes: 2 };
                    let mut out = [0; 32];
                    run(algorithm, version, cost, b"a salt of bytes", password, &mut out).map(|()| out)
                };
                let fresh = {
                    let params = Params::new(64, 2, 2, Some(32)).unwrap();
                    let mut out = [0; 32];
                    Argon2::new(algorithm, version, params).hash_password_into(b"one", b"a salt of bytes", &mut out).unwrap();
                    Some(out)
                };
                assert_eq!(hash(64, b"one"), fresh);
                assert_ne!(hash(128, b"another"), fresh);
                assert_eq!(hash(64, b"one"), fresh, "in memory that is larger, and full");
            }
        }
    }
}
