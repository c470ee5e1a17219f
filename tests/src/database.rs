//! Where a product under test keeps its data: in SQLite, or, where `AK_TEST_DATABASE` says `postgres`, in a database of its own
//! on a PostgreSQL server that this process starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ak_store::conformance::cluster::{Cluster, Database};
use ak_store::records::Backend;
use ak_store::sql::SqliteBackend;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// Whether products under test keep their data in PostgreSQL.
///
/// # Panics
/// When `AK_TEST_DATABASE` is neither `sqlite` nor `postgres`.
pub fn on_postgres() -> bool {
    match std::env::var("AK_TEST_DATABASE").as_deref() {
        Err(_) | Ok("sqlite") => false,
        Ok("postgres") => true,
        Ok(other) => panic!("AK_TEST_DATABASE is {other}, neither sqlite nor postgres"),
    }
}

/// A folder for files, and a database in it or beside it. Both go with the last owner.
pub struct Place {
    folder: tempfile::TempDir,
    /// The file, where that is the database.
    file: PathBuf,
    server: Option<Database>,
}

impl Place {
    /// A place whose database, at `file` below its folder, or on the server, is new: no table is there yet.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(file: &str) -> Self {
        Self::with(file, on_postgres().then(|| Cluster::shared().empty_database()))
    }

    /// The same, always with SQLite.
    pub fn on_sqlite(file: &str) -> Self {
        Self::with(file, None)
    }

    /// The same, always with this database on a server.
    pub fn on_server(file: &str, server: Database) -> Self {
        Self::with(file, Some(server))
    }

    fn with(file: &str, server: Option<Database>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { file: folder.path().join(file), folder, server }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The database file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The settings that lead to the database on the server.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let Some(server) = &self.server else { return Vec::new() };
        let options = server.options();
        vec![
            ("AUTHENTIK_POSTGRESQL__HOST", options.host),
            ("AUTHENTIK_POSTGRESQL__PORT", options.port.to_string()),
            ("AUTHENTIK_POSTGRESQL__NAME", options.database),
            ("AUTHENTIK_POSTGRESQL__USER", options.user),
            ("AUTHENTIK_POSTGRESQL__PASSWORD", options.password.unwrap_or_default()),
        ]
    }

    /// A handle on the database, as another process would have one.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn backend(&self) -> Arc<dyn Backend> {
        match &self.server {
            Some(server) => Arc::new(server.open().await),
            None => Arc::new(SqliteBackend::open(&self.file, Default::default()).await.expect("the database opens")),
        }
    }

    /// A connection to the database on the server, as another program would have one.
    ///
    /// # Panics
    /// When there is none.
    pub async fn connect(&self) -> sqlx::PgConnection {
        self.server.as_ref().expect("a database on a server").connect().await
    }

    /// Runs a statement in the database, as another program would.
    ///
    /// # Panics
    /// When the statement fails.
    pub async fn sql(&self, statement: &str) {
        if let Some(server) = &self.server {
            return server.script(statement).await;
        }
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&self.file);
        let mut connection = options.connect().await.expect("the database opens");
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.expect("the statement runs");
        connection.close().await.expect("the database closes");
    }
}
