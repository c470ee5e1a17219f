//! Named values, in SQL.

use async_trait::async_trait;
use serde_json::Value;

use super::query::{Query, statements};
use super::tx::Tx;
use crate::error::{Result, StoreError};
use crate::records::Settings;

statements! {
    LOOKUP = "SELECT value FROM setting WHERE name = $1";
    PUT = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    ADD = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
}

#[async_trait]
impl Settings for Tx {
    async fn lookup(&mut self, name: &str) -> Result<Option<Value>> {
        self.one(Query::new(LOOKUP).bind(name), |row| row.json("value")).await
    }

    async fn put(&mut self, name: &str, value: &Value) -> Result<()> {
        self.write(Query::new(PUT).bind(name).bind(value)).await?;
        Ok(())
    }

    async fn add_if_absent(&mut self, name: &str, value: &Value) -> Result<Value> {
        self.write(Query::new(ADD).bind(name).bind(value)).await?;
        let kept = Settings::lookup(self, name).await?;
        kept.ok_or_else(|| StoreError::Backend(format!("the setting {name} is not there after it was added")))
    }
}
