//! Several stores on one storage, and objects together with records.

use std::sync::Arc;

use ak_store::StoreError;
use ak_store::model::{Change, Pk, Store, WriteError};
use ak_store::records::{Durability, NewUser};
use serde_json::json;
use tokio::task::JoinSet;

use super::kinds::{BOOK, LOAN, SHELF};
use super::{Storage, backend, document, make, open, put, store};

/// Moves the loan on by a day, as often as asked.
async fn count(store: Arc<Store>, loan: Pk, times: u32) {
    for _ in 0..times {
        let write = store.write(|draft| {
            let now = draft.snapshot().object(loan).and_then(|o| o.body()).map(|b| b.document()["day"].clone());
            let next = now.and_then(|n| n.as_i64()).unwrap() + 1;
            draft.put(LOAN, Some(loan), &json!({ "day": next }), Change::Patch)
        });
        write.await.unwrap();
    }
}

#[tokio::test]
async fn of_a_thousand_increments_on_each_of_two_nodes_none_is_lost_and_none_refused() {
    let storage = Storage::new();
    let first = open(storage.handle().await).await;
    let book = make(&first, BOOK, json!({ "name": "B" })).await;
    let loan = make(&first, LOAN, json!({ "of": book.value(), "day": 0 })).await;
    let second = open(storage.handle().await).await;
    let before = first.snapshot().revision();
    let mut tasks = JoinSet::new();
    for store in [&first, &second, &first, &second] {
        tasks.spawn(count(store.clone(), loan, 500));
    }
    tasks.join_all().await;
    for store in [first, second] {
        store.refresh().await.unwrap();
        assert_eq!(document(&store, loan)["day"], 2000);
        assert_eq!(store.snapshot().revision(), before + 2000);
    }
}

#[tokio::test]
async fn a_node_takes_in_what_another_has_written_and_deleted() {
    let backend = backend().await;
    let (one, two) = (open(backend.clone()).await, open(backend).await);
    let watch = two.watch();
    let shelf = make(&one, SHELF, json!({ "name": "S" })).await;
    let book = make(&one, BOOK, json!({ "name": "B", "shelf": shelf.value() })).await;
    assert!(one.snapshot().object(book).is_some(), "who writes sees it at once");
    assert!(two.snapshot().is_empty());
    two.refresh().await.unwrap();
    assert_eq!((two.snapshot().len(), *watch.borrow()), (2, one.snapshot().revision()));
    one.write(|draft| draft.delete(shelf)).await.unwrap();
    put(&one, BOOK, Some(book), json!({ "name": "C" }), Change::Patch).await.unwrap();
    two.refresh().await.unwrap();
    assert_eq!(document(&two, book), document(&one, book));
    assert!(two.snapshot().object(shelf).is_none() && two.snapshot().by::<super::kinds::Book>("name", "B").is_none());
}

#[tokio::test]
async fn a_write_on_an_old_snapshot_is_done_again_on_the_new_one() {
    let backend = backend().await;
    let (one, two) = (open(backend.clone()).await, open(backend).await);
    make(&one, SHELF, json!({ "name": "S" })).await;
    // The other node does not know of it yet, and must not make a second one of that name.
    let told = super::refused(&two, SHELF, json!({ "name": "S" })).await;
    assert_eq!(told, json!({ "name": ["This field must be unique."] }));
    assert_eq!(
        make(&two, SHELF, json!({ "name": "T" })).await,
        two.snapshot().by::<super::kinds::Shelf>("name", "T").unwrap().0.pk()
    );
    assert_eq!(two.snapshot().len(), 2);
}

async fn accounts(store: &Store) -> u64 {
    store.read().await.unwrap().users().count(&Default::default()).await.unwrap()
}

#[tokio::test]
async fn objects_and_records_are_kept_together_or_not_at_all() {
    let store = store().await;
    for keep in [false, true] {
        let mut unit = store.begin(Durability::Full).await.unwrap();
        let new = NewUser::internal(store.rng().uuid(), "ada");
        let ada = unit.records().users().add(new, store.clock().now()).await.unwrap();
        let write = unit.write(|draft| {
            let book = draft.put(BOOK, None, &json!({ "name": "B" }), Change::Create)?;
            draft.put(LOAN, None, &json!({ "of": book.value(), "day": 1, "to": ada.pk }), Change::Create)
        });
        write.unwrap();
        assert!(store.snapshot().is_empty(), "nobody sees it before it is saved");
        if keep {
            unit.save().await.unwrap();
        } else {
            drop(unit);
        }
        assert_eq!((store.snapshot().len(), accounts(&store).await), if keep { (2, 1) } else { (0, 0) });
    }
}

#[tokio::test]
async fn a_refused_change_spoils_the_unit() {
    let store = store().await;
    let mut unit = store.begin(Durability::Full).await.unwrap();
    unit.records().users().add(NewUser::internal(store.rng().uuid(), "ada"), store.clock().now()).await.unwrap();
    unit.write(|draft| draft.put(SHELF, None, &json!({ "name": "S" }), Change::Create)).unwrap();
    assert!(unit.write(|draft| draft.put(SHELF, None, &json!({ "name": "S" }), Change::Create)).is_err());
    assert!(matches!(unit.save().await, Err(WriteError::Store(StoreError::Invalid(_)))));
    assert_eq!((store.snapshot().len(), accounts(&store).await), (0, 0));
}

#[tokio::test]
async fn a_unit_whose_objects_break_a_rule_keeps_nothing() {
    let store = store().await;
    let mut unit = store.begin(Durability::Full).await.unwrap();
    unit.records().users().add(NewUser::internal(store.rng().uuid(), "ada"), store.clock().now()).await.unwrap();
    let loan = json!({ "of": uuid::Uuid::from_u128(1 << 100), "day": 1 });
    unit.write(|draft| draft.put(LOAN, None, &loan, Change::Create)).unwrap();
    assert!(matches!(unit.save().await, Err(WriteError::Invalid(_))));
    assert_eq!((store.snapshot().len(), accounts(&store).await), (0, 0));
    // The storage is free again.
    make(&store, SHELF, json!({ "name": "S" })).await;
}

#[tokio::test]
async fn what_is_refused_or_changes_nothing_is_so_on_the_newest_objects() {
    let backend = backend().await;
    let (one, two) = (open(backend.clone()).await, open(backend).await);
    let shelf = make(&one, SHELF, json!({ "name": "S", "room": "attic" })).await;
    // Refused by what the other node knows, allowed by what is there.
    let book = make(&two, BOOK, json!({ "name": "B", "shelf": shelf.value() })).await;
    assert_eq!(document(&two, book)["shelf"], shelf.value());
    put(&two, SHELF, Some(shelf), json!({ "room": "cellar" }), Change::Patch).await.unwrap();
    put(&one, SHELF, Some(shelf), json!({ "room": "attic" }), Change::Patch).await.unwrap();
    assert_eq!(document(&one, shelf)["room"], "attic", "it was so before, but not any more");
}
