//! SQLite's connections: lent one at a time, and never with a transaction left open in them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::meaning;
use crate::error::{Result, StoreError};
use crate::records::Durability;

/// A fixed number of connections, made when first needed. Whoever waits is served in the order of asking.
pub(super) struct Pool {
    home: Arc<Home>,
    permits: Arc<Semaphore>,
}

struct Home {
    options: SqliteConnectOptions,
    idle: Mutex<Vec<Slot>>,
}

/// A connection, and how sure its commits are (where that is known).
struct Slot {
    connection: SqliteConnection,
    durability: Option<Durability>,
}

impl Home {
    /// A panic cannot leave the list half changed, so a poisoned lock is as good as any.
    fn idle(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// At the most `size` connections with these options.
    pub(super) fn new(options: SqliteConnectOptions, size: usize) -> Self {
        let home = Home { options, idle: Mutex::default() };
        Self { home: Arc::new(home), permits: Arc::new(Semaphore::new(size)) }
    }

    /// A connection outside of any transaction.
    pub(super) async fn lend(&self) -> Result<Lease> {
        let closed = |_| StoreError::Backend("the connections are closed".into());
        let permit = self.permits.clone().acquire_owned().await.map_err(closed)?;
        let idle = self.home.idle().pop();
        let slot = match idle {
            Some(slot) => slot,
            None => Slot { connection: self.home.options.connect().await.map_err(meaning)?, durability: None },
        };
        Ok(Lease { lent: Some((slot, permit)), home: self.home.clone(), open: false })
    }
}

/// A connection that is lent. When it is dropped in the middle of a transaction, the transaction is rolled back before
/// anybody else is lent the connection.
pub(super) struct Lease {
    lent: Option<(Slot, OwnedSemaphorePermit)>,
    home: Arc<Home>,
    /// A transaction is open, or may be: it is set before a `BEGIN` is sent and cleared after a `COMMIT` is answered, so that
    /// a future that is dropped at any point between leaves it set.
    open: bool,
}

impl Lease {
    fn slot(&mut self) -> Result<&mut Slot> {
        let gone = || StoreError::Backend("the connection was given back".into());
        self.lent.as_mut().map(|(slot, _)| slot).ok_or_else(gone)
    }

    /// The connection.
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection> {
        self.slot().map(|slot| &mut slot.connection)
    }

    /// Opens a transaction that may write, and waits for its turn with other processes.
    pub(super) async fn begin(&mut self, durability: Durability) -> Result<()> {
        self.open = true;
        let slot = self.slot()?;
        // One message to the connection's thread instead of two; the level cannot be changed inside a transaction.
        let text = match durability {
            same if slot.durability == Some(same) => "BEGIN IMMEDIATE",
            Durability::Full => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
            Durability::Relaxed => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
        };
        slot.durability = None;
        sqlx::raw_sql(text).execute(&mut slot.connection).await.map_err(meaning)?;
        slot.durability = Some(durability);
        Ok(())
    }

    /// Opens a view of what is committed now: a plain `BEGIN` would fix it only at the first statement, whenever that comes.
    pub(super) async fn begin_view(&mut self) -> Result<()> {
        self.open = true;
        let text = "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1";
        sqlx::raw_sql(text).execute(self.connection()?).await.map_err(meaning)?;
        Ok(())
    }

    /// Keeps what was done since [`Self::begin`].
    pub(super) async fn commit(mut self) -> Result<()> {
        sqlx::raw_sql("COMMIT").execute(self.connection()?).await.map_err(meaning)?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((slot, permit)) = self.lent.take() else { return };
        if !self.open {
            self.home.idle().push(slot);
            return;
        }
        // Without a runtime the connection is closed, which rolls back as well.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(give_back(slot, permit, self.home.clone()));
        }
    }
}

/// Ends the transaction, then gives the connection back. The rollback queues behind whatever statement was under way. Where
/// it fails (most often because no transaction is open any more) the connection is closed: a new one is sure to be clean.
async fn give_back(mut slot: Slot, permit: OwnedSemaphorePermit, home: Arc<Home>) {
    match sqlx::raw_sql("ROLLBACK").execute(&mut slot.connection).await {
        Ok(_) => home.idle().push(slot),
        Err(_) => {
            let _ = slot.connection.close().await;
        }
    }
    // Only now may the next one have its turn.
    drop(permit);
}
