//! The suite on SQLite.

use std::path::PathBuf;
use std::sync::Arc;

use ak_store::records::Backend;
use ak_store::sql::{SqliteBackend, SqliteOptions};

#[path = "suite.rs"]
mod suite;

struct Storage(PathBuf);

impl Storage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ak.db");
        super::keep(folder);
        Self(path)
    }

    async fn handle(&self) -> Arc<dyn Backend> {
        Arc::new(SqliteBackend::open(&self.0, SqliteOptions::default()).await.unwrap())
    }

    /// Everything that somebody who has the storage gets to see: all files.
    async fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut files = tokio::fs::read_dir(self.0.parent().unwrap()).await.unwrap();
        while let Some(file) = files.next_entry().await.unwrap() {
            bytes.extend(tokio::fs::read(file.path()).await.unwrap());
        }
        bytes
    }
}
