//! One file for each family of hashes. Every family reads its part of the stored form, refuses what would take an absurd amount
//! of memory or time (whoever may import accounts chooses these numbers), and compares in constant time.

pub(super) mod argon2;
pub(super) mod bcrypt;
pub(super) mod memory;
pub(super) mod pbkdf2;
pub(super) mod scrypt;

/// Most memory in KiB that checking one password may take.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
