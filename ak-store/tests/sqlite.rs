//! What SQLite has to itself: files, migrations, other processes, and futures that are dropped at any moment.
#![allow(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests, not what they share")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use ak_store::StoreError;
use ak_store::clock::from_micros;
use ak_store::records::{Backend as _, Durability, Group, NewUser, Page, UserFilter};
use ak_store::sql::{SqliteBackend, SqliteOptions};
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use uuid::Uuid;

#[path = "fixtures/earlier.rs"]
mod earlier;

async fn open(path: &Path) -> SqliteBackend {
    let backend = SqliteBackend::open(path, SqliteOptions::default()).await.unwrap();
    backend.migrate().await.unwrap();
    backend
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ak.db");
    (folder, path)
}

/// Runs a script on the file, as another program would.
async fn script(path: &Path, text: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_database_of_version_1_keeps_its_rows() {
    let (_folder, path) = place();
    script(&path, include_str!("fixtures/version-1.sql")).await;
    let backend = open(&path).await;
    earlier::expect_rows(&backend, 1).await;
}

#[tokio::test]
async fn an_old_database_gets_the_shape_of_a_fresh_one() {
    let (_folder, fixture) = place();
    script(&fixture, include_str!("fixtures/version-1.sql")).await;
    drop(open(&fixture).await);
    let (_folder, fresh) = place();
    drop(open(&fresh).await);
    let mut shapes = Vec::new();
    for path in [fixture, fresh] {
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        let columns: Vec<(String, String, String, bool, i64)> = sqlx::query_as(
            "SELECT m.name, c.name, c.type, c.\"notnull\", c.pk FROM sqlite_schema m, pragma_table_info(m.name) c
             WHERE m.type = 'table' ORDER BY m.name, c.cid",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let indexes: Vec<(String, String)> =
            sqlx::query_as("SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' ORDER BY tbl_name, name")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        shapes.push((columns, indexes));
    }
    assert_eq!(shapes[0], shapes[1]);
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let (_folder, path) = place();
    drop(open(&path).await);
    script(&path, "INSERT INTO schema_version VALUES (99, 'future')").await;
    let backend = SqliteBackend::open(&path, SqliteOptions::default()).await.unwrap();
    let error = backend.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("99") && text.contains("up to ") && text.contains("ak.db"), "{text}");
}

#[tokio::test]
async fn what_is_no_database_is_said_to_be_none() {
    let (_folder, path) = place();
    std::fs::File::create(&path).unwrap().set_len(0).unwrap();
    open(&path).await; // an empty file is an empty database
    let (folder, path) = place();
    tokio::fs::write(&path, "this is a letter, not a database; ".repeat(200)).await.unwrap();
    let error = SqliteBackend::open(&path, SqliteOptions::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("ak.db"), "{error}");
    let error = SqliteBackend::open(folder.path(), SqliteOptions::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Backend(_)), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/ak.db");
    let _backend = open(&path).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for file in ["ak.db", "ak.db-wal", "ak.db-shm"] {
        assert_eq!(mode(&path.with_file_name(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_lock_held_too_long_is_busy_and_no_harm() {
    let (_folder, path) = place();
    let holder = open(&path).await;
    let hurried = SqliteOptions { busy_timeout: Duration::from_millis(20), ..SqliteOptions::default() };
    let other = SqliteBackend::open(&path, hurried).await.unwrap();
    let tx = holder.begin(Durability::Full).await.unwrap();
    for _ in 0..3 {
        assert!(matches!(other.begin(Durability::Full).await.err(), Some(StoreError::Busy(_))));
    }
    drop(tx);
    // The dropped transaction lets go of the lock without anybody asking for the connection.
    let patient = open(&path).await;
    patient.begin(Durability::Full).await.unwrap().save().await.unwrap();
    other.begin(Durability::Full).await.unwrap().save().await.unwrap();
}

#[tokio::test]
async fn changes_of_others_are_noticed() {
    let (_folder, path) = place();
    let (one, two) = (open(&path).await, open(&path).await);
    one.changed_elsewhere().await.unwrap();
    assert!(!one.changed_elsewhere().await.unwrap());
    for (writer, seen) in [(&one, false), (&two, true)] {
        let mut tx = writer.begin(Durability::Relaxed).await.unwrap();
        tx.settings().put("x", &json!(seen)).await.unwrap();
        tx.save().await.unwrap();
        assert_eq!(one.changed_elsewhere().await.unwrap(), seen);
    }
    assert!(!one.changed_elsewhere().await.unwrap());
}

#[tokio::test]
async fn a_lock_alone_writes_nothing() {
    let (_folder, path) = place();
    let (one, two) = (open(&path).await, open(&path).await);
    one.changed_elsewhere().await.unwrap();
    for (change, seen) in [(false, false), (true, true)] {
        let mut tx = two.begin(Durability::Full).await.unwrap();
        tx.objects().lock_revision().await.unwrap();
        if change {
            tx.settings().put("x", &json!(change)).await.unwrap();
        }
        tx.save().await.unwrap();
        assert_eq!(one.changed_elsewhere().await.unwrap(), seen);
    }
}

#[tokio::test]
async fn more_views_than_connections_take_turns() {
    let (_folder, path) = place();
    let options = SqliteOptions { readers: 2, ..SqliteOptions::default() };
    let backend = std::sync::Arc::new(SqliteBackend::open(&path, options).await.unwrap());
    backend.migrate().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let backend = backend.clone();
        tasks.spawn(async move {
            let mut view = backend.read().await.unwrap();
            view.users().count(&UserFilter::default()).await.unwrap()
        });
    }
    assert_eq!(tasks.join_all().await, [0; 40]);
}

/// One unit of work that must be seen whole or not at all: an account, a group of the same name, and the membership.
async fn unit(backend: &SqliteBackend, n: u128) -> Result<(), StoreError> {
    let durability = if n.is_multiple_of(2) { Durability::Full } else { Durability::Relaxed };
    let name = format!("n{n}");
    let mut tx = backend.begin(durability).await?;
    let user = tx.users().add(NewUser::internal(Uuid::from_u128(n), &name), from_micros(0)).await?;
    tx.groups().add(&Group::named(Uuid::from_u128(n), &name, from_micros(0))).await?;
    tx.groups().add_member(Uuid::from_u128(n), user.pk).await?;
    backend.read().await?.users().lookup(user.pk).await?;
    tx.save().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_future_dropped_at_any_moment_leaves_nothing_half_written() {
    let (_folder, path) = place();
    let backend = std::sync::Arc::new(open(&path).await);
    let other = open(&path).await;
    let mut ended = 0;
    for n in 0..600_u128 {
        // From before the first statement to after the last one; two at a time, so that one is often dropped while waiting.
        let patience = Duration::from_micros(u64::try_from(n * 7 % 2100).unwrap());
        let pair = [n * 2, n * 2 + 1].map(|n| {
            let backend = backend.clone();
            tokio::spawn(async move { tokio::time::timeout(patience, unit(&backend, n)).await })
        });
        for task in pair {
            match task.await.unwrap() {
                Ok(done) => {
                    done.unwrap();
                    ended += 1;
                }
                Err(_late) => {}
            }
        }
    }
    // Both a new transaction of the same handle and one of another go on as if nothing had been.
    unit(&backend, 5000).await.unwrap();
    unit(&other, 5001).await.unwrap();

    let mut view = other.read().await.unwrap();
    let users = view.users().list(&UserFilter::default(), Page::ALL).await.unwrap();
    assert!(users.len() >= ended + 2, "{} of {ended} are there", users.len());
    assert!(ended > 0 && users.len() < 1200, "{ended} of 1200 came to an end: the test saw only one side");
    assert_eq!(view.groups().count(&ak_store::records::GroupFilter::default()).await.unwrap(), users.len() as u64);
    for user in users {
        let groups = view.groups().of_user(user.pk, false).await.unwrap();
        assert_eq!(groups.iter().map(|group| &group.name).collect::<Vec<_>>(), [&user.username]);
    }
}
