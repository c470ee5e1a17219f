//! Inputs from outside: what is taken, what is kept, and what is told.

use ak_store::model::Change;
use serde_json::json;

use super::kinds::{BOOK, LOAN, SHELF};
use super::{document, make, put, refused, shown, store, told};

#[tokio::test]
async fn all_problems_are_told_at_once_nested_ones_too() {
    let store = store().await;
    let input = json!({
        "copies": 101, "rare": "maybe", "state": "torn", "shelf": "nowhere", "also_on": "none",
        "chapters": [{ "heading": "One" }, { "pages": "x" }, { "heading": "", "pages": 300 }], "notes": [], "lock": null, "audio": true,
    });
    let expected = json!({
        "name": ["This field is required."],
        "copies": ["Ensure this value is less than or equal to 100."],
        "rare": ["Must be a valid boolean."],
        "state": ["\"torn\" is not a valid choice."],
        "shelf": ["“nowhere” is not a valid UUID."],
        "also_on": ["Expected a list of items but got type \"str\"."],
        "chapters": {
            "1": { "heading": ["This field is required."], "pages": ["A valid integer is required."] },
            "2": { "heading": ["This field may not be blank."], "pages": ["Ensure this value is less than or equal to 255."] },
        },
        "notes": ["Value must be an object."],
        "lock": ["This field may not be null."],
        "audio": ["This version does not act on this field yet, so it only takes its default."],
    });
    assert_eq!(refused(&store, BOOK, input).await, expected);
    let wrong = refused(&store, BOOK, json!(["a"])).await;
    assert_eq!(wrong, json!({ "non_field_errors": ["Invalid data. Expected a dictionary, but got list."] }));
    assert!(store.snapshot().is_empty());
}

#[tokio::test]
async fn put_demands_what_is_required_and_keeps_what_is_left_out() {
    let store = store().await;
    let book = make(&store, BOOK, json!({ "name": "Notes", "copies": 3, "lock": "brass", "notes": { "a": 1 } })).await;
    let missing = put(&store, BOOK, Some(book), json!({ "copies": 4 }), Change::Replace).await;
    assert_eq!(told(missing), json!({ "name": ["This field is required."] }));
    put(&store, BOOK, Some(book), json!({ "name": "Note G" }), Change::Replace).await.unwrap();
    put(&store, BOOK, Some(book), json!({ "rare": "on" }), Change::Patch).await.unwrap();
    let now = document(&store, book);
    assert_eq!((&now["name"], &now["copies"], &now["rare"]), (&json!("Note G"), &json!(3), &json!(true)));
    assert_eq!((&now["lock"], &now["notes"]), (&json!("brass"), &json!({ "a": 1 })));
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_a_default_of_what_comes_later_is_taken() {
    let store = store().await;
    let book = make(&store, BOOK, json!({ "name": "N", "color": "red", "pk": 5, "audio": false })).await;
    assert!(!document(&store, book).contains_key("color"));
    let before = store.snapshot().revision();
    put(&store, BOOK, Some(book), json!({ "color": "blue", "name": "N" }), Change::Patch).await.unwrap();
    assert_eq!(store.snapshot().revision(), before, "nothing was changed, so nothing is written");
}

#[tokio::test]
async fn unique_values_and_sets() {
    let store = store().await;
    let (a, b) = (make(&store, BOOK, json!({ "name": "A" })).await, make(&store, BOOK, json!({ "name": "B" })).await);
    assert_eq!(refused(&store, BOOK, json!({ "name": "A" })).await, json!({ "name": ["This field must be unique."] }));
    let taken = put(&store, BOOK, Some(b), json!({ "name": "A" }), Change::Patch).await;
    assert_eq!(told(taken), json!({ "name": ["This field must be unique."] }));
    make(&store, SHELF, json!({ "name": "A" })).await;
    make(&store, LOAN, json!({ "of": a.value(), "day": 1 })).await;
    make(&store, LOAN, json!({ "of": a.value(), "day": 2 })).await;
    make(&store, LOAN, json!({ "of": b.value(), "day": 1 })).await;
    let again = refused(&store, LOAN, json!({ "of": b.value(), "day": 1 })).await;
    assert_eq!(again, json!({ "non_field_errors": ["The fields of, day must make a unique set."] }));
    // A freed value can be taken, in the same write too.
    let write = store.write(|draft| {
        draft.delete(a)?;
        draft.put(BOOK, Some(b), &json!({ "name": "A" }), Change::Patch)
    });
    write.await.unwrap();
    assert_eq!(document(&store, b)["name"], "A");
}

#[tokio::test]
async fn a_key_that_is_given_must_be_free() {
    let store = store().await;
    let shelf = make(&store, SHELF, json!({ "name": "S" })).await;
    let over = put(&store, BOOK, Some(shelf), json!({ "name": "B" }), Change::Create).await;
    assert_eq!(told(over), json!({ "pk": ["This field must be unique."] }));
    assert_eq!(document(&store, shelf)["name"], "S");
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let store = store().await;
    let book = make(&store, BOOK, json!({ "name": "N", "lock": "brass" })).await;
    let (told, snapshot) = (shown(&store, book), store.snapshot());
    assert!(!told.contains_key("lock") && !serde_json::to_string(&told).unwrap().contains("brass"));
    let book = snapshot.get(ak_store::model::Ref::<super::kinds::Book>::new(book)).unwrap();
    assert_eq!((book.lock.reveal(), format!("{:?}", book.lock)), ("brass", "Secret(…)".into()));
}

#[tokio::test]
async fn what_was_not_changed_is_shared_with_the_snapshot_before() {
    let store = store().await;
    let shelf = make(&store, SHELF, json!({ "name": "S" })).await;
    let book = make(&store, BOOK, json!({ "name": "B", "shelf": shelf.value() })).await;
    let before = store.snapshot();
    put(&store, BOOK, Some(book), json!({ "copies": 2 }), Change::Patch).await.unwrap();
    let after = store.snapshot();
    let same = |pk| std::sync::Arc::ptr_eq(before.object(pk).unwrap(), after.object(pk).unwrap());
    assert_eq!((same(shelf), same(book)), (true, false));
    assert_eq!(before.object(book).unwrap().body().unwrap().document()["copies"], 0, "who took a snapshot keeps it");
}
