//! What PostgreSQL has to itself: its migrations, its poolers, its other clients, and futures that are dropped at any moment.
#![allow(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests, not what they share")]

use std::sync::Arc;
use std::time::Duration;

use ak_store::StoreError;
use ak_store::clock::from_micros;
use ak_store::conformance::cluster::{Cluster, Database, Setup};
use ak_store::records::{Backend as _, Durability, Group, GroupFilter, NewUser, ObjectRow, Page, UserField, UserFilter};
use ak_store::sql::{PostgresBackend, PostgresOptions};
use serde_json::json;
use uuid::Uuid;

#[path = "fixtures/earlier.rs"]
mod earlier;

/// Each earlier version of the schema, with a row in every table.
const EARLIER: &[(i64, &str)] = &[(1, include_str!("fixtures/version-1.postgres.sql"))];

async fn migrated(database: &Database) -> PostgresBackend {
    let backend = database.open().await;
    backend.migrate().await.unwrap();
    backend
}

#[tokio::test]
async fn a_database_of_an_earlier_version_keeps_its_rows() {
    for (version, fixture) in EARLIER {
        let database = Cluster::shared().empty_database();
        database.script(fixture).await;
        let backend = migrated(&database).await;
        earlier::expect_rows(&backend, *version).await;
    }
}

/// Columns, indexes and constraints.
async fn shape(database: &Database) -> Vec<String> {
    let query = "SELECT concat_ws(' ', table_name, column_name, data_type, collation_name, is_nullable, column_default) AS line
            FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        ORDER BY line";
    sqlx::query_scalar(query).fetch_all(&mut database.connect().await).await.unwrap()
}

#[tokio::test]
async fn an_old_database_gets_the_shape_of_a_fresh_one() {
    let fresh = Cluster::shared().empty_database();
    drop(migrated(&fresh).await);
    let expected = shape(&fresh).await;
    assert!(expected.len() > 80, "{}", expected.len());
    for (_, fixture) in EARLIER {
        let old = Cluster::shared().empty_database();
        old.script(fixture).await;
        drop(migrated(&old).await);
        assert_eq!(shape(&old).await, expected);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let database = Cluster::shared().database();
    database.script("INSERT INTO schema_version VALUES (9999, 'future')").await;
    let error = database.open().await.migrate().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("9999") && text.contains("up to ") && text.contains("PostgreSQL at 127.0.0.1"), "{text}");
}

#[tokio::test]
async fn of_several_processes_that_start_at_once_one_makes_the_tables() {
    let database = Cluster::shared().empty_database();
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let backend = database.open().await;
        starting.spawn(async move { backend.migrate().await });
    }
    for ended in starting.join_all().await {
        ended.unwrap();
    }
}

// --- in the middle of something -------------------------------------------------------------------------------------------

/// One unit of work that must be seen whole or not at all: an account, a group of the same name, and the membership.
async fn unit(backend: &PostgresBackend, n: u128) -> Result<(), StoreError> {
    let durability = if n.is_multiple_of(2) { Durability::Full } else { Durability::Relaxed };
    let name = format!("n{n}");
    let mut tx = backend.begin(durability).await?;
    let user = tx.users().add(NewUser::internal(Uuid::from_u128(n), &name), from_micros(0)).await?;
    tx.groups().add(&Group::named(Uuid::from_u128(n), &name, from_micros(0))).await?;
    tx.groups().add_member(Uuid::from_u128(n), user.pk).await?;
    tx.save().await?;
    backend.read().await?.users().lookup(user.pk).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_future_dropped_at_any_moment_leaves_nothing_half_written() {
    let database = Cluster::shared().database();
    let (backend, other) = (Arc::new(database.open().await), database.open().await);
    let mut ended = 0;
    for n in 0..200_u128 {
        // From before the first statement to after the last one; two at a time, so that one is often dropped while waiting.
        let patience = Duration::from_micros(u64::try_from(n * 1500 % 210_000).unwrap());
        let pair = [n * 2, n * 2 + 1].map(|n| {
            let backend = backend.clone();
            tokio::spawn(async move { tokio::time::timeout(patience, unit(&backend, n)).await })
        });
        for task in pair {
            if let Ok(done) = task.await.unwrap() {
                done.unwrap();
                ended += 1;
            }
        }
    }
    // Both a new transaction of the same handle and one of another go on as if nothing had been.
    unit(&backend, 5000).await.unwrap();
    unit(&other, 5001).await.unwrap();

    let mut view = other.read().await.unwrap();
    let users = view.users().list(&UserFilter::default(), Page::ALL).await.unwrap();
    assert!(users.len() >= ended + 2, "{} of {ended} are there", users.len());
    assert!(ended > 0 && users.len() < 400, "{ended} of 400 came to an end: the test saw only one side");
    assert_eq!(view.groups().count(&GroupFilter::default()).await.unwrap(), users.len() as u64);
    for user in users {
        let groups = view.groups().of_user(user.pk, false).await.unwrap();
        assert_eq!(groups.iter().map(|group| &group.name).collect::<Vec<_>>(), [&user.username]);
    }
}

#[tokio::test]
async fn connections_that_were_ended_while_nobody_used_them_are_made_anew() {
    let database = Cluster::shared().database();
    let backend = database.open().await;
    for n in 0..3 {
        // Several idle connections of both kinds.
        let views = [backend.read().await.unwrap(), backend.read().await.unwrap(), backend.read().await.unwrap()];
        let txs = [backend.begin(Durability::Full).await.unwrap(), backend.begin(Durability::Full).await.unwrap()];
        drop((views, txs));
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        database.script(end).await;
        unit(&backend, n).await.unwrap();
        assert_eq!(backend.read().await.unwrap().users().count(&UserFilter::default()).await.unwrap(), n as u64 + 1);
    }
}

#[tokio::test]
async fn who_finds_no_free_connection_is_told_that_it_is_busy() {
    let database = Cluster::shared().database();
    let options = PostgresOptions { connections: 2, ..database.options() };
    let backend = PostgresBackend::open(options).await.unwrap();
    let held = backend.begin(Durability::Full).await.unwrap();
    assert!(matches!(backend.begin(Durability::Full).await.err(), Some(StoreError::Busy(_))));
    drop(held);
    unit(&backend, 1).await.unwrap();
}

#[tokio::test]
async fn an_account_that_is_looked_up_for_a_decision_is_not_changed_before_it_is_kept() {
    let database = Cluster::shared().database();
    let (one, two) = (database.open().await, database.open().await);
    let mut tx = one.begin(Durability::Full).await.unwrap();
    let ada = tx.users().add(NewUser::internal(Uuid::from_u128(1), "ada"), from_micros(0)).await.unwrap();
    tx.save().await.unwrap();

    // One signs her in by what it has read; the other changes the password and ends her sessions.
    let mut signing_in = one.begin(Durability::Full).await.unwrap();
    assert!(signing_in.users().lookup(ada.pk).await.unwrap().unwrap().password.is_none());
    let changing = tokio::spawn(async move {
        let mut tx = two.begin(Durability::Full).await.unwrap();
        tx.users().set_password(ada.pk, Some("new"), from_micros(1)).await.unwrap();
        let ended = tx.sessions().delete_of_user(ada.pk, None).await.unwrap();
        tx.save().await.unwrap();
        ended
    });
    let session = ak_store::records::Session {
        id: [1; 32],
        user: Some(ada.pk),
        plan: None,
        turn: 1,
        data: json!({}),
        created: from_micros(0),
        last_used: from_micros(0),
        expires: from_micros(9_000_000),
        last_ip: None,
        last_user_agent: String::new(),
    };
    // Long enough for the other one to be in the middle of it, were it not held up.
    for _ in 0..50 {
        signing_in.users().lookup(ada.pk).await.unwrap();
    }
    signing_in.sessions().add(&session).await.unwrap();
    signing_in.save().await.unwrap();
    assert_eq!(changing.await.unwrap(), 1, "the session that the old password began is ended with the others");
}

// --- being told -----------------------------------------------------------------------------------------------------------

async fn commit(backend: &PostgresBackend, base: u64) {
    let row = ObjectRow {
        pk: Uuid::from_u128(u128::from(base) + 1),
        kind: "flows.flow".into(),
        alias: None,
        version: 1,
        revision: 0,
        managed: None,
        deleted: false,
        body: json!({}),
        refs: Vec::new(),
        unique: Vec::new(),
    };
    let mut tx = backend.begin(Durability::Full).await.unwrap();
    tx.objects().commit(base, &[row]).await.unwrap();
    tx.save().await.unwrap();
}

#[tokio::test]
async fn who_listens_is_told_of_every_commit_and_of_nothing_that_was_undone() {
    let database = Cluster::shared().database();
    let (one, two) = (database.open().await, database.open().await);
    let mut changes = two.listen().await.unwrap().unwrap();
    for base in 0..5 {
        let mut undone = one.begin(Durability::Full).await.unwrap();
        undone.objects().commit(base, &[]).await.unwrap();
        drop(undone);
        commit(&one, base).await;
        let told = tokio::time::timeout(Duration::from_secs(10), changes.next()).await.unwrap().unwrap();
        assert_eq!(told, base + 1);
    }
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.script(end).await;
    tokio::time::timeout(Duration::from_secs(10), changes.next()).await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_is_no_harm() {
    let cluster = Cluster::start(&Setup { pooler: true, ..Setup::default() });
    for pooler in [true, false] {
        let database = cluster.empty_database();
        let port = cluster.pooler_port.unwrap();
        let options = PostgresOptions { port, pooler, ..database.options() };
        let backend = Arc::new(PostgresBackend::open(options).await.unwrap());
        backend.migrate().await.unwrap();
        // Nobody would be told: that is found out where it was not said.
        assert!(backend.listen().await.unwrap().is_none());
        let mut work = tokio::task::JoinSet::new();
        for n in 0..8_u128 {
            let backend = backend.clone();
            work.spawn(async move {
                for m in 0..20 {
                    unit(&backend, n * 100 + m).await.unwrap();
                }
            });
        }
        work.join_all().await;
        assert_eq!(backend.read().await.unwrap().users().count(&UserFilter::default()).await.unwrap(), 160);
    }
}

#[tokio::test]
async fn an_account_among_many_is_found_by_an_index_without_statistics() {
    let database = Cluster::shared().database();
    database.script("ALTER TABLE \"user\" SET (autovacuum_enabled = off)").await;
    database
        .script(
            "INSERT INTO \"user\" (uuid, username, username_folded, name, name_folded, email, email_folded, is_active, type, path,
                attributes, password_change_date, date_joined, last_updated)
            SELECT md5(n::text)::uuid, 'u' || n, 'u' || n, '', '', 'u' || n || '@x', 'u' || n || '@x', true, 'internal', '', '{}', 0, 0, 0
            FROM generate_series(1, 100000) AS n",
        )
        .await;
    let backend = database.open().await;
    let mut view = backend.read().await.unwrap();
    for (field, value) in [(UserField::Username, "u19000"), (UserField::Email, "u19000@x"), (UserField::Upn, "u19000")] {
        for fold_case in [true, false] {
            let found = view.users().find_by_field(field, value, fold_case).await.unwrap();
            assert_eq!(found.len(), usize::from(field != UserField::Upn));
        }
    }
    drop(view);
    drop(backend);
    // A connection tells what it has read when it ends.
    let mut other = database.connect().await;
    let read = "SELECT indexrelname::text, idx_scan, idx_tup_read FROM pg_stat_user_indexes WHERE relname = 'user'";
    for _ in 0..20_000 {
        let indexes: Vec<(String, i64, i64)> = sqlx::query_as(read).fetch_all(&mut other).await.unwrap();
        let of = |name: &str| indexes.iter().find(|(index, ..)| index == name).map(|(_, scans, rows)| (*scans, *rows)).unwrap();
        // A user name has an index for each form.
        let names = of("user_username_folded").0 + of("user_username_key").0;
        if [names, of("user_email_folded").0, of("user_upn_folded").0] == [2; 3] {
            assert!(of("user_pkey").1 < 100, "{indexes:?}");
            return;
        }
    }
    panic!("accounts are not found by the indexes that are there for them");
}
