//! Forgetting what is over.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::Duration;

use super::{TaskError, TaskHandler};
use crate::clock::Clock;
use crate::error::Result;
use crate::records::{Backend, CLEAN_BATCH, Durability, Task};

/// Name of the recurring clean-up.
pub const CLEAN_EXPIRED: &str = "clean_expired";

/// For how long an ended task can still be looked at.
const KEEP_FINISHED_DAYS: i64 = 7;

/// Removes ended sessions, tokens, consents and grants, events, scores and traces of decisions that may be forgotten, and tasks that ended more
/// than seven days ago.
/// Every [`super::Worker`] does so at its start and about every hour. Two at once are harmless.
pub struct CleanExpired {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
}

impl CleanExpired {
    /// The clean-up of `backend` by that clock.
    pub fn new(backend: Arc<dyn Backend>, clock: Arc<dyn Clock>) -> Self {
        Self { backend, clock }
    }

    /// Cleans up; how much was removed. Transactions of few records keep others waiting for a short time only.
    pub async fn clean(&self) -> Result<u64> {
        let now = self.clock.now();
        let mut removed = 0;
        let mut subject = 0;
        while subject < 8 {
            let mut repo = self.backend.begin(Durability::Relaxed).await?;
            let batch = match subject {
                0 => repo.sessions().delete_expired(now).await?,
                1 => repo.tokens().delete_expired(now).await?,
                2 => repo.consents().delete_expired(now).await?,
                3 => repo.grants().delete_expired(now).await?,
                4 => repo.events().delete_expired(now).await?,
                5 => repo.reputations().delete_expired(now).await?,
                6 => repo.decision_traces().delete_expired(now).await?,
                _ => repo.tasks().delete_finished(now - Duration::days(KEEP_FINISHED_DAYS)).await?,
            };
            repo.save().await?;
            removed += batch;
            // A full batch: there may be more of the same.
            subject += u32::from(batch < CLEAN_BATCH);
        }
        Ok(removed)
    }
}

#[async_trait]
impl TaskHandler for CleanExpired {
    async fn run(&self, _: &Task) -> Result<(), TaskError> {
        let removed = self.clean().await?;
        tracing::debug!(removed, "removed what had expired");
        Ok(())
    }
}
