//! A connection of one of the engines: where statements leave for an engine, and the only place that lists all of them.

use super::query::Query;
use super::row::Row;
use crate::error::Result;
use crate::records::Durability;

/// What every engine's connection can do. Errors are in the product's words already.
pub(super) trait Wire {
    /// Runs statements without parameters, one after the other, which take no time to speak of.
    async fn run(&mut self, text: &str) -> Result<()>;
    /// Runs statements without parameters, one after the other, for as long as it takes.
    async fn script(&mut self, text: &str) -> Result<()>;
    /// The rows that a statement gives.
    async fn rows(&mut self, query: Query) -> Result<Vec<Row>>;
    /// Runs a statement; how many rows it changed.
    async fn write(&mut self, query: Query) -> Result<u64>;
    /// Opens a transaction that may write.
    async fn begin(&mut self, durability: Durability) -> Result<()>;
    /// Opens a view of what is committed now, which stays as it is.
    async fn begin_view(&mut self) -> Result<()>;
    /// Whether a failure has shown that nothing more can come from this connection.
    fn is_lost(&self) -> bool;
    /// Takes leave of the engine.
    async fn close(self);
}

/// How connections are made.
pub(super) enum Source {
    #[cfg(feature = "sqlite")]
    Sqlite(Box<sqlx::sqlite::SqliteConnectOptions>),
    #[cfg(feature = "postgres")]
    Postgres(std::sync::Arc<super::postgres::Server>),
}

/// A connection.
pub(super) enum Connection {
    #[cfg(feature = "sqlite")]
    Sqlite(super::sqlite::File),
    #[cfg(feature = "postgres")]
    Postgres(Box<super::postgres::Session>),
}

impl Source {
    pub(super) async fn connect(&self) -> Result<Connection> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(options) => super::sqlite::File::open(options).await.map(Connection::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => Ok(Connection::Postgres(Box::new(server.connect().await?))),
        }
    }
}

#[cfg(feature = "sqlite")]
impl Connection {
    /// How sure statements outside of a transaction are to be. Only SQLite has a say in that here.
    pub(super) async fn settle(&mut self, durability: Durability) -> Result<()> {
        match self {
            Self::Sqlite(file) => file.settle(durability).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Err(crate::error::StoreError::Invalid("a session says it in every transaction".into())),
        }
    }
}

macro_rules! each {
    ($connection:expr, $wire:ident => $call:expr) => {
        match $connection {
            #[cfg(feature = "sqlite")]
            Connection::Sqlite($wire) => $call,
            #[cfg(feature = "postgres")]
            Connection::Postgres($wire) => $call,
        }
    };
}

impl Wire for Connection {
    async fn run(&mut self, text: &str) -> Result<()> {
        each!(self, wire => wire.run(text).await)
    }

    async fn script(&mut self, text: &str) -> Result<()> {
        each!(self, wire => wire.script(text).await)
    }

    async fn rows(&mut self, query: Query) -> Result<Vec<Row>> {
        each!(self, wire => wire.rows(query).await)
    }

    async fn write(&mut self, query: Query) -> Result<u64> {
        each!(self, wire => wire.write(query).await)
    }

    async fn begin(&mut self, durability: Durability) -> Result<()> {
        each!(self, wire => wire.begin(durability).await)
    }

    async fn begin_view(&mut self) -> Result<()> {
        each!(self, wire => wire.begin_view().await)
    }

    fn is_lost(&self) -> bool {
        each!(self, wire => wire.is_lost())
    }

    async fn close(self) {
        each!(self, wire => wire.close().await);
    }
}

/// A statement as an engine takes it. All texts are put together from parts of this program; what comes from outside is a
/// parameter.
macro_rules! prepared {
    ($engine:ty, $query:expr) => {{
        let query: $crate::sql::query::Query = $query;
        let statement = sqlx::query::<$engine>(sqlx::AssertSqlSafe(query.text));
        query.params.into_iter().fold(statement, |statement, param| match param {
            $crate::sql::query::Param::Int(n) => statement.bind(n),
            $crate::sql::query::Param::Text(text) => statement.bind(text),
            $crate::sql::query::Param::Bytes(bytes) => statement.bind(bytes),
            $crate::sql::query::Param::Uuid(uuid) => statement.bind(uuid),
            $crate::sql::query::Param::Flag(flag) => statement.bind(flag),
        })
    }};
}
pub(super) use prepared;
