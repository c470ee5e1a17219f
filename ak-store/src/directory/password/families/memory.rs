//! The memory that Argon2 works in: kept while passwords are checked, given back when nobody has signed in for a while.
//!
//! Asked for anew for each hash, 19 MiB cost a millisecond and more for the pages alone, and the allocator keeps what each of many
//! threads has given back: hundreds of megabytes in all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::Block;

/// The memory of one hash. Argon2 writes every block before it reads it, so what was there before makes no difference.
pub(super) struct Memory {
    pub(super) blocks: Vec<Block>,
}

/// Memory that waits for the next hash: at the most as much as was in use at once.
struct Spare {
    kept: Vec<Vec<Block>>,
    /// Counts the hashes.
    uses: u64,
    /// Whether somebody sees to it that it is given back.
    is_watched: bool,
}

static SPARE: Mutex<Spare> = Mutex::new(Spare { kept: Vec::new(), uses: 0, is_watched: false });

/// In blocks of a KiB. More is not kept: hashes that were imported with a cost of their own, until their people have signed in.
/// Less is not asked for: what is larger than 32 MiB, glibc always takes from the system and gives back to it. Only what is
/// written to counts.
const KEPT: usize = 33 * 1024;

/// After as long, and at the most twice as long, without a hash, the memory is given back.
const IDLE: Duration = Duration::from_secs(20);

/// A panic cannot leave it half changed.
fn spare() -> MutexGuard<'static, Spare> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// At least so many blocks.
    pub(super) fn of(blocks: usize) -> Option<Self> {
        let used = {
            let mut spare = spare();
            spare.uses = spare.uses.wrapping_add(1);
            if blocks <= KEPT { spare.kept.pop() } else { None }
        };
        let mut memory = used.unwrap_or_default();
        memory.try_reserve_exact(blocks.max(KEPT).saturating_sub(memory.len())).ok()?;
        if memory.len() < blocks {
            memory.resize(blocks, Block::default());
        }
        Some(Self { blocks: memory })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.blocks.len() <= KEPT {
            spare().kept.push(std::mem::take(&mut self.blocks));
        }
    }
}

/// Has the memory given back when no hash has been made for a while. Called after each, within a runtime.
pub(in crate::directory::password) fn give_back_when_idle() {
    {
        let mut spare = spare();
        if spare.kept.is_empty() || std::mem::replace(&mut spare.is_watched, true) {
            return;
        }
    }
    tokio::spawn(async {
        let _watching = Watching;
        loop {
            let before = spare().uses;
            tokio::time::sleep(IDLE).await;
            let mut spare = spare();
            if spare.uses == before {
                spare.kept = Vec::new();
                return;
            }
        }
    });
}

/// The watch ends with its runtime too.
struct Watching;

impl Drop for Watching {
    fn drop(&mut self) {
        spare().is_watched = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn memory_is_given_back_when_nobody_signs_in_any_more() {
        drop(Memory::of(8));
        // Hashes of other tests may come between, and their watch may end with their runtime.
        let given_back = async {
            while !spare().kept.is_empty() {
                give_back_when_idle();
                tokio::time::sleep(IDLE).await;
            }
        };
        tokio::time::timeout(IDLE * 10_000, given_back).await.unwrap();
    }
}
