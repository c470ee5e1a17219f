//! Named values, in memory.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::Tx;
use crate::error::Result;
use crate::records::Settings;

#[async_trait]
impl Settings for Tx {
    async fn lookup(&mut self, name: &str) -> Result<Option<Value>> {
        Ok(self.state.settings.get(name).map(|value| Value::clone(value)))
    }

    async fn put(&mut self, name: &str, value: &Value) -> Result<()> {
        self.write(|state| {
            state.settings.insert(name.into(), Arc::new(value.clone()));
            Ok(())
        })
    }

    async fn add_if_absent(&mut self, name: &str, value: &Value) -> Result<Value> {
        self.write(|state| {
            let kept = state.settings.entry(name.into()).or_insert_with(|| Arc::new(value.clone()));
            Ok(Value::clone(kept))
        })
    }
}
