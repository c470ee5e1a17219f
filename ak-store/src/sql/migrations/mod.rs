//! How the stored shape came to be what it is. A file that was released is never changed: the next one changes the shape.

/// A step from one shape to the next.
pub(super) struct Migration {
    /// The version of the shape after it.
    pub(super) version: i64,
    /// What it is about.
    pub(super) name: &'static str,
    /// Its statements, with the words of [`super::dialect`] in braces.
    pub(super) statements: &'static str,
}

/// Every step, the first one first.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "initial", statements: include_str!("0001_initial.sql") },
    Migration { version: 2, name: "people", statements: include_str!("0002_people.sql") },
    Migration { version: 3, name: "consent", statements: include_str!("0003_consent.sql") },
];

/// Where the steps taken are noted.
pub(super) const NOTES: &str = "CREATE TABLE IF NOT EXISTS schema_version (\
    version BIGINT NOT NULL PRIMARY KEY, name {text} NOT NULL)";

/// The version of the shape that this program knows.
pub(super) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |last| last.version)
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
