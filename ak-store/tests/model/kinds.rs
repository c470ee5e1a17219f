//! The kinds of a program that has to do with books.

use ak_store::model::{Kind, Meta, RecordRef, Ref, Registry, Roles, Row, Secret, Space, Target};
use ak_store::records::User;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) const SHELF: &str = "books.shelf";
pub(crate) const BOOK: &str = "books.book";
pub(crate) const LOAN: &str = "books.loan";

/// The role of what can be lent.
pub(crate) trait Lent {
    fn title(&self) -> &str;
}

impl Target for dyn Lent {
    const NAME: &'static str = "books.lent";
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Shelf {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) room: String,
}

impl Kind for Shelf {
    const META: Meta = Meta::new(SHELF, "books/shelves", "Shelf", "Shelves");
    type Shown = Nothing;

    fn shown(&self, _: &Row<'_>) -> Nothing {
        Nothing {}
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    New,
    Used,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Chapter {
    #[schemars(length(min = 1, max = 10))]
    pub(crate) heading: String,
    #[serde(default)]
    pub(crate) pages: u8,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Book {
    #[schemars(length(min = 1, max = 20))]
    pub(crate) name: String,
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub(crate) copies: i32,
    #[serde(default)]
    pub(crate) rare: bool,
    #[serde(default)]
    pub(crate) state: Option<State>,
    /// Gone with the shelf, the book stands nowhere.
    #[serde(default)]
    pub(crate) shelf: Option<Ref<Shelf>>,
    #[serde(default)]
    pub(crate) also_on: Vec<Ref<Shelf>>,
    #[serde(default)]
    pub(crate) chapters: Vec<Chapter>,
    #[serde(default)]
    pub(crate) notes: Map<String, Value>,
    #[serde(default)]
    pub(crate) lock: Secret,
    #[serde(default)]
    #[schemars(extend("x-later" = true))]
    pub(crate) audio: bool,
}

impl Kind for Book {
    const META: Meta = Meta { search: &["name", "state"], order: &["name"], ..Meta::new(BOOK, "books/books", "Book", "Books") };
    type Shown = Nothing;

    fn shown(&self, _: &Row<'_>) -> Nothing {
        Nothing {}
    }

    fn roles(is: &mut Roles<Self>) {
        is.a::<dyn Lent>(|s| s);
    }
}

impl Lent for Book {
    fn title(&self) -> &str {
        &self.name
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Loan {
    pub(crate) of: Ref<dyn Lent>,
    #[serde(default)]
    #[schemars(extend("x-on-delete" = "cascade"))]
    pub(crate) to: Option<RecordRef<User>>,
    #[serde(default)]
    pub(crate) with: Option<Ref<dyn Lent>>,
    #[serde(default)]
    pub(crate) after: Option<Ref<Loan>>,
    pub(crate) day: i32,
}

impl Kind for Loan {
    const META: Meta = Meta {
        space: Space::Int(7),
        label: "day",
        unique: &[&["of", "day"]],
        search: &[],
        order: &["-day"],
        ..Meta::new(LOAN, "books/loans", "Loan", "Loans")
    };
    type Shown = Nothing;

    fn shown(&self, _: &Row<'_>) -> Nothing {
        Nothing {}
    }
}

/// The second edition of a shelf: `place` was `room`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Shelf2 {
    pub(crate) name: String,
    pub(crate) place: String,
}

impl Kind for Shelf2 {
    const META: Meta = Meta { version: 2, ..Shelf::META };
    type Shown = Nothing;

    fn shown(&self, _: &Row<'_>) -> Nothing {
        Nothing {}
    }

    fn upgrade(from: u32, document: &mut Map<String, Value>) {
        assert_eq!(from, 1);
        let room = document.remove("room").unwrap_or_default();
        document.insert("place".into(), room);
    }
}

pub(crate) fn all() -> Registry {
    Registry::new().with::<Shelf>().with::<Book>().with::<Loan>()
}
