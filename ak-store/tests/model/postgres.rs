//! The suite on PostgreSQL.

use std::rc::Rc;
use std::sync::Arc;

use ak_store::conformance::cluster::{Cluster, Database};
use ak_store::records::Backend;

#[path = "suite.rs"]
mod suite;

struct Storage(Rc<Database>);

impl Storage {
    fn new() -> Self {
        let database = Rc::new(Cluster::shared().database());
        super::keep(database.clone());
        Self(database)
    }

    async fn handle(&self) -> Arc<dyn Backend> {
        Arc::new(self.0.open().await)
    }

    /// Everything that somebody who has the storage gets to see: all tables.
    async fn bytes(&self) -> Vec<u8> {
        let query = sqlx::query_scalar::<_, String>("SELECT CAST(database_to_xml(true, false, '') AS TEXT)");
        query.fetch_one(&mut self.0.connect().await).await.unwrap().into_bytes()
    }
}
