//! What a blueprint made of each of its entries the last time: with it, what was changed here since then can be told from what
//! a new version of the blueprint changes.

use ak_store::StoreError;
use ak_store::records::Repository;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What was applied the last time, entry by entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Base {
    entries: BTreeMap<String, Applied>,
}

/// What was made of one entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Applied {
    pub(super) pk: Value,
    /// The values of the attributes that the blueprint gives, as they were kept. None of them is a secret.
    pub(super) fields: Map<String, Value>,
}

impl Base {
    /// The name of an entry that stays the same when its attributes change.
    pub(super) fn key(model: &str, id: Option<&str>, identifiers: &Map<String, Value>) -> String {
        let by = id.map_or_else(|| Value::Object(identifiers.clone()).to_string(), |id| format!("#{id}"));
        format!("{model} {by}")
    }

    pub(super) fn get(&self, key: &str) -> Option<&Applied> {
        self.entries.get(key)
    }

    pub(super) fn put(&mut self, key: String, applied: Applied) {
        self.entries.insert(key, applied);
    }

    pub(super) async fn load(repo: &mut dyn Repository, blueprint: &str) -> Result<Self, StoreError> {
        match repo.settings().lookup(&setting(blueprint)).await? {
            Some(value) => serde_json::from_value(value).map_err(|e| StoreError::Corrupt(format!("{}: {e}", setting(blueprint)))),
            None => Ok(Self::default()),
        }
    }

    pub(super) async fn save(&self, repo: &mut dyn Repository, blueprint: &str) -> Result<(), StoreError> {
        let value = serde_json::to_value(self).map_err(|e| StoreError::Invalid(e.to_string()))?;
        repo.settings().put(&setting(blueprint), &value).await
    }
}

fn setting(blueprint: &str) -> String {
    format!("blueprint/{blueprint}")
}
