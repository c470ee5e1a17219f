//! Configuration, as documents.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Pair, id};
use crate::error::StoreError;
use crate::records::{Backend, CommitOutcome, Durability, ObjectRow, StoredEdge, StoredUnique};

/// A flow with one unique value.
fn row(n: u128, slug: &str) -> ObjectRow {
    ObjectRow {
        pk: id(n),
        kind: "flows.flow".into(),
        alias: None,
        version: 1,
        revision: 0,
        managed: None,
        deleted: false,
        body: json!({ "slug": slug }),
        refs: Vec::new(),
        unique: vec![unique("slug", slug)],
    }
}

fn unique(field: &str, value: &str) -> StoredUnique {
    StoredUnique { field: field.into(), value: value.into() }
}

fn edge(field: &str, to: &str) -> StoredEdge {
    StoredEdge { field: field.into(), to: to.into() }
}

fn tombstone(n: u128) -> ObjectRow {
    ObjectRow { deleted: true, ..row(n, "gone") }
}

/// Commits in a transaction of its own.
async fn commit(pair: &Pair, base: u64, rows: &[ObjectRow]) -> CommitOutcome {
    let mut tx = pair.one.begin(Durability::Full).await.unwrap();
    let outcome = tx.objects().commit(base, rows).await.unwrap();
    tx.save().await.unwrap();
    outcome
}

async fn all(pair: &Pair) -> Vec<ObjectRow> {
    pair.read().await.objects().all().await.unwrap()
}

/// What is committed is read as it was given, with the revision of its commit.
pub async fn commit_and_read(pair: Pair) {
    assert_eq!(pair.read().await.objects().revision().await.unwrap(), 0);
    assert!(all(&pair).await.is_empty());
    let full = ObjectRow {
        alias: Some(id(50)),
        version: 3,
        managed: Some("product/flow".into()),
        body: json!({"z": 1, "a": [1.5, null, true, "ü\"'\\\n"], "n": 9_007_199_254_740_993_u64}),
        refs: vec![edge("b.2", "user:7"), edge("a", &id(2).to_string()), edge("b.2", "user:7")],
        unique: vec![unique("slug", "x"), unique("domain,name", "[\"a\",\"ü\"]")],
        ..row(1, "")
    };
    assert_eq!(commit(&pair, 0, &[full.clone(), row(2, "two")]).await, CommitOutcome::Committed(1));
    assert_eq!(all(&pair).await, [ObjectRow { revision: 1, ..full.clone() }, ObjectRow { revision: 1, ..row(2, "two") }]);

    // A second commit replaces the row with all that belongs to it.
    let changed = ObjectRow { refs: vec![edge("c", "group:x")], ..row(1, "one") };
    assert_eq!(commit(&pair, 1, std::slice::from_ref(&changed)).await, CommitOutcome::Committed(2));
    assert_eq!(all(&pair).await, [ObjectRow { revision: 2, ..changed }, ObjectRow { revision: 1, ..row(2, "two") }]);
    assert_eq!(pair.read().await.objects().revision().await.unwrap(), 2);

    assert_eq!(commit(&pair, 2, &[]).await, CommitOutcome::Committed(3));
    assert_eq!(all(&pair).await.len(), 2);
}

/// Who starts from an old revision stores nothing.
pub async fn stale(pair: Pair) {
    assert_eq!(commit(&pair, 0, &[row(1, "one")]).await, CommitOutcome::Committed(1));
    for base in [0, 2, u64::MAX] {
        assert_eq!(commit(&pair, base, &[row(1, "other"), row(2, "two")]).await, CommitOutcome::Stale);
    }
    assert_eq!(all(&pair).await, [ObjectRow { revision: 1, ..row(1, "one") }]);
    assert_eq!(pair.read().await.objects().revision().await.unwrap(), 1);
}

/// A commit that names an object twice, or holds what not every backend can keep, stores nothing.
pub async fn refusals(pair: Pair) {
    for bad in [
        vec![row(1, "one"), row(1, "two")],
        vec![row(1, "one"), tombstone(1)],
        vec![row(1, "o\0ne")],
        vec![ObjectRow { refs: vec![edge("a", "\0")], ..row(1, "one") }],
        vec![ObjectRow { managed: Some("\0".into()), ..row(1, "one") }],
    ] {
        let mut tx = pair.write().await;
        let error = tx.objects().commit(0, &bad).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid(_)), "{error}");
        assert!(matches!(tx.save().await, Err(StoreError::Invalid(_))));
    }
    assert_eq!(pair.read().await.objects().revision().await.unwrap(), 0);
    // In a document it is a text like any other.
    let odd = ObjectRow { body: json!({ "a\0": "\0" }), ..row(1, "one") };
    commit(&pair, 0, std::slice::from_ref(&odd)).await;
    assert_eq!(all(&pair).await, [ObjectRow { revision: 1, ..odd }]);
}

/// A deleted object leaves its key and revision, and nothing else; it may come back.
pub async fn tombstones(pair: Pair) {
    let with_refs = |n, slug| ObjectRow { refs: vec![edge("a", "user:1")], ..row(n, slug) };
    commit(&pair, 0, &[with_refs(1, "one"), row(2, "two")]).await;
    commit(&pair, 1, &[ObjectRow { refs: vec![edge("a", "b")], ..tombstone(1) }]).await;
    assert_eq!(all(&pair).await, [ObjectRow { revision: 1, ..row(2, "two") }]);
    let kept = pair.read().await.objects().since(1).await.unwrap();
    assert_eq!(kept, [ObjectRow { revision: 2, body: Value::Null, unique: Vec::new(), ..tombstone(1) }]);
    // Its unique value is free, and the key can live again.
    commit(&pair, 2, &[row(3, "one")]).await;
    commit(&pair, 3, &[with_refs(1, "again")]).await;
    assert_eq!(all(&pair).await.first(), Some(&ObjectRow { revision: 4, ..with_refs(1, "again") }));
}

/// Catching up gives what was changed after a revision, in order.
pub async fn since(pair: Pair) {
    commit(&pair, 0, &[row(1, "one"), row(2, "two"), row(3, "three")]).await;
    commit(&pair, 1, &[ObjectRow { refs: vec![edge("a", "b")], ..row(3, "drei") }]).await;
    commit(&pair, 2, &[tombstone(1), row(4, "four")]).await;
    let mut view = pair.read().await;
    let mut changed = async |after| {
        let rows = view.objects().since(after).await.unwrap();
        rows.iter().map(|row| (row.revision, row.pk.as_u128())).collect::<Vec<_>>()
    };
    assert_eq!(changed(0).await, [(1, 2), (2, 3), (3, 1), (3, 4)]);
    assert_eq!(changed(1).await, [(2, 3), (3, 1), (3, 4)]);
    assert_eq!(changed(3).await, []);
    assert_eq!(changed(u64::MAX).await, []);
    let rows = view.objects().since(1).await.unwrap();
    assert_eq!((rows[0].refs.len(), rows[0].unique.len()), (1, 1));
}

/// No two objects of a kind have one unique value; exchanging values in one commit is no clash.
pub async fn unique_values(pair: Pair) {
    commit(&pair, 0, &[row(1, "one"), row(2, "two")]).await;
    let mut tx = pair.write().await;
    let error = tx.objects().commit(1, &[row(4, "four"), row(3, "one")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken(_)), "{error}");
    assert!(matches!(tx.save().await, Err(StoreError::Invalid(_))));
    assert_eq!(all(&pair).await.len(), 2);
    assert_eq!(pair.read().await.objects().revision().await.unwrap(), 1);

    assert_eq!(commit(&pair, 1, &[row(1, "two"), row(2, "one")]).await, CommitOutcome::Committed(2));
    let other_kind = ObjectRow { kind: "core.application".into(), ..row(3, "one") };
    let other_field = ObjectRow { unique: vec![unique("name", "one")], ..row(4, "") };
    assert_eq!(commit(&pair, 2, &[other_kind, other_field]).await, CommitOutcome::Committed(3));
}

/// A large commit is as good as a small one.
pub async fn many_rows(pair: Pair) {
    let target = id(1).to_string();
    let rows: Vec<ObjectRow> =
        (1..=3000).map(|n| ObjectRow { refs: vec![edge("to", &target)], ..row(n, &format!("slug-{n}")) }).collect();
    assert_eq!(commit(&pair, 0, &rows).await, CommitOutcome::Committed(1));
    let stored = all(&pair).await;
    assert_eq!(stored.len(), 3000);
    assert!(stored.iter().all(|row| row.refs.len() == 1 && row.unique.len() == 1));
}

/// Two handles, two tasks each, a thousand increments a handle: none is lost and none is refused.
pub async fn counter(pair: Pair) {
    const PER_TASK: u64 = 500;
    commit(&pair, 0, &[ObjectRow { body: json!(0), ..row(1, "counter") }]).await;
    let mut tasks = JoinSet::new();
    for backend in [&pair.one, &pair.two, &pair.one, &pair.two] {
        tasks.spawn(count(backend.clone(), PER_TASK));
    }
    tasks.join_all().await;
    let stored = all(&pair).await;
    assert_eq!((stored[0].body.as_u64(), stored[0].revision), (Some(4 * PER_TASK), 4 * PER_TASK + 1));
}

async fn count(backend: Arc<dyn Backend>, times: u64) {
    for _ in 0..times {
        let mut tx = backend.begin(Durability::Relaxed).await.unwrap();
        let base = tx.objects().lock_revision().await.unwrap();
        let mut counter = tx.objects().all().await.unwrap().remove(0);
        counter.body = json!(counter.body.as_u64().unwrap() + 1);
        let outcome = tx.objects().commit(base, &[counter]).await.unwrap();
        assert_eq!(outcome, CommitOutcome::Committed(base + 1));
        tx.save().await.unwrap();
    }
}
