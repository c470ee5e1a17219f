//! scrypt (RFC 7914) as Django writes it: `n$salt$r$p$hash`. The salt is used as the text it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scrypt::Params;
use subtle::ConstantTimeEq as _;

use super::MAX_MEMORY_KIB;
use crate::directory::password::encoded::number;

/// Most memory times parallelism, in KiB: some seconds of work.
const MAX_WORK_KIB: u64 = 8 * MAX_MEMORY_KIB as u64;

#[derive(Debug)]
pub(in super::super) struct ScryptHash {
    params: Params,
    salt: String,
    hash: [u8; 64],
}

impl ScryptHash {
    pub(in super::super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        let n = number(parts.next()?, u32::MAX).filter(|n| *n > 1 && n.is_power_of_two())?;
        let salt = parts.next().filter(|salt| !salt.is_empty())?.to_owned();
        let r = number(parts.next()?, 1024)?;
        let p = number(parts.next()?, 1024)?;
        let hash = STANDARD.decode(parts.next()?).ok()?.try_into().ok()?;
        // A block has 128 · r bytes; the large table holds n of them, the small one p.
        let memory_kib = u64::from(n) * u64::from(r) / 8;
        let small_kib = u64::from(p) * u64::from(r) / 8;
        let bounded = memory_kib.max(small_kib) <= u64::from(MAX_MEMORY_KIB) && memory_kib * u64::from(p) <= MAX_WORK_KIB;
        let params = Params::new(u8::try_from(n.ilog2()).ok()?, r, p).ok()?;
        (bounded && parts.next().is_none()).then_some(Self { params, salt, hash })
    }

    pub(in super::super) fn matches(&self, password: &[u8]) -> bool {
        let mut found = [0; 64];
        let done = scrypt::scrypt(password, self.salt.as_bytes(), &self.params, &mut found);
        done.is_ok() && bool::from(found.ct_eq(&self.hash))
    }
}
