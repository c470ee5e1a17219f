//! How the stored shape came to be what it is. A file that was released is never changed: the next one changes the shape.

use super::connection::Wire as _;
use super::dialect::Dialect;
use super::pool::Lease;
use super::query::Query;
use crate::error::{Result, StoreError};
use crate::records::Durability;

/// A step from one shape to the next.
struct Migration {
    /// The version of the shape after it.
    version: i64,
    /// What it is about.
    name: &'static str,
    /// Its statements, with the words of [`super::dialect`] in braces.
    statements: &'static str,
}

/// Every step, the first one first.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "initial", statements: include_str!("0001_initial.sql") },
    Migration { version: 2, name: "people", statements: include_str!("0002_people.sql") },
    Migration { version: 3, name: "consent", statements: include_str!("0003_consent.sql") },
    Migration { version: 4, name: "reputation", statements: include_str!("0004_reputation.sql") },
    Migration { version: 5, name: "password history", statements: include_str!("0005_password_history.sql") },
    Migration { version: 6, name: "decision_traces", statements: include_str!("0006_decision_traces.sql") },
    Migration { version: 7, name: "oauth2", statements: include_str!("0007_oauth2.sql") },
    Migration { version: 8, name: "lists of grants", statements: include_str!("0008_lists_of_grants.sql") },
];

/// Where the steps taken are noted.
const NOTES: &str = "CREATE TABLE IF NOT EXISTS schema_version (\
    version BIGINT NOT NULL PRIMARY KEY, name {text} NOT NULL)";

/// The version of the shape that this program knows.
pub(super) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |last| last.version)
}

/// Takes all steps that were not taken yet, in one transaction. Of several processes that start at once, one takes them.
pub(super) async fn bring_up(mut lease: Lease, dialect: &Dialect) -> Result<()> {
    lease.begin(Durability::Full).await?;
    let connection = lease.connection()?;
    if let Some(lock) = dialect.lock_schema {
        connection.script(lock).await?;
    }
    connection.script(&dialect.expand(NOTES)).await?;
    let rows = connection.rows(Query::new("SELECT max(version) AS version FROM schema_version")).await?;
    let stored = rows.first().map(|row| row.opt_int("version")).transpose()?.flatten().unwrap_or(0);
    let known = newest();
    if stored > known {
        return Err(StoreError::Corrupt(format!(
            "its schema has version {stored}, but this program knows versions up to {known} only: \
             a newer release has opened it; go back to that release or restore a backup"
        )));
    }
    for step in MIGRATIONS.iter().filter(|step| step.version > stored) {
        connection.script(&dialect.expand(step.statements)).await?;
        let note = Query::new("INSERT INTO schema_version (version, name) VALUES ($1, $2)");
        connection.write(note.bind(step.version).bind(step.name)).await?;
        tracing::info!(version = step.version, name = step.name, "the database has a new shape");
    }
    lease.commit().await
}

#[cfg(test)]
mod tests {
    use super::MIGRATIONS;

    #[test]
    fn versions_count_up_from_one() {
        let versions: Vec<i64> = MIGRATIONS.iter().map(|step| step.version).collect();
        assert_eq!(versions, (1..=MIGRATIONS.len() as i64).collect::<Vec<_>>());
    }
}
