//! Records that documents can describe.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::draft::Change;
use super::store::{Unit, WriteError};
use crate::records::Repository;

/// A sort of record that a document can describe as it does an object: accounts, groups, tokens. The API's collection and
/// blueprints read and write it through these calls.
///
/// Keys are given as they stand in answers of the API: a number for an account, a UUID's text for the others.
#[async_trait]
pub trait RecordKind: Send + Sync {
    /// Model name: `authentik_core.user`.
    fn model(&self) -> &'static str;

    /// The key of the one record that has these values, by what blueprints identify it with (`pk`, `username`, `name`,
    /// `identifier`). Identifiers that cannot name a record are [`super::Errors`] at their field.
    async fn find(&self, repo: &mut dyn Repository, identifiers: &Map<String, Value>) -> Result<Option<Value>, WriteError>;

    /// The record in the shape that [`RecordKind::put`] takes, complete but for secrets, which are left out.
    async fn document(&self, repo: &mut dyn Repository, pk: &Value) -> Result<Option<Map<String, Value>>, WriteError>;

    /// Which of the values that the document leaves out (a password, a key) the input would change.
    async fn hidden_changes(
        &self,
        _unit: &mut Unit<'_>,
        _at: Option<&Value>,
        _input: &Map<String, Value>,
    ) -> Result<Vec<&'static str>, WriteError> {
        Ok(Vec::new())
    }

    /// Creates the record, or changes the one at `at`; gives its key. All that is wrong with the input is told at its field.
    async fn put(
        &self,
        unit: &mut Unit<'_>,
        at: Option<&Value>,
        input: &Map<String, Value>,
        change: Change,
    ) -> Result<Value, WriteError>;

    /// Deletes the record with what refers to it; whether it was there.
    async fn delete(&self, unit: &mut Unit<'_>, pk: &Value) -> Result<bool, WriteError>;
}

/// The sorts of records that a program can describe by documents.
#[derive(Clone, Default)]
pub struct RecordKinds(Vec<Arc<dyn RecordKind>>);

impl RecordKinds {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, kind: impl RecordKind + 'static) -> Self {
        self.0.push(Arc::new(kind));
        self
    }

    /// The sort of this model name.
    pub fn by_model(&self, model: &str) -> Option<&dyn RecordKind> {
        self.iter().find(|kind| kind.model() == model)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &dyn RecordKind> {
        self.0.iter().map(|kind| &**kind)
    }
}

impl std::fmt::Debug for RecordKinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|kind| kind.model())).finish()
    }
}
