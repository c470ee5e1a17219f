//! Lists: filters, search, ordering, pages.

use std::sync::Arc;

use ak_store::model::{BadQuery, ListQuery, Store};
use serde_json::{Value, json};

use super::kinds::{BOOK, LOAN, SHELF};
use super::{make, store};

async fn library() -> Arc<Store> {
    let store = store().await;
    let attic = make(&store, SHELF, json!({ "name": "Attic" })).await;
    let cellar = make(&store, SHELF, json!({ "name": "Cellar" })).await;
    for (name, copies, rare, state, shelf) in [
        ("Alpha", 3, true, json!("new"), attic.value()),
        ("beta", 1, false, json!("used"), cellar.value()),
        ("Gamma ray", 2, false, Value::Null, Value::Null),
        ("delta ray", 2, true, json!("new"), attic.value()),
    ] {
        let fields =
            json!({ "name": name, "copies": copies, "rare": rare, "state": state, "shelf": shelf, "also_on": [cellar.value()] });
        make(&store, BOOK, fields).await;
    }
    store
}

fn query(text: &str) -> Result<ListQuery, BadQuery> {
    let pairs = text.split('&').filter(|p| !p.is_empty()).filter_map(|p| p.split_once('='));
    ListQuery::parse(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// The names of the books that a query finds.
fn names(store: &Store, text: &str) -> Result<Vec<String>, BadQuery> {
    let snapshot = store.snapshot();
    let info = snapshot.registry().by_model(BOOK).unwrap();
    let found = snapshot.list(&[info], &query(text)?)?;
    Ok(found.objects.iter().map(|o| o.body().unwrap().document()["name"].as_str().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn a_list_holds_what_its_filters_let_through() {
    let store = library().await;
    let attic = store.snapshot().by::<super::kinds::Shelf>("name", "Attic").unwrap().0.pk();
    let (hyphens, plain) = (attic.uuid().to_string(), attic.uuid().simple().to_string());
    let alpha = store.snapshot().by::<super::kinds::Book>("name", "Alpha").unwrap().0.pk();
    for (text, expected) in [
        ("", vec!["Alpha", "Gamma ray", "beta", "delta ray"]),
        ("name=Alpha", vec!["Alpha"]),
        ("name=alpha", vec![]),
        ("name__exact=Alpha", vec!["Alpha"]),
        ("name__iexact=ALPHA", vec!["Alpha"]),
        ("name__icontains=RAY", vec!["Gamma ray", "delta ray"]),
        ("name__in=Alpha,beta,none", vec!["Alpha", "beta"]),
        ("state_in=used,new&rare=false", vec!["beta"]),
        ("state__in=used&state__in=new", vec!["Alpha", "beta", "delta ray"]),
        ("copies=2&rare=true", vec!["delta ray"]),
        ("rare=1", vec!["Alpha", "delta ray"]),
        ("state=new", vec!["Alpha", "delta ray"]),
        ("state__isnull=true", vec!["Gamma ray"]),
        ("shelf__isnull=false", vec!["Alpha", "beta", "delta ray"]),
        ("shelf__name=Cellar", vec!["beta"]),
        ("shelf__name__iexact=ATTIC", vec!["Alpha", "delta ray"]),
        ("color=red&shelf__color=red", vec!["Alpha", "Gamma ray", "beta", "delta ray"]),
    ] {
        assert_eq!(names(&store, text).unwrap(), expected, "{text}");
    }
    for key in [hyphens, plain] {
        assert_eq!(names(&store, &format!("shelf={key}")).unwrap(), ["Alpha", "delta ray"]);
    }
    assert_eq!(names(&store, &format!("pk={alpha}")).unwrap(), ["Alpha"]);
}

#[tokio::test]
async fn a_condition_of_a_wrong_type_is_told() {
    let store = library().await;
    for (text, field, message) in [
        ("shelf=attic", "shelf", "“attic” is not a valid value."),
        ("rare=perhaps", "rare", "“perhaps” is not a valid value."),
        ("copies=many", "copies", "Enter a number."),
        ("state=torn", "state", "Select a valid choice. torn is not one of the available choices."),
        ("shelf__isnull=x", "shelf__isnull", "“x” is not a valid value."),
    ] {
        let Err(BadQuery::Filter(errors)) = names(&store, text) else { panic!("{text}") };
        assert_eq!(errors.value(), json!({ field: [message] }));
    }
}

#[tokio::test]
async fn a_search_finds_all_its_words_in_any_searched_field() {
    let store = library().await;
    for (text, expected) in [
        ("search=RAY", vec!["Gamma ray", "delta ray"]),
        ("search=ray new", vec!["delta ray"]),
        ("search=used", vec!["beta"]),
        ("search=attic", vec![]),
        ("search=ray&copies=2&rare=false", vec!["Gamma ray"]),
    ] {
        assert_eq!(names(&store, text).unwrap(), expected, "{text}");
    }
}

#[tokio::test]
async fn a_list_is_in_the_order_that_is_asked_for_or_the_kinds_own() {
    let store = library().await;
    for (text, expected) in [
        ("ordering=-name", ["delta ray", "beta", "Gamma ray", "Alpha"]),
        ("ordering=copies,-name", ["beta", "delta ray", "Gamma ray", "Alpha"]),
        ("ordering=-copies,name", ["Alpha", "Gamma ray", "delta ray", "beta"]),
        ("ordering=rare,name", ["Gamma ray", "beta", "Alpha", "delta ray"]),
    ] {
        assert_eq!(names(&store, text).unwrap(), expected, "{text}");
    }
    assert_eq!(names(&store, "ordering=state,name").unwrap().last().unwrap(), "Gamma ray", "no value comes last");
    let book = store.snapshot().by::<super::kinds::Book>("name", "beta").unwrap().0.pk();
    for day in [2, 10, 1] {
        make(&store, LOAN, json!({ "of": book.value(), "day": day })).await;
    }
    let snapshot = store.snapshot();
    let found = snapshot.list(&[snapshot.registry().by_model(LOAN).unwrap()], &query("").unwrap()).unwrap();
    let days: Vec<Value> = found.objects.iter().map(|o| o.body().unwrap().document()["day"].clone()).collect();
    assert_eq!(days, [10, 2, 1]);
}

#[tokio::test]
async fn a_list_has_pages() {
    let store = library().await;
    assert_eq!(names(&store, "page_size=3").unwrap(), ["Alpha", "Gamma ray", "beta"]);
    assert_eq!(names(&store, "page_size=3&page=2").unwrap(), ["delta ray"]);
    for text in ["page=2", "page_size=2&page=3", "page=0", "page=x", "page=-1", "page=18446744073709551615"] {
        assert!(matches!(names(&store, text), Err(BadQuery::Page)), "{text}");
    }
    // A size that is none is the usual one; the first page of nothing is empty.
    assert_eq!(names(&store, "page_size=0").unwrap().len(), 4);
    assert_eq!(names(&store, "name=none").unwrap(), [""; 0]);
    assert_eq!(query("page_size=5000").unwrap().page_size, ListQuery::MAX_PAGE_SIZE);
    let snapshot = store.snapshot();
    let info = snapshot.registry().by_model(BOOK).unwrap();
    assert_eq!(snapshot.list(&[info], &query("page_size=1").unwrap()).unwrap().count, 4);
}
