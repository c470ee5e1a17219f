//! Whether the passwords that accounts had are kept, and how many.

use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Ref, Snapshot, Store, Target};
use crate::records::{Durability, Task};
use crate::tasks::{TaskError, TaskHandler};

/// The role of what compares new passwords with earlier ones: without it none are kept.
pub trait RemembersPasswords: Send + Sync {
    /// How many of an account's passwords it compares with, the present one among them.
    fn remembered(&self) -> u32;
}

impl Target for dyn RemembersPasswords {
    const NAME: &'static str = "ak.remembers_passwords";
}

/// How many of an account's passwords are needed, the present one among them: as many as somebody compares with. Where that cannot be
/// read nothing is forgotten.
pub fn remembered(snapshot: &Snapshot) -> u32 {
    let kinds = snapshot.registry().kinds().iter().filter(|kind| kind.is_a(<dyn RemembersPasswords>::NAME));
    let keys = kinds.flat_map(|kind| snapshot.keys(kind.index));
    let each =
        keys.map(|pk| snapshot.get(Ref::<dyn RemembersPasswords>::new(pk)).map_or(u32::MAX, RemembersPasswords::remembered));
    each.max().unwrap_or(0)
}

/// Name of the recurring [`ForgetPasswords`].
pub const FORGET_PASSWORDS: &str = "forget_passwords";

/// Forgets the passwords that nothing compares with any more, since what compared with them was deleted or asks for fewer. Two at once
/// are harmless.
pub struct ForgetPasswords {
    store: Arc<Store>,
}

impl ForgetPasswords {
    /// Those in `store`.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Forgets them; how many.
    pub async fn forget(&self) -> Result<u64> {
        let kept = remembered(&self.store.snapshot()).saturating_sub(1);
        let mut forgotten = 0;
        loop {
            // They are looked for without keeping anybody who writes waiting.
            let over = self.store.read().await?.password_histories().over(kept).await?;
            if over.is_empty() {
                return Ok(forgotten);
            }
            let mut repo = self.store.backend().begin(Durability::Relaxed).await?;
            for user in over {
                forgotten += repo.password_histories().trim(user, kept).await?;
            }
            repo.save().await?;
        }
    }
}

#[async_trait]
impl TaskHandler for ForgetPasswords {
    async fn run(&self, _: &Task) -> std::result::Result<(), TaskError> {
        let forgotten = self.forget().await?;
        tracing::debug!(forgotten, "forgot former passwords");
        Ok(())
    }
}
