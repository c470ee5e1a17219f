//! The two databases that the product keeps its data in, as an installation has them: what is saved is on the disk.

use std::sync::OnceLock;

use ak_store::conformance::cluster::{Cluster, Setup};
use ak_tests::database::Place;

/// A database.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// What the table calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// A new one, with nothing in it.
    pub(crate) fn place(self) -> Place {
        let file = "data/ak.sqlite";
        match self {
            Self::Sqlite => Place::on_sqlite(file),
            Self::Postgres => Place::on_server(file, cluster().empty_database()),
        }
    }
}

/// Tests' clusters do not wait for the disk; this one does.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let on = |name: &str| (name.to_owned(), "on".to_owned());
        Cluster::start(&Setup { settings: vec![on("fsync"), on("full_page_writes")], ..Setup::default() })
    })
}
