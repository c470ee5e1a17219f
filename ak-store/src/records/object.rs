//! Configuration as a backend sees it: rows of documents. What they mean is the model's business (`crate::model`).

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use crate::error::Result;

/// A stored document, or the tombstone of one.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectRow {
    /// Key.
    pub pk: Uuid,
    /// Model name of its kind.
    pub kind: String,
    /// A second key that an imported object is known by.
    pub alias: Option<Uuid>,
    /// Version of the kind that wrote the body.
    pub version: u32,
    /// Revision of the write that made this row what it is.
    pub revision: u64,
    /// The name by which the product itself keeps it.
    pub managed: Option<String>,
    /// A tombstone: the object was deleted at `revision`. It keeps no body.
    pub deleted: bool,
    /// The document; secrets in it are sealed.
    pub body: Value,
    /// What it refers to.
    pub refs: Vec<StoredEdge>,
    /// Values that no second object of the kind may have.
    pub unique: Vec<StoredUnique>,
}

/// A reference as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEdge {
    /// Path of the field.
    pub field: String,
    /// The target: a UUID of an object, `user:<pk>` or `group:<uuid>`.
    pub to: String,
}

/// A unique value as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUnique {
    /// Name of the field, or of the fields, joined by `,`.
    pub field: String,
    /// The value, in a form in which equal values are equal texts.
    pub value: String,
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Stored as this revision.
    Committed(u64),
    /// The revision is not the expected one any more; nothing was stored.
    Stale,
}

/// Configuration, as documents.
#[async_trait]
pub trait Objects: Send {
    /// The revision of the last write; 0 before the first.
    async fn revision(&mut self) -> Result<u64>;
    /// Locks the revision until the transaction ends and gives it: first lock of every transaction that commits objects.
    async fn lock_revision(&mut self) -> Result<u64>;
    /// All live rows.
    async fn all(&mut self) -> Result<Vec<ObjectRow>>;
    /// The rows changed after `revision`, tombstones included, by revision.
    async fn since(&mut self, revision: u64) -> Result<Vec<ObjectRow>>;
    /// Stores `rows` (whose own `revision` is ignored) as the revision after `base`, if the revision still is `base`:
    /// one statement a table, however many rows.
    async fn commit(&mut self, base: u64, rows: &[ObjectRow]) -> Result<CommitOutcome>;
}
