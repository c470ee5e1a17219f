//! Connections: lent one at a time, and never with a transaction left open in them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{Connection, Source, Wire as _};
use crate::error::{Result, StoreError};
use crate::records::Durability;

/// How long the end of a transaction that nobody waits for any more may take, before the connection is given up.
const ROLLBACK: Duration = Duration::from_secs(5);

/// A fixed number of connections, made when first needed. Whoever waits is served in the order of asking.
pub(super) struct Pool {
    home: Arc<Home>,
    permits: Arc<Semaphore>,
    patience: Option<Duration>,
}

struct Home {
    source: Source,
    idle: Mutex<Vec<Connection>>,
}

impl Home {
    /// A panic cannot leave the list half changed, so a poisoned lock is as good as any.
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// At the most `size` connections of this source.
    pub(super) fn new(source: Source, size: usize) -> Self {
        let home = Home { source, idle: Mutex::default() };
        Self { home: Arc::new(home), permits: Arc::new(Semaphore::new(size)), patience: None }
    }

    /// With a limit to waiting for a connection; beyond it is [`StoreError::Busy`].
    #[cfg(feature = "postgres")]
    pub(super) fn patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// A connection outside of any transaction.
    pub(super) async fn lend(&self) -> Result<Lease> {
        let permit = self.permit().await?;
        let idle = self.home.idle().pop();
        let used = idle.is_some();
        let connection = match idle {
            Some(connection) => connection,
            None => self.home.source.connect().await?,
        };
        Ok(Lease { lent: Some((connection, permit)), home: self.home.clone(), used, open: false })
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let permit = self.permits.clone().acquire_owned();
        let permit = match self.patience {
            None => permit.await,
            Some(patience) => tokio::time::timeout(patience, permit)
                .await
                .map_err(|_| StoreError::Busy(format!("no connection to the database was free for {} s", patience.as_secs())))?,
        };
        permit.map_err(|_| StoreError::Backend("the connections are closed".into()))
    }
}

/// A connection that is lent. When it is dropped in the middle of a transaction, the transaction is rolled back before
/// anybody else is lent the connection.
pub(super) struct Lease {
    lent: Option<(Connection, OwnedSemaphorePermit)>,
    home: Arc<Home>,
    /// Somebody had the connection before: what was at its other end may be gone since.
    used: bool,
    /// A transaction is open, or may be: it is set before a `BEGIN` is sent and cleared after a `COMMIT` is answered, so that
    /// a future that is dropped at any point between leaves it set.
    open: bool,
}

impl Lease {
    /// The connection.
    pub(super) fn connection(&mut self) -> Result<&mut Connection> {
        let gone = || StoreError::Backend("the connection was given back".into());
        self.lent.as_mut().map(|(connection, _)| connection).ok_or_else(gone)
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Opens a transaction that may write, and waits for its turn with other processes where the engine has turns.
    pub(super) async fn begin(&mut self, durability: Durability) -> Result<()> {
        self.open = true;
        let begun = self.connection()?.begin(durability).await;
        if begun.is_err() && self.renew().await? {
            return self.connection()?.begin(durability).await;
        }
        begun
    }

    /// Opens a view of what is committed now.
    pub(super) async fn begin_view(&mut self) -> Result<()> {
        self.open = true;
        let begun = self.connection()?.begin_view().await;
        if begun.is_err() && self.renew().await? {
            return self.connection()?.begin_view().await;
        }
        begun
    }

    /// Puts a new connection in the place of one whose other end went away while nobody used it; whether it was so. Nothing
    /// has been done on it, so that beginning again is safe. The idle ones were there at the time and go as well.
    async fn renew(&mut self) -> Result<bool> {
        if !self.used || !self.connection()?.is_lost() {
            return Ok(false);
        }
        self.home.idle().clear();
        let fresh = self.home.source.connect().await?;
        *self.connection()? = fresh;
        self.used = false;
        Ok(true)
    }

    /// Keeps what was done since [`Self::begin`].
    pub(super) async fn commit(self) -> Result<()> {
        self.end("COMMIT").await
    }

    /// Undoes what was done since [`Self::begin`], and waits until it is undone.
    pub(super) async fn roll_back(self) -> Result<()> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<()> {
        self.connection()?.run(how).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((connection, permit)) = self.lent.take() else { return };
        if connection.is_lost() {
            return;
        }
        if !self.open {
            self.home.idle().push(connection);
            return;
        }
        // Without a runtime the connection is closed, which rolls back as well.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(give_back(connection, permit, self.home.clone()));
        }
    }
}

/// Ends the transaction, then gives the connection back. The rollback queues behind whatever statement was under way. Where
/// it fails (most often because no transaction is open any more) the connection is closed: a new one is sure to be clean.
async fn give_back(mut connection: Connection, permit: OwnedSemaphorePermit, home: Arc<Home>) {
    match tokio::time::timeout(ROLLBACK, connection.run("ROLLBACK")).await {
        Ok(Ok(())) => home.idle().push(connection),
        Ok(Err(_)) if !connection.is_lost() => connection.close().await,
        Ok(Err(_)) | Err(_) => {}
    }
    // Only now may the next one have its turn.
    drop(permit);
}
