//! PostgreSQL: a server of its own, for one machine or many.
//!
//! Nothing here outlives a transaction on the server: no setting of the session, no advisory lock of the session. The two
//! exceptions are prepared statements and the one connection that listens; behind a pooler in transaction mode neither is used.

mod listen;
mod options;
mod session;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use options::{OpenError, OpenPart, Pem, PostgresOptions, Tls};
pub(super) use session::{Server, Session};

use super::connection::{Source, Wire as _};
use super::dialect::POSTGRES;
use super::error::at;
use super::migrations;
use super::pool::Pool;
use super::tx::Tx;
use crate::error::Result;
use crate::records::{Backend, Changes, Durability, Repository};

/// How long a request waits for a connection of the pool.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps everything in a PostgreSQL database.
pub struct PostgresBackend {
    server: Arc<Server>,
    writers: Pool,
    /// Apart from the writers, so that a transaction that also opens a view never waits for itself.
    readers: Pool,
}

impl std::fmt::Debug for PostgresBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresBackend").field("place", &self.server.place()).finish_non_exhaustive()
    }
}

impl PostgresBackend {
    /// Connects to the database, which must exist; where the server does not answer (yet), tries again for
    /// [`PostgresOptions::wait`]. [`Backend::migrate`] gives it its tables.
    ///
    /// # Errors
    /// [`OpenError`], which says what to change.
    pub async fn open(options: PostgresOptions) -> Result<Self, OpenError> {
        let size = options.connections.max(2);
        let server = Arc::new(Server::new(options).await?);
        let backend = Self {
            writers: Pool::new(Source::Postgres(server.clone()), size / 2).patience(PATIENCE),
            readers: Pool::new(Source::Postgres(server.clone()), size - size / 2).patience(PATIENCE),
            server,
        };
        backend.server.wait().await?;
        Ok(backend)
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    async fn begin(&self, durability: Durability) -> Result<Box<dyn Repository>> {
        let mut lease = self.writers.lend().await?;
        lease.begin(durability).await?;
        Ok(Box::new(Tx::new(lease, &POSTGRES, true)))
    }

    async fn read(&self) -> Result<Box<dyn Repository>> {
        let mut lease = self.readers.lend().await?;
        lease.begin_view().await?;
        Ok(Box::new(Tx::new(lease, &POSTGRES, false)))
    }

    async fn migrate(&self) -> Result<()> {
        let brought = async { migrations::bring_up(self.writers.lend().await?, &POSTGRES).await };
        brought.await.map_err(|error| at(self.server.place(), error))
    }

    async fn ping(&self) -> Result<()> {
        let mut lease = self.readers.lend().await?;
        lease.begin_view().await?;
        lease.connection()?.run("SELECT 1").await
    }

    async fn listen(&self) -> Result<Option<Box<dyn Changes>>> {
        listen::listen(&self.server).await
    }

    fn name(&self) -> &'static str {
        "postgres"
    }
}
