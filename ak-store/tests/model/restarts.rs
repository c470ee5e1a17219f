//! What is kept from one start to the next.

use std::sync::Arc;

use ak_store::model::{Change, Pk, Store, StoreOptions};
use ak_store::{StoreError, SystemClock, SystemRng};
use serde_json::json;

use super::kinds::{self, BOOK, LOAN, SHELF};
use super::{Storage, document, make, open, put};

#[tokio::test]
async fn everything_is_there_again_after_a_restart() {
    let storage = Storage::new();
    let store = open(storage.handle().await).await;
    let shelf = make(&store, SHELF, json!({ "name": "S" })).await;
    let fields = json!({ "name": "Ä", "shelf": shelf.value(), "lock": "brass", "chapters": [{ "heading": "I", "pages": 3 }] });
    let book = make(&store, BOOK, fields).await;
    let (id, revision, before) = (store.install_id().to_owned(), store.snapshot().revision(), document(&store, book));
    drop(store);
    let store = open(storage.handle().await).await;
    assert_eq!((store.install_id(), store.snapshot().revision()), (id.as_str(), revision));
    assert_eq!(document(&store, book), before);
    store.write(|draft| draft.delete(shelf)).await.unwrap();
    assert_eq!(document(&store, book)["shelf"], json!(null));
}

#[tokio::test]
async fn the_integer_of_a_deleted_object_is_not_used_again_after_a_restart() {
    let storage = Storage::new();
    let store = open(storage.handle().await).await;
    let book = make(&store, BOOK, json!({ "name": "B" })).await;
    make(&store, LOAN, json!({ "of": book.value(), "day": 1 })).await;
    let last = make(&store, LOAN, json!({ "of": book.value(), "day": 2 })).await;
    store.write(|draft| draft.delete(last)).await.unwrap();
    drop(store);
    let store = open(storage.handle().await).await;
    assert_eq!(make(&store, LOAN, json!({ "of": book.value(), "day": 3 })).await, Pk::of_int(7, 3));
}

#[tokio::test]
async fn nothing_that_is_kept_holds_a_secret_in_the_clear() {
    let storage = Storage::new();
    let store = open(storage.handle().await).await;
    let book = make(&store, BOOK, json!({ "name": "visible title", "lock": "brass and iron" })).await;
    put(&store, BOOK, Some(book), json!({ "lock": "gold and silver" }), Change::Patch).await.unwrap();
    let bytes = storage.bytes().await;
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("visible title") && holds("sealed:1:"));
    assert!(!holds("brass and iron") && !holds("gold and silver") && !holds(super::SECRET_KEY));
}

#[tokio::test]
async fn another_secret_key_is_told() {
    let storage = Storage::new();
    drop(open(storage.handle().await).await);
    let options = StoreOptions {
        backend: storage.handle().await,
        registry: kinds::all().build().unwrap(),
        secret_key: "another".into(),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
    };
    assert!(matches!(Store::open(options).await, Err(StoreError::WrongSecretKey)));
}
