//! The suite on the memory backend.

use std::sync::Arc;

use ak_store::memory::MemoryBackend;
use ak_store::records::Backend;

#[path = "suite.rs"]
mod suite;

struct Storage(MemoryBackend);

impl Storage {
    fn new() -> Self {
        Self(MemoryBackend::new())
    }

    async fn handle(&self) -> Arc<dyn Backend> {
        Arc::new(self.0.clone())
    }

    /// Everything that somebody who has the storage gets to see.
    async fn bytes(&self) -> Vec<u8> {
        format!("{:?}", self.0.read().await.unwrap().objects().since(0).await.unwrap()).into_bytes()
    }
}
