//! Kinds of another program: what can be registered, and what is refused at once.

use ak_store::model::{Kind, Meta, OnDelete, Ref, Registry, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kinds::{self, Book, Lent, Loan, Nothing, Shelf};
use super::{make, store};

macro_rules! kind {
    ($name:ident, $meta:expr) => {
        impl Kind for $name {
            const META: Meta = $meta;
            type Shown = Nothing;

            fn shown(&self, _: &Row<'_>) -> Nothing {
                Nothing {}
            }
        }
    };
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Plain {
    name: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct SamePath {
    name: String,
}
kind!(SamePath, Meta::new("books.other", "books/shelves", "Other", "Others"));
kind!(Plain, Meta { unique: &[&["name", "color"]], ..Meta::new("books.plain", "books/plain", "Plain", "Plains") });

/// A reference inside a choice of shapes: the reflection would lose it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Place {
    On { shelf: Ref<Shelf> },
    Nowhere { because: String },
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Loses {
    name: String,
    place: Place,
}
kind!(Loses, Meta::new("books.loses", "books/loses", "Loses", "Loses"));

/// A map of references is no less lost.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Maps {
    name: String,
    places: std::collections::BTreeMap<String, Ref<Shelf>>,
}
kind!(Maps, Meta::new("books.maps", "books/maps", "Maps", "Maps"));

#[test]
fn a_second_model_or_path_an_unknown_field_and_a_lost_reference_are_refused() {
    let problem = |registry: Registry| registry.build().unwrap_err();
    assert!(problem(kinds::all().with::<Shelf>()).contains("books.shelf"));
    assert!(problem(kinds::all().with::<SamePath>()).contains("books/shelves"));
    assert!(problem(kinds::all().with::<Plain>()).contains("there is no field color"));
    assert!(problem(kinds::all().with::<Loses>()).contains("books.loses"));
    assert!(problem(kinds::all().with::<Maps>()).contains("references"));
    let several = problem(kinds::all().with::<Shelf>().with::<Plain>());
    assert!(several.contains("books.shelf") && several.contains("books.plain"), "all at once: {several}");
}

#[test]
fn the_type_of_a_reference_says_what_happens_when_its_target_goes() {
    let registry = kinds::all().build().unwrap();
    let action = |model: &str, field: &str| {
        let field = registry.by_model(model).unwrap().field(field).unwrap().clone();
        let entry = if let ak_store::model::Shape::List(entry) = field.shape { *entry } else { field };
        entry.reference.unwrap().on_delete
    };
    assert_eq!(action(kinds::BOOK, "shelf"), OnDelete::SetNull);
    assert_eq!(action(kinds::BOOK, "also_on"), OnDelete::Remove);
    assert_eq!(action(kinds::LOAN, "of"), OnDelete::Cascade);
    assert_eq!(action(kinds::LOAN, "to"), OnDelete::Cascade);
}

#[tokio::test]
async fn objects_are_seen_as_their_kind_and_in_their_roles() {
    let store = store().await;
    let book = make(&store, kinds::BOOK, serde_json::json!({ "name": "Sketch" })).await;
    let snapshot = store.snapshot();
    assert_eq!(snapshot.get(Ref::<Book>::new(book)).unwrap().name, "Sketch");
    assert_eq!(snapshot.get(Ref::<dyn Lent>::new(book)).unwrap().title(), "Sketch");
    assert!(snapshot.get(Ref::<Shelf>::new(book)).is_none());
    assert!(snapshot.get(Ref::<Loan>::new(book)).is_none());
    assert_eq!(snapshot.by::<Book>("name", "Sketch").unwrap().0.pk(), book);
}
