//! Why people were refused.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::error::Result;

/// Why somebody was refused. It never holds secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionTrace {
    /// What the person was shown to ask about.
    pub reference: String,
    /// What was decided and how: a document of whoever decides.
    pub body: Map<String, Value>,
    /// When it was decided.
    pub created: DateTime<Utc>,
    /// When it may be forgotten.
    pub expires: DateTime<Utc>,
}

/// Why people were refused. Strangers can cause as many as they like, so that besides those that may be forgotten those are removed
/// that are not among the newest [`MOST_TRACES`](super::MOST_TRACES).
#[async_trait]
pub trait DecisionTraces: Send {
    /// What is kept under this reference.
    async fn lookup(&mut self, reference: &str) -> Result<Option<DecisionTrace>>;
    /// How many there are.
    async fn count(&mut self) -> Result<u64>;
    /// Keeps a trace, in place of an earlier one of the same reference.
    async fn put(&mut self, trace: &DecisionTrace) -> Result<()>;
    /// Removes what may be forgotten at `now` and what is too many, [`CLEAN_BATCH`](super::CLEAN_BATCH) at the most; how many.
    async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<u64>;
}
