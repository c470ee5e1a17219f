//! Connections to a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgSeverity};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Postgres, Row as _};

use super::options::{OpenError, OpenPart, PostgresOptions, failure};
use crate::error::{Result, StoreError};
use crate::records::Durability;
use crate::sql::connection::{Wire, prepared};
use crate::sql::error::meaning;
use crate::sql::query::Query;
use crate::sql::row::Row;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long opening a transaction may take: after it the connection is taken for dead, and another one is tried.
const BEGIN: Duration = Duration::from_secs(5);
/// How long a statement may take. The server is told the same, so that neither side waits for the other.
const STATEMENT: Duration = Duration::from_secs(30);
/// The pause between two tries while the program starts.
const PAUSE: Duration = Duration::from_millis(500);
/// The oldest version whose dialect is spoken, as `server_version_num` writes it.
const OLDEST: u32 = 120_000;

// All of it in the transaction: a pooler gives the connection to others after it. The last limit frees what a process that
// hangs or is cut off holds locked.
const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL statement_timeout = '30s'; \
    SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '60s'";
const WRITE_RELAXED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL statement_timeout = '30s'; \
    SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL synchronous_commit = off";
// The view is fixed at the first statement, so there is one.
const VIEW: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = '30s'; \
    SET LOCAL idle_in_transaction_session_timeout = '60s'; SELECT 1";

/// A database on a server.
pub(in crate::sql) struct Server {
    options: PostgresOptions,
    connect: PgConnectOptions,
    /// Whether statements are prepared under a name, to be used again by later transactions.
    named: AtomicBool,
}

impl Server {
    pub(super) async fn new(options: PostgresOptions) -> Result<Self, OpenError> {
        let connect = options.connect_options().await?;
        let named = AtomicBool::new(!options.pooler);
        Ok(Self { options, connect, named })
    }

    pub(super) fn place(&self) -> String {
        self.options.place()
    }

    /// Whether a pooler in transaction mode stands before the server, as far as it is known.
    pub(super) fn has_pooler(&self) -> bool {
        !self.named.load(Ordering::Relaxed)
    }

    pub(super) fn connect_options(&self) -> &PgConnectOptions {
        &self.connect
    }

    /// Prepares nothing by name any more: something between us and the server gives its connections to others.
    pub(super) fn unname(&self) {
        if self.named.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "statements are not kept prepared any more: a pooler in transaction mode seems to stand before {}; \
                 say so with AUTHENTIK_POSTGRESQL__DISABLE_SERVER_SIDE_CURSORS=true",
                self.place()
            );
        }
    }

    async fn try_connect(&self) -> Result<PgConnection, sqlx::Error> {
        let late = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, format!("nothing came for {} s", CONNECT.as_secs()));
        tokio::time::timeout(CONNECT, self.connect.connect()).await.map_err(late)?
    }

    pub(in crate::sql) async fn connect(self: &Arc<Self>) -> Result<Session> {
        let connection = self.try_connect().await.map_err(|error| match failure(&self.options, &error) {
            (true, OpenError { why, .. }) => StoreError::Busy(why),
            (false, OpenError { why, .. }) => StoreError::Backend(why),
        })?;
        Ok(Session { connection, server: self.clone(), lost: false })
    }

    /// Waits until the server answers, within the limit of the options, and sees that it can be used. Tries once at least.
    pub(super) async fn wait(&self) -> Result<(), OpenError> {
        let patience = self.options.wait;
        let mut deadline = std::pin::pin!(tokio::time::sleep(patience));
        let mut told = patience.is_zero();
        loop {
            let error = match self.try_connect().await {
                Ok(connection) => return self.check(connection).await,
                Err(error) => error,
            };
            let (later, why) = failure(&self.options, &error);
            if !later {
                return Err(why);
            }
            if !told {
                tracing::warn!("waiting up to {} s for the database: {why}", patience.as_secs());
                told = true;
            }
            tokio::select! {
                biased;
                () = &mut deadline => return Err(why),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Whether this connection and another one are served by the same process of the server, or not always by the same one: then
    /// somebody stands between who gives the server's connections to one after the other.
    async fn is_shared(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let mut other = self.try_connect().await?;
        let mut first = None;
        for _ in 0..3 {
            let (one, two) = (process(connection).await?, process(&mut other).await?);
            if one == two || *first.get_or_insert((one, two)) != (one, two) {
                return Ok(true);
            }
        }
        let _ = other.close().await;
        Ok(false)
    }

    async fn check(&self, mut connection: PgConnection) -> Result<(), OpenError> {
        let place = self.place();
        if let Some(version) = connection.server_version_num().filter(|version| *version < OLDEST) {
            let why = format!("{place} has version {}; the oldest that can be used is {}", version / 10_000, OLDEST / 10_000);
            return Err(OpenError { part: OpenPart::Host, why });
        }
        let encoding: Result<String, _> = plain(&mut connection, "SELECT current_setting('server_encoding')").await;
        let encoding = encoding.map_err(|error| failure(&self.options, &error).1)?;
        if !self.has_pooler() && self.is_shared(&mut connection).await.map_err(|error| failure(&self.options, &error).1)? {
            self.unname();
        }
        let _ = connection.close().await;
        if encoding != "UTF8" {
            let why = format!("the database \"{}\" keeps texts as {encoding}, not as UTF8", self.options.database);
            return Err(OpenError { part: OpenPart::Database, why });
        }
        Ok(())
    }
}

async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    plain(connection, "SELECT pg_backend_pid()").await
}

/// The one value of a query outside of a transaction. It is sent in one message: what is prepared first may meet another process behind a pooler.
async fn plain<T>(connection: &mut PgConnection, query: &'static str) -> Result<T, sqlx::Error>
where
    T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    sqlx::raw_sql(query).fetch_one(connection).await?.try_get(0)
}

/// A connection.
pub(in crate::sql) struct Session {
    connection: PgConnection,
    server: Arc<Server>,
    lost: bool,
}

/// Whether nothing more can come from a connection after this failure.
fn ends(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(told) => {
            let told = told.try_downcast_ref::<PgDatabaseError>();
            told.is_none_or(|told| {
                let ended = matches!(told.severity(), PgSeverity::Fatal | PgSeverity::Panic);
                // Another process has changed the tables: what is prepared here is for the old ones.
                let stale = told.code() == "0A000" && told.message().contains("cached plan");
                ended || stale || is_unprepared(told)
            })
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::Decode(_) => false,
        _ => true,
    }
}

/// A prepared statement is not there, or another one has its name: the connection behind the connection is not always the same.
fn is_unprepared(told: &PgDatabaseError) -> bool {
    matches!(told.code(), "26000" | "42P05")
}

impl Session {
    fn named(&self) -> bool {
        self.server.named.load(Ordering::Relaxed)
    }

    /// What the server answered, within the limit.
    fn answer<T>(&mut self, answer: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>) -> Result<T> {
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.lost |= ends(&error);
                let told = error.as_database_error().and_then(|told| told.try_downcast_ref());
                if told.is_some_and(is_unprepared) {
                    self.server.unname();
                }
                Err(meaning(error))
            }
            Err(_late) => {
                self.lost = true;
                Err(StoreError::Busy(format!("{} did not answer in time", self.server.place())))
            }
        }
    }

    async fn run_within(&mut self, limit: Duration, text: &str) -> Result<()> {
        let answer = tokio::time::timeout(limit, sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut self.connection)).await;
        self.answer(answer).map(drop)
    }
}

impl Wire for Session {
    async fn run(&mut self, text: &str) -> Result<()> {
        self.run_within(STATEMENT, text).await
    }

    async fn script(&mut self, text: &str) -> Result<()> {
        let answer = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut self.connection).await;
        self.answer(Ok(answer)).map(drop)
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>> {
        let statement = prepared!(Postgres, query).persistent(self.named());
        let answer = tokio::time::timeout(STATEMENT, statement.fetch_all(&mut self.connection)).await;
        Ok(self.answer(answer)?.into_iter().map(Row::Postgres).collect())
    }

    async fn write(&mut self, query: Query) -> Result<u64> {
        let statement = prepared!(Postgres, query).persistent(self.named());
        let answer = tokio::time::timeout(STATEMENT, statement.execute(&mut self.connection)).await;
        Ok(self.answer(answer)?.rows_affected())
    }

    async fn begin(&mut self, durability: Durability) -> Result<()> {
        let text = match durability {
            Durability::Full => WRITE,
            Durability::Relaxed => WRITE_RELAXED,
        };
        self.run_within(BEGIN, text).await
    }

    async fn begin_view(&mut self) -> Result<()> {
        self.run_within(BEGIN, VIEW).await
    }

    fn is_lost(&self) -> bool {
        self.lost
    }

    async fn close(self) {
        let _ = tokio::time::timeout(CONNECT, self.connection.close()).await;
    }
}
