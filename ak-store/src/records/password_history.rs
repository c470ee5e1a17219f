//! The passwords that accounts had.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::error::Result;

/// The passwords that accounts had before the present one, as hashes. There are none unless something asks for them
/// ([`crate::directory::history::remembered`]).
#[async_trait]
pub trait PasswordHistories: Send {
    /// The hashes of the last passwords of an account, the newest first.
    async fn last(&mut self, user: i64, limit: u32) -> Result<Vec<String>>;
    /// Keeps a hash. An account that is not there is [`crate::StoreError::Missing`].
    async fn add(&mut self, user: i64, hash: &str, now: DateTime<Utc>) -> Result<()>;
    /// Forgets all but the last `kept` of an account; how many.
    async fn trim(&mut self, user: i64, kept: u32) -> Result<u64>;
    /// Accounts of which more than `kept` are kept, in the order of their keys, [`super::CLEAN_BATCH`] at the most.
    async fn over(&mut self, kept: u32) -> Result<Vec<i64>>;
}
