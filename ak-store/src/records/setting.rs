//! Named values of the installation: its id, its wrapped data key.

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Result;

/// Named values of the installation.
#[async_trait]
pub trait Settings: Send {
    /// The value of that name.
    async fn lookup(&mut self, name: &str) -> Result<Option<Value>>;
    /// Sets the value of that name.
    async fn put(&mut self, name: &str, value: &Value) -> Result<()>;
    /// Sets the value of that name unless there is one, and gives the one that now is there.
    async fn add_if_absent(&mut self, name: &str, value: &Value) -> Result<Value>;
}
