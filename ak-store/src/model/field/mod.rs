//! The fields of a kind: its JSON Schema, compiled once into what the product needs to know of it.

mod check;
mod compile;
mod edges;

use serde_json::Value;

use super::pk::Space;

pub use check::{Demand, normalise};
pub(super) use compile::compile;
pub use edges::Edge;
pub(super) use edges::{detach, edges, take_secrets};

/// A field of a document, or the entry of a list.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name; empty for the entry of a list.
    pub name: Box<str>,
    /// What values it takes.
    pub shape: Shape,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether a new document must have it.
    pub required: bool,
    /// Its value where it is left out.
    pub default: Option<Value>,
    /// What it refers to.
    pub reference: Option<Reference>,
    /// Kept sealed, and never shown.
    pub secret: bool,
    /// Shown to clients, but not in events.
    pub redact: bool,
    /// Not shown by the API's collection, which has other ways to it.
    pub hidden: bool,
    /// Its behaviour is still to come: anything but the default is refused.
    pub later: bool,
    /// Kept by the product: inputs do not change it.
    pub read_only: bool,
    /// Documentation, for people.
    pub doc: Box<str>,
}

/// What values a field takes.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Text.
    Text {
        /// Characters at least.
        min: u64,
        /// Characters at the most.
        max: Option<u64>,
        /// What it must match.
        pattern: Option<Pattern>,
    },
    /// A moment: a date and a time of day (RFC 3339).
    Moment,
    /// A UUID.
    Uuid,
    /// True or false.
    Bool,
    /// A whole number.
    Int {
        /// The least value.
        min: Option<i64>,
        /// The greatest value.
        max: Option<i64>,
    },
    /// A number.
    Float,
    /// One of these values.
    Choice(Vec<Value>),
    /// A list.
    List(Box<Field>),
    /// A nested document.
    Nested(Vec<Field>),
    /// Free data: an object whose values are not looked into.
    Map,
    /// Anything at all.
    Any,
}

impl Field {
    /// Whether answers leave it out.
    pub(super) fn is_withheld(&self) -> bool {
        self.secret
    }

    /// Whether the database holds it sealed.
    pub(super) fn is_sealed(&self) -> bool {
        self.secret || self.redact
    }
}

/// What a text must match.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// The expression.
    pub regex: regex::Regex,
    /// What is said of a text that does not match.
    pub message: &'static str,
}

impl Pattern {
    /// An e-mail address, as far as one can tell without writing to it.
    const EMAIL: &'static str = r"^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)*$";

    /// The expression of a field, or the one that belongs to its format. Common ones have words of their own.
    fn of(pattern: Option<&str>, format: Option<&str>) -> Result<Option<Self>, regex::Error> {
        let (expression, message) = match (pattern, format) {
            (Some(slug @ "^[-a-zA-Z0-9_]+$"), _) => {
                (slug, "Enter a valid “slug” consisting of letters, numbers, underscores or hyphens.")
            }
            (Some(other), _) => (other, "Enter a valid value."),
            (None, Some("email")) => (Self::EMAIL, "Enter a valid email address."),
            (None, _) => return Ok(None),
        };
        Ok(Some(Self { regex: regex::Regex::new(expression)?, message }))
    }
}

/// What a field refers to.
#[derive(Debug, Clone)]
pub struct Reference {
    /// What the target must be.
    pub to: ReferenceTo,
    /// What happens when the target is deleted.
    pub on_delete: OnDelete,
}

/// What the target of a reference must be.
#[derive(Debug, Clone)]
pub enum ReferenceTo {
    /// An object of this model or role, with keys from this space.
    Object(Box<str>, Space),
    /// An account.
    User,
    /// A group.
    Group,
}

/// What happens to the one that refers when the target is deleted, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnDelete {
    /// It is deleted too.
    Cascade,
    /// The field becomes null.
    SetNull,
    /// The list loses the entry.
    Remove,
}

/// The reference at an edge's path: names joined by dots, entries of lists under the list's own path.
pub(super) fn reference_at<'a>(fields: &'a [Field], path: &str) -> Option<&'a Reference> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let mut field = fields.iter().find(|f| *f.name == *first)?;
    while let Shape::List(entry) = &field.shape {
        field = entry;
    }
    match (rest, &field.shape) {
        (None, _) => field.reference.as_ref(),
        (Some(rest), Shape::Nested(fields)) => reference_at(fields, rest),
        (Some(_), _) => None,
    }
}

impl OnDelete {
    /// The name of the action in the contract (`UsedByActionEnum`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cascade => "cascade",
            Self::SetNull => "set_null",
            Self::Remove => "cascade_many",
        }
    }
}
