//! Objects that cannot be read: kept, refused, healed. Objects of an older version: brought up to date.

use std::sync::Arc;

use ak_store::model::{Change, Key, Pk, Ref, Registry};
use ak_store::records::{Backend, Durability, StoredEdge};
use serde_json::{Map, Value, json};

use super::kinds::{BOOK, Book, LOAN, Loan, SHELF, Shelf, Shelf2};
use super::{backend, change_rows, document, make, open, open_with, put, rows, shown, told};

struct House {
    backend: Arc<dyn Backend>,
    shelf: Pk,
    book: Pk,
    loan: Pk,
}

async fn house() -> House {
    let backend = backend().await;
    let store = open(backend.clone()).await;
    let shelf = make(&store, SHELF, json!({ "name": "S", "room": "attic" })).await;
    let book = make(&store, BOOK, json!({ "name": "B", "shelf": shelf.value(), "lock": "brass" })).await;
    let loan = make(&store, LOAN, json!({ "of": book.value(), "day": 1 })).await;
    House { backend, shelf, book, loan }
}

#[tokio::test]
async fn an_object_that_cannot_be_read_stays_as_it_is_and_is_no_object_of_its_kind() {
    for how in ["unknown kind", "unparsable", "newer"] {
        let house = house().await;
        let pk = house.loan.uuid();
        let spoil = |row: &mut ak_store::records::ObjectRow| match how {
            _ if row.pk != pk => {}
            "unknown kind" => row.kind = "elsewhere.thing".into(),
            "unparsable" => row.body = json!({ "of": "x" }),
            _ => row.version = 99,
        };
        change_rows(&*house.backend, spoil).await;
        let stored = rows(&*house.backend).await;
        let store = open(house.backend.clone()).await;
        let snapshot = store.snapshot();
        assert!(snapshot.get(Ref::<Loan>::new(house.loan)).is_none(), "{how}");
        assert!(snapshot.get(Ref::<Book>::new(house.book)).is_some());
        let broken: Vec<Pk> = snapshot.broken().map(|b| b.pk).collect();
        assert_eq!(broken, [house.loan], "{how}");
        assert!(shown(&store, house.loan)["broken"].is_string());
        let referring: Vec<bool> = snapshot.referring::<Loan>(Ref::<Book>::new(house.book)).map(|f| f.is_err()).collect();
        assert_eq!(referring, if how == "unknown kind" { vec![] } else { vec![true] });
        // Other writes go on, and leave it alone.
        put(&store, BOOK, Some(house.book), json!({ "copies": 1 }), Change::Patch).await.unwrap();
        let after = rows(&*house.backend).await;
        let find = |rows: &[ak_store::records::ObjectRow]| rows.iter().find(|row| row.pk == pk).cloned().unwrap();
        assert_eq!(find(&after), find(&stored));
    }
}

#[tokio::test]
async fn saving_a_broken_object_whole_heals_it() {
    let house = house().await;
    change_rows(&*house.backend, |row| {
        if row.pk == house.shelf.uuid() {
            row.body = json!([]);
        }
    })
    .await;
    let store = open(house.backend.clone()).await;
    let part = put(&store, SHELF, Some(house.shelf), json!({ "room": "cellar" }), Change::Patch).await;
    assert_eq!(told(part), json!({ "name": ["This field is required."] }));
    put(&store, SHELF, Some(house.shelf), json!({ "name": "S", "room": "cellar" }), Change::Replace).await.unwrap();
    assert_eq!(open(house.backend).await.snapshot().get(Ref::<Shelf>::new(house.shelf)).unwrap().room, "cellar");
}

#[tokio::test]
async fn a_secret_that_cannot_be_opened_breaks_its_object_only() {
    let house = house().await;
    change_rows(&*house.backend, |row| {
        if row.pk == house.book.uuid() {
            row.body["lock"] = json!("sealed:1:AAAA");
        }
    })
    .await;
    let store = open(house.backend).await;
    assert_eq!(store.snapshot().broken().map(|b| b.pk).collect::<Vec<_>>(), [house.book]);
}

#[tokio::test]
async fn a_reference_that_cannot_be_understood_does_not_stop_the_start() {
    let house = house().await;
    change_rows(&*house.backend, |row| {
        row.version = 99;
        row.refs =
            vec![StoredEdge { field: "x".into(), to: "planet:9".into() }, StoredEdge { field: "x".into(), to: "user:7".into() }];
    })
    .await;
    let store = open(house.backend).await;
    assert_eq!((store.snapshot().broken().count(), store.snapshot().referrers(Key::User(7)).count()), (3, 3));
}

fn second_edition() -> Registry {
    Registry::new().with::<Shelf2>().with::<Book>().with::<Loan>()
}

#[tokio::test]
async fn an_older_document_is_brought_up_to_date_and_stored_so() {
    let house = house().await;
    let store = open_with(house.backend.clone(), second_edition()).await;
    assert_eq!(document(&store, house.shelf), Map::from_iter([("name".into(), json!("S")), ("place".into(), json!("attic"))]));
    let stored = rows(&*house.backend).await.into_iter().find(|row| row.pk == house.shelf.uuid()).unwrap();
    assert_eq!((stored.version, &stored.body), (2, &json!({ "name": "S", "place": "attic" })));
    let revision = store.snapshot().revision();
    assert_eq!(open_with(house.backend.clone(), second_edition()).await.snapshot().revision(), revision);
    // The older program keeps its hands off.
    let older = open(house.backend).await;
    assert!(older.snapshot().get(Ref::<Shelf>::new(house.shelf)).is_none());
}

#[tokio::test]
async fn an_older_document_that_breaks_a_rule_does_not_stop_the_start() {
    let house = house().await;
    let (pk, mut copy) = (house.shelf.uuid(), rows(&*house.backend).await.remove(0));
    copy.pk = uuid::Uuid::from_u128(3 << 100);
    copy.kind = BOOK.into();
    copy.version = 0;
    copy.body = json!({ "name": "lost", "shelf": uuid::Uuid::from_u128(4 << 100) });
    (copy.refs, copy.unique) = (Vec::new(), Vec::new());
    let mut repo = house.backend.begin(Durability::Full).await.unwrap();
    let base = repo.objects().lock_revision().await.unwrap();
    repo.objects().commit(base, std::slice::from_ref(&copy)).await.unwrap();
    repo.save().await.unwrap();
    let store = open(house.backend).await;
    assert_eq!(document(&store, Pk::of_uuid(copy.pk))["name"], Value::from("lost"));
    assert!(store.snapshot().object(Pk::of_uuid(pk)).is_some());
}
