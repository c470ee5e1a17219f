//! References: they lead somewhere, and what happens when that goes.

use ak_store::model::{Change, Key, Pk, Ref};
use ak_store::records::Durability;
use serde_json::json;
use uuid::Uuid;

use super::kinds::{BOOK, Book, LOAN, Lent, Loan, SHELF, Shelf};
use super::{backend, change_rows, document, make, open, put, refused, store, user};

fn missing(pk: impl std::fmt::Display) -> String {
    format!("Invalid pk \"{pk}\" - object does not exist.")
}

#[tokio::test]
async fn a_reference_leads_to_what_is_there_and_of_the_right_kind_or_role() {
    let store = store().await;
    let shelf = make(&store, SHELF, json!({ "name": "S" })).await;
    let book = make(&store, BOOK, json!({ "name": "B" })).await;
    let nowhere = Pk::of_uuid(Uuid::from_u128(1 << 100));
    for pk in [nowhere, book] {
        let told = refused(&store, BOOK, json!({ "name": "C", "shelf": pk.value() })).await;
        assert_eq!(told, json!({ "shelf": [missing(pk)] }));
        let told = refused(&store, BOOK, json!({ "name": "C", "also_on": [shelf.value(), pk.value()] })).await;
        assert_eq!(told, json!({ "also_on": [missing(pk)] }));
    }
    for pk in [nowhere, shelf] {
        assert_eq!(refused(&store, LOAN, json!({ "of": pk.value(), "day": 1 })).await, json!({ "of": [missing(pk)] }));
    }
    make(&store, LOAN, json!({ "of": book.value(), "day": 1 })).await;
    let told = refused(&store, LOAN, json!({ "of": book.value(), "day": 2, "to": 99 })).await;
    assert_eq!(told, json!({ "to": [missing(99)] }));
    assert_eq!(
        refused(&store, LOAN, json!({ "of": 7, "day": 2 })).await,
        json!({ "of": ["Incorrect type. Expected pk value, received int."] })
    );
}

#[tokio::test]
async fn an_object_may_refer_to_one_of_the_same_write_but_not_to_one_that_it_deletes() {
    let store = store().await;
    let write = store.write(|draft| {
        let shelf = draft.put(SHELF, None, &json!({ "name": "S" }), Change::Create)?;
        draft.put(BOOK, None, &json!({ "name": "B", "shelf": shelf.value() }), Change::Create)
    });
    let book = write.await.unwrap();
    let shelf = store.snapshot().by::<Shelf>("name", "S").unwrap().0.pk();
    let again = store.write(|draft| {
        draft.delete(shelf)?;
        draft.put(BOOK, Some(book), &json!({ "shelf": shelf.value() }), Change::Patch)
    });
    assert_eq!(super::told(again.await), json!({ "shelf": [missing(shelf)] }));
    assert!(store.snapshot().object(shelf).is_some());
}

#[tokio::test]
async fn what_refers_to_something_deleted_goes_with_it_or_forgets_it() {
    let store = store().await;
    let (s, t) = (make(&store, SHELF, json!({ "name": "S" })).await, make(&store, SHELF, json!({ "name": "T" })).await);
    let fields = json!({ "name": "B", "shelf": s.value(), "also_on": [t.value(), s.value(), t.value()] });
    let book = make(&store, BOOK, fields).await;
    let loan = make(&store, LOAN, json!({ "of": book.value(), "day": 1 })).await;
    store.write(|draft| draft.delete(s)).await.unwrap();
    assert_eq!(document(&store, book)["shelf"], json!(null));
    assert_eq!(document(&store, book)["also_on"], json!([t.value(), t.value()]));
    store.write(|draft| draft.delete(book)).await.unwrap();
    assert!(store.snapshot().object(loan).is_none());
    assert!(store.snapshot().referrers(Key::Object(t)).next().is_none());
    assert!(!store.write(|draft| draft.delete(book)).await.unwrap(), "it is gone already");
}

#[tokio::test]
async fn one_deletion_may_change_the_same_object_twice() {
    let store = store().await;
    let book = |name: &'static str| make(&store, BOOK, json!({ "name": name }));
    let (gone, stays) = (book("gone").await, book("stays").await);
    let first = make(&store, LOAN, json!({ "of": gone.value(), "day": 1 })).await;
    let fields = json!({ "of": stays.value(), "day": 1, "with": gone.value(), "after": first.value() });
    let second = make(&store, LOAN, fields).await;
    store.write(|draft| draft.delete(gone)).await.unwrap();
    assert!(store.snapshot().object(first).is_none());
    let now = document(&store, second);
    assert_eq!((&now["with"], &now["after"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn what_refers_to_an_account_goes_with_it_where_it_says_so() {
    let store = store().await;
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    let book = make(&store, BOOK, json!({ "name": "B" })).await;
    let adas = make(&store, LOAN, json!({ "of": book.value(), "day": 1, "to": ada })).await;
    let bobs = make(&store, LOAN, json!({ "of": book.value(), "day": 2, "to": bob })).await;
    assert_eq!(store.people(store.snapshot().object(adas)).await.unwrap().users[&ada].username, "ada");
    let mut unit = store.begin(Durability::Full).await.unwrap();
    assert!(unit.delete_user(ada).await.unwrap());
    unit.save().await.unwrap();
    let there = |pk| store.snapshot().object(pk).is_some();
    assert_eq!([there(adas), there(bobs), there(book)], [false, true, true]);
}

#[tokio::test]
async fn integers_are_counted_up_and_never_used_again() {
    let store = store().await;
    let book = make(&store, BOOK, json!({ "name": "B" })).await;
    let mut pks = Vec::new();
    for day in 1..4 {
        pks.push(make(&store, LOAN, json!({ "of": book.value(), "day": day })).await);
    }
    assert_eq!(pks, [1, 2, 3].map(|n| Pk::of_int(7, n)));
    assert_eq!(pks[2].value(), json!(3));
    store.write(|draft| draft.delete(pks[2])).await.unwrap();
    assert_eq!(make(&store, LOAN, json!({ "of": book.value(), "day": 9 })).await, Pk::of_int(7, 4));
}

#[tokio::test]
async fn a_second_key_is_as_good_as_the_first() {
    let backend = backend().await;
    let first = open(backend.clone()).await;
    let shelf = make(&first, SHELF, json!({ "name": "S" })).await;
    let book = make(&first, BOOK, json!({ "name": "B" })).await;
    let alias = Uuid::from_u128(5 << 100);
    change_rows(&*backend, |row| row.alias = (row.pk != shelf.uuid()).then_some(alias)).await;
    let store = open(backend).await;
    let other = Pk::of_uuid(alias);
    assert_eq!(store.snapshot().get(Ref::<dyn Lent>::new(other)).unwrap().title(), "B");
    put(&store, BOOK, Some(other), json!({ "shelf": shelf.value() }), Change::Patch).await.unwrap();
    assert_eq!(document(&store, book)["shelf"], shelf.value());
    let loan = make(&store, LOAN, json!({ "of": other.value(), "day": 1 })).await;
    for key in [book, other] {
        let loans: Vec<Pk> =
            store.snapshot().referring::<Loan>(Ref::<Book>::new(key)).map(|found| found.unwrap().0.pk()).collect();
        assert_eq!(loans, [loan], "whoever asks by either key finds what refers by either");
    }
    // A change keeps the second key, and a deletion by it takes along what refers by it.
    assert_eq!(store.snapshot().object(other).unwrap().pk, book);
    assert!(store.write(|draft| draft.delete(other)).await.unwrap());
    let snapshot = store.snapshot();
    assert!([book, other, loan].into_iter().all(|pk| snapshot.object(pk).is_none()));
}
