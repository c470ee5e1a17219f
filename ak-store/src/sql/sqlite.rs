//! SQLite: one file, one writer at a time, readers that never wait for it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Sqlite};

use super::connection::{Source, Wire, prepared};
use super::dialect::SQLITE;
use super::error::{at, meaning};
use super::migrations;
use super::pool::Pool;
use super::presence::Presence;
use super::query::Query;
use super::row::Row;
use super::tx::Tx;
use crate::error::{Result, StoreError};
use crate::records::{Backend, Durability, Repository};

/// How a database file is opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// How long a write waits for another process that writes, before it is [`StoreError::Busy`].
    pub busy_timeout: Duration,
    /// How many views for reading may be open at the same time; more wait.
    pub readers: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(30), readers: 8 }
    }
}

/// Keeps everything in one SQLite file (and the two that SQLite puts beside it).
pub struct SqliteBackend {
    path: PathBuf,
    presence: Presence,
    writer: Pool,
    readers: Pool,
    /// What [`Self::changed_elsewhere`] saw last.
    seen: AtomicI64,
}

impl std::fmt::Debug for SqliteBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteBackend").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Makes the file where there is none, and the folders above it, for the eyes of its owner only: it holds people's data.
/// SQLite gives the files beside it the same mode.
async fn make_file(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        builder.mode(0o700);
        builder.create(folder).await?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).await.map(drop)
}

impl SqliteBackend {
    /// Opens the database file at `path`, making it where there is none. [`Backend::migrate`] gives it its tables.
    ///
    /// # Errors
    /// [`StoreError::Backend`] where the file cannot be opened, [`StoreError::Corrupt`] where it is no database.
    pub async fn open(path: &Path, options: SqliteOptions) -> Result<Self> {
        let place = format!("the database {}", path.display());
        let no_file = |error| StoreError::Backend(format!("{place} cannot be opened: {error}"));
        make_file(path).await.map_err(no_file)?;
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(options.busy_timeout)
            .statement_cache_capacity(256)
            .pragma("journal_size_limit", "67108864")
            .thread_name(|id| format!("sqlite-{id}"))
            .disable_statement_logging();
        let backend = Self {
            path: path.into(),
            presence: Presence::note(path)?,
            writer: Pool::new(source(connect.clone().journal_mode(SqliteJournalMode::Wal)), 1),
            readers: Pool::new(source(connect.pragma("query_only", "ON")), options.readers.max(1)),
            seen: AtomicI64::new(0),
        };
        backend.first_contact().await.map_err(|error| at(&place, error))?;
        Ok(backend)
    }

    /// Connects for writing, which also makes the file what it should be. The switch to the write-ahead log of a new file is
    /// the one lock that SQLite does not wait for by itself: two processes may start at the same time.
    async fn first_contact(&self) -> Result<()> {
        let mut tries = 0;
        loop {
            match self.changed_elsewhere().await {
                Err(StoreError::Busy(_)) if tries < 100 => tries += 1,
                other => return other.map(drop),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether another process (or another handle of this one) has committed anything since this was asked last; the first
    /// answer says nothing. It waits for the writers' turn.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn changed_elsewhere(&self) -> Result<bool> {
        let mut lease = self.writer.lend().await?;
        let rows = lease.connection()?.rows(Query::new("PRAGMA data_version")).await?;
        let version = rows.first().map(|row| row.int("data_version")).transpose()?.unwrap_or_default();
        Ok(self.seen.swap(version, Ordering::SeqCst) != version)
    }
}

fn source(options: SqliteConnectOptions) -> Source {
    Source::Sqlite(Box::new(options))
}

/// A connection to the file.
pub(super) struct File {
    connection: SqliteConnection,
    /// How sure its commits are, where that is known.
    durability: Option<Durability>,
}

impl File {
    pub(super) async fn open(options: &SqliteConnectOptions) -> Result<Self> {
        Ok(Self { connection: options.connect().await.map_err(meaning)?, durability: None })
    }
}

impl File {
    /// How sure commits are from now on, outside of transactions.
    pub(super) async fn settle(&mut self, durability: Durability) -> Result<()> {
        if self.durability == Some(durability) {
            return Ok(());
        }
        self.durability = None;
        self.run(level(durability)).await?;
        self.durability = Some(durability);
        Ok(())
    }
}

fn level(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "PRAGMA synchronous = FULL",
        Durability::Relaxed => "PRAGMA synchronous = NORMAL",
    }
}

impl Wire for File {
    async fn run(&mut self, text: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut self.connection).await.map_err(meaning)?;
        Ok(())
    }

    async fn script(&mut self, text: &str) -> Result<()> {
        self.run(text).await
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>> {
        let rows = prepared!(Sqlite, query).fetch_all(&mut self.connection).await.map_err(meaning)?;
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }

    async fn write(&mut self, query: Query) -> Result<u64> {
        let done = prepared!(Sqlite, query).execute(&mut self.connection).await.map_err(meaning)?;
        Ok(done.rows_affected())
    }

    async fn begin(&mut self, durability: Durability) -> Result<()> {
        // One message to the connection's thread instead of two; the level cannot be changed inside a transaction.
        let text = match self.durability == Some(durability) {
            true => "BEGIN IMMEDIATE".to_owned(),
            false => format!("{}; BEGIN IMMEDIATE", level(durability)),
        };
        self.durability = None;
        self.run(&text).await?;
        self.durability = Some(durability);
        Ok(())
    }

    /// A plain `BEGIN` would fix the view only at the first statement, whenever that comes.
    async fn begin_view(&mut self) -> Result<()> {
        self.run("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1").await
    }

    /// A file does not go away as a server does.
    fn is_lost(&self) -> bool {
        false
    }

    async fn close(self) {
        let _ = self.connection.close().await;
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    async fn begin(&self, durability: Durability) -> Result<Box<dyn Repository>> {
        self.presence.check()?;
        let mut lease = self.writer.lend().await?;
        lease.begin(durability).await?;
        Ok(Box::new(Tx::new(lease, &SQLITE, true)))
    }

    async fn read(&self) -> Result<Box<dyn Repository>> {
        self.presence.check()?;
        let mut lease = self.readers.lend().await?;
        lease.begin_view().await?;
        Ok(Box::new(Tx::new(lease, &SQLITE, false)))
    }

    async fn begin_one(&self, durability: Durability) -> Result<Box<dyn Repository>> {
        self.presence.check()?;
        let mut lease = self.writer.lend().await?;
        lease.connection()?.settle(durability).await?;
        Ok(Box::new(Tx::new(lease, &SQLITE, true)))
    }

    async fn look(&self) -> Result<Box<dyn Repository>> {
        self.presence.check()?;
        Ok(Box::new(Tx::new(self.readers.lend().await?, &SQLITE, false)))
    }

    async fn migrate(&self) -> Result<()> {
        let brought = async { migrations::bring_up(self.writer.lend().await?, &SQLITE).await };
        brought.await.map_err(|error| at(format_args!("the database {}", self.path.display()), error))
    }

    async fn ping(&self) -> Result<()> {
        self.presence.check()?;
        let mut lease = self.readers.lend().await?;
        // Something that the file has to be read for.
        lease.connection()?.run("SELECT 1 FROM sqlite_schema LIMIT 1").await
    }

    fn name(&self) -> &'static str {
        "sqlite"
    }
}
