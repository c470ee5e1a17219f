//! Every backend does what the traits promise.
#![allow(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests, not what they share")]

use ak_store::conformance::Pair;

mod memory {
    use ak_store::memory::MemoryBackend;

    async fn fresh() -> super::Pair {
        let backend = MemoryBackend::new();
        super::Pair::new(backend.clone(), backend, ())
    }

    ak_store::conformance_suite!(fresh);
}

mod sqlite {
    use ak_store::records::Backend as _;
    use ak_store::sql::{SqliteBackend, SqliteOptions};

    async fn fresh() -> super::Pair {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ak.db");
        let one = SqliteBackend::open(&path, SqliteOptions::default()).await.unwrap();
        one.migrate().await.unwrap();
        let two = SqliteBackend::open(&path, SqliteOptions::default()).await.unwrap();
        super::Pair::new(one, two, folder)
    }

    ak_store::conformance_suite!(fresh);
}

mod postgres {
    use ak_store::conformance::cluster::Cluster;

    async fn fresh() -> super::Pair {
        let database = Cluster::shared().database();
        super::Pair::new(database.open().await, database.open().await, database)
    }

    ak_store::conformance_suite!(fresh);
}
